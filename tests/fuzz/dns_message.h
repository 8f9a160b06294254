/* SPDX-License-Identifier: ISC */
/*
 * A DNS message (RFC 1035 4.1) taken apart in another way than getdns does, to
 * say what an answer may be founded on.
 */
#ifndef TESTS_FUZZ_DNS_MESSAGE_H
#define TESTS_FUZZ_DNS_MESSAGE_H

#include "must.h"
#include "net/dns_wire.h"

enum {
	TYPE_A = 1,
	TYPE_CNAME = 5,
	TYPE_SOA = 6,
	TYPE_MX = 15,
	TYPE_TXT = 16,
	TYPE_AAAA = 28,
	TYPE_OPT = 41,
	TYPE_TLSA = 52,
	MESSAGE_RECORDS = 128
};

struct message_record {
	struct dns_wire owner;
	unsigned section, type, class; /* section: 1 answer, 2 authority, 3 */
	const uint8_t *rdata;
	size_t len;
	bool chain; /* an owner's name that the question leads to */
};

struct message {
	const uint8_t *p;
	size_t len;
	unsigned flags, count[4]; /* questions, answers, authority, more */
	struct message_record r[MESSAGE_RECORDS];
	size_t n;
	bool whole; /* all records that were promised are there, and in r */
};

static inline unsigned
message_u16(const struct message *m, size_t at)
{
	return at + 2 > m->len ? 0 : (unsigned)m->p[at] << 8 | m->p[at + 1];
}

/* A name with its pointers followed; 0: none, else where it ends. */
static inline size_t
message_name(const struct message *m, size_t at, struct dns_wire *out)
{
	size_t end = 0;

	out->len = 0;
	for (unsigned hops = 0; at < m->len && hops < 256;) {
		unsigned c = m->p[at];

		if (c >= 192) {
			end = end == 0 ? at + 2 : end;
			at = message_u16(m, at) & 0x3fff;
			hops++;
			continue;
		}
		if (c > 63 || c + 1 > m->len - at ||
		    c + 1 > DNS_WIRE_MAX - out->len)
			return 0;
		memcpy(out->bytes + out->len, m->p + at, c + 1);
		out->len += c + 1;
		at += c + 1;
		if (c == 0)
			return end == 0 ? at : end;
	}
	return 0;
}

/* Note the names that aliases lead to from name on, whatever their order. */
static inline void
message_follow(struct message *m, const struct dns_wire *name)
{
	struct dns_wire next;

	for (size_t i = 0; i < m->n; i++) {
		struct message_record *r = &m->r[i];

		if (r->chain || r->section != 1 || r->class != 1 ||
		    !dns_wire_is(name, r->owner.bytes, r->owner.len))
			continue;
		r->chain = true;
		if (r->type == TYPE_CNAME &&
		    message_name(m, (size_t)(r->rdata - m->p), &next) != 0)
			message_follow(m, &next);
	}
}

static inline void
message_read(struct message *m, const uint8_t *p, size_t len,
    const struct dns_wire *question)
{
	struct dns_wire name;
	size_t at = 12;

	*m = (struct message){ .p = p, .len = len };
	m->flags = message_u16(m, 2);
	for (size_t i = 0; i < 4; i++)
		m->count[i] = message_u16(m, 4 + 2 * i);
	for (unsigned i = 0; i < m->count[0]; i++, at += 4)
		if ((at = message_name(m, at, &name)) == 0)
			return;
	for (unsigned s = 1; s < 4; s++)
		for (unsigned i = 0; i < m->count[s]; i++) {
			struct message_record *r = &m->r[m->n];

			if (m->n == MESSAGE_RECORDS ||
			    (at = message_name(m, at, &r->owner)) == 0 ||
			    at + 10 > len)
				return;
			r->section = s;
			r->type = message_u16(m, at);
			r->class = message_u16(m, at + 2);
			r->len = message_u16(m, at + 8);
			r->rdata = p + at + 10;
			if (r->len > len - at - 10)
				return;
			at += 10 + r->len;
			m->n++;
		}
	m->whole = true;
	message_follow(m, question);
}

static inline bool
message_is_reply(const struct message *m)
{
	return m->len >= 12 && (m->flags & 0x8000) != 0;
}

/* With the upper bits, RFC 6891 6.1.3. */
static inline unsigned
message_rcode(const struct message *m)
{
	unsigned rcode = m->flags & 15;

	for (size_t i = 0; i < m->n; i++)
		if (m->r[i].section == 3 && m->r[i].type == TYPE_OPT)
			rcode |= (unsigned)m->r[i].rdata[-6] << 4;
	return rcode;
}

/* How many answers of the type there are that the question leads to. */
static inline size_t
message_answers(const struct message *m, unsigned type)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += m->r[i].chain && m->r[i].type == type;
	return n;
}

/* RFC 2308 2: NXDOMAIN; or NODATA, by a server that can know it. */
static inline bool
message_says_none(const struct message *m, unsigned type)
{
	bool soa = false;

	for (size_t i = 0; i < m->n; i++)
		soa |= m->r[i].section == 2 && m->r[i].type == TYPE_SOA &&
		    m->r[i].class == 1;
	return message_is_reply(m) && m->whole && (m->flags & 0x200) == 0 &&
	    (message_rcode(m) == 3 ||
		(message_rcode(m) == 0 && message_answers(m, type) == 0 &&
		    (soa || (m->flags & 0x80) != 0)));
}

/* Records of the type for this name, and nothing that speaks against them. */
static inline bool
message_says_found(const struct message *m, unsigned type)
{
	return message_is_reply(m) && m->whole && (m->flags & 0x200) == 0 &&
	    message_rcode(m) == 0 && message_answers(m, type) > 0;
}

#endif
