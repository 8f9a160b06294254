/* SPDX-License-Identifier: ISC */
#include "net/dns_reply.h"

#include "dns_message.h"

static const unsigned types[] = { TYPE_TXT, TYPE_MX, TYPE_A, TYPE_AAAA,
	TYPE_TLSA, TYPE_SOA };

/* Does a record of the reply hold what was found, the i-th? */
static bool
is_there(const struct message *m, const struct dns_found *f, unsigned type,
    size_t i)
{
	for (size_t k = 0; k < m->n; k++) {
		const struct message_record *r = &m->r[k];
		struct dns_wire name;
		char host[256];
		size_t n = 0;

		if (!r->chain || r->type != type)
			continue;
		if (type == TYPE_MX &&
		    message_name(m, (size_t)(r->rdata + 2 - m->p), &name) != 0)
			if (dns_wire_host(host, name.bytes, name.len) &&
			    strcmp(host, f->mx[i].name) == 0 &&
			    message_u16(m, (size_t)(r->rdata - m->p)) ==
				f->mx[i].preference)
				return true;
		if ((type == TYPE_A || type == TYPE_AAAA) &&
		    f->addr[i].v6 == (type == TYPE_AAAA) &&
		    r->len == (f->addr[i].v6 ? 16 : 4) &&
		    memcmp(r->rdata, f->addr[i].bytes, r->len) == 0)
			return true;
		if (type == TYPE_TLSA && r->len >= 3)
			n = r->len;
		if (n > 0 && f->txt[i].len > 2 * (n - 3) &&
		    f->txt[i].len <= 2 * (n - 3) + 12)
			return true;
		if (type != TYPE_TXT)
			continue;
		/* The strings, RFC 1035 3.3.14, one behind the other. */
		for (size_t at = 0; at < r->len; at += 1u + r->rdata[at]) {
			size_t len = r->rdata[at];

			if (len > r->len - at - 1 || len > f->txt[i].len - n ||
			    memcmp(r->rdata + at + 1, f->txt[i].p + n, len) !=
				0)
				break;
			n += len;
			if (at + 1 + len == r->len && n == f->txt[i].len)
				return true;
		}
	}
	return false;
}

/* First byte: the type that is asked for; the rest a message. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct message m;
	struct dns_found f;
	struct dns_wire name;
	unsigned type;

	if (len == 0 || len > 65536)
		return 0;
	type = types[data[0] % ARRAY_LEN(types)];
	MUST(dns_wire_parse(&name, "_mta-sts.example.com"));
	message_read(&m, data + 1, len - 1, &name);
	dns_reply_read(&f, data + 1, len - 1, &name, type);
	MUST((f.why == DNS_WHY_OK) == (f.n > 0) || type == TYPE_SOA);
	MUST(!f.no_edns || f.why == DNS_WHY_RCODE);
	MUST(f.ttl <= 0x7fffffff);
	if (f.why == DNS_WHY_OK) {
		MUST(message_says_found(&m, type));
		MUST(f.n <= message_answers(&m, type));
	}
	for (size_t i = 0; i < f.n && type != TYPE_SOA; i++)
		MUST(is_there(&m, &f, type, i));
	if (f.why == DNS_WHY_NXDOMAIN || f.why == DNS_WHY_NODATA) {
		MUST(message_says_none(&m, type));
		MUST(f.why == DNS_WHY_NODATA || message_rcode(&m) == 3);
	}
	dns_found_clear(&f);
	return 0;
}
