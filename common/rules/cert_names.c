/* SPDX-License-Identifier: ISC */
/*
 * The DNS names a certificate is for, RFC 8461 3.3 and 4.2, and its purpose,
 * without a TLS library: a walk over the DER of RFC 5280 4.1.
 *
 *   Certificate ::= SEQUENCE { tbs, algorithm, signature }
 *   tbs         ::= SEQUENCE { ..., [3] SEQUENCE OF Extension OPTIONAL }
 *   Extension   ::= SEQUENCE { OID, BOOLEAN OPTIONAL, OCTET STRING }
 *   SubjectAltName ::= SEQUENCE OF GeneralName    dNSName is [2] IA5String
 *   ExtKeyUsage    ::= SEQUENCE OF OID
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

/* subjectAltName 2.5.29.17, extKeyUsage 2.5.29.37, id-kp-serverAuth */
static const char san_oid[] = "\x55\x1d\x11";
static const char usage_oid[] = "\x55\x1d\x25";
static const char server_oid[] = "\x2b\x06\x01\x05\x05\x07\x03\x01";

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

/* One Extension: *inside is set where its OID is the one that is wanted. */
static bool
extension(struct scan ext, const char *want, struct scan *inside, bool *is_it)
{
	struct scan oid, value;
	unsigned char tag;

	if (!next_is(&ext, TAG_OID, &oid) || !next_any(&ext, &tag, &value))
		return false;
	if (tag == TAG_BOOLEAN && !next_any(&ext, &tag, &value))
		return false;
	if (tag != TAG_OCTETS || ext.p != ext.end)
		return false;
	*is_it = str_is(scan_rest(&oid), want);
	if (*is_it)
		return next_is(&value, TAG_SEQUENCE, inside) &&
		    value.p == value.end;
	return true;
}

enum found { BROKEN, ABSENT, FOUND };

/* The one extension of a certificate with this OID; two are a broken one. */
static enum found
find(struct scan cert, const char *oid, struct scan *inside)
{
	struct scan outer, tbs, field, list, one, it;
	enum found found = ABSENT;
	unsigned char tag = 0;
	bool is_it;

	if (!next_is(&cert, TAG_SEQUENCE, &outer) || cert.p != cert.end ||
	    !next_is(&outer, TAG_SEQUENCE, &tbs))
		return BROKEN;
	while (tag != TAG_EXTENSIONS) { /* what is before is of no interest */
		if (tbs.p == tbs.end)
			return ABSENT;
		if (!next_any(&tbs, &tag, &field))
			return BROKEN;
	}
	if (!next_is(&field, TAG_SEQUENCE, &list) || field.p != field.end)
		return BROKEN;
	while (list.p < list.end) {
		if (!next_is(&list, TAG_SEQUENCE, &one) ||
		    !extension(one, oid, &it, &is_it) ||
		    (is_it && found == FOUND))
			return BROKEN;
		if (is_it) {
			*inside = it;
			found = FOUND;
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

	if (find(scan_bytes(der, len), san_oid, &san) != FOUND)
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

bool
sts_cert_for_server(const void *der, size_t len)
{
	struct scan usage, oid;
	bool found = false;

	switch (find(scan_bytes(der, len), usage_oid, &usage)) {
	case BROKEN:
		return false;
	case ABSENT:
		return true;
	case FOUND:
		break;
	}
	while (usage.p < usage.end) {
		if (!next_is(&usage, TAG_OID, &oid))
			return false;
		found = found || str_is(scan_rest(&oid), server_oid);
	}
	return found;
}
