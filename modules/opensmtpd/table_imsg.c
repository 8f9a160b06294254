/* SPDX-License-Identifier: ISC */
/*
 * Header, host byte order:  u32 type, u16 length with the header, u16 flags,
 * u32 peerid, u32 pid.  Then
 *
 *   OPEN            u32 version, char name[2048]
 *   CHECK, LOOKUP   u32 service, size_t n, n times (name NUL value NUL),
 *                   key NUL
 *   answer          OK: int found [value NUL], or OK alone to OPEN; FAIL
 *
 * Any answer but OK is the end of smtpd, so FAIL is for what it never sends.
 */
#include "table_imsg.h"

#include <string.h>

enum {
	IMSG_OK = 0,
	IMSG_FAIL = 1,
	IMSG_OPEN = 2,
	IMSG_CLOSE = 3,
	IMSG_UPDATE = 4,
	IMSG_CHECK = 5,
	IMSG_LOOKUP = 6,
	IMSG_FETCH = 7
};

enum {
	IMSG_VERSION = 2,
	SERVICE_DOMAIN = 0x2,
	SERVICE_MAILADDR = 0x40,
	SERVICE_RELAYHOST = 0x200
};

static uint32_t
get_u32(const char *p)
{
	uint32_t n;

	memcpy(&n, p, sizeof n);
	return n;
}

bool
table_imsg_begins(const char p[4])
{
	return get_u32(p) <= IMSG_FETCH;
}

static bool
take(struct sts_str *s, void *out, size_t len)
{
	if (s->len < len)
		return false;
	memcpy(out, s->p, len);
	s->p += len;
	s->len -= len;
	return true;
}

static bool
take_string(struct sts_str *s, struct sts_str *out)
{
	const char *nul = s->len == 0 ? NULL : memchr(s->p, '\0', s->len);

	if (nul == NULL)
		return false;
	*out = (struct sts_str){ s->p, (size_t)(nul - s->p) };
	s->len -= out->len + 1;
	s->p = nul + 1;
	return true;
}

static bool
take_query(struct table_request *r, struct sts_str s)
{
	struct sts_str skip;
	uint32_t service;
	size_t n;

	if (!take(&s, &service, sizeof service) || !take(&s, &n, sizeof n))
		return false;
	r->service = service == SERVICE_DOMAIN ? TABLE_DOMAIN
	    : service == SERVICE_RELAYHOST     ? TABLE_RELAYHOST
	    : service == SERVICE_MAILADDR      ? TABLE_MAILADDR
					       : TABLE_OTHER;
	if (n > s.len / 2)
		return false;
	for (; n > 0; n--)
		if (!take_string(&s, &skip) || !take_string(&s, &skip))
			return false;
	return take_string(&s, &r->key) && s.len == 0 && r->key.len <= KEY_MAX;
}

static enum table_op
parse_open(struct table_request *r, struct sts_str s)
{
	uint32_t version;

	if (!take(&s, &version, sizeof version) || version != IMSG_VERSION)
		return TABLE_BAD;
	if (!take_string(&s, &r->key) || r->key.len > KEY_MAX)
		r->key = (struct sts_str){ NULL, 0 };
	return TABLE_OPEN;
}

static enum table_op
parse_body(struct table_request *r, uint32_t type, struct sts_str body)
{
	switch (type) {
	case IMSG_OPEN:
		return parse_open(r, body);
	case IMSG_CLOSE:
		return TABLE_CLOSE;
	case IMSG_UPDATE:
		return TABLE_UPDATE;
	case IMSG_FETCH:
		return TABLE_FETCH;
	case IMSG_CHECK:
	case IMSG_LOOKUP:
		r->broken = !take_query(r, body);
		if (r->broken)
			r->key = (struct sts_str){ NULL, 0 };
		return type == IMSG_CHECK ? TABLE_CHECK : TABLE_LOOKUP;
	default:
		return TABLE_BAD;
	}
}

size_t
table_imsg_parse(struct table_request *r, struct sts_str bytes)
{
	struct sts_str body;
	uint16_t len;

	*r = (struct table_request){ .op = TABLE_BAD, .service = TABLE_OTHER };
	if (bytes.len < IMSG_HEAD)
		return 0;
	memcpy(&len, bytes.p + 4, sizeof len);
	r->peerid = get_u32(bytes.p + 8);
	/* Where the next one begins cannot be known: all there is goes. */
	if (len < IMSG_HEAD || len > IMSG_MAX)
		return bytes.len;
	if (bytes.len < len)
		return 0;
	body.p = bytes.p + IMSG_HEAD;
	body.len = (size_t)len - IMSG_HEAD;
	r->op = parse_body(r, get_u32(bytes.p), body);
	return len;
}

static size_t
put(char *out, uint32_t type, uint32_t peerid, const void *body, size_t n)
{
	uint16_t len = (uint16_t)(IMSG_HEAD + n);

	memset(out, 0, IMSG_HEAD);
	memcpy(out, &type, sizeof type);
	memcpy(out + 4, &len, sizeof len);
	memcpy(out + 8, &peerid, sizeof peerid);
	if (n > 0)
		memcpy(out + IMSG_HEAD, body, n);
	return len;
}

size_t
table_imsg_answer(char out[IMSG_ANSWER_MAX], const struct table_request *r,
    const struct table_answer *a)
{
	char body[sizeof(int) + ANSWER_TEXT];
	int found = a->found == TABLE_FOUND ? 1
	    : a->found == TABLE_NOT_FOUND   ? 0
					    : -1;
	size_t n = sizeof found;

	if (r->op < TABLE_CHECK)
		return 0;
	if (r->op == TABLE_BAD)
		return put(out, IMSG_FAIL, r->peerid, NULL, 0);
	if (r->op == TABLE_OPEN || r->op == TABLE_CLOSE)
		return put(out, IMSG_OK, r->peerid, NULL, 0);
	if (r->op == TABLE_LOOKUP || r->op == TABLE_FETCH) {
		if (found == 1 && a->text[0] == '\0')
			found = -1;
		if (found == 1) {
			n = strlen(a->text) + 1;
			memcpy(body + sizeof found, a->text, n);
			n += sizeof found;
		}
	}
	memcpy(body, &found, sizeof found);
	return put(out, IMSG_OK, r->peerid, body, n);
}
