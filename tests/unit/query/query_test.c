/* SPDX-License-Identifier: ISC */
/* What a context remembers of policies: never older than the file. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "cache/entry_files.h"
#include "cache/recent.h"
#include "fixture.h"
#include "query/query.h"
#include "row.h"
#include <mtasts/cache_admin.h>

#define DOMAIN "a.example"

static struct sts_store *store;

static int
set_up(void **state)
{
	char text[200];

	if (make_top(state) != 0)
		return 1;
	/* No worker: what is asked for stays to be seen. */
	snprintf(text, sizeof text, "cache_dir = %s/cache\nworker_dir = %s\n",
	    top, top);
	return !own(in_top("cache")) || !write_text(top, "conf", 0644, text) ||
	    sts_store_open(&store, in_top("cache"), NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

/* Of one length, so that nothing but the times tells them apart. */
static const struct sts_str enforce = LIT("version: STSv1\nmode: enforce\n"
					  "mx: a.example\nmax_age: 86400\n");
static const struct sts_str testing = LIT("version: STSv1\nmode: testing\n"
					  "mx: a.example\nmax_age: 86400\n");

static void
put(const char *domain, struct sts_str body, int64_t left)
{
	int64_t now = time(NULL);
	struct sts_entry e = { .kind = STS_ENTRY_POLICY,
		.id = "one",
		.fetched = now - 60,
		.checked = now - 60,
		.until = now + left,
		.body = body };

	assert_int_equal(sts_store_put(store, domain, &e, NULL), STS_OK);
}

static struct sts_answer *
ask(struct sts_ctx *ctx, unsigned flags)
{
	struct sts_err err = { 0 };
	struct sts_answer *a;

	if (sts_query(ctx, DOMAIN, flags, &a, &err) != STS_OK)
		fail_msg("%s", err.text);
	return a;
}

/* The mode that applies, and was it remembered? */
static enum sts_mode
mode(struct sts_ctx *ctx, bool *remembered)
{
	struct sts_answer *a = ask(ctx, STS_NONBLOCKING | STS_OFFLINE);
	enum sts_mode m = a->mode;

	*remembered = a->policy != NULL && ctx->loaded.buf == NULL;
	sts_answer_free(a);
	return m;
}

static void
settle(void)
{
	usleep((STS_RECENT_SETTLED + 2) * 1000000);
}

static void
test_context(void **state)
{
	struct sts_answer *before, *after;
	struct sts_ctx *ctx, *other;
	bool known;

	(void)state;
	assert_int_equal(sts_open(&ctx, in_top("conf"), NULL), STS_OK);
	assert_int_equal(sts_open(&other, in_top("conf"), NULL), STS_OK);
	put(DOMAIN, enforce, STS_RECENT_SETTLED + 5);
	ROW(mode(ctx, &known) == STS_MODE_ENFORCE && !known, "read");
	ROW(mode(ctx, &known) == STS_MODE_ENFORCE && !known, "read: young");
	settle();
	ROW(mode(ctx, &known) == STS_MODE_ENFORCE && !known, "read again");
	ROW(mode(ctx, &known) == STS_MODE_ENFORCE && known, "remembered");
	sts_answer_free(ask(other, STS_OFFLINE));
	sts_answer_free(ask(other, STS_OFFLINE));
	ROW(other->recent == NULL, "remembered for who asks but once");
	/* RFC 8461 5: a delivery failed, so somebody looks. */
	ROW(ctx->worker.started == 0, "a look for nothing");
	usleep(1100000);
	assert_int_equal(sts_failed(other, DOMAIN, NULL), STS_OK);
	before = ask(ctx, STS_NONBLOCKING);
	ROW(ctx->loaded.buf == NULL && ctx->worker.started != 0,
	    "a mark is not seen");
	/* 3.2: the end of a policy comes without a change of its file. */
	settle();
	ROW(mode(ctx, &known) == STS_MODE_NONE, "outlives its max_age");
	/* A new one, by another process. */
	put(DOMAIN, testing, 86400);
	after = ask(ctx, STS_NONBLOCKING);
	ROW(after->mode == STS_MODE_TESTING &&
		sts_policy_mode(after->policy) == STS_MODE_TESTING,
	    "a new policy is not seen");
	ROW(sts_policy_mode(before->policy) == STS_MODE_ENFORCE &&
		strcmp(sts_policy_mx(before->policy, 0), "a.example") == 0,
	    "an answer changed when its policy was replaced");
	sts_answer_free(before);
	settle();
	(void)mode(ctx, &known);
	ROW(mode(ctx, &known) == STS_MODE_TESTING && known, "remembered anew");
	assert_int_equal(sts_cache_remove(other, DOMAIN, NULL), STS_OK);
	ROW(mode(ctx, &known) == STS_MODE_NONE && !known,
	    "a purge is not seen");
	sts_close(ctx);
	sts_close(other);
	ROW(strcmp(sts_policy_mx(after->policy, 0), "a.example") == 0,
	    "an answer ended with its context");
	sts_answer_free(after);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_context),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
