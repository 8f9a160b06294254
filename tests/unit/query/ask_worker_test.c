/* SPDX-License-Identifier: ISC */
/*
 * sts_query() with a worker that misbehaves: a shell script in its place says
 * what it likes, or nothing.  What each silence means is the point.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cache/cache.h"
#include "fixture.h"
#include "query/query.h"
#include "query/worker_protocol.h"
#include "row.h"
#include <mtasts/cache_admin.h>

#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"

static void
worker(const char *script)
{
	char text[1000];

	snprintf(text, sizeof text,
	    "#!/bin/sh\necho x >> %s/cache/~started\n"
	    "read -r version && read -r question\n%s\n",
	    top, script);
	assert_true(fake_worker(top, text));
}

static struct sts_ctx *
open_with(const char *more)
{
	struct sts_err err = { 0 };
	struct sts_ctx *ctx;
	char text[400], path[100];

	snprintf(text, sizeof text,
	    "cache_dir = %s/cache\nworker_dir = %s\nfetch_timeout = 1s\n%s\n",
	    top, top, more);
	assert_true(write_text(top, "conf", 0644, text));
	snprintf(path, sizeof path, "%s/conf", top);
	if (sts_open(&ctx, path, &err) != STS_OK)
		fail_msg("%s", err.text);
	return ctx;
}

static int
set_up(void **state)
{
	return make_top(state) || !own(in_top("cache"));
}

/* How often a worker was started since the last call. */
static unsigned
started(void)
{
	char path[100];
	struct stat st = { 0 };

	snprintf(path, sizeof path, "%s/cache/~started", top);
	(void)stat(path, &st);
	(void)unlink(path);
	return (unsigned)st.st_size / 2;
}

/* What a live policy in the cache, long not looked at, is worth. */
static void
put_policy(struct sts_ctx *ctx, const char *domain, int64_t age)
{
	struct sts_entry e = {
		.kind = STS_ENTRY_POLICY,
		.id = "one",
		.fetched = time(NULL) - age,
		.checked = time(NULL) - age,
		.until = time(NULL) - age + 86400,
		.body = LIT(BODY),
	};

	assert_int_equal(sts_ctx_store(ctx, NULL), STS_OK);
	assert_int_equal(sts_store_put(ctx->store, domain, &e, NULL), STS_OK);
}

/* --- Silence ------------------------------------------------------------- */

enum { WAIT, PROCEED };

static const struct {
	const char *what, *script;
	enum sts_rc rc;
	enum sts_verdict verdict[2]; /* cold = wait, proceed */
} silences[] = {
#define LOCAL                                                                  \
	STS_LOCAL,                                                             \
	{                                                                      \
		STS_MUST_WAIT, STS_MUST_WAIT                                   \
	}
#define NOT_YET                                                                \
	STS_OK,                                                                \
	{                                                                      \
		STS_MUST_WAIT, STS_NO_POLICY                                   \
	}
#define HELLO "echo mtasts-worker1; "
	{ "never speaks", "exec sleep 9", LOCAL },
	{ "ends at once", "exit 0", LOCAL },
	{ "is killed", "kill -9 $$", LOCAL },
	{ "speaks garbage", "echo hello world; exec sleep 9", LOCAL },
	{ "speaks garbage after the version", HELLO "echo hello; exec sleep 9",
	    LOCAL },
	{ "dies at work", HELLO, LOCAL },
	{ "names a fault", HELLO "echo fault oops", LOCAL },
	{ "is at fault for the domain",
	    HELLO "echo done cold.example local 0 x", LOCAL },
	{ "says none without its evidence",
	    HELLO "echo done cold.example none 0 -", LOCAL },
	{ "says none and means a policy",
	    HELLO "printf 'done cold.example none 4 -\\nmtas'", LOCAL },
	{ "an entry of another domain",
	    HELLO "printf 'done cold.example none 11 -\\n1n:0:0:0:0:'", LOCAL },
	{ "an answer about another domain",
	    HELLO "echo done other.example none 0 -", LOCAL },
	{ "is the version before", "printf sdtg; exec sleep 9", LOCAL },
	{ "only started", HELLO "exec sleep 9", NOT_YET },
	{ "is in the middle of an answer",
	    HELLO "echo done cold.example policy 99 -; exec sleep 9", NOT_YET },
	{ "has no room", HELLO "echo done cold.example not-yet 0 full",
	    NOT_YET },
#undef LOCAL
#undef NOT_YET
};

static void
test_silence(void **state)
{
	static const char *const conf[] = { "cold = wait", "cold = proceed" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(silences); i++)
		for (int how = WAIT; how <= PROCEED; how++) {
			struct sts_ctx *ctx = open_with(conf[how]);
			struct sts_answer *a;
			struct sts_err err = { 0 };
			enum sts_rc rc;

			worker(silences[i].script);
			rc = sts_query(ctx, "cold.example", 0, &a, &err);
			ROW(rc == silences[i].rc &&
				(rc == STS_OK) == (a != NULL) &&
				(rc == STS_OK || err.text[0] != '\0') &&
				(a == NULL ||
				    a->verdict == silences[i].verdict[how]),
			    "%s, %s: rc %d (%s) verdict %d", silences[i].what,
			    conf[how], rc, err.text,
			    a == NULL ? -1 : (int)a->verdict);
			sts_answer_free(a);
			if (how == PROCEED) {
				sts_close(ctx);
				continue;
			}
			/* 3.3: a live policy applies, whatever the worker. */
			put_policy(ctx, "live.example", 7200);
			rc =
			    sts_query(ctx, "live.example", STS_FRESH, &a, &err);
			ROW(rc == STS_OK && a->verdict == STS_POLICY &&
				a->mode == STS_MODE_ENFORCE &&
				a->source == STS_FROM_CACHE,
			    "%s: the live policy is lost: rc %d (%s)",
			    silences[i].what, rc, err.text);
			sts_answer_free(a);
			sts_close(ctx);
		}
	rows_done();
}

/* A worker that could not read the cache says what it believes: 3.3. */
static void
test_denial(void **state)
{
	static const enum sts_entry_kind kinds[] = { STS_ENTRY_NONE,
		STS_ENTRY_NO_FETCH, STS_ENTRY_UNASKED };
	struct sts_ctx *ctx = open_with("");
	static const char *const use[] = { "none", "none", "remote" };
	char entry[100], text[200], script[100];
	struct sts_answer *a;
	bool is_link;
	size_t len;

	(void)state;
	snprintf(script, sizeof script, "cat %s/said", top);
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		struct sts_entry e = { .kind = kinds[i],
			.checked = time(NULL),
			.until = time(NULL) + 60 };

		len = sts_entry_encode(entry, &e, "live.example", &is_link);
		snprintf(text, sizeof text,
		    STS_WORKER_VERSION "done live.example %s %zu -\n%.*s",
		    use[i], len, (int)len, entry);
		assert_true(write_text(top, "said", 0644, text));
		worker(script);
		put_policy(ctx, "live.example", 7200);
		ROW(sts_query(ctx, "live.example", STS_FRESH, &a, NULL) ==
			    STS_OK &&
			a->verdict == STS_POLICY && a->source == STS_FROM_CACHE,
		    "entry kind %d took the policy away", (int)kinds[i]);
		sts_answer_free(a);
		(void)sts_cache_remove(ctx, "live.example", NULL);
		ROW(sts_query(ctx, "live.example", STS_FRESH, &a, NULL) ==
			    STS_OK &&
			a->verdict == STS_NO_POLICY,
		    "entry kind %d is not believed", (int)kinds[i]);
		sts_answer_free(a);
	}
	sts_close(ctx);
	rows_done();
}

/* --- Waiting ------------------------------------------------------------- */

static void
test_sum(void **state)
{
	struct sts_ctx *ctx = open_with("");
	struct sts_answer *a;
	char domain[40];
	time_t began = time(NULL);

	(void)state;
	worker("echo mtasts-worker1; exec sleep 5");
	ctx->waited = STS_WAIT_MAX - 2500; /* all but 2.5 s are used up */
	(void)started();
	for (int i = 0; i < 50; i++) {
		snprintf(domain, sizeof domain, "d%d.example", i);
		if (sts_query(ctx, domain, 0, &a, NULL) != STS_OK ||
		    a->verdict != STS_MUST_WAIT || a->unknown != STS_NOT_YET)
			ROW(false, "%s", domain);
		sts_answer_free(a);
	}
	ROW(time(NULL) - began <= 4, "waited %ld s",
	    (long)(time(NULL) - began));
	ROW(started() <= 3, "workers after the time was used up");
	ROW(sts_store_marked(ctx->store, STS_MARK_REFRESH, "d49.example") != 0,
	    "no look goes on behind");
	/* Another message has time of its own. */
	sts_new_message(ctx, 0);
	sts_worker_close(ctx); /* it is at work for the 49 */
	worker("echo mtasts-worker1; echo fault oops");
	ROW(sts_query(ctx, "late.example", 0, &a, NULL) == STS_LOCAL,
	    "the next message was not waited for");
	sts_close(ctx);
	rows_done();
}

/* What has expired meanwhile leaves half of the time to what is not known. */
static void
test_known(void **state)
{
	struct sts_ctx *ctx = open_with("");
	struct sts_answer *a;
	struct sts_entry none = {
		.kind = STS_ENTRY_NONE,
		.checked = time(NULL) - 7200,
		.until = time(NULL) - 7000,
	};
	unsigned used = STS_WAIT_KNOWN - STS_WAIT_LEAST / 2;

	(void)state;
	worker("echo mtasts-worker1; exec sleep 5");
	assert_int_equal(sts_ctx_store(ctx, NULL), STS_OK);
	assert_int_equal(sts_store_put(ctx->store, "over.example", &none, NULL),
	    STS_OK);
	ctx->waited = used;
	ROW(sts_query(ctx, "over.example", 0, &a, NULL) == STS_OK &&
		a->verdict == STS_NO_POLICY && ctx->waited == used,
	    "waited for though there is an outcome");
	sts_answer_free(a);
	ROW(sts_query(ctx, "cold3.example", 0, &a, NULL) == STS_OK &&
		a->unknown == STS_NOT_YET && ctx->waited > used,
	    "not waited for though nothing is known");
	sts_answer_free(a);
	sts_close(ctx);
	rows_done();
}

static void
test_resolver_down(void **state)
{
	struct sts_ctx *ctx = open_with("");
	struct sts_answer *a;

	(void)state;
	worker("echo mtasts-worker1; exec sleep 5");
	put_policy(ctx, "stale.example", 7200);
	(void)sts_store_mark(ctx->store, STS_MARK_RESOLVER_DOWN, NULL, NULL);
	(void)started();
	(void)sts_query(ctx, "cold2.example", 0, &a, NULL);
	ROW(a != NULL && a->verdict == STS_NO_POLICY &&
		a->unknown == STS_REMOTE,
	    "cold");
	sts_answer_free(a);
	(void)sts_query(ctx, "stale.example", 0, &a, NULL);
	ROW(a != NULL && a->verdict == STS_POLICY, "stale");
	sts_answer_free(a);
	ROW(started() == 0, "a worker was started while DNS is down");
	sts_store_unmark(ctx->store, STS_MARK_RESOLVER_DOWN, NULL);
	sts_close(ctx);
	rows_done();
}

/* A thousand hits that want a look behind: one worker. */
static void
test_behind(void **state)
{
	struct sts_ctx *ctx = open_with("");
	struct sts_answer *a;
	char domain[40];
	unsigned wrong = 0;

	(void)state;
	worker("sleep 2");
	(void)started();
	for (int i = 0; i < 200; i++) {
		snprintf(domain, sizeof domain, "s%d.example", i % 20);
		if (i < 20)
			put_policy(ctx, domain, 7200);
		if (sts_query(ctx, domain, 0, &a, NULL) != STS_OK ||
		    a->verdict != STS_POLICY)
			wrong++;
		sts_answer_free(a);
	}
	ROW(wrong == 0, "%u answers were not from the cache", wrong);
	usleep(300000);
	wrong = started();
	ROW(wrong == 1, "%u workers", wrong);
	ROW(sts_store_marked(ctx->store, STS_MARK_REFRESH, "s19.example") != 0,
	    "it will not see the last domain");
	sts_close(ctx);
	rows_done();
}

/* --- Names, and what the configuration says about them ------------------- */

static void
test_config(void **state)
{
	static const struct {
		const char *clause, *domain, *conf;
		enum sts_rc rc;
		enum sts_verdict verdict;
		enum sts_mode mode;
	} t[] = {
#define T(v, m) STS_OK, STS_##v, STS_MODE_##m
		{ "3.4 address literal", "[192.0.2.1]", "",
		    T(NO_POLICY, NONE) },
		{ "3.4 not a host name", "a_b.example", "",
		    T(NO_POLICY, NONE) },
		{ "a U-label waits", "m\xc3\xbcller.example", "", STS_LOCAL,
		    STS_NO_POLICY, STS_MODE_NONE },
		{ "kill switch", "live.example", "enabled = no",
		    T(NO_POLICY, NONE) },
		{ "off", "live.example", "[domain live.example]\nmode = off",
		    T(NO_POLICY, NONE) },
		{ "testing", "live.example",
		    "[domain live.example]\nmode = testing",
		    T(POLICY, TESTING) },
		{ "enforce without a policy", "none.example",
		    "[domain none.example]\nmode = enforce",
		    T(MUST_WAIT, NONE) },
		{ "pinned", "pin.example", "[domain pin.example]\nmx = a.b",
		    T(POLICY, ENFORCE) },
		{ "pinned, testing", "pin.example",
		    "[domain pin.example]\nmode = testing\nmx = a.b",
		    T(POLICY, TESTING) },
		{ "3.4 not the parent's", "sub.pin.example",
		    "[domain pin.example]\nmx = a.b", T(NO_POLICY, NONE) },
#undef T
	};

	(void)state;
	/* "asked, none", in the words of a real worker's link */
	worker("exit 0");
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct sts_ctx *ctx = open_with(t[i].conf);
		struct sts_entry none = {
			.kind = STS_ENTRY_NONE,
			.checked = time(NULL),
			.until = time(NULL) + 60,
		};
		struct sts_answer *a;
		struct sts_err err = { 0 };
		enum sts_rc rc;

		put_policy(ctx, "live.example", 0);
		(void)sts_store_put(ctx->store, "none.example", &none, NULL);
		(void)sts_store_put(ctx->store, "sub.pin.example", &none, NULL);
		rc = sts_query(ctx, t[i].domain, 0, &a, &err);
		ROW(rc == t[i].rc &&
			(a == NULL ||
			    (a->verdict == t[i].verdict &&
				a->mode == t[i].mode && a->why[0] != '\0')),
		    "%s: rc %d (%s) verdict %d", t[i].clause, rc, err.text,
		    a == NULL ? -1 : (int)a->verdict);
		sts_answer_free(a);
		sts_close(ctx);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silence),
		cmocka_unit_test(test_denial),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_resolver_down),
		cmocka_unit_test(test_behind),
		cmocka_unit_test(test_config),
	};

	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
