/* SPDX-License-Identifier: ISC */
/* Domain names as RFC 5321 4.1.2 has them, of borrowed bytes. */
#ifndef STS_BASE_DOMAIN_NAME_H
#define STS_BASE_DOMAIN_NAME_H

#include "scan.h"

enum {
	STS_LABEL_MAX = 63,
	STS_NAME_MAX = 253, /* RFC 1035 2.3.4, as text without root dot */
	/* What "_mta-sts." and "mta-sts." leave of it. */
	STS_POLICY_DOMAIN_MAX = STS_NAME_MAX - 9
};

/*
 * Labels of letters, digits and inner hyphens, within the limits above, no
 * trailing dot.
 */
bool sts_name_valid(struct sts_str);

/*
 * The name of a host as an MX record or a certificate has it, in lower case
 * without the root dot: the above, '_' in the place of any letter, and no
 * address.  Policy domains and patterns have none (RFC 8461 3.2, 3.4), but
 * hosts do, and RFC 8461 4.1 compares labels.  _is_: and it is in that form
 * already.
 */
bool sts_host_normal(char out[STS_NAME_SIZE], struct sts_str);
bool sts_host_is_normal(struct sts_str);

/*
 * The last label is a number, decimal or hexadecimal: an IPv4 address in one of
 * its spellings, never a host name (RFC 1123 2.1).
 */
bool sts_name_numeric(struct sts_str);

/* Is it what sts_name_valid() takes, or "*." and that? */
bool sts_pattern_valid(struct sts_str);

/*
 * Does the name of a host match a valid pattern?  One trailing dot of the name
 * is ignored.
 */
bool sts_pattern_match(struct sts_str name, struct sts_str pattern);

/* The same two of a dNSName, in which a host name may stand, or "*." and it. */
bool sts_dns_id_valid(struct sts_str);
bool sts_dns_id_match(struct sts_str name, struct sts_str id);

/*
 * sts_domain_normal() of borrowed bytes; false: not one.  _is_: and it is in
 * that form already, as a name in our own files must be.
 */
bool sts_domain_of(char out[STS_NAME_SIZE], struct sts_str);
bool sts_domain_is_normal(char out[STS_NAME_SIZE], struct sts_str);

#endif
