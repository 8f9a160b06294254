/* SPDX-License-Identifier: ISC */
/* IP addresses and networks as text and as bytes. */
#include "addr.h"

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>

enum { V4_BITS = 32, V6_BITS = 128, EMBEDDED = 96 };

/* IPv6 prefixes of 96 bits whose last four bytes are an IPv4 address. */
static const uint8_t embeds_v4[][12] = {
	{ 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff }, /* RFC 4291 2.5.5.2 */
	{ 0x00, 0x64, 0xff, 0x9b },                   /* RFC 6052 2.1 */
};

static bool
is_addr_char(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') ||
	    (c >= 'A' && c <= 'F') || c == ':' || c == '.';
}

bool
sts_addr_parse(struct sts_addr *out, struct sts_str s)
{
	char buf[STS_ADDR_TEXT];

	if (s.len >= sizeof buf || !str_all(s, is_addr_char))
		return false;
	memcpy(buf, s.p, s.len);
	buf[s.len] = '\0';
	*out = (struct sts_addr){ .v6 = memchr(s.p, ':', s.len) != NULL };
	return inet_pton(out->v6 ? AF_INET6 : AF_INET, buf, out->bytes) == 1;
}

/* The same network of hosts, written in 96 bits more. */
static bool
embedded(const struct sts_addr *addr, struct sts_addr *v4)
{
	if (!addr->v6)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(embeds_v4); i++)
		if (memcmp(addr->bytes, embeds_v4[i], 12) == 0) {
			*v4 = (struct sts_addr){ .v6 = false };
			memcpy(v4->bytes, addr->bytes + 12, 4);
			return true;
		}
	return false;
}

bool
sts_addr_inner(const struct sts_addr *addr, struct sts_addr *v4)
{
	static const uint8_t six_to_four[] = { 0x20, 0x02 }; /* RFC 3056 2 */
	static const uint8_t site[] = { 0, 0x64, 0xff, 0x9b, 0, 1 };

	if (embedded(addr, v4))
		return true;
	if (!addr->v6)
		return false;
	if (memcmp(addr->bytes, six_to_four, sizeof six_to_four) == 0) {
		*v4 = (struct sts_addr){ .v6 = false };
		memcpy(v4->bytes, addr->bytes + 2, 4);
		return true;
	}
	if (memcmp(addr->bytes, site, sizeof site) == 0) { /* RFC 8215 */
		*v4 = (struct sts_addr){ .v6 = false };
		memcpy(v4->bytes, addr->bytes + 12, 4);
		return true;
	}
	return false;
}

bool
sts_net_parse(struct sts_net *out, struct sts_str s)
{
	struct scan rest = scan_str(s);
	struct sts_str text;
	struct sts_addr v4;
	uint64_t bits;

	if (!scan_until(&rest, '/', &text))
		text = scan_rest(&rest);
	if (!sts_addr_parse(&out->addr, text))
		return false;
	bits = out->addr.v6 ? V6_BITS : V4_BITS;
	if (scan_char(&rest, '/') && !str_u64(scan_rest(&rest), bits, &bits))
		return false;
	/*
	 * "::ffff:127.0.0.0/104" is 127.0.0.0/8.  The bare prefix stays what
	 * it is: who denies it does not mean every IPv4 address there is.
	 */
	if (bits > EMBEDDED && embedded(&out->addr, &v4)) {
		out->addr = v4;
		bits -= EMBEDDED;
	}
	out->bits = (unsigned)bits;
	return true;
}

static bool
inside(const struct sts_addr *addr, const struct sts_net *net)
{
	unsigned whole = net->bits / 8, part = net->bits % 8;
	unsigned differ;

	if (addr->v6 != net->addr.v6)
		return false;
	if (memcmp(addr->bytes, net->addr.bytes, whole) != 0)
		return false;
	if (part == 0)
		return true;
	differ = (unsigned)addr->bytes[whole] ^ net->addr.bytes[whole];
	return differ >> (8 - part) == 0;
}

bool
sts_addr_in(const struct sts_addr *addr, const struct sts_net *net, size_t n)
{
	struct sts_addr v4;
	bool both = sts_addr_inner(addr, &v4);

	for (size_t i = 0; i < n; i++)
		if (inside(addr, &net[i]) || (both && inside(&v4, &net[i])))
			return true;
	return false;
}

const char *
sts_addr_text(const struct sts_addr *addr, char buf[STS_ADDR_TEXT])
{
	int family = addr->v6 ? AF_INET6 : AF_INET;

	if (inet_ntop(family, addr->bytes, buf, STS_ADDR_TEXT) == NULL)
		buf[0] = '\0';
	return buf;
}

bool
sts_addr_loopback(const struct sts_addr *addr)
{
	static const struct sts_net local[] = {
		{ { .v6 = false, .bytes = { 127 } }, 8 },
		{ { .v6 = false, .bytes = { 0 } }, 8 }, /* RFC 1122 3.2.1.3 */
		{ { .v6 = true, .bytes = { 0 } }, V6_BITS },
		{ { .v6 = true, .bytes = { [15] = 1 } }, V6_BITS },
	};

	return sts_addr_in(addr, local, ARRAY_LEN(local));
}
