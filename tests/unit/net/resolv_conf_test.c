/* SPDX-License-Identifier: ISC */
#include "net/resolv_conf.h"
#include "row.h"

/* Servers as one string: "192.0.2.1 fe80::1%eth0". */
static const char *
show(const struct sts_server *server, size_t n)
{
	static char out[1024];
	char addr[STS_ADDR_TEXT];
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < n; i++)
		len += (size_t)snprintf(out + len, sizeof out - len, "%s%s%s%s",
		    i == 0 ? "" : " ", sts_addr_text(&server[i].addr, addr),
		    server[i].scope[0] == '\0' ? "" : "%", server[i].scope);
	return out;
}

static void
files(void **state)
{
	static const struct {
		const char *what;
		struct sts_str in;
		const char *out;
	} cases[] = {
		{ "one", LIT("nameserver 192.0.2.1\n"), "192.0.2.1" },
		{ "no LF at the end", LIT("nameserver 192.0.2.1"),
		    "192.0.2.1" },
		{ "order kept", LIT("nameserver 192.0.2.2\nnameserver ::1\n"),
		    "192.0.2.2 ::1" },
		{ "blanks and tabs", LIT("nameserver \t 192.0.2.1 \t\n"),
		    "192.0.2.1" },
		{ "CRLF", LIT("nameserver 192.0.2.1\r\n"), "192.0.2.1" },
		{ "scope", LIT("nameserver fe80::1%eth0\n"), "fe80::1%eth0" },
		{ "scope of v4 is none", LIT("nameserver 192.0.2.1%eth0\n"),
		    "127.0.0.1" },
		{ "scope as a number", LIT("nameserver fe80::1%2\n"),
		    "fe80::1%2" },
		{ "scope that says nothing: passed over, as in libc",
		    LIT("nameserver 2001:db8::1%eth0\n"), "2001:db8::1" },
		{ "empty scope", LIT("nameserver fe80::1%\n"), "127.0.0.1" },
		{ "scope too long",
		    LIT("nameserver fe80::1%abcdefghijklmnop\n"), "127.0.0.1" },
		{ "empty file", LIT(""), "127.0.0.1" },
		{ "none named", LIT("search example.com\noptions edns0\n"),
		    "127.0.0.1" },
		{ "hash", LIT("#nameserver 192.0.2.1\n"), "127.0.0.1" },
		{ "semicolon", LIT(";nameserver 192.0.2.1\n"), "127.0.0.1" },
		{ "remark after", LIT("nameserver 192.0.2.1 # first\n"),
		    "192.0.2.1" },
		{ "indented as in libc: not a keyword",
		    LIT("  nameserver 192.0.2.1\n"), "127.0.0.1" },
		{ "keyword alone", LIT("nameserver\n"), "127.0.0.1" },
		{ "no blank", LIT("nameserver192.0.2.1\n"), "127.0.0.1" },
		{ "longer word", LIT("nameservers 192.0.2.1\n"), "127.0.0.1" },
		{ "other case", LIT("Nameserver 192.0.2.1\n"), "127.0.0.1" },
		{ "a name", LIT("nameserver ns.example.com\n"), "127.0.0.1" },
		{ "bad one among good",
		    LIT("nameserver 192.0.2.300\nnameserver 192.0.2.3\n"),
		    "192.0.2.3" },
		{ "NUL inside", LIT("nameserver 192.0.2.1\0.9\n"),
		    "192.0.2.1" },
		{ "nine: eight are taken",
		    LIT("nameserver 192.0.2.1\nnameserver 192.0.2.2\n"
			"nameserver 192.0.2.3\nnameserver 192.0.2.4\n"
			"nameserver 192.0.2.5\nnameserver 192.0.2.6\n"
			"nameserver 192.0.2.7\nnameserver 192.0.2.8\n"
			"nameserver 192.0.2.9\n"),
		    "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 "
		    "192.0.2.6 192.0.2.7 192.0.2.8" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_server server[STS_SERVERS_MAX];
		const char *p = guard_copy(cases[i].in.p, cases[i].in.len);
		size_t n = sts_resolv_parse(server,
		    (struct sts_str){ p, cases[i].in.len });

		ROW(strcmp(show(server, n), cases[i].out) == 0, "%s: %s",
		    cases[i].what, show(server, n));
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(files) };

	return cmocka_run_group_tests_name("resolv", tests, NULL, NULL);
}
