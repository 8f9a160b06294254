/* SPDX-License-Identifier: ISC */
/* sts_record_session() on a real cache and a real spool. */
#include <fcntl.h>
#include <glob.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "query/query.h"
#include "row.h"
#include "rules/decide.h"
#include "tlsrpt/spool.h"
#include <mtasts/session.h>

#define CONTACT "[report]\ncontact = tls@example.net\n"
#define MX "mx: *.example.com\nmax_age: 86400\n"

/* New ones for each context. */
static char cache[60], spool[60];
static struct sts_err err;
static struct sts_session got;
static char kept[STS_SESSION_LINE_MAX], cert[STS_SESSION_DER_MAX];
static size_t cert_len;

/* A context on an empty cache; before: first lines, after: last. */
static char conf_path[80];

static struct sts_ctx *
begin(const char *before, const char *after)
{
	static unsigned serial;
	struct sts_ctx *ctx;
	char text[600], *path = conf_path;
	int fd;

	snprintf(cache, sizeof cache, "%s/cache%u", top, ++serial);
	snprintf(spool, sizeof spool, "%s/spool%u", top, serial);
	assert_true(own(cache));
	snprintf(text, sizeof text,
	    "cache_dir = %s\nworker_dir = %s\n%s%sspool_dir = %s\n%s", cache,
	    top, before, CONTACT, spool, after);
	snprintf(path, sizeof conf_path, "%s/conf%u", top, serial);
	fd = open(path, O_WRONLY | O_CREAT, 0644);
	(void)!write(fd, text, strlen(text));
	close(fd);
	if (sts_open(&ctx, path, &err) != STS_OK ||
	    sts_ctx_store(ctx, &err) != STS_OK)
		fail_msg("%s", err.text);
	return ctx;
}

static void
know(struct sts_ctx *ctx, const char *domain, const char *body, int64_t until)
{
	struct sts_entry e = {
		.kind = STS_ENTRY_POLICY,
		.id = "one",
		/* so long ago that a look at it is due */
		.fetched = time(NULL) - 7200,
		.checked = time(NULL) - 7200,
		.until = until,
		.body = { body, strlen(body) },
	};

	if (sts_store_put(ctx->store, domain, &e, &err) != STS_OK)
		fail_msg("%s", err.text);
}

static struct sts_ctx *
begin_known(const char *before, const char *after)
{
	int64_t soon = time(NULL) + 3600;
	struct sts_ctx *ctx = begin(before, after);

	assert_true(own(spool));
	know(ctx, "enforce.example", "version: STSv1\nmode: enforce\n" MX,
	    soon);
	know(ctx, "testing.example", "version: STSv1\nmode: testing\n" MX,
	    soon);
	know(ctx, "none.example", "version: STSv1\nmode: none\n" MX, soon);
	know(ctx, "over.example", "version: STSv1\nmode: enforce\n" MX,
	    time(NULL) - 1);
	return ctx;
}

/* How many sessions the spool holds; the last one is in got. */
static unsigned
sessions(void)
{
	struct sts_spool *s;
	struct sts_day *d;
	unsigned n = 0;
	uint64_t at;
	size_t len;
	char *line;

	if (sts_spool_open(&s, spool, STS_SPOOL_DAY_MAX, NULL) != STS_OK)
		return 0;
	/* At midnight a test may begin on one day and end on the next. */
	for (int64_t t = time(NULL) - STS_DAY; t <= time(NULL); t += STS_DAY) {
		if (sts_day_open(s, t - t % STS_DAY, &d, NULL) != STS_OK)
			continue;
		while (sts_day_next(d, &line, &len, &at, NULL) == STS_OK) {
			memcpy(kept, line, len);
			n++;
			if (!sts_session_decode(&got, kept, len))
				fail_msg("odd line");
			if (!sts_spool_cert(s, t - t % STS_DAY, got.cert, cert,
				&cert_len))
				cert_len = 0;
		}
		sts_day_close(d);
	}
	sts_spool_close(s);
	return n;
}

/* Nobody wants a domain looked up. */
static bool
nothing_to_do(void)
{
	char pattern[100];
	glob_t found = { 0 };
	bool none;

	snprintf(pattern, sizeof pattern, "%s/*/*~refresh*", cache);
	none = glob(pattern, 0, NULL, &found) == GLOB_NOMATCH;
	globfree(&found);
	return none;
}

static const struct {
	const char *what;
	struct sts_session_report seen;
	enum sts_policy_type type;
	enum sts_mode mode;
	const char *id;
} policies[] = {
	{ "RFC 8460 4.4: enforce", { .domain = "enforce.example" },
	    STS_TYPE_STS, STS_MODE_ENFORCE, "one" },
	{ "RFC 8461 5: testing is reported", { .domain = "testing.example" },
	    STS_TYPE_STS, STS_MODE_TESTING, "one" },
	{ "RFC 8461 5: none is no policy", { .domain = "none.example" },
	    STS_TYPE_NO_POLICY_FOUND, STS_MODE_NONE, "" },
	{ "expired", { .domain = "over.example" }, STS_TYPE_NO_POLICY_FOUND,
	    STS_MODE_NONE, "" },
	{ "never heard of", { .domain = "cold.example" },
	    STS_TYPE_NO_POLICY_FOUND, STS_MODE_NONE, "" },
	{ "switched off", { .domain = "off.example" }, STS_TYPE_NO_POLICY_FOUND,
	    STS_MODE_NONE, "" },
	{ "pinned", { .domain = "pinned.example" }, STS_TYPE_STS,
	    STS_MODE_ENFORCE, "" },
	{ "the policy domain, however written",
	    { .domain = "[Enforce.Example.]:25" }, STS_TYPE_STS,
	    STS_MODE_ENFORCE, "one" },
	{ "4.3.2.2: a policy that was not to be had",
	    { .domain = "cold.example", .result = STS_STS_POLICY_FETCH_ERROR },
	    STS_TYPE_STS, STS_MODE_NONE, "" },
	{ "4.3.2.2: web PKI",
	    { .domain = "cold.example", .result = STS_STS_WEBPKI_INVALID },
	    STS_TYPE_STS, STS_MODE_NONE, "" },
	{ "4.3.2.2: syntax; the old one is in force",
	    { .domain = "enforce.example", .result = STS_STS_POLICY_INVALID },
	    STS_TYPE_STS, STS_MODE_ENFORCE, "one" },
	{ "4.3.2.1: DANE by its result",
	    { .domain = "enforce.example", .result = STS_DANE_REQUIRED },
	    STS_TYPE_TLSA, STS_MODE_NONE, "" },
	{ "4.3.2.1: TLSA",
	    { .domain = "enforce.example", .result = STS_TLSA_INVALID },
	    STS_TYPE_TLSA, STS_MODE_NONE, "" },
	{ "4.3.2.1: DNSSEC",
	    { .domain = "enforce.example", .result = STS_DNSSEC_INVALID },
	    STS_TYPE_TLSA, STS_MODE_NONE, "" },
	{ "a success under DANE", { .domain = "mx.example.com", .dane = true },
	    STS_TYPE_TLSA, STS_MODE_NONE, "" },
};

static void
test_policies(void **state)
{
	struct sts_ctx *ctx = begin_known("dns_failure = defer\n",
	    "[domain \"off.example\"]\nmode = off\n"
	    "[domain \"pinned.example\"]\nmode = enforce\n"
	    "mx = mx.pinned.example\n");
	char name[STS_NAME_SIZE];
	enum sts_rc rc;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(policies); i++) {
		rc = sts_record_session(ctx, &policies[i].seen, &err);
		ROW(rc == STS_OK && sessions() == i + 1, "%s: %s %s",
		    policies[i].what, sts_rc_name(rc), err.text);
		(void)sts_domain_normal(name, policies[i].seen.domain, NULL);
		ROW(got.type == policies[i].type &&
			got.mode == policies[i].mode &&
			str_is(got.id, policies[i].id) &&
			got.result == policies[i].seen.result &&
			str_is(got.domain, name) &&
			got.time + 60 > time(NULL) && got.time <= time(NULL),
		    "%s: %s %s %.*s", policies[i].what,
		    sts_policy_type_name(got.type), sts_mode_name(got.mode),
		    (int)got.id.len, got.id.p);
	}
	ROW(nothing_to_do(), "recording has nothing looked up");
	ROW(geteuid() == getuid() && getegid() == getgid(), "ids are back");
	sts_close(ctx);
	rows_done();
}

static void
test_override(void **state)
{
	struct sts_ctx *ctx =
	    begin_known("", "[domain \"enforce.example\"]\nmode = testing\n");
	struct sts_session_report seen = { .domain = "enforce.example" };

	(void)state;
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 1 &&
		got.mode == STS_MODE_TESTING,
	    "the mode in force here");
	sts_close(ctx);
	rows_done();
}

/* A session is held to what the host was told before it. */
static void
test_last(void **state)
{
	struct sts_ctx *ctx = begin_known("", "");
	struct sts_session_report seen = { .domain = "testing.example" };
	struct sts_answer *a;

	(void)state;
	if (sts_query(ctx, "testing.example", STS_OFFLINE, &a, &err) != STS_OK)
		fail_msg("%s", err.text);
	sts_answer_free(a);
	know(ctx, "testing.example", "version: STSv1\nmode: enforce\n" MX,
	    time(NULL) + 3600);
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 1 &&
		got.mode == STS_MODE_TESTING && got.type == STS_TYPE_STS &&
		str_is(got.id, "one"),
	    "a policy that came meanwhile: %s", sts_mode_name(got.mode));
	seen.domain = "none.example";
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 2 &&
		got.type == STS_TYPE_NO_POLICY_FOUND,
	    "another domain has another policy");
	seen.domain = "testing.example";
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 3 &&
		got.mode == STS_MODE_ENFORCE,
	    "only the last answer is remembered");
	for (int i = 0; i < 2; i++) {
		const char *mode = i == 0 ? "testing" : "enforce";
		char body[100];

		snprintf(body, sizeof body, "version: STSv1\nmode: %s\n" MX,
		    mode);
		know(ctx, "testing.example", body, time(NULL) + 3600);
		ctx->last.when = time(NULL) +
		    (i == 0 ? -STS_LAST_SPAN - 1 : STS_CLOCK_SLACK + 9);
		ROW(sts_record_session(ctx, &seen, &err) == STS_OK &&
			strcmp(sts_mode_name(got.mode), mode) != 0 &&
			sessions() == 4u + (unsigned)i &&
			strcmp(sts_mode_name(got.mode), mode) == 0,
		    "an answer %s", i == 0 ? "of long ago" : "of the future");
	}
	sts_close(ctx);
	rows_done();
}

static void
test_words(void **state)
{
	struct sts_ctx *ctx = begin_known("", "");
	struct sts_session_report seen = {
		.domain = "enforce.example",
		.result = STS_CERTIFICATE_REFUSED,
		.sending_ip = "192.0.2.1",
		.mx_host = "mx.example.com",
		.mx_helo = "a\tb\n1\t\xff%",
		.receiving_ip = "2001:db8::1",
		.reason = "x\r\n",
		.der = "a\0b",
		.der_len = 3,
	};

	(void)state;
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 1,
	    "a failure: %s", err.text);
	ROW(str_is(got.sending_ip, "192.0.2.1") &&
		str_is(got.mx_host, "mx.example.com") &&
		str_is(got.mx_helo, seen.mx_helo) &&
		str_is(got.receiving_ip, "2001:db8::1") &&
		str_is(got.reason, "x\r\n") && cert_len == 3 &&
		memcmp(cert, "a\0b", 3) == 0,
	    "4.4: all that is known of it, whatever a stranger said");
	seen.der = NULL;
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 2 &&
		got.cert.len == 0,
	    "no certificate, whatever its length");
	seen = (struct sts_session_report){ .domain = "enforce.example",
		.der = "a",
		.der_len = 1 };
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 3 &&
		got.cert.len == 0 && got.mx_helo.len == 0,
	    "4.2.1: a success is only counted");
	sts_close(ctx);
	rows_done();
}

static void
test_refused(void **state)
{
	static const struct {
		const char *what, *domain;
		enum sts_session_result result;
		enum sts_rc rc;
	} t[] = {
		{ "an address has no policy domain", "[192.0.2.1]",
		    STS_SESSION_OK, STS_ABSENT },
		{ "no host name", "..", STS_SESSION_OK, STS_ABSENT },
		{ "1.1: not in A-labels", "\xc3\xa9.example", STS_SESSION_OK,
		    STS_INVALID },
		{ "no domain", NULL, STS_SESSION_OK, STS_USAGE },
		{ "no result", "enforce.example",
		    (enum sts_session_result)(STS_CERTIFICATE_REFUSED + 1),
		    STS_USAGE },
	};
	struct sts_ctx *ctx = begin_known("", "");
	enum sts_rc rc;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sts_session_report seen = { .domain = t[i].domain,
			.result = t[i].result };

		rc = sts_record_session(ctx, &seen, &err);
		ROW(rc == t[i].rc && sessions() == 0, "%s: %s", t[i].what,
		    sts_rc_name(rc));
	}
	sts_close(ctx);
	rows_done();
}

static void
test_spool_moves(void **state)
{
	struct sts_ctx *ctx = begin("", "");
	struct sts_session_report seen = { .domain = "a.example" };
	char away[80];

	(void)state;
	ROW(sts_record_session(ctx, &seen, &err) == STS_LOCAL &&
		strstr(err.text, "spool directory") != NULL,
	    "no spool: %s", err.text);
	ROW(!sts_stale(ctx), "and none is no other one");
	assert_true(own(spool));
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 1,
	    "there is one now");
	ROW(sts_stale(ctx), "which a kept worker does not have");
	if (sts_reopen(&ctx, conf_path, &err) != STS_OK)
		fail();
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 2 &&
		!sts_stale(ctx),
	    "but the next one has");
	snprintf(away, sizeof away, "%s.away", spool);
	if (rename(spool, away) == -1)
		fail();
	assert_true(own(spool));
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 1,
	    "another in its place: %s", err.text);
	ROW(sts_stale(ctx), "and not in the worker's");
	sts_close(ctx);
	rows_done();
}

static void
test_switched_off(void **state)
{
	struct sts_session_report seen = { .domain = "a.example" };
	struct sts_ctx *ctx;

	(void)state;
	ctx = begin("enabled = no\n", "");
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK,
	    "the kill switch: %s", err.text);
	ROW(!sts_records(ctx), "and that is known before");
	sts_close(ctx);
	ctx = begin("", "");
	ROW(sts_records(ctx), "they are recorded");
	ctx->conf->report.contact = NULL;
	ROW(!sts_records(ctx), "without a contact they are not");
	ROW(sts_record_session(ctx, &seen, &err) == STS_OK && sessions() == 0,
	    "4.4: no contact-info, no report; the spool may be missing: %s",
	    err.text);
	sts_close(ctx);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policies),
		cmocka_unit_test(test_override),
		cmocka_unit_test(test_last),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_spool_moves),
		cmocka_unit_test(test_switched_off),
	};

	return cmocka_run_group_tests(tests, make_top, wipe_top);
}
