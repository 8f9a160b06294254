/* SPDX-License-Identifier: ISC */
/*
 * The DNS names a certificate is for, RFC 8461 3.3 and 4.2, without a TLS
 * library: a walk over the DER of RFC 5280 4.1.
 *
 *   Certificate ::= SEQUENCE { tbs, algorithm, signature }
 *   tbs         ::= SEQUENCE { ..., [3] SEQUENCE OF Extension OPTIONAL }
 *   Extension   ::= SEQUENCE { OID, BOOLEAN OPTIONAL, OCTET STRING }
 *   SubjectAltName ::= SEQUENCE OF GeneralName    dNSName is [2] IA5String
 *
 * No recursion; every step shrinks what is left.  One broken length anywhere
 * on the way, and there are no names.
 */
#include "base/domain_name.h"
#include "base/scan.h"
#include <mtasts/sts.h>

enum {
	TAG_BOOLEAN = 0x01,
	TAG_OCTETS = 0x04,
	TAG_OID = 0x06,
	TAG_SEQUENCE = 0x30,
	TAG_EXTENSIONS = 0xa3, /* [3], constructed */
	TAG_DNS_NAME = 0x82,   /* [2], primitive */
	LENGTH_BYTES_MAX = 4
};

/* 2.5.29.17 */
static const char san_oid[] = "\x55\x1d\x11";

static bool
next_byte(struct scan *s, unsigned char *b)
{
	if (s->p == s->end)
		return false;
	*b = (unsigned char)*s->p++;
	return true;
}

/* X.690 8.1.3 and 10.1: definite and as short as can be. */
static bool
next_length(struct scan *s, size_t *len)
{
	unsigned char b, more;
	size_t n = 0;

	if (!next_byte(s, &b))
		return false;
	if (b < 0x80) {
		*len = b;
		return true;
	}
	more = b & 0x7f;
	if (more == 0 || more > LENGTH_BYTES_MAX || scan_left(s) < more ||
	    *s->p == 0)
		return false;
	for (unsigned char i = 0; i < more; i++) {
		next_byte(s, &b);
		n = n << 8 | b;
	}
	*len = n;
	return n >= 0x80;
}

/* The next element, whatever it is. */
static bool
next_any(struct scan *s, unsigned char *tag, struct scan *inside)
{
	size_t len;

	if (!next_byte(s, tag) || (*tag & 0x1f) == 0x1f)
		return false; /* no tag of more bytes occurs in X.509 */
	if (!next_length(s, &len) || len > scan_left(s))
		return false;
	*inside = scan_bytes(s->p, len);
	s->p += len;
	return true;
}

static bool
next_is(struct scan *s, unsigned char want, struct scan *inside)
{
	unsigned char tag;

	return next_any(s, &tag, inside) && tag == want;
}

/* One Extension: *san is set where it is a subjectAltName. */
static bool
extension(struct scan ext, struct scan *san, bool *is_san)
{
	struct scan oid, value;
	unsigned char tag;

	if (!next_is(&ext, TAG_OID, &oid) || !next_any(&ext, &tag, &value))
		return false;
	if (tag == TAG_BOOLEAN && !next_any(&ext, &tag, &value))
		return false;
	if (tag != TAG_OCTETS || ext.p != ext.end)
		return false;
	*is_san = str_is(scan_rest(&oid), san_oid);
	if (*is_san)
		return next_is(&value, TAG_SEQUENCE, san) &&
		    value.p == value.end;
	return true;
}

/* The one subjectAltName of a certificate; two of them are none. */
static bool
find_san(struct scan cert, struct scan *san)
{
	struct scan outer, tbs, field, list, one, names;
	unsigned char tag;
	bool found = false, is_san;

	if (!next_is(&cert, TAG_SEQUENCE, &outer) || cert.p != cert.end ||
	    !next_is(&outer, TAG_SEQUENCE, &tbs))
		return false;
	do /* all before the extensions is of no interest */
		if (!next_any(&tbs, &tag, &field))
			return false;
	while (tag != TAG_EXTENSIONS);
	if (!next_is(&field, TAG_SEQUENCE, &list) || field.p != field.end)
		return false;
	while (list.p < list.end) {
		if (!next_is(&list, TAG_SEQUENCE, &one) ||
		    !extension(one, &names, &is_san) || (is_san && found))
			return false;
		if (is_san) {
			*san = names;
			found = true;
		}
	}
	return found;
}

bool
sts_cert_has_dns_id(const void *der, size_t len, const char *host)
{
	struct scan san, name;
	struct sts_str id;
	unsigned char tag;
	bool found = false;

	if (!find_san(scan_bytes(der, len), &san))
		return false;
	while (san.p < san.end) {
		if (!next_any(&san, &tag, &name))
			return false;
		id = scan_rest(&name);
		if (tag != TAG_DNS_NAME)
			continue;
		if (host == NULL ? sts_dns_id_valid(id)
				 : sts_dns_id_match(str_of(host), id))
			found = true;
	}
	return found;
}
