/* SPDX-License-Identifier: ISC */
#include "conf/conf.h"
#include "row.h"

static const struct {
	const char *text;
	const char *heard; /* "code:line" of each problem; "": good */
} cases[] = {
	{ "", "" },
	{ "# a comment\n; another\n\n", "" },
	{ "\xef\xbb\xbf"
	  "enabled = no\n",
	    "" },
	{ "enabled = no", "" },
	{ "enabled = No\n", "!bad-value:1" },
	{ "enabled\n", "!bad-line:1" },
	{ "enabled = yes\nenabled = yes\n", "!set-twice:2" },
	{ "\nenable = yes\n", "!unknown-key:2" },
	{ "cache_dir = /a b\nworker_dir = /x\nca_file = /y\nca_path = /z\n",
	    "" },
	{ "cache_dir = relative\n", "!bad-value:1" },
	{ "cache_dir =\n", "!bad-value:1" },
	{ "cache_max_bytes = 16M\n", "" },
	{ "cache_max_bytes = 1024G\n", "" },
	{ "cache_max_bytes = 15M\n", "!bad-value:1" },
	{ "cache_max_bytes = 1025G\n", "!bad-value:1" },
	{ "cache_max_bytes = 268435456\n", "!bad-value:1" },
	{ "cache_max_bytes = 256m\n", "!bad-value:1" },
	{ "recheck = 1M\n", "!bad-value:1" },
	{ "worker_flavour = auto\n", "" },
	{ "worker_flavour = nss\n", "!bad-value:1" },
	{ "dns_transport = udp\ndns_failure = defer\n", "" },
	{ "dns_transport = doh\ndns_failure = bounce\n",
	    "!bad-value:1 !bad-value:2" },
	{ "fetch_timeout = 15s\ndns_timeout = 5s\nrecheck = 1h\n", "" },
	{ "fetch_timeout = 15\n", "!bad-value:1" },
	{ "fetch_timeout = 0s\ndns_timeout = 61s\nrecheck = 2d\n",
	    "!bad-value:1 !bad-value:2 !bad-value:3" },
	{ "recheck = 99999999999999999999d\n", "!bad-value:1" },
	{ "resolver = 192.0.2.1 2001:db8::1@5353 192.0.2.2@853#dns.example\n",
	    "" },
	{ "resolver = 192.0.2.1:53\n", "!bad-value:1" },
	{ "resolver = 192.0.2.1@0\n", "!bad-value:1" },
	{ "resolver = 192.0.2.1@65536\n", "!bad-value:1" },
	{ "resolver = 192.0.2.1#\n", "!bad-value:1" },
	{ "resolver = 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 5.5.5.5 6.6.6.6 7.7.7.7 "
	  "8.8.8.8\n",
	    "" },
	{ "resolver = 1.1.1.1 2.2.2.2 3.3.3.3 4.4.4.4 5.5.5.5 6.6.6.6 7.7.7.7 "
	  "8.8.8.8 9.9.9.9\n",
	    "!bad-value:1" },
	{ "deny_networks = none\n", "" },
	{ "deny_networks = 10.0.0.0/8 2001:db8::/32 192.0.2.1\n", "" },
	{ "deny_networks = 10.0.0.0/8\ndeny_networks = 192.0.2.1\n", "" },
	{ "deny_networks = 10.0.0.0/33\n", "!bad-value:1" },
	{ "deny_networks = 10.0.0.0/8 none\n", "!bad-value:1" },
	/* [report] */
	{ "[report]\ncontact = tls-reports@example.com\nsender = "
	  "a@EXAMPLE.com\n"
	  "organization = Example, Inc.\nspool_dir = /s p\n"
	  "sendmail = /bin/s\nsuccess = no\njitter = 0s\nkeep = 60d\n"
	  "destination_max = 1000000\n",
	    "" },
	{ "[ report ]\ncontact = a.b+c@example.com\n[domain a.example]\n"
	  "mode = off\n[report]\njitter = 1h\n",
	    "" },
	{ "[report]\ncontact = a@b.example\n[report]\ncontact = a@b.example\n",
	    "!set-twice:4" },
	/* RFC 8460 5.3: the submitter is the contact's domain */
	{ "[report]\nsender = a@b.example\ncontact = a@c.example\n",
	    "!sender-domain:2" },
	{ "[report]\ncontact = a@b.example\nsender = c@a.b.example\n",
	    "!sender-domain:3" },
	{ "[report]\ncontact = a@b.example\nsender = A@B.example\n",
	    "!sender-is-contact:3" },
	{ "[report]\ncontact = mtasts-reports@b.example\nkeep = 2d\n",
	    "!sender-is-contact:2" },
	{ "[report]\ncontact = mtasts-reports@b.example\nsender = "
	  "x@b.example\n",
	    "" },
	{ "[report]\nsender = x@b.example\n", "" },
	{ "[report]\ncontact = a@b.example\nsender = b.example\n",
	    "!bad-value:3" },
	{ "[report]\nenabled = no\n", "!unknown-key:2" },
	{ "contact = a@b.example\n", "!unknown-key:1" },
	{ "[report]\ncontact = example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = @example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = a@b@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = -oX@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = .a@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = a.@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = a..b@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = a b@example.com\n", "!bad-value:2" },
	{ "[report]\ncontact = a@[192.0.2.1]\n", "!bad-value:2" },
	{ "[report]\ncontact = a@example.com.\n", "!bad-value:2" },
	{ "[report]\ncontact = A <a@example.com>\n", "!bad-value:2" },
	{ "[report]\norganization = caf\xc3\xa9\n", "!bad-value:2" },
	{ "[report]\norganization =\n", "!bad-value:2" },
	{ "[report]\njitter = 9h\nkeep = 1d\nsuccess = 1\n",
	    "!bad-value:2 !bad-value:3 !bad-value:4" },
	{ "[report]\ndestination_max = 0\n", "!bad-value:2" },
	{ "[report]\ndestination_max = 1000001\n", "!bad-value:2" },
	{ "[report]\ndestination_max = 1k\n", "!bad-value:2" },
	{ "[report x]\n", "!bad-section:1" },
	{ "[reports]\n", "!bad-section:1" },
	{ "[domain \"example.com\"]\nmode = off\n", "" },
	{ "[domain example.com]\nmode = testing\n", "" },
	{ "  [ domain   \"Example.COM.\"  ]\nmode = enforce\n", "" },
	{ "[domain \"a.example\"]\nmx = mx.a.example *.b.example\n"
	  "mx = mx.c.example\n",
	    "" },
	{ "[domain \"a.example\"]\nmx = mx_1.a.example\n", "!bad-value:2" },
	{ "[domain \"a.example\"]\nmode = strict\n", "!bad-value:2" },
	{ "[domain \"a.example\"]\nmode = off\nmode = off\n", "!set-twice:3" },
	{ "[domain \"a.example\"]\nenabled = no\n", "!unknown-key:2" },
	{ "[domain \"a.example\"]\n[domain \"A.example.\"]\n", "!set-twice:2" },
	{ "[domain \"192.0.2.1\"]\nmode = off\n", "!bad-section:1" },
	{ "[domain \"../etc\"]\nmode = off\n", "!bad-section:1" },
	{ "[domain \"\"]\nmode = off\n", "!bad-section:1" },
	{ "[zone \"a.example\"]\nmode = off\n", "!bad-section:1" },
	{ "[domain \"a.example\"\nmode = off\n", "!bad-section:1" },
	{ "[domain a.example] mode = enforce\n", "!bad-section:1" },
	{ "[domain a.example] ; why\nmode = enforce\n", "" },
	{ "\r\v[domain \"a.example\"]\nmode = off\n", "" },
	{ "\xef\xbb\xbf[domain \"a.example\"]\nmode = off\n", "" },
};

static void
test_problems(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_str text = str_of(cases[i].text);
		struct sts_conf *conf;
		struct heard h = { 0 };
		struct sts_err err = { 0 };
		enum sts_rc rc;

		text.p = guard_copy(text.p, text.len);
		rc = sts_conf_parse(&conf, "F", text, hear, &h, &err);
		ROW(strcmp(h.all, cases[i].heard) == 0 && !h.odd &&
			(rc == STS_OK) == (h.all[0] == '\0') &&
			(rc == STS_OK) == (conf != NULL) &&
			(rc == STS_OK || strncmp(err.text, "F:", 2) == 0),
		    "%s-> %d '%s' (%s)", cases[i].text, rc, h.all, err.text);
		sts_conf_free(conf);
	}
	rows_done();
}

static void
test_values(void **state)
{
	static const char text[] =
	    "cache_dir = /c\ncache_max_bytes = 2G\nfetch_timeout = 1m\n"
	    "resolver = 192.0.2.1@5353 192.0.2.2#dns.example\n"
	    "recheck = 2h ; why\n[domain \"B.example\"]\nmode = enforce\n"
	    "mx = a.example\nmx = *.c.example\n[domain \"a.example\"]\n";
	struct sts_conf *c;

	(void)state;
	assert_int_equal(sts_conf_parse(&c, "F", str_of(text), NULL, NULL,
			     NULL),
	    STS_OK);
	ROW(strcmp(c->cache_dir, "/c") == 0, "cache_dir");
	ROW(c->cache_max == 2048, "cache_max_bytes is in MiB");
	ROW(c->fetch_timeout == 60000, "fetch_timeout is in ms");
	ROW(c->recheck == 7200, "recheck is in s, the comment is gone");
	ROW(c->enabled && c->dns_failure == STS_DNS_PROCEED, "defaults");
	ROW(c->ndeny == 6, "deny_networks has a default");
	ROW(c->nserver == 2 && c->server[0].port == 5353 &&
		c->server[0].tls_name == NULL && c->server[1].port == 0 &&
		strcmp(c->server[1].tls_name, "dns.example") == 0,
	    "resolver");
	ROW(sts_conf_domain(c, "a.example") != NULL &&
		sts_conf_domain(c, "c.example") == NULL,
	    "found by name");
	ROW(strcmp(sts_conf_domain(c, "b.example")->mx,
		"a.example *.c.example") == 0,
	    "mx lines are one list");
	sts_conf_free(c);
	rows_done();
}

static void
test_sender(void **state)
{
	static const char conf[] = "[report]\ncontact=a@b.example";
	struct sts_conf *c;

	(void)state;
	assert_int_equal(sts_conf_parse(&c, "F", str_of(conf), NULL, NULL,
			     NULL),
	    STS_OK);
	ROW(strcmp(c->report.sender, "mtasts-reports@b.example") == 0,
	    "in the contact's domain: %s", c->report.sender);
	sts_conf_free(c);
	assert_int_equal(sts_conf_parse(&c, "F", str_of(""), NULL, NULL, NULL),
	    STS_OK);
	ROW(c->report.sender == NULL, "no contact, no sender");
	sts_conf_free(c);
	rows_done();
}

/* Where the library was not there to build with, only that is said of it. */
static void
test_sink(void **state)
{
#define TEN "1234567890"
#define LONG TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
#define SOCKET "tlsrpt_socket = /run/tlsrpt.sock\n"
	static const struct {
		const char *text, *built, *without;
	} sinks[] = {
		{ "sink = send\n", "", "" },
		{ SOCKET, "", "" },
		{ SOCKET "sink = send\n", "", "" },
		{ SOCKET "sink = tlsrpt\n", "", "!not-built:3" },
		{ "sink = tlsrpt\n" SOCKET, "", "!not-built:2" },
		{ "keep = 2d\nsink = tlsrpt\njitter = 0s\n", "!missing-key:3",
		    "!not-built:3 !missing-key:3" },
		{ "sink = tlsrpt\nsink = send\n", "!set-twice:3 !missing-key:2",
		    "!not-built:2 !set-twice:3 !missing-key:2" },
		{ "sink = both\n", "!bad-value:2", "!bad-value:2" },
		{ "sink = Tlsrpt\n", "!bad-value:2", "!bad-value:2" },
		{ "sink =\n", "!bad-value:2", "!bad-value:2" },
		{ "tlsrpt_socket = run/tlsrpt.sock\n", "!bad-value:2",
		    "!bad-value:2" },
		{ "tlsrpt_socket = /" LONG "12\n", "", "" },
		{ "tlsrpt_socket = /" LONG "123\n", "!bad-value:2",
		    "!bad-value:2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(sinks); i++) {
		const char *want =
		    STS_WITH_TLSRPT ? sinks[i].built : sinks[i].without;
		struct heard h = { 0 };
		struct sts_err err = { 0 };
		struct sts_conf *conf;
		char text[256];

		snprintf(text, sizeof text, "[report]\n%s", sinks[i].text);
		(void)sts_conf_parse(&conf, "F", str_of(text), hear, &h, &err);
		ROW(strcmp(h.all, want) == 0 && !h.odd, "%s-> '%s' (%s)", text,
		    h.all, err.text);
		ROW(strstr(want, "!not-built:2") != want ||
			strcmp(err.text,
			    "F:2: sink = tlsrpt: built without libtlsrpt") == 0,
		    "file, line and cause: %s", err.text);
		sts_conf_free(conf);
	}
	rows_done();
}

/* What is kept lies where the text was: with the least beside it. */
static void
test_dense(void **state)
{
	static const char text[] = "resolver=::#a ::#b\nca_file=/\n[domain c]"
				   "\nmx=d\n e\n[domain f]\n[domain g]\nmx=h";
	struct sts_conf *c;

	(void)state;
	assert_int_equal(sts_conf_parse(&c, "F", str_of(text), NULL, NULL,
			     NULL),
	    STS_OK);
	ROW(strcmp(c->server[0].tls_name, "a") == 0 &&
		strcmp(c->server[1].tls_name, "b") == 0 &&
		strcmp(c->ca_file, "/") == 0,
	    "keys");
	ROW(strcmp(sts_conf_domain(c, "c")->mx, "d e") == 0 &&
		sts_conf_domain(c, "f")->mx == NULL &&
		strcmp(sts_conf_domain(c, "g")->mx, "h") == 0,
	    "domains");
	sts_conf_free(c);
	rows_done();
}

/* inih keeps 50 bytes of a section and 200 of a line; we must not. */
static void
test_long(void **state)
{
	char text[2048], name[160];
	struct sts_conf *c;
	struct heard h = { 0 };

	(void)state;
	memset(name, 'a', sizeof name);
	for (size_t i = 0; i < sizeof name; i += 50)
		name[i + 49 < sizeof name ? i + 49 : sizeof name - 2] = '.';
	name[sizeof name - 3] = 'b';
	name[sizeof name - 2] = 'b';
	name[sizeof name - 1] = '\0';
	snprintf(text, sizeof text, "[domain \"%s\"]\nmode = off\n", name);
	ROW(sts_conf_parse(&c, "F", str_of(text), NULL, NULL, NULL) == STS_OK &&
		sts_conf_domain(c, name) != NULL,
	    "a long domain stays whole");
	sts_conf_free(c);
	memset(text, 'x', 400);
	memcpy(text, "cache_dir = /", 13);
	memcpy(text + 400, "\nfoo = 1\n", 10);
	ROW(sts_conf_parse(&c, "F", str_of(text), hear, &h, NULL) ==
		    STS_LOCAL &&
		strcmp(h.all, "!long-line:1 !unknown-key:2") == 0,
	    "a long line is refused, not cut: %s", h.all);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_problems),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_sender),
		cmocka_unit_test(test_sink),
		cmocka_unit_test(test_dense),
		cmocka_unit_test(test_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
