/* SPDX-License-Identifier: ISC */
/*
 * The nameservers that resolv.conf(5) names.  Pure: bytes in, servers out.
 *
 *   file       = *( line LF )         line = nameserver / anything else
 *   nameserver = "nameserver" 1*WSP address [ "%" scope ] [ WSP anything ]
 *
 * The keyword starts the line, so "#nameserver" and ";nameserver" are none.
 * libc stops at three; more do no harm here, since each attempt is short.
 */
#include "resolv_conf.h"

static bool
is_word(char c)
{
	return c > ' ' && c <= '~';
}

static bool
is_scope(char c)
{
	return is_alnum(c) || c == '.' || c == '_' || c == '-';
}

/*
 * "fe80::1%eth0"; the scope is kept where the address needs it.  Elsewhere it
 * says nothing (RFC 4007 6), and getdns would refuse the server.
 */
static bool
take_server(struct sts_server *out, struct sts_str word)
{
	struct scan s = scan_str(word);
	struct sts_str addr, scope;

	*out = (struct sts_server){ .port = 0 };
	if (!scan_until(&s, '%', &addr))
		return sts_addr_parse(&out->addr, word);
	s.p++;
	scope = scan_rest(&s);
	if (scope.len >= sizeof out->scope || !str_all(scope, is_scope))
		return false;
	if (!sts_addr_parse(&out->addr, addr) || !out->addr.v6)
		return false;
	if (out->addr.bytes[0] == 0xfe && (out->addr.bytes[1] & 0xc0) == 0x80)
		memcpy(out->scope, scope.p, scope.len);
	return true;
}

static bool
take_line(struct sts_server *out, struct sts_str line)
{
	struct scan s = scan_str(line);

	if (!scan_lit(&s, "nameserver") || s.p == s.end || !is_wsp(*s.p))
		return false;
	scan_wsp(&s);
	return take_server(out, scan_while(&s, is_word));
}

size_t
sts_resolv_parse(struct sts_server out[STS_SERVERS_MAX], struct sts_str text)
{
	struct scan s = scan_str(text);
	struct sts_str line;
	size_t n = 0;

	while (n < STS_SERVERS_MAX && s.p < s.end) {
		if (scan_until(&s, '\n', &line))
			s.p++;
		else
			line = scan_rest(&s);
		if (take_line(&out[n], line))
			n++;
	}
	if (n == 0)
		n = take_server(&out[0], str_of("127.0.0.1"));
	return n;
}
