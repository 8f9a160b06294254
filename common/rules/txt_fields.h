/* SPDX-License-Identifier: ISC */
/*
 * TXT records that are a version and fields, RFC 8461 3.1 and RFC 8460 3:
 *
 *   record = version 1*( delim field ) [ delim ]
 *   delim  = *WSP ";" *WSP
 *   field  = name "=" value
 *   name   = ( letter / digit ) *31( letter / digit / "_" / "-" / "." )
 *
 * What a field means is its reader's business.
 */
#ifndef STS_RULES_TXT_FIELDS_H
#define STS_RULES_TXT_FIELDS_H

#include "base/err.h"
#include "base/scan.h"

struct txt_fields {
	struct sts_problems said;
	unsigned n; /* of the record under judgement, from 1: its "line" */
	const char *version; /* "v=STSv1" */
	const char *like;    /* "v=sts": what a misspelt one begins with */
	/* One field; whole is for remarks. */
	void (*field)(struct txt_fields *, struct sts_str name,
	    struct sts_str value, struct sts_str whole);
};

/*
 * Find the one record that begins with the version and read its fields.
 * STS_ABSENT: there is none.  STS_INVALID: several, or there was a fatal
 * remark.
 */
enum sts_rc sts_txt_fields_read(struct txt_fields *, const struct sts_str *txt,
    size_t n);

/* The value of a field nobody knows: 1*( visible ASCII but "=" and ";" ). */
bool sts_txt_field_value(struct sts_str);

#endif
