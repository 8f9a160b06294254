/* SPDX-License-Identifier: ISC */
/*
 * What a response of getdns says.  Its own status is never asked: it calls
 * SERVFAIL "no such name" and takes an answer to another question for one to
 * ours.  So question, rcode, flags and owner names are compared here.
 */
#include "dns_reply.h"

#include <stdlib.h>
#include <string.h>

enum {
	RR_MAX = 6000, /* 65535 bytes hold no more records of 11 bytes */
	TEXT_MAX = 65536,
	CLASS_IN = 1,
	TTL_MAX = 0x7fffffff
};
enum {
	NOERROR = 0,
	FORMERR = 1,
	SERVFAIL = 2,
	NXDOMAIN = 3,
	NOTIMP = 4,
	REFUSED = 5,
	BADVERS = 16
};

struct rr {
	getdns_dict *dict;
	getdns_bindata *name;
	uint32_t type, ttl;
};

/* Where the CNAME chain ended. */
struct end {
	struct dns_wire name;
	unsigned hops;
	uint32_t ttl;
	size_t n; /* records of the wanted type there */
};

/* The i-th record of a section; false: not of class IN, or unreadable. */
static bool
get_rr(struct rr *out, const getdns_list *section, size_t i)
{
	uint32_t class;

	if (getdns_list_get_dict(section, i, &out->dict) ||
	    getdns_dict_get_bindata(out->dict, "name", &out->name) ||
	    getdns_dict_get_int(out->dict, "type", &out->type) ||
	    getdns_dict_get_int(out->dict, "class", &class) ||
	    getdns_dict_get_int(out->dict, "ttl", &out->ttl))
		return false;
	if (out->ttl > TTL_MAX)
		out->ttl = 0; /* RFC 2181 8 */
	return class == CLASS_IN;
}

static size_t
length(const getdns_list *list)
{
	size_t n;

	if (list == NULL || getdns_list_get_length(list, &n) != 0)
		return 0;
	return n < RR_MAX ? n : RR_MAX;
}

/*
 * One name of the chain: count the records of the type, note an alias.
 * Returns whether there is an alias to follow.
 */
static bool
look_at(struct end *end, const getdns_list *answer, uint32_t type,
    struct dns_wire *next)
{
	getdns_bindata *target;
	bool alias = false;
	struct rr rr;

	for (size_t i = 0; i < length(answer); i++) {
		if (!get_rr(&rr, answer, i) ||
		    !dns_wire_is(&end->name, rr.name->data, rr.name->size))
			continue;
		if (rr.type == type)
			end->n++;
		else if (rr.type != GETDNS_RRTYPE_CNAME ||
		    getdns_dict_get_bindata(rr.dict, "/rdata/cname", &target) ||
		    !dns_wire_set(next, target->data, target->size))
			continue;
		else
			alias = true;
		if (rr.ttl < end->ttl)
			end->ttl = rr.ttl;
	}
	return alias && end->n == 0;
}

/* Follow the aliases, RFC 8461 3.1; false: too many, or a circle. */
static bool
follow(struct end *end, const getdns_list *answer, const struct dns_wire *name,
    uint32_t type)
{
	struct dns_wire next;

	*end = (struct end){ .name = *name, .ttl = TTL_MAX };
	while (look_at(end, answer, type, &next)) {
		if (++end->hops > DNS_CHAIN_MAX)
			return false;
		end->name = next;
	}
	return true;
}

/* RFC 2308 5: the SOA in the authority section bounds a negative answer. */
static bool
negative_ttl(const getdns_dict *reply, uint32_t *ttl)
{
	getdns_list *authority = NULL;
	uint32_t minimum;
	struct rr rr;

	if (getdns_dict_get_list(reply, "authority", &authority) != 0)
		return false;
	for (size_t i = 0; i < length(authority); i++) {
		if (!get_rr(&rr, authority, i) ||
		    rr.type != GETDNS_RRTYPE_SOA ||
		    getdns_dict_get_int(rr.dict, "/rdata/minimum", &minimum))
			continue;
		if (minimum < rr.ttl)
			rr.ttl = minimum;
		if (rr.ttl < *ttl)
			*ttl = rr.ttl;
		return true;
	}
	return false;
}

static bool
take_mx(struct dns_found *out, const struct rr *rr)
{
	struct dns_mx *mx = &out->mx[out->n];
	getdns_bindata *exchange;
	uint32_t preference;

	if (getdns_dict_get_int(rr->dict, "/rdata/preference", &preference) ||
	    getdns_dict_get_bindata(rr->dict, "/rdata/exchange", &exchange) ||
	    !dns_wire_host(mx->name, exchange->data, exchange->size))
		return false;
	mx->preference = (uint16_t)preference;
	return true;
}

static bool
take_addr(struct dns_found *out, const struct rr *rr)
{
	struct sts_addr *addr = &out->addr[out->n];
	bool v6 = rr->type == GETDNS_RRTYPE_AAAA;
	getdns_bindata *bytes;

	if (getdns_dict_get_bindata(rr->dict,
		v6 ? "/rdata/ipv6_address" : "/rdata/ipv4_address", &bytes) ||
	    bytes->size != (v6 ? 16 : 4))
		return false;
	*addr = (struct sts_addr){ .v6 = v6 };
	memcpy(addr->bytes, bytes->data, bytes->size);
	return true;
}

/* Bytes of the texts so far. */
static size_t
text_used(const struct dns_found *out)
{
	if (out->n == 0)
		return 0;
	return (size_t)(out->txt[out->n - 1].p - out->text) +
	    out->txt[out->n - 1].len;
}

/* The strings of one record joined without blanks, RFC 8461 3.1. */
static bool
take_txt(struct dns_found *out, const struct rr *rr)
{
	size_t used = text_used(out);
	char *p = out->text + used;
	getdns_list *strings = NULL;
	getdns_bindata *s;

	if (getdns_dict_get_list(rr->dict, "/rdata/txt_strings", &strings))
		return false;
	for (size_t i = 0; i < length(strings); i++) {
		if (getdns_list_get_bindata(strings, i, &s) ||
		    s->size > TEXT_MAX - used)
			return false;
		memcpy(out->text + used, s->data, s->size);
		used += s->size;
	}
	out->txt[out->n] =
	    (struct sts_str){ p, (size_t)(out->text + used - p) };
	return true;
}

/* In the words of RFC 6698 2.2, the hexadecimal digits without blanks. */
static bool
take_tlsa(struct dns_found *out, const struct rr *rr)
{
	static const char hex[] = "0123456789ABCDEF";
	static const char *const fields[] = { "/rdata/certificate_usage",
		"/rdata/selector", "/rdata/matching_type" };
	char *start = out->text + text_used(out), *p = start;
	size_t room = (size_t)(out->text + TEXT_MAX - start);
	getdns_bindata *data;
	uint32_t n;

	if (getdns_dict_get_bindata(rr->dict,
		"/rdata/certificate_association_data", &data) ||
	    room < sizeof "255 255 255 " ||
	    data->size > (room - sizeof "255 255 255 ") / 2)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
		if (getdns_dict_get_int(rr->dict, fields[i], &n) || n > 255)
			return false;
		if (n >= 100)
			*p++ = (char)('0' + n / 100);
		if (n >= 10)
			*p++ = (char)('0' + n / 10 % 10);
		*p++ = (char)('0' + n % 10);
		*p++ = ' ';
	}
	for (size_t i = 0; i < data->size; i++) {
		*p++ = hex[data->data[i] >> 4];
		*p++ = hex[data->data[i] & 15];
	}
	out->txt[out->n] = (struct sts_str){ start, (size_t)(p - start) };
	return true;
}

static bool
make_room(struct dns_found *out, uint32_t type, size_t n)
{
	switch (type) {
	case GETDNS_RRTYPE_TXT:
	case GETDNS_RRTYPE_TLSA:
		out->txt = calloc(n, sizeof *out->txt);
		out->text = malloc(TEXT_MAX);
		return out->txt != NULL && out->text != NULL;
	case GETDNS_RRTYPE_MX:
		return (out->mx = calloc(n, sizeof *out->mx)) != NULL;
	case GETDNS_RRTYPE_A:
	case GETDNS_RRTYPE_AAAA:
		return (out->addr = calloc(n, sizeof *out->addr)) != NULL;
	default:
		return true;
	}
}

static bool
take(struct dns_found *out, const struct rr *rr)
{
	switch (rr->type) {
	case GETDNS_RRTYPE_TXT:
		return take_txt(out, rr);
	case GETDNS_RRTYPE_TLSA:
		return take_tlsa(out, rr);
	case GETDNS_RRTYPE_MX:
		return take_mx(out, rr);
	case GETDNS_RRTYPE_A:
	case GETDNS_RRTYPE_AAAA:
		return take_addr(out, rr);
	default:
		return true; /* dns_probe(): that it is there is enough */
	}
}

static enum dns_why
take_all(struct dns_found *out, const getdns_list *answer,
    const struct end *end, uint32_t type)
{
	struct rr rr;

	if (!make_room(out, type, end->n))
		return DNS_WHY_LOCAL;
	for (size_t i = 0; i < length(answer) && out->n < end->n; i++)
		if (get_rr(&rr, answer, i) && rr.type == type &&
		    dns_wire_is(&end->name, rr.name->data, rr.name->size) &&
		    take(out, &rr))
			out->n++;
	out->ttl = end->ttl;
	return out->n > 0 ? DNS_WHY_OK : DNS_WHY_MALFORMED;
}

/*
 * Nothing was found and the rcode is good.  Only a server that says so with
 * an SOA, or one that recurses, can know: a referral, or an alias into a zone
 * that the server does not serve, looks the same but is no answer.
 */
static enum dns_why
nothing(struct dns_found *out, const getdns_dict *reply, uint32_t rcode,
    uint32_t ttl)
{
	bool soa = negative_ttl(reply, &ttl);
	uint32_t ra = 0;

	out->ttl = soa ? ttl : 0;
	out->no_soa = !soa;
	if (rcode == NXDOMAIN)
		return DNS_WHY_NXDOMAIN;
	if (!soa && (getdns_dict_get_int(reply, "/header/ra", &ra) || ra == 0))
		return DNS_WHY_MALFORMED;
	return DNS_WHY_NODATA;
}

static enum dns_why
rcode_why(uint32_t rcode)
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

/*
 * RFC 6891 6.1.3: an OPT record holds the upper bits of the rcode.  False: not
 * all of the records that the header promised are there.
 */
static bool
whole_rcode(const getdns_dict *reply, uint32_t *rcode)
{
	getdns_list *more = NULL;
	getdns_dict *rr;
	uint32_t type, upper, arcount;

	if (getdns_dict_get_int(reply, "/header/rcode", rcode) ||
	    getdns_dict_get_int(reply, "/header/arcount", &arcount) ||
	    getdns_dict_get_list(reply, "additional", &more) ||
	    arcount != length(more))
		return false;
	for (size_t i = 0; i < length(more); i++) {
		if (getdns_list_get_dict(more, i, &rr) ||
		    getdns_dict_get_int(rr, "type", &type) ||
		    type != GETDNS_RRTYPE_OPT)
			continue;
		if (getdns_dict_get_int(rr, "extended_rcode", &upper))
			return false;
		*rcode |= upper << 4;
	}
	return true;
}

static enum dns_why
judge(struct dns_found *out, const getdns_dict *reply,
    const struct dns_wire *name, uint32_t type)
{
	uint32_t rcode, tc, qr, qtype, qclass, ancount;
	getdns_list *answer = NULL;
	getdns_bindata *qname;
	struct end end;
	enum dns_why why;

	if (!whole_rcode(reply, &rcode) ||
	    getdns_dict_get_int(reply, "/header/tc", &tc) ||
	    getdns_dict_get_int(reply, "/header/qr", &qr) || qr != 1)
		return DNS_WHY_MALFORMED;
	out->no_edns = rcode == FORMERR || rcode == NOTIMP || rcode == BADVERS;
	/* A server that could not read the question need not repeat it. */
	if (out->no_edns)
		return DNS_WHY_RCODE;
	if (getdns_dict_get_bindata(reply, "/question/qname", &qname) ||
	    getdns_dict_get_int(reply, "/question/qtype", &qtype) ||
	    getdns_dict_get_int(reply, "/question/qclass", &qclass) ||
	    !dns_wire_is(name, qname->data, qname->size) || qtype != type ||
	    qclass != CLASS_IN)
		return DNS_WHY_MALFORMED;
	if ((why = rcode_why(rcode)) != DNS_WHY_OK)
		return why;
	if (tc != 0)
		return DNS_WHY_TRUNCATED;
	/* Cut off, where the header promised more. */
	if (getdns_dict_get_int(reply, "/header/ancount", &ancount) ||
	    getdns_dict_get_list(reply, "answer", &answer) != 0 ||
	    ancount != length(answer) || !follow(&end, answer, name, type))
		return DNS_WHY_MALFORMED;
	if (end.n == 0)
		return nothing(out, reply, rcode, end.ttl);
	if (rcode != NOERROR)
		return DNS_WHY_MALFORMED; /* "no such name", and its records */
	return take_all(out, answer, &end, type);
}

void
dns_reply_read(struct dns_found *out, const getdns_dict *response,
    const struct dns_wire *name, uint32_t type)
{
	getdns_list *replies = NULL;
	getdns_dict *reply;
	uint32_t status = 0;

	*out = (struct dns_found){ .why = DNS_WHY_NETWORK };
	if (response == NULL)
		return;
	/* Without a reply, and only then, the status tells something. */
	if (getdns_dict_get_list(response, "replies_tree", &replies) != 0 ||
	    getdns_list_get_dict(replies, 0, &reply) != 0) {
		if (getdns_dict_get_int(response, "status", &status) == 0 &&
		    status == GETDNS_RESPSTATUS_ALL_TIMEOUT)
			out->why = DNS_WHY_TIMEOUT;
		return;
	}
	out->why = judge(out, reply, name, type);
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
