/* SPDX-License-Identifier: ISC */
/*
 * Questions that never wait, sts_query(STS_NONBLOCKING) and sts_mx_next(), on a
 * real store, with a shell script for a worker that only notes its birth.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cache/entry_files.h"
#include "fixture.h"
#include "query/query.h"
#include "row.h"
#include <mtasts/mx.h>

#define HOUR 3600
#define DAY 86400

/* New ones for each context: workers live on. */
static char cache[60], workers[60];

/* Each birth is a letter in ~started. */
static void
worker(const char *script)
{
	char text[400];

	snprintf(text, sizeof text,
	    "#!/bin/sh\ncd %s && printf x >> ~started\n%s\n", cache, script);
	assert_true(fake_worker(workers, text));
}

static unsigned
started(void)
{
	char path[100];
	struct stat st = { 0 };

	snprintf(path, sizeof path, "%s/~started", cache);
	(void)stat(path, &st);
	(void)unlink(path);
	return (unsigned)st.st_size;
}

/* The same, with some time for it to happen. */
static unsigned
started_soon(void)
{
	unsigned n = 0;

	for (int i = 0; i < 800 && n == 0; i++) {
		usleep(25000);
		n = started();
	}
	return n;
}

/* A context on an empty store. */
static struct sts_ctx *
begin(const char *conf)
{
	static unsigned serial;
	struct sts_err err = { 0 };
	struct sts_ctx *ctx;
	char text[600];

	snprintf(cache, sizeof cache, "%s/cache%u", top, ++serial);
	snprintf(workers, sizeof workers, "%s/workers%u", top, serial);
	if (mkdir(workers, 0755) == -1 || !own(cache))
		fail();
	snprintf(text, sizeof text, "cache_dir = %s\nworker_dir = %s\n%s\n",
	    cache, workers, conf);
	assert_true(write_text(workers, "conf", 0644, text));
	snprintf(text, sizeof text, "%s/conf", workers);
	if (sts_open(&ctx, text, &err) != STS_OK ||
	    sts_ctx_store(ctx, &err) != STS_OK)
		fail_msg("%s", err.text);
	worker("exec cat >/dev/null");
	return ctx;
}

/* --- What is in the store ----------------------------------------------- */

enum known {
	COLD,
	ENFORCE,       /* looked at just now */
	ENFORCE_OLD,   /* two hours ago */
	ENFORCE_OTHER, /* of hosts that no set here has */
	TESTING,
	EXPIRED,
	NONE,
	NONE_OVER, /* its time is up since a minute */
	NO_FETCH,
	UNASKED,     /* backing off */
	UNASKED_LONG /* asked for long ago */
};

static void
know(struct sts_ctx *ctx, const char *domain, enum known what)
{
	int64_t now = time(NULL);
	struct sts_entry e = {
		.kind = STS_ENTRY_POLICY,
		.id = "one",
		.fetched = now - (what == ENFORCE_OLD ? 2 * HOUR : 60),
		.checked = now - (what == ENFORCE_OLD ? 2 * HOUR : 60),
		.until = now + DAY,
		.body = LIT("version: STSv1\nmode: enforce\nmx: "
			    "*.example.com\nmax_age: 86400\n"),
	};

	if (what == COLD)
		return;
	if (what == TESTING)
		e.body = str_of("version: STSv1\nmode: testing\nmx: "
				"x.example\nmax_age: 86400\n");
	if (what == ENFORCE_OTHER)
		e.body = str_of("version: STSv1\nmode: enforce\nmx: "
				"x.example\nmax_age: 86400\n");
	if (what == EXPIRED) {
		e.fetched = e.checked = now - DAY;
		e.until = now - 1;
	}
	if (what == NONE || what == NONE_OVER)
		e = (struct sts_entry){ .kind = STS_ENTRY_NONE,
			.checked = now - 120,
			.until = now + (what == NONE ? 60 : -60) };
	if (what == NO_FETCH)
		e = (struct sts_entry){ .kind = STS_ENTRY_NO_FETCH,
			.checked = now - 400,
			.failed = now - 400 };
	if (what == UNASKED)
		e = (struct sts_entry){ .kind = STS_ENTRY_UNASKED,
			.tried = now - 5,
			.retry = now + 25 };
	if (what == UNASKED_LONG)
		e = (struct sts_entry){ .kind = STS_ENTRY_UNASKED,
			.tried = now - 2 * HOUR,
			.retry = now - 2 * HOUR + 30 };
	assert_int_equal(sts_store_put(ctx->store, domain, &e, NULL), STS_OK);
}

static void
age_mark(const char *file, int64_t age)
{
	struct timespec t[2] = { { time(NULL) - age, 0 } };
	char path[400];

	t[1] = t[0];
	snprintf(path, sizeof path, "%s/%s", cache, file);
	if (utimensat(AT_FDCWD, path, t, 0) == -1)
		fail_msg("no %s", path);
}

/* --- sts_query(STS_NONBLOCKING) ------------------------------------------- */

static const struct {
	const char *what;
	enum known known;
	const char *conf;
	enum sts_verdict verdict;
	enum sts_mode mode;
	enum sts_unknown unknown;
	bool looks;
	const char *why;
} answers[] = {
	{ "cold", COLD, "", STS_MUST_WAIT, STS_MODE_NONE, STS_NOT_YET, true,
	    "not known yet, cold = wait" },
	{ "cold, proceed", COLD, "cold = proceed", STS_NO_POLICY, STS_MODE_NONE,
	    STS_NOT_YET, true, "not known yet, cold = proceed" },
	{ "cold is not dns_failure", COLD, "dns_failure = proceed",
	    STS_MUST_WAIT, STS_MODE_NONE, STS_NOT_YET, true, "not known yet" },
	{ "cold, enforce configured", COLD,
	    "[domain a.example]\nmode = enforce", STS_MUST_WAIT, STS_MODE_NONE,
	    STS_NOT_YET, true, "enforce is configured" },
	{ "3.3 a policy applies", ENFORCE, "", STS_POLICY, STS_MODE_ENFORCE,
	    STS_KNOWN, false, "in the cache" },
	{ "5.1 an old look", ENFORCE_OLD, "", STS_POLICY, STS_MODE_ENFORCE,
	    STS_KNOWN, true, "in the cache" },
	{ "3.2 expired is cold", EXPIRED, "", STS_MUST_WAIT, STS_MODE_NONE,
	    STS_NOT_YET, true, "not known yet" },
	{ "none", NONE, "", STS_NO_POLICY, STS_MODE_NONE, STS_KNOWN, false,
	    "no policy" },
	{ "none, to be asked again", NONE_OVER, "", STS_NO_POLICY,
	    STS_MODE_NONE, STS_KNOWN, true, "no policy" },
	{ "a record, no policy", NO_FETCH, "", STS_NO_POLICY, STS_MODE_NONE,
	    STS_KNOWN, true, "no policy to be had" },
	{ "could not ask: dns_failure", UNASKED, "", STS_NO_POLICY,
	    STS_MODE_NONE, STS_REMOTE, false, "dns_failure = proceed" },
	{ "could not ask, defer", UNASKED, "dns_failure = defer", STS_MUST_WAIT,
	    STS_MODE_NONE, STS_REMOTE, false, "dns_failure = defer" },
	{ "could not ask, long ago: cold", UNASKED_LONG, "", STS_MUST_WAIT,
	    STS_MODE_NONE, STS_NOT_YET, true, "not known yet" },
	{ "switched off", COLD, "enabled = no", STS_NO_POLICY, STS_MODE_NONE,
	    STS_KNOWN, false, "switched off" },
};

static void
test_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		struct sts_ctx *ctx = begin(answers[i].conf);
		struct sts_answer *a = NULL;
		struct sts_err err = { 0 };
		int64_t began = sts_now_ms();
		enum sts_rc rc;

		worker("sleep 20");
		know(ctx, "a.example", answers[i].known);
		rc = sts_query(ctx, "a.example", STS_NONBLOCKING | STS_FRESH,
		    &a, &err);
		ROW(rc == STS_OK && a->verdict == answers[i].verdict &&
			a->mode == answers[i].mode &&
			a->unknown == answers[i].unknown &&
			strstr(a->why, answers[i].why) != NULL &&
			ctx->waited == 0 && sts_now_ms() - began < 10000,
		    "%s: rc %d (%s) verdict %d mode %d unknown %d why \"%s\"",
		    answers[i].what, rc, err.text,
		    a == NULL ? -1 : (int)a->verdict,
		    a == NULL ? -1 : (int)a->mode,
		    a == NULL ? -1 : (int)a->unknown, a == NULL ? "" : a->why);
		sts_answer_free(a);
		ROW((sts_store_marked(ctx->store, STS_MARK_REFRESH,
			 "a.example") != 0) == answers[i].looks,
		    "%s: the want", answers[i].what);
		ROW(!answers[i].looks || started_soon() == 1, "%s: the worker",
		    answers[i].what);
		sts_close(ctx);
	}
	rows_done();
}

/* While DNS is down nobody is asked to ask, and dns_failure decides. */
static void
test_down(void **state)
{
	struct sts_ctx *ctx = begin("dns_failure = defer");
	struct sts_answer *a;

	(void)state;
	(void)sts_store_mark(ctx->store, STS_MARK_RESOLVER_DOWN, NULL, NULL);
	ROW(sts_query(ctx, "a.example", STS_NONBLOCKING, &a, NULL) == STS_OK &&
		a->verdict == STS_MUST_WAIT &&
		strstr(a->why, "dns_failure") != NULL,
	    "%s", a == NULL ? "" : a->why);
	sts_answer_free(a);
	ROW(sts_store_marked(ctx->store, STS_MARK_REFRESH, "a.example") == 0,
	    "a want that nobody can serve");
	/* What a process waited for in sum says nothing of who never waits. */
	sts_store_unmark(ctx->store, STS_MARK_RESOLVER_DOWN, NULL);
	ctx->waited = STS_WAIT_MAX;
	ROW(sts_query(ctx, "a.example", STS_NONBLOCKING, &a, NULL) == STS_OK &&
		a->unknown == STS_NOT_YET,
	    "waited enough");
	sts_answer_free(a);
	sts_close(ctx);
	rows_done();
}

/* --- Starting workers --------------------------------------------------- */

static void
ask_many(struct sts_ctx *ctx, int from, int n)
{
	struct sts_answer *a;
	char domain[40];

	for (int i = from; i < from + n; i++) {
		snprintf(domain, sizeof domain, "d%d.example", i);
		ROW(sts_query(ctx, domain, STS_NONBLOCKING, &a, NULL) ==
			    STS_OK &&
			a->unknown == STS_NOT_YET,
		    "%s", domain);
		sts_answer_free(a);
	}
}

static void
test_burst(void **state)
{
	struct sts_ctx *ctx = begin("");
	int64_t began = sts_now_ms();
	unsigned n;

	(void)state;
	/* A worker that lives: one for all. */
	worker("sleep 40");
	ask_many(ctx, 0, 200);
	ROW(sts_now_ms() - began < 30000, "200 questions waited: %lld ms",
	    (long long)(sts_now_ms() - began));
	ROW((n = started_soon()) == 1, "%u workers", n);
	ROW(sts_store_marked(ctx->store, STS_MARK_REFRESH, "d199.example") != 0,
	    "the last one");
	sts_close(ctx);

	/* Workers that end at once: one in a second. */
	ctx = begin("");
	worker("exit 0");
	began = sts_now_ms();
	for (n = 0; sts_now_ms() - began < 2500; n += 10) {
		ask_many(ctx, (int)n, 10);
		usleep(20000);
	}
	usleep(300000);
	n = started();
	ROW(n >= 2 && n <= 1 + (sts_now_ms() - began) / 1000,
	    "%u workers in 2.5 s", n);
	sts_close(ctx);
	rows_done();
}

/* A domain that came too early for a worker of its own gets one later. */
static void
test_early(void **state)
{
	struct sts_ctx *ctx = NULL;
	int64_t began;
	unsigned n;

	(void)state;
	do { /* on a busy machine the second may not be early at all */
		sts_close(ctx);
		ctx = begin("");
		worker("exit 0");
		began = sts_now_ms();
		ask_many(ctx, 1, 1);
		ROW(started_soon() == 1, "the first worker");
		ask_many(ctx, 2, 1);
		usleep(300000);
		n = started();
	} while (sts_now_ms() - began > 900);
	ROW(n == 0, "the second too early");
	usleep(800000);
	ask_many(ctx, 2, 1);
	ROW(started_soon() == 1, "the second never");
	ask_many(ctx, 2, 1);
	usleep(300000);
	ROW(started() == 0, "a worker too many");
	sts_close(ctx);
	rows_done();
}

/*
 * smtpd starts its tables with signals ignored, perhaps SIGCHLD too: then no
 * child can be waited for, and none may be left either.
 */
static void
test_signals(void **state)
{
	static const int ignored[] = { SIGHUP, SIGINT, SIGTERM, SIGPIPE,
		SIGCHLD };
	struct sts_ctx *ctx = begin("");
	int64_t began = sts_now_ms();

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	worker("sleep 20");
	ask_many(ctx, 1, 1);
	ROW(sts_now_ms() - began < 10000, "waits for the worker");
	ROW(started_soon() == 1, "no worker");
	ROW(waitpid(-1, NULL, WNOHANG) == -1, "a child is left");
	for (size_t i = 0; i < ARRAY_LEN(ignored); i++)
		(void)signal(ignored[i], SIG_DFL);
	sts_close(ctx);
	rows_done();
}

/* --- sts_mx_next() ------------------------------------------------------ */

static void
put_set(struct sts_ctx *ctx, const char *domain, enum sts_mx_kind kind,
    size_t n, int64_t age)
{
	static struct sts_mx_set m;

	memset(&m, 0, sizeof m);
	m.kind = kind;
	m.asked = time(NULL) - age;
	m.until = m.asked + HOUR;
	m.n = n;
	for (size_t i = 0; i < n; i++) {
		struct sts_mx_host *h = &m.host[i];

		snprintf(h->name, sizeof h->name, "mx%zu.example.com", i + 1);
		h->preference = (uint16_t)(i * 10);
		h->naddr = 2;
		h->addr[0] =
		    (struct sts_addr){ false, { 192, 0, 2, (uint8_t)(i + 1) } };
		h->addr[1] = (struct sts_addr){ true,
			{ 0x20, 1, [15] = (uint8_t)(i + 1) } };
	}
	assert_int_equal(sts_store_put_mx(ctx->store, domain, &m, NULL),
	    STS_OK);
}

static const struct {
	const char *what, *domain;
	enum known known;
	const char *conf;
	enum sts_mx_kind kind; /* UNKNOWN: none is stored */
	int64_t age;           /* of the set */
	enum sts_rc rc;
	const char *want; /* host, or part of the reason */
	bool asks;        /* for the set */
} hosts[] = {
	{ "4.1 enforce", "a.example", ENFORCE, "", STS_MX_HOSTS, 60, STS_OK,
	    "mx1.example.com", false },
	{ "as a next hop is written", "[A.Example]:25", ENFORCE, "",
	    STS_MX_HOSTS, 60, STS_OK, "mx1.example.com", false },
	{ "enforce, a stale set", "a.example", ENFORCE, "", STS_MX_HOSTS,
	    2 * HOUR, STS_OK, "mx1.example.com", true },
	{ "enforce, no set", "a.example", ENFORCE, "", STS_MX_UNKNOWN, 0,
	    STS_TEMPFAIL, "a.example: its MX hosts are not known yet", true },
	{ "4.1 enforce, none matches", "a.example", ENFORCE_OTHER, "",
	    STS_MX_HOSTS, 60, STS_INVALID,
	    "a.example: no MX host matches its MTA-STS policy", false },
	{ "testing: any", "a.example", TESTING, "", STS_MX_HOSTS, 60, STS_OK,
	    "mx1.example.com", false },
	{ "the policy is gone: any", "a.example", NONE, "", STS_MX_HOSTS, 60,
	    STS_OK, "mx1.example.com", false },
	{ "gone, and nobody asked: any", "a.example", COLD, "cold = proceed",
	    STS_MX_HOSTS, 60, STS_OK, "mx1.example.com", false },
	{ "cold = wait", "a.example", COLD, "", STS_MX_HOSTS, 60, STS_TEMPFAIL,
	    "cold = wait", false },
	{ "dns_failure = defer waits", "a.example", UNASKED,
	    "dns_failure = defer", STS_MX_UNKNOWN, 60, STS_TEMPFAIL,
	    "dns_failure = defer", true },
	{ "testing, raised by the administrator", "a.example", TESTING,
	    "[domain a.example]\nmode = enforce", STS_MX_HOSTS, 60, STS_INVALID,
	    "no MX host matches", false },
	{ "enforce, lowered by the administrator", "a.example", ENFORCE_OTHER,
	    "[domain a.example]\nmode = testing", STS_MX_HOSTS, 60, STS_OK,
	    "mx1.example.com", false },
	{ "enforce wanted, no policy: waits", "a.example", NONE,
	    "[domain a.example]\nmode = enforce", STS_MX_HOSTS, 60,
	    STS_TEMPFAIL, "enforce is configured", false },
	{ "off: any", "a.example", ENFORCE_OTHER,
	    "[domain a.example]\nmode = off", STS_MX_HOSTS, 60, STS_OK,
	    "mx1.example.com", false },
	{ "kill switch: any", "a.example", ENFORCE_OTHER, "enabled = no",
	    STS_MX_HOSTS, 60, STS_OK, "mx1.example.com", false },
	{ "pinned", "a.example", COLD,
	    "[domain a.example]\nmx = mx2.example.com", STS_MX_HOSTS, 60,
	    STS_OK, "mx2.example.com", false },
	{ "RFC 7505 null MX", "a.example", ENFORCE, "", STS_MX_NULL, 60,
	    STS_INVALID, "a.example: it takes no mail", false },
	{ "3.4 an address literal", "[192.0.2.1]", COLD, "", STS_MX_UNKNOWN, 0,
	    STS_INVALID, "192.0.2.1", false },
	{ "a U-label", "m\xc3\xbcller.example", COLD, "", STS_MX_UNKNOWN, 0,
	    STS_LOCAL, "", false },
};

static void
test_hosts(void **state)
{
	char host[STS_NAME_SIZE];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		struct sts_err err = { 0 };
		struct sts_ctx *ctx;
		enum sts_rc rc;

		ctx = begin(hosts[i].conf);
		know(ctx, "a.example", hosts[i].known);
		if (hosts[i].kind != STS_MX_UNKNOWN)
			put_set(ctx, "a.example", hosts[i].kind,
			    hosts[i].kind == STS_MX_HOSTS ? 2 : 0,
			    hosts[i].age);
		(void)sts_store_mark(ctx->store, STS_MARK_MX_PROBED,
		    "192.0.2.1", NULL);
		(void)sts_store_mark(ctx->store, STS_MARK_MX_PROBED,
		    "192.0.2.2", NULL);
		memset(host, 'x', sizeof host);
		rc = sts_mx_next(ctx, hosts[i].domain, host, &err);
		ROW(rc == hosts[i].rc &&
			strstr(rc == STS_OK ? host : err.text, hosts[i].want) !=
			    NULL &&
			(rc == STS_OK || host[0] == '\0') && ctx->waited == 0,
		    "%s: rc %d (%s) host %s", hosts[i].what, rc, err.text,
		    host);
		ROW((sts_store_marked(ctx->store, STS_MARK_REFRESH_MX,
			 "a.example") != 0) == hosts[i].asks,
		    "%s: the want", hosts[i].what);
		ROW(strcmp(hosts[i].domain, "a.example") != 0 ||
			sts_store_marked(ctx->store, STS_MARK_RELAYED,
			    "a.example") != 0,
		    "%s: not noted", hosts[i].what);
		sts_close(ctx);
	}
	rows_done();
}

static bool
next_is(struct sts_ctx *ctx, const char *want)
{
	char host[STS_NAME_SIZE];

	return sts_mx_next(ctx, "a.example", host, NULL) == STS_OK &&
	    strcmp(host, want) == 0;
}

static enum sts_rc
failed(struct sts_ctx *ctx, int i, const char *address)
{
	char host[40];

	snprintf(host, sizeof host, "mx%d.example.com", i);
	return sts_mx_learnt(ctx, host, address, true, NULL);
}

static enum sts_rc
worked(struct sts_ctx *ctx, int i, const char *address)
{
	char host[40];

	snprintf(host, sizeof host, "mx%d.example.com", i);
	return sts_mx_learnt(ctx, host, address, false, NULL);
}

static void
age_failure(struct sts_ctx *ctx, int i, const char *address, int64_t age)
{
	char host[40], both[STS_MX_NAME], path[STS_MX_NAME + 20];

	snprintf(host, sizeof host, "mx%d.example.com", i);
	snprintf(path, sizeof path, "~mx/%s~failed",
	    sts_store_mx_name(ctx->store, both, host, address));
	age_mark(path, age);
}

/* What the filter learns decides what the table answers. */
static void
test_learnt(void **state)
{
	static const char *const bad[] = { "", "x", "192.0.2", "192.0.2.1:25",
		"[192.0.2.1]", "../192.0.2.1", "::1%lo", "192.0.2.1 ",
		"2001:db8::1/64" };
	struct sts_ctx *ctx = begin("cold = proceed");
	struct sts_err err;

	(void)state;
	know(ctx, "a.example", ENFORCE);
	put_set(ctx, "a.example", STS_MX_HOSTS, 2, 60);
	ROW(next_is(ctx, "mx1.example.com"), "the best");
	ROW(failed(ctx, 1, "192.0.2.1") == STS_OK &&
		next_is(ctx, "mx1.example.com"),
	    "its other address is good");
	ROW(failed(ctx, 1, "2001:0::0001") == STS_OK &&
		next_is(ctx, "mx2.example.com"),
	    "both failed, one in another spelling");
	ROW(worked(ctx, 1, "192.0.2.1") == STS_OK &&
		next_is(ctx, "mx1.example.com"),
	    "one works again");
	(void)failed(ctx, 2, "192.0.2.1");
	(void)sts_mx_learnt(ctx, "mx1.evil.example", "192.0.2.1", true, NULL);
	ROW(next_is(ctx, "mx1.example.com"),
	    "other hosts that have the address, a stranger's too");
	(void)sts_store_mark(ctx->store, STS_MARK_MX_DOWN, "192.0.2.1", NULL);
	ROW(next_is(ctx, "mx2.example.com"), "one failed, the other is down");
	(void)worked(ctx, 1, "192.0.2.1");
	ROW(next_is(ctx, "mx1.example.com"), "a session outdoes a probe");
	(void)failed(ctx, 1, "192.0.2.1");
	age_failure(ctx, 1, "192.0.2.1", STS_MX_FAILED_SPAN + 1);
	ROW(next_is(ctx, "mx1.example.com"), "an old failure");
	age_failure(ctx, 1, "192.0.2.1", -DAY);
	ROW(next_is(ctx, "mx1.example.com"), "clock: a failure to come");
	/* Three, each with its history. */
	put_set(ctx, "a.example", STS_MX_HOSTS, 3, 60);
	for (int i = 1; i <= 3; i++) {
		char text[40];

		snprintf(text, sizeof text, "192.0.2.%d", i);
		(void)failed(ctx, i, text);
		snprintf(text, sizeof text, "2001::%d", i);
		(void)failed(ctx, i, text);
		if (i == 2)
			ROW(next_is(ctx, "mx3.example.com"), "two failed");
	}
	age_failure(ctx, 1, "2001::1", 100);
	age_failure(ctx, 2, "192.0.2.2", 90);
	age_failure(ctx, 2, "2001::2", 80);
	ROW(next_is(ctx, "mx2.example.com"), "the oldest last failure");
	age_failure(ctx, 1, "192.0.2.1", 85);
	ROW(next_is(ctx, "mx1.example.com"), "all failed: the best again");
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ROW(sts_mx_learnt(ctx, "mx1.example.com", bad[i], true, &err) ==
			    STS_USAGE &&
			err.text[0] != '\0',
		    "\"%s\" is taken for an address", bad[i]);
	sts_close(ctx);
	rows_done();
}

/* Who is probed when: never where there is no choice, nor who just worked. */
static void
test_probes(void **state)
{
	struct sts_ctx *ctx = begin("cold = proceed");

	(void)state;
#define WANTED                                                                 \
	(sts_store_marked(ctx->store, STS_MARK_REFRESH_MX, "a.example") != 0)
	know(ctx, "a.example", ENFORCE);
	put_set(ctx, "a.example", STS_MX_HOSTS, 1, 60);
	ROW(next_is(ctx, "mx1.example.com") && !WANTED, "one host");
	put_set(ctx, "a.example", STS_MX_HOSTS, 2, 60);
	ROW(next_is(ctx, "mx1.example.com") && WANTED, "never probed");
	sts_store_unmark(ctx->store, STS_MARK_REFRESH_MX, "a.example");
	(void)worked(ctx, 1, "2001::1");
	ROW(next_is(ctx, "mx1.example.com") && !WANTED, "it just worked");
	age_mark("~mx/2001::1~probed", STS_MX_PROBE_SPAN + 1);
	ROW(next_is(ctx, "mx1.example.com") && WANTED, "a while ago");
	sts_close(ctx);
#undef WANTED
	rows_done();
}

/* RFC 8461 5: who failed under a policy gets it looked at, once. */
static void
test_newer(void **state)
{
	struct sts_ctx *ctx = begin("cold = proceed");
	char path[80];
	int64_t marked;

	(void)state;
#define LOOKS (sts_store_marked(ctx->store, STS_MARK_REFRESH, "a.example") != 0)
	know(ctx, "a.example", ENFORCE);
	put_set(ctx, "a.example", STS_MX_HOSTS, 1, 60);
	ROW(next_is(ctx, "mx1.example.com") && !LOOKS, "nothing failed");
	(void)failed(ctx, 1, "192.0.2.1");
	age_failure(ctx, 1, "192.0.2.1", 90);
	ROW(next_is(ctx, "mx1.example.com") && !LOOKS,
	    "failed before the policy was looked at");
	age_failure(ctx, 1, "192.0.2.1", 30);
	ROW(next_is(ctx, "mx1.example.com") && LOOKS, "failed since");
	marked = sts_store_marked(ctx->store, STS_MARK_FAILED, "a.example");
	ROW(marked != 0, "no mark for who looks");
	/* Somebody looked because of it: silence for five minutes. */
	(void)sts_store_mark(ctx->store, STS_MARK_ANSWERED, "a.example", NULL);
	sts_store_unmark(ctx->store, STS_MARK_REFRESH, "a.example");
	snprintf(path, sizeof path, "%02x/a.example~failed",
	    sts_store_dir_of(ctx->store, "a.example"));
	age_mark(path, 20);
	ROW(next_is(ctx, "mx1.example.com") && !LOOKS, "looked a moment ago");
	ROW(sts_store_marked(ctx->store, STS_MARK_FAILED, "a.example") < marked,
	    "marked again for the same failure");
	sts_close(ctx);
	/* Without a policy to be replaced there is nothing to look for. */
	ctx = begin("cold = proceed");
	know(ctx, "a.example", NONE);
	put_set(ctx, "a.example", STS_MX_HOSTS, 1, 60);
	(void)failed(ctx, 1, "192.0.2.1");
	ROW(next_is(ctx, "mx1.example.com") && !LOOKS, "no policy");
	sts_close(ctx);
	/* No host is permitted: a failure, too. */
	ctx = begin("");
	know(ctx, "a.example", ENFORCE_OTHER);
	put_set(ctx, "a.example", STS_MX_HOSTS, 1, 60);
	ROW(!next_is(ctx, "") && LOOKS, "none matches");
	sts_store_unmark(ctx->store, STS_MARK_REFRESH, "a.example");
	snprintf(path, sizeof path, "%02x/a.example~failed",
	    sts_store_dir_of(ctx->store, "a.example"));
	age_mark(path, STS_MARK_GAP - 30);
	ROW(!next_is(ctx, "") && !LOOKS, "not twice in five minutes");
	age_mark(path, STS_MARK_GAP + 30);
	ROW(!next_is(ctx, "") && LOOKS, "then again");
	sts_close(ctx);
#undef LOOKS
	rows_done();
}

/* Written once a day, or the disk would see every mail. */
static void
test_relayed(void **state)
{
	struct sts_ctx *ctx = begin("cold = proceed");
	char path[80];
	int64_t now = time(NULL);
	static const struct {
		int64_t age;
		bool renewed;
	} t[] = { { DAY - 60, false }, { DAY + 60, true }, { -DAY, true } };

	(void)state;
	put_set(ctx, "a.example", STS_MX_HOSTS, 1, 60);
	snprintf(path, sizeof path, "%02x/a.example~relayed",
	    sts_store_dir_of(ctx->store, "a.example"));
	ROW(next_is(ctx, "mx1.example.com"), "next");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		int64_t m;

		age_mark(path, t[i].age);
		ROW(next_is(ctx, "mx1.example.com"), "next");
		m = sts_store_marked(ctx->store, STS_MARK_RELAYED, "a.example");
		ROW((m >= now && m < now + 60) == t[i].renewed,
		    "a mark of %lld s", (long long)t[i].age);
	}
	sts_close(ctx);
	rows_done();
}

/* Chance differs between processes and times, not between envelopes. */
static void
test_turns(void **state)
{
	struct sts_ctx *ctx = begin("cold = proceed");
	static struct sts_mx_set m;
	char host[STS_NAME_SIZE], first[STS_NAME_SIZE];
	unsigned count[8] = { 0 };
	int64_t slot;
	bool same;

	(void)state;
	put_set(ctx, "a.example", STS_MX_HOSTS, 8, 60);
	assert_int_equal(sts_store_get_mx(ctx->store, "a.example", &m, NULL),
	    STS_OK);
	for (size_t i = 0; i < m.n; i++)
		m.host[i].preference = 5;
	assert_int_equal(sts_store_put_mx(ctx->store, "a.example", &m, NULL),
	    STS_OK);
	do {
		slot = time(NULL) / STS_MX_TURN;
		(void)sts_mx_next(ctx, "a.example", first, NULL);
		same = true;
		for (int i = 0; i < 4; i++) {
			usleep(550000);
			(void)sts_mx_next(ctx, "a.example", host, NULL);
			same &= strcmp(host, first) == 0;
		}
	} while (slot != time(NULL) / STS_MX_TURN);
	ROW(same, "the envelopes of one message go two ways");
	for (uint32_t i = 0; i < 800; i++) {
		ctx->random = i * 2654435761u | 1;
		(void)sts_mx_next(ctx, "a.example", host, NULL);
		count[host[2] - '1']++;
	}
	for (int i = 0; i < 8; i++)
		ROW(count[i] > 60 && count[i] < 140, "host %d: %u times", i + 1,
		    count[i]);
	sts_close(ctx);
	rows_done();
}

/* --- sts_mx_offers() ----------------------------------------------------- */

static char handed[400];

static bool
hear_handed(void *arg, const struct sts_mx_offer *o)
{
	int64_t now = (int64_t)time(NULL) * 1000;
	size_t n = strlen(handed);

	ROW(o->when > now - 5000 && o->when < now + 5000, "odd time");
	snprintf(handed + n, sizeof handed - n, "%s=%.3s%s ", o->domain,
	    o->host, o->policy ? "*" : "");
	return --*(int *)arg > 0;
}

static const char *
all_handed(struct sts_ctx *ctx, const char *address, int most)
{
	struct sts_err err = { 0 };

	handed[0] = '\0';
	if (sts_mx_offers(ctx, address, 0, hear_handed, &most, &err) != STS_OK)
		snprintf(handed, sizeof handed, "%s", err.text);
	return handed;
}

static void
test_handed(void **state)
{
	struct sts_ctx *ctx =
	    begin("cold = proceed\n[report]\ncontact = t@example.net");
	char host[STS_NAME_SIZE], path[100];
	struct stat st;
	int fd;

	(void)state;
	put_set(ctx, "a.example", STS_MX_HOSTS, 2, 60);
	put_set(ctx, "b.example", STS_MX_HOSTS, 1, 60);
	for (int i = 0; i < 3; i++) { /* three envelopes of a message */
		(void)sts_mx_next(ctx, "a.example", host, NULL);
		(void)sts_mx_next(ctx, "b.example", host, NULL);
	}
	ROW(strcmp(all_handed(ctx, "192.0.2.1", 9),
		"a.example=mx1 b.example=mx1 ") == 0,
	    "by IPv4: %s", handed);
	ROW(strcmp(all_handed(ctx, "2001::0:1", 9),
		"a.example=mx1 b.example=mx1 ") == 0,
	    "by IPv6, another way to write it: %s", handed);
	ROW(strcmp(all_handed(ctx, "192.0.2.1", 1), "a.example=mx1 ") == 0,
	    "the first is enough: %s", handed);
	ROW(all_handed(ctx, "192.0.2.2", 9)[0] == '\0', "not handed out: %s",
	    handed);
	ROW(strstr(all_handed(ctx, "../x", 9), "not an IP address") != NULL,
	    "a path");
	usleep(600000); /* asked anew, for another message */
	(void)sts_mx_next(ctx, "b.example", host, NULL);
	ROW(strcmp(all_handed(ctx, "192.0.2.1", 9),
		"a.example=mx1 b.example=mx1 b.example=mx1 ") == 0,
	    "again: %s", handed);
	/* What somebody planted is neither followed nor waited for. */
	snprintf(path, sizeof path, "%s/~mx-offers", cache);
	(void)unlink(path);
	ROW(symlink("/dev/zero", path) == 0 &&
		all_handed(ctx, "192.0.2.1", 9)[0] == '\0',
	    "a link");
	(void)unlink(path);
	ROW(mkfifo(path, 0600) == 0 &&
		all_handed(ctx, "192.0.2.1", 9)[0] == '\0' &&
		sts_mx_next(ctx, "a.example", host, NULL) == STS_OK,
	    "a fifo");
	/* It grows to its limit, then becomes the one before. */
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT, 0600);
	ROW(fd != -1 && ftruncate(fd, 256 * 1024 - 10) == 0 &&
		(geteuid() != 0 || fchown(fd, OWNER, OWNER) == 0),
	    "cannot make it");
	(void)lseek(fd, 0, SEEK_END);
	(void)!write(fd, "\n", 1);
	close(fd);
	usleep(600000);
	(void)sts_mx_next(ctx, "a.example", host, NULL);
	ROW(stat(path, &st) == -1, "not begun anew");
	(void)sts_mx_next(ctx, "b.example", host, NULL);
	ROW(strcmp(all_handed(ctx, "192.0.2.1", 9),
		"a.example=mx1 b.example=mx1 ") == 0,
	    "two files: %s", handed);
	sts_close(ctx);
	/* Which host has failed is of interest without reports, too. */
	ctx = begin("cold = proceed");
	put_set(ctx, "a.example", STS_MX_HOSTS, 2, 60);
	(void)sts_mx_next(ctx, "a.example", host, NULL);
	ROW(strcmp(all_handed(ctx, "192.0.2.1", 9), "a.example=mx1 ") == 0,
	    "not noted: %s", handed);
	sts_close(ctx);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_down),
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_early),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_learnt),
		cmocka_unit_test(test_probes),
		cmocka_unit_test(test_newer),
		cmocka_unit_test(test_relayed),
		cmocka_unit_test(test_turns),
		cmocka_unit_test(test_handed),
	};

	return cmocka_run_group_tests(tests, make_top, wipe_top);
}
