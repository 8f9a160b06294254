/* SPDX-License-Identifier: ISC */
/*
 * What a DNS message says in answer to a question.  Pure.
 *
 * getdns has parsed it before, but its findings are never used: its
 * status calls SERVFAIL "no such name", it takes an answer to another question
 * for one to ours, and a record that is cut off for a shorter one; 1.6 even
 * reads a few bytes behind the message then.
 *
 *   message = header questions answers authority additional    RFC 1035 4.1
 *   record  = name type class ttl length rdata                 RFC 1035 4.1.3
 */
#include "dns_reply.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 12, RECORD = 10, CLASS_IN = 1, TTL_MAX = 0x7fffffff };
enum { QR = 0x8000, TC = 0x200, RA = 0x80, RCODE = 15 }; /* RFC 1035 4.1.1 */
enum {
	NOERROR = 0,
	FORMERR = 1,
	SERVFAIL = 2,
	NXDOMAIN = 3,
	NOTIMP = 4,
	REFUSED = 5,
	BADVERS = 16
};

/* Records of one section. */
struct records {
	size_t at, left;
};

struct reply {
	const uint8_t *p;
	size_t len;
	unsigned flags, rcode;
	struct records answer, authority;
};

struct rr {
	struct dns_wire name;
	unsigned type, class;
	uint32_t ttl;
	size_t rdata, len;
};

/* Where the CNAME chain ended. */
struct chain_end {
	struct dns_wire name;
	unsigned hops;
	uint32_t ttl;
	size_t n;  /* records of the wanted type there */
	bool lost; /* a CNAME record that cannot be read */
};

/* --- A message ------------------------------------------------------------ */

static unsigned
u16(const struct reply *r, size_t at)
{
	return (unsigned)r->p[at] << 8 | r->p[at + 1];
}

static uint32_t
u32(const struct reply *r, size_t at)
{
	return (uint32_t)u16(r, at) << 16 | u16(r, at + 2);
}

/* The next record; false: no more, or it is not all there. */
static bool
next_rr(struct rr *out, const struct reply *r, struct records *from)
{
	size_t at;

	if (from->left == 0 ||
	    (at = dns_wire_read(&out->name, r->p, r->len, from->at)) == 0 ||
	    r->len - at < RECORD)
		return false;
	out->type = u16(r, at);
	out->class = u16(r, at + 2);
	out->ttl = u32(r, at + 4);
	out->len = u16(r, at + 8);
	out->rdata = at + RECORD;
	if (out->len > r->len - out->rdata)
		return false;
	if (out->ttl > TTL_MAX)
		out->ttl = 0; /* RFC 2181 8 */
	from->at = out->rdata + out->len;
	from->left--;
	return true;
}

/*
 * Where the sections are; false: not all that the header promises is there.
 * RFC 6891 6.1.3: an OPT record holds the upper bits of the rcode.
 */
static bool
find_sections(struct reply *r, size_t at)
{
	struct records section[3];
	struct rr rr;

	for (size_t i = 0; i < ARRAY_LEN(section); i++) {
		section[i] = (struct records){ at, u16(r, 6 + 2 * i) };
		for (struct records all = section[i]; all.left > 0;
		     at = all.at) {
			if (!next_rr(&rr, r, &all))
				return false;
			if (i == 2 && rr.type == DNS_RR_OPT)
				r->rcode |= u32(r, rr.rdata - 6) >> 24 << 4;
		}
	}
	r->answer = section[0];
	r->authority = section[1];
	return true;
}

/* Is its only question the one that was asked? */
static bool
repeats_question(const struct reply *r, size_t at, const struct dns_wire *name,
    unsigned type)
{
	struct dns_wire asked;

	return u16(r, 4) == 1 &&
	    (at = dns_wire_read(&asked, r->p, r->len, at)) != 0 &&
	    r->len - at >= 4 && dns_wire_is(name, asked.bytes, asked.len) &&
	    u16(r, at) == type && u16(r, at + 2) == CLASS_IN;
}

static bool
skip_questions(const struct reply *r, size_t *at)
{
	struct dns_wire asked;

	for (unsigned n = u16(r, 4); n > 0; n--, *at += 4)
		if ((*at = dns_wire_read(&asked, r->p, r->len, *at)) == 0 ||
		    r->len - *at < 4)
			return false;
	return true;
}

/* --- CNAME chains, negative answers ------------------------------------- */

/*
 * One name of the chain: count its records of the type.  True: there are none,
 * but a CNAME record, and *next is its target.
 */
static bool
scan_answers(struct chain_end *end, const struct reply *r, unsigned type,
    struct dns_wire *next)
{
	struct records all = r->answer;
	struct dns_wire target;
	bool alias = false;
	struct rr rr;

	while (next_rr(&rr, r, &all)) {
		if (rr.class != CLASS_IN ||
		    !dns_wire_is(&end->name, rr.name.bytes, rr.name.len))
			continue;
		if (rr.type == type)
			end->n++;
		else if (rr.type != DNS_RR_CNAME)
			continue;
		else if (dns_wire_read(&target, r->p, r->len, rr.rdata) !=
		    rr.rdata + rr.len)
			end->lost = true;
		else {
			*next = target;
			alias = true;
		}
		if (rr.ttl < end->ttl)
			end->ttl = rr.ttl;
	}
	return alias && end->n == 0;
}

/*
 * Follow CNAME records, RFC 8461 3.1.  False: one cannot be read, or there are
 * more than DNS_CHAIN_MAX, perhaps in a circle.
 */
static bool
follow_cnames(struct chain_end *end, const struct reply *r,
    const struct dns_wire *name, unsigned type)
{
	struct dns_wire next;

	*end = (struct chain_end){ .name = *name, .ttl = TTL_MAX };
	while (scan_answers(end, r, type, &next)) {
		if (++end->hops > DNS_CHAIN_MAX)
			return false;
		end->name = next;
	}
	return end->n > 0 || !end->lost;
}

/* RFC 2308 5: the SOA in the authority section bounds a negative answer. */
static bool
negative_ttl(const struct reply *r, uint32_t *ttl)
{
	struct records all = r->authority;
	struct dns_wire name;
	uint32_t minimum;
	struct rr rr;
	size_t at;

	while (next_rr(&rr, r, &all)) {
		if (rr.class != CLASS_IN || rr.type != DNS_RR_SOA ||
		    (at = dns_wire_read(&name, r->p, r->len, rr.rdata)) == 0 ||
		    (at = dns_wire_read(&name, r->p, r->len, at)) == 0 ||
		    at + 20 != rr.rdata + rr.len)
			continue;
		minimum = u32(r, at + 16);
		if (minimum < rr.ttl)
			rr.ttl = minimum;
		if (rr.ttl < *ttl)
			*ttl = rr.ttl;
		return true;
	}
	return false;
}

/* --- The records ---------------------------------------------------------- */

static bool
add_mx(struct dns_found *out, const struct reply *r, const struct rr *rr)
{
	struct dns_mx *mx = &out->mx[out->n];
	struct dns_wire host;

	if (rr->len < 3 ||
	    dns_wire_read(&host, r->p, r->len, rr->rdata + 2) !=
		rr->rdata + rr->len ||
	    !dns_wire_host(mx->name, host.bytes, host.len))
		return false;
	mx->preference = (uint16_t)u16(r, rr->rdata);
	return true;
}

static bool
add_addr(struct dns_found *out, const struct reply *r, const struct rr *rr)
{
	struct sts_addr *addr = &out->addr[out->n];
	bool v6 = rr->type == DNS_RR_AAAA;

	if (rr->len != (v6 ? 16 : 4))
		return false;
	*addr = (struct sts_addr){ .v6 = v6 };
	memcpy(addr->bytes, r->p + rr->rdata, rr->len);
	return true;
}

/* Where the text of the next record begins. */
static char *
text_end(const struct dns_found *out)
{
	const struct sts_str *last = out->txt + out->n;

	return out->n == 0
	    ? out->text
	    : out->text + (last[-1].p - out->text) + last[-1].len;
}

/*
 * The strings of one record (RFC 1035 3.3.14) joined without blanks, RFC 8461
 * 3.1.
 */
static bool
add_txt(struct dns_found *out, const struct reply *r, const struct rr *rr)
{
	struct scan s = scan_bytes(r->p + rr->rdata, rr->len);
	char *start = text_end(out), *p = start;
	size_t len;

	while (s.p < s.end) {
		len = (unsigned char)*s.p++;
		if (len > scan_left(&s))
			return false;
		memcpy(p, s.p, len);
		s.p += len;
		p += len;
	}
	out->txt[out->n] = (struct sts_str){ start, (size_t)(p - start) };
	return rr->len > 0;
}

/* In the presentation format of RFC 6698 2.2, hexadecimal without blanks. */
static bool
add_tlsa(struct dns_found *out, const struct reply *r, const struct rr *rr)
{
	static const char hex[] = "0123456789ABCDEF";
	char *start = text_end(out), *p = start;
	const uint8_t *data = r->p + rr->rdata;

	if (rr->len <= 3)
		return false;
	for (size_t i = 0; i < 3; i++) {
		if (data[i] >= 100)
			*p++ = (char)('0' + data[i] / 100);
		if (data[i] >= 10)
			*p++ = (char)('0' + data[i] / 10 % 10);
		*p++ = (char)('0' + data[i] % 10);
		*p++ = ' ';
	}
	for (size_t i = 3; i < rr->len; i++) {
		*p++ = hex[data[i] >> 4];
		*p++ = hex[data[i] & 15];
	}
	out->txt[out->n] = (struct sts_str){ start, (size_t)(p - start) };
	return true;
}

/*
 * 2 * message: TLSA data become two digits a byte, and "255 255 255 " is less
 * than twice the 11 bytes, at the least, of name, type, class, ttl and length.
 */
static bool
make_room(struct dns_found *out, unsigned type, size_t n, size_t message)
{
	switch (type) {
	case DNS_RR_TXT:
	case DNS_RR_TLSA:
		out->txt = calloc(n, sizeof *out->txt);
		out->text = malloc(2 * message);
		return out->txt != NULL && out->text != NULL;
	case DNS_RR_MX:
		return (out->mx = calloc(n, sizeof *out->mx)) != NULL;
	case DNS_RR_A:
	case DNS_RR_AAAA:
		return (out->addr = calloc(n, sizeof *out->addr)) != NULL;
	default:
		return true;
	}
}

static bool
add_record(struct dns_found *out, const struct reply *r, const struct rr *rr)
{
	switch (rr->type) {
	case DNS_RR_TXT:
		return add_txt(out, r, rr);
	case DNS_RR_TLSA:
		return add_tlsa(out, r, rr);
	case DNS_RR_MX:
		return add_mx(out, r, rr);
	case DNS_RR_A:
	case DNS_RR_AAAA:
		return add_addr(out, r, rr);
	default:
		return true; /* dns_probe(): that it is there is enough */
	}
}

static enum dns_why
add_records(struct dns_found *out, const struct reply *r,
    const struct chain_end *end, unsigned type)
{
	struct records all = r->answer;
	struct rr rr;

	if (!make_room(out, type, end->n, r->len))
		return DNS_WHY_LOCAL;
	while (next_rr(&rr, r, &all))
		if (rr.class == CLASS_IN && rr.type == type &&
		    dns_wire_is(&end->name, rr.name.bytes, rr.name.len) &&
		    add_record(out, r, &rr))
			out->n++;
	if (out->n == 0)
		return DNS_WHY_MALFORMED;
	out->ttl = end->ttl;
	return DNS_WHY_OK;
}

/*
 * NOERROR without a record, or NXDOMAIN.  A NOERROR counts only with an SOA or
 * from a server that recurses: a referral, or an alias into a zone that the
 * server does not serve, looks the same but is no answer.
 */
static enum dns_why
negative_answer(struct dns_found *out, const struct reply *r, uint32_t ttl)
{
	bool soa = negative_ttl(r, &ttl);

	out->ttl = soa ? ttl : 0;
	out->no_soa = !soa;
	if (r->rcode == NXDOMAIN)
		return DNS_WHY_NXDOMAIN;
	if (!soa && (r->flags & RA) == 0)
		return DNS_WHY_MALFORMED;
	return DNS_WHY_NODATA;
}

static enum dns_why
rcode_why(unsigned rcode)
{
	switch (rcode) {
	case NOERROR:
	case NXDOMAIN:
		return DNS_WHY_OK;
	case SERVFAIL:
		return DNS_WHY_SERVFAIL;
	case REFUSED:
		return DNS_WHY_REFUSED;
	default:
		return DNS_WHY_RCODE;
	}
}

static enum dns_why
classify(struct dns_found *out, struct reply *r, const struct dns_wire *name,
    unsigned type)
{
	size_t at = HEADER;
	enum dns_why why;
	struct chain_end end;

	if (r->len < HEADER || ((r->flags = u16(r, 2)) & QR) == 0)
		return DNS_WHY_MALFORMED;
	r->rcode = r->flags & RCODE;
	/* What is truncated may lack its end; it is refused below. */
	if (!(skip_questions(r, &at) && find_sections(r, at)) &&
	    (r->flags & TC) == 0)
		return DNS_WHY_MALFORMED;
	out->no_edns =
	    r->rcode == FORMERR || r->rcode == NOTIMP || r->rcode == BADVERS;
	/* A server that could not parse the question need not repeat it. */
	if (out->no_edns)
		return DNS_WHY_RCODE;
	if (!repeats_question(r, HEADER, name, type))
		return DNS_WHY_MALFORMED;
	if ((why = rcode_why(r->rcode)) != DNS_WHY_OK)
		return why;
	if ((r->flags & TC) != 0)
		return DNS_WHY_TRUNCATED;
	if (!follow_cnames(&end, r, name, type))
		return DNS_WHY_MALFORMED;
	if (end.n == 0)
		return negative_answer(out, r, end.ttl);
	if (r->rcode != NOERROR)
		return DNS_WHY_MALFORMED; /* "no such name", and its records */
	return add_records(out, r, &end, type);
}

void
dns_reply_read(struct dns_found *out, const uint8_t *message, size_t len,
    const struct dns_wire *name, unsigned type)
{
	struct reply r = { .p = message, .len = len };

	*out = (struct dns_found){ .why = DNS_WHY_MALFORMED };
	out->why = classify(out, &r, name, type);
}

void
dns_found_clear(struct dns_found *found)
{
	free(found->txt);
	free(found->text);
	free(found->addr);
	free(found->mx);
	*found = (struct dns_found){ .why = DNS_WHY_OK };
}
