/* SPDX-License-Identifier: ISC */
/*
 * The module as Exim sees it: loaded from its file, called through the two
 * names it exports.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "row.h"

typedef int function(unsigned char **yield, int argc, unsigned char *argv[]);

static function *policy, *event;
static char conf[] = "/tmp/mtasts-exim.XXXXXX";

static const char config[] =
    "cache_dir = /nonexistent/mtasts\n"
    "[domain \"one.example\"]\nmx = mx1.One.example\n"
    "[domain \"wild.example\"]\nmx = *.wild.example mx.b.example\n"
    "[domain \"odd.example\"]\nmx = 192.0.2.1 a-b.c\n"
    "[domain \"never.example\"]\nmx = 192.0.2.1\n"
    "[domain \"test.example\"]\nmode = testing\nmx = a.b\n"
    "[domain \"off.example\"]\nmode = off\n";

/* At most 8 arguments; what lies behind argc is not ours, so not NULL. */
static int
call(function *fn, const char *const args[], int argc, const char **out)
{
	unsigned char *argv[10], *yield = NULL;
	int rc;

	for (int i = 0; i < 10; i++)
		argv[i] = (unsigned char *)(uintptr_t)1;
	for (int i = 0; i < argc; i++)
		argv[i] = (unsigned char *)guard_string(args[i]);
	rc = fn(&yield, argc, argv);
	*out = (const char *)yield;
	return rc;
}

static void
test_policy(void **state)
{
	static const struct {
		const char *domain;
		int rc;
		const char *want; /* rc 1: is part of it */
	} t[] = {
		{ "one.example", 0,
		    "sts=enforce ignore=\"! ^(?i)mx1\\\\.one\\\\.example$ : "
		    "*\"" },
		{ "ONE.Example.", 0,
		    "sts=enforce ignore=\"! ^(?i)mx1\\\\.one\\\\.example$ : "
		    "*\"" },
		{ "wild.example", 0,
		    "sts=enforce ignore=\"! "
		    "^(?i)[a-z0-9_-]+\\\\.wild\\\\.example$ : ! "
		    "^(?i)mx\\\\.b\\\\.example$ : *\"" },
		{ "odd.example", 0,
		    "sts=enforce ignore=\"! ^(?i)a-b\\\\.c$ : *\"" },
		{ "never.example", 0, "sts=enforce ignore=\"*\"" },
		{ "test.example", 0, "sts=testing ignore=\"\"" },
		{ "off.example", 0, "sts=none ignore=\"\"" },
		{ "", 0, "sts=none ignore=\"\"" },
		{ "[192.0.2.1]", 0, "sts=none ignore=\"\"" },
		{ "a b", 0, "sts=none ignore=\"\"" },
		{ "../../etc/passwd", 0, "sts=none ignore=\"\"" },
		{ "$domain \" : *", 0, "sts=none ignore=\"\"" },
		{ "m\xc3\xbcller.example", 1, "A-label" },
		{ "cold.example", 1, "/nonexistent/mtasts" },
	};
	const char *out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *const args[] = { t[i].domain, conf };
		int rc = call(policy, args, 2, &out);

		ROW(rc == t[i].rc && out != NULL &&
			(rc == 0 ? strcmp(out, t[i].want) == 0
				 : strstr(out, t[i].want) != NULL &&
				    str_all(str_of(out), is_print)),
		    "%s: %d '%s'", t[i].domain, rc, out);
	}
	rows_done();
}

/* In verification nothing is a failure, and the text can be taken apart. */
static void
test_verify(void **state)
{
	static const struct {
		const char *domain, *want;
	} t[] = {
		{ "one.example", "sts=enforce ignore=" },
		{ "off.example", "sts=none ignore=\"\"" },
		{ "cold.example", "sts=wait ignore=\"\" why=\"" },
		{ "m\xc3\xbcller.example", "sts=wait ignore=\"\" why=\"" },
	};
	const char *out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *const args[] = { t[i].domain, conf, "", "", "R" };
		int rc = call(policy, args, 5, &out);

		ROW(rc == 0 &&
			strncmp(out, t[i].want, strlen(t[i].want)) == 0 &&
			str_all(str_of(out), is_print) &&
			out[strlen(out) - 1] == '"',
		    "%s: %d '%s'", t[i].domain, rc, out);
	}
	{
		const char *const args[] = { "one.example", "relative.conf", "",
			"", "R" };

		ROW(call(policy, args, 5, &out) == 0 &&
			strncmp(out, "sts=wait ", 9) == 0,
		    "a broken configuration: %s", out);
	}
	rows_done();
}

/* As in Exim with SMTPUTF8, which has libidn2 in its process; and without. */
static void
test_alabel(void **state)
{
	static const struct {
		const char *domain;
		const char *with; /* what the answer has in it; NULL: none */
		const char *without;
	} t[] = {
		{ "cold.example", "cold.example: ", "cold.example: " },
		/* Not converted, so whatever IDNA says of them. */
		{ "ab--cd.example", "ab--cd.example: ", "ab--cd.example: " },
		{ "xn--a.example", "xn--a.example: ", "xn--a.example: " },
		{ "-a_b.example", NULL, NULL },
		{ "m\xc3\xbcller.example",
		    "xn--mller-kva.example: ", "A-label" },
		{ "M\xc3\xbcller.example",
		    "xn--mller-kva.example: ", "A-label" },
		{ "fa\xc3\x9f.example", "xn--fa-hia.example: ", "A-label" },
		{ "\xf0\x9f\x98\x80.example", NULL, "A-label" }, /* an emoji */
		{ "a\xe2\x80\xae.example", NULL, "A-label" },    /* U+202E */
		{ "\xff.example", NULL, "A-label" },
	};
	const char *out, *want;
	void *idn2 = NULL;
	int rc;

	(void)state;
	for (int round = 0; round < 2; round++) {
		if (round == 1 &&
		    (idn2 = dlopen("libidn2.so.0", RTLD_NOW | RTLD_GLOBAL)) ==
			NULL)
			skip();
		for (size_t i = 0; i < ARRAY_LEN(t); i++) {
			const char *const args[] = { t[i].domain, conf };

			rc = call(policy, args, 2, &out);
			want = round == 0 ? t[i].without : t[i].with;
			ROW(want == NULL ? rc == 0 &&
				    strcmp(out, "sts=none ignore=\"\"") == 0
					 : rc == 1 && strstr(out, want) != NULL,
			    "%s%s: %d %s", t[i].domain,
			    round == 0 ? " without libidn2" : "", rc, out);
		}
	}
	dlclose(idn2);
	rows_done();
}

static void
test_arguments(void **state)
{
	const char *const args[] = { "one.example", "relative.conf" };
	const char *out;

	(void)state;
	ROW(call(policy, NULL, 0, &out) == 0 &&
		strcmp(out, "sts=none ignore=\"\"") == 0,
	    "no argument");
	ROW(call(policy, args, 2, &out) == 1 && strstr(out, "absolute") != NULL,
	    "a relative configuration: %s", out);
	ROW(call(event, NULL, 0, &out) == 0 && out[0] == '\0',
	    "an event without a name");
	rows_done();
}

/* Always OK and empty, but for a leaf without a DNS-ID under enforce, 4.2. */
static void
test_event(void **state)
{
	static const struct {
		const char *what, *args[6];
		bool refuses;
	} t[] = {
		{ "not a certificate",
		    { "tls:cert", "0", "a.b", "h", "enforce", "AAAA" }, true },
		{ "not base64", { "tls:cert", "0", "a.b", "h", "enforce", "!" },
		    true },
		{ "an issuer's",
		    { "tls:cert", "1", "a.b", "h", "enforce", "AAAA" }, false },
		{ "under DANE", { "tls:cert", "0", "a.b", "h", "dane", "AAAA" },
		    false },
		{ "no mode", { "tls:cert", "0", "a.b", "h", "", "AAAA" },
		    false },
		{ "another event",
		    { "tcp:connect", "0", "a.b", "h", "enforce", "AAAA" },
		    false },
		{ "a failure, and no cache to note it in",
		    { "msg:host:defer", "x", "a.b", "h", "enforce", "" },
		    false },
		{ "no host, hostile domain",
		    { "no-host", "", "../x", "", "enforce", "" }, false },
	};
	const char *out;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int rc = call(event, t[i].args, 6, &out);

		ROW(rc == 0 && (out[0] != '\0') == t[i].refuses, "%s: %d '%s'",
		    t[i].what, rc, out);
	}
	rows_done();
}

static void
write_text(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	ROW(f != NULL && fputs(text, f) != EOF && fclose(f) == 0, "%s", path);
}

static void
wipe(const char *dir)
{
	char command[64];

	snprintf(command, sizeof command, "rm -rf %.40s", dir);
	ROW(system(command) == 0, "%s", command);
}

/* No worker is a fault of this host: it defers. */
static void
test_no_worker(void **state)
{
	char dir[] = "/tmp/mtasts-exim.XXXXXX", path[64], text[160];
	const char *const args[] = { "uncached.example", path };
	const char *out = "";

	(void)state;
	ROW(mkdtemp(dir) != NULL && chmod(dir, 0755) == 0, "directory");
	snprintf(path, sizeof path, "%s/cache", dir);
	snprintf(text, sizeof text,
	    "cache_dir = %s\nworker_dir = /nonexistent\n", path);
	ROW(mkdir(path, 0700) == 0 &&
		(geteuid() != 0 || chown(path, 65534, 65534) == 0),
	    "cache");
	snprintf(path, sizeof path, "%s/conf", dir);
	write_text(path, text);
	ROW(call(policy, args, 2, &out) == 1 &&
		strstr(out, "cannot start /nonexistent/mtasts-fetch-") != NULL,
	    "%s", out);
	wipe(dir);
	rows_done();
}

/* RFC 8460 3, 5.3: what is held to no policy, and whose it has to be. */
static void
test_report(void **state)
{
	static const struct {
		const char *what, *from; /* %u: the owner of the spool */
		bool report;
	} t[] = {
		{ "the report", "%u mtasts-reports@b.example", true },
		{ "in capitals", "%u MTASTS-Reports@B.example", true },
		{ "another user", "1%u mtasts-reports@b.example", false },
		{ "a user number that wraps",
		    "18446744073709551616%u mtasts-reports@b.example", false },
		{ "one that is none", "-%u mtasts-reports@b.example", false },
		{ "no user", "mtasts-reports@b.example", false },
		{ "no user, a blank", " mtasts-reports@b.example", false },
		{ "two blanks", "%u  mtasts-reports@b.example", false },
		{ "no sender", "%u ", false },
		{ "the contact", "%u a@b.example", false },
		{ "a quoted blank", "%u \"%u mtasts-reports\"@b.example",
		    false },
		{ "by SMTP", "", false },
	};
	char dir[] = "/tmp/mtasts-exim.XXXXXX", path[64], text[160], from[120];
	const char *const args[] = { "one.example", path, from };
	const unsigned owner = geteuid() == 0 ? 65534 : geteuid();
	const char *out;

	(void)state;
	ROW(mkdtemp(dir) != NULL && chown(dir, owner, (gid_t)-1) == 0, "spool");
	snprintf(path, sizeof path, "%s/conf", dir);
	snprintf(text, sizeof text,
	    "[domain one.example]\nmx = a.b\n[report]\n"
	    "contact = a@b.example\nspool_dir = %s\n",
	    dir);
	write_text(path, text);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		const char *at = strstr(t[i].from, "%u");

		from[0] = '\0';
		if (at != NULL)
			snprintf(from, sizeof from, "%.*s%u%s",
			    (int)(at - t[i].from), t[i].from, owner, at + 2);
		else
			snprintf(from, sizeof from, "%s", t[i].from);
		ROW(call(policy, args, 3, &out) == 0 &&
			(strstr(out, "report=yes") != NULL) == t[i].report &&
			(strstr(out, "sts=enforce") == NULL) == t[i].report,
		    "%s: %s", t[i].what, out);
	}
	wipe(dir);
	snprintf(from, sizeof from, "%u mtasts-reports@b.example", owner);
	ROW(call(policy, args, 3, &out) == 1,
	    "neither configuration nor spool: %s", out);
	rows_done();
}

static int
set_up(void **state)
{
	int fd = mkstemp(conf);

	(void)state;
	return write(fd, config, sizeof config - 1) == -1 || close(fd) == -1;
}

static int
tear_down(void **state)
{
	(void)state;
	return unlink(conf);
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_verify),
		cmocka_unit_test(test_alabel),
		cmocka_unit_test(test_arguments),
		cmocka_unit_test(test_event),
		cmocka_unit_test(test_no_worker),
		cmocka_unit_test(test_report),
	};
	void *so = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;

	if (so == NULL) {
		fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "which?");
		return 99;
	}
	/* The only way that ISO C has from an object to a function. */
	*(void **)(void *)&policy = dlsym(so, "mtasts_policy");
	*(void **)(void *)&event = dlsym(so, "mtasts_event");
	if (policy == NULL || event == NULL)
		return 99;
	return cmocka_run_group_tests(tests, set_up, tear_down);
}
