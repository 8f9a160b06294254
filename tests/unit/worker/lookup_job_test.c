/* SPDX-License-Identifier: ISC */
/* The end of a domain in the worker: what is stored, what is told. */
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "fixture.h"
#include "lookup_job.h"
#include "row.h"
#include "tlsrpt/spool.h"

#define BODY "version: STSv1\nmode: enforce\nmx: a.example\nmax_age: 86400\n"

static struct sts_store *store;
static enum sts_use told;
static char told_note[STS_NOTE_SIZE];

static void
done(void *arg, const char *domain, const struct lookup_result *r)
{
	(void)arg;
	(void)domain;
	told = r->use;
	snprintf(told_note, sizeof told_note, "%s", r->note);
}

static struct sts_entry
policy(int64_t fetched)
{
	return (struct sts_entry){ .kind = STS_ENTRY_POLICY,
		.id = "one",
		.fetched = fetched,
		.checked = fetched,
		.until = time(NULL) + 86400,
		.body = LIT(BODY) };
}

static const struct {
	const char *clause;
	enum sts_entry_kind there; /* stored by another since we read */
	enum sts_entry_kind result;
	enum sts_use use;
	enum sts_entry_kind kept;
	enum sts_use told;
} cases[] = {
#define E(k) STS_ENTRY_##k
#define U(u) STS_USE_##u
	{ "3.1 none is stored", E(ABSENT), E(NONE), U(NONE), E(NONE), U(NONE) },
	{ "3.3 not over a policy fetched meanwhile", E(POLICY), E(NONE),
	    U(NONE), E(POLICY), U(ENTRY) },
	{ "3.3 nor is a failed fetch", E(POLICY), E(NO_FETCH), U(NONE),
	    E(POLICY), U(ENTRY) },
	{ "3.3 nor that nobody could be asked", E(POLICY), E(UNASKED),
	    U(REMOTE), E(POLICY), U(ENTRY) },
	{ "over what is no policy it is", E(NONE), E(UNASKED), U(REMOTE),
	    E(UNASKED), U(REMOTE) },
#undef E
#undef U
};

static struct sts_entry
entry_of(enum sts_entry_kind kind)
{
	if (kind == STS_ENTRY_POLICY)
		return policy(time(NULL) - 1);
	return (struct sts_entry){ .kind = kind,
		.checked = time(NULL),
		.until = time(NULL) + 60 };
}

static struct sts_conf conf = { .cache_max = 256 };

static struct job *
new_job(struct lookups *en)
{
	struct job *job = calloc(1, sizeof *job);

	*en = (struct lookups){ .store = store,
		.conf = &conf,
		.lock_fd = -1,
		.jobs = 1 };
	job->lookups = en;
	memcpy(job->domain, "a.example", 10);
	job->facts.cached = &job->cached.entry;
	job->facts.now = time(NULL);
	job->waiter = (struct lookup_waiter){ done, NULL };
	*job_find(en, job->domain) = job;
	return job;
}

static struct sts_loaded loaded;

static void
test_finish(void **state)
{
	struct lookups en;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct job *job = new_job(&en);
		struct sts_next next = { .act = STS_ACT_ANSWER,
			.use = cases[i].use,
			.keep = STS_KEEP_ENTRY,
			.entry = entry_of(cases[i].result) };
		struct sts_entry there = entry_of(cases[i].there);

		(void)sts_store_remove(store, job->domain, NULL);
		if (there.kind != STS_ENTRY_ABSENT)
			(void)sts_store_put(store, job->domain, &there, NULL);
		job_finish(job, &next);
		(void)sts_store_get(store, "a.example", &loaded, NULL);
		ROW(loaded.entry.kind == cases[i].kept &&
			told == cases[i].told && en.jobs == 0,
		    "%s: kept %d told %d", cases[i].clause,
		    (int)loaded.entry.kind, (int)told);
	}
	rows_done();
}

/* A5: a policy that is fetched anew is no newcomer to the cache. */
static void
test_since(void **state)
{
	static const struct {
		const char *what;
		enum sts_entry_kind was;
		int64_t since, want; /* s ago */
	} t[] = {
		{ "the first", STS_ENTRY_ABSENT, 0, 1 },
		{ "after none", STS_ENTRY_NONE, 0, 1 },
		{ "fetched anew", STS_ENTRY_POLICY, 9000, 9000 },
	};
	int64_t now = time(NULL);
	struct lookups en;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct job *job = new_job(&en);
		struct sts_next next = { .use = STS_USE_ENTRY,
			.keep = STS_KEEP_ENTRY,
			.entry = policy(now - 1) };

		job->facts.fetch = STS_FETCH_POLICY;
		job->cached.entry = (struct sts_entry){ .kind = t[i].was,
			.since = now - t[i].since };
		job_finish(job, &next);
		(void)sts_store_get(store, "a.example", &loaded, NULL);
		ROW(loaded.entry.since == now - t[i].want, "%s: since %lld",
		    t[i].what, (long long)(now - loaded.entry.since));
	}
	rows_done();
}

/* D5: why there is none is known for as long as that is so. */
static void
test_note(void **state)
{
	static const struct {
		const char *what, *note; /* of this attempt */
		enum sts_reason why;
		int64_t failed;
		const char *kept;
	} t[] = {
		{ "a failure", "HTTP status 404", STS_WHY_FETCH_ERROR, 50,
		    "HTTP status 404" },
		{ "3.3 no second GET within five minutes", "",
		    STS_WHY_FETCH_ERROR, 50, "HTTP status 404" },
		{ "another failure", "HTTP status 500", STS_WHY_FETCH_ERROR, 90,
		    "HTTP status 500" },
		{ "of which nothing is known", "", STS_WHY_FETCH_ERROR, 95,
		    "" },
		{ "and one more", "no version", STS_WHY_BAD_POLICY, 99,
		    "no version" },
		{ "no failure", "", STS_WHY_NOTHING, 0, "" },
	};
	struct lookups en;

	(void)state;
	(void)sts_store_remove(store, "a.example", NULL);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		struct job *job = new_job(&en);
		struct sts_next next = { .use = STS_USE_NONE,
			.keep = STS_KEEP_ENTRY,
			.entry = { .kind = STS_ENTRY_NO_FETCH,
			    .why = t[i].why,
			    .checked = time(NULL),
			    .failed = t[i].failed } };

		(void)sts_store_get(store, "a.example", &job->cached, NULL);
		snprintf(job->note, sizeof job->note, "%s", t[i].note);
		job_finish(job, &next);
		(void)sts_store_get(store, "a.example", &loaded, NULL);
		ROW(strcmp(loaded.entry.note, t[i].kept) == 0 &&
			strcmp(told_note, t[i].kept) == 0,
		    "%s: %s, %s", t[i].what, loaded.entry.note, told_note);
	}
	rows_done();
}

/* RFC 8461 6, RFC 8460 4.3.2.2; a line each, at the end of an attempt. */
static const struct {
	const char *clause;
	enum sts_fetch_outcome got;
	enum sts_reason why;
	const char *cached; /* mode; NULL: nothing */
	int64_t left;       /* s until it expires */
	bool on;
	const char *want; /* part of the line; NULL: none is written */
} ends[] = {
#define W(w) STS_FETCH_FAILED, STS_WHY_##w
	{ "(a) the fetch failed", W(FETCH_ERROR), NULL, 0, true,
	    "\ta.example\tsts\tnone\t\tsts-policy-fetch-error\t\t\t\t\t"
	    "why%09not\t" },
	{ "(a) its certificate", W(WEBPKI), NULL, 0, true,
	    "\tsts-webpki-invalid\t" },
	{ "(a) its text", W(BAD_POLICY), NULL, 0, true,
	    "\tsts-policy-invalid\t" },
	{ "(b) while there is a policy", W(FETCH_ERROR), "enforce", 60, true,
	    "\tsts\tenforce\tone\tsts-policy-fetch-error\t" },
	{ "(b) which is none", W(FETCH_ERROR), "none", 60, true, NULL },
	{ "that has expired", W(FETCH_ERROR), "none", -1, true,
	    "\tsts\tnone\t\tsts-policy-fetch-error\t" },
	{ "no reports", W(FETCH_ERROR), NULL, 0, false, NULL },
	{ "a policy", STS_FETCH_POLICY, STS_WHY_NOTHING, NULL, 0, true, NULL },
	{ "our own fault", STS_FETCH_LOCAL, STS_WHY_FETCH_ERROR, NULL, 0, true,
	    NULL },
#undef W
};

static void
read_spool(char *text, size_t size)
{
	char path[64];
	struct tm tm;
	time_t now = time(NULL);
	FILE *f;
	size_t n = 0;

	(void)gmtime_r(&now, &tm);
	n = (size_t)snprintf(path, sizeof path, "%s/", top);
	strftime(path + n, sizeof path - n, "%Y-%m-%d", &tm);
	n = 0;
	if ((f = fopen(path, "r")) != NULL) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
		(void)unlink(path);
	}
	text[n] = '\0';
}

static void
test_report(void **state)
{
	struct sts_spool *spool;
	char text[2000], body[100];

	(void)state;
	assert_int_equal(sts_spool_open(&spool, top, STS_SPOOL_DAY_MAX, NULL),
	    STS_OK);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct lookups en = { .spool = ends[i].on ? spool : NULL };
		struct job job = { .lookups = &en,
			.domain = "a.example",
			.note = "why\tnot" };
		struct sts_entry c = { 0 };

		if (ends[i].cached != NULL) {
			c = policy(time(NULL) - 1);
			c.until = time(NULL) + ends[i].left;
			snprintf(body, sizeof body,
			    "version: STSv1\nmode: %s\nmx: a.b\n"
			    "max_age: 86400\n",
			    ends[i].cached);
			c.body = str_of(body);
		}
		job.facts.cached = &c;
		job.facts.now = time(NULL);
		job.facts.fetch = ends[i].got;
		job.facts.fetch_why = ends[i].why;
		report_fetch(&job);
		read_spool(text, sizeof text);
		ROW(ends[i].want == NULL ? text[0] == '\0'
					 : strstr(text, ends[i].want) != NULL,
		    "%s: '%s'", ends[i].clause, text);
	}
	sts_spool_close(spool);
	rows_done();
}

static int
set_up(void **state)
{
	return make_top(state) || !own(top) ||
	    sts_store_open(&store, top, NULL) != STS_OK;
}

static int
tear_down(void **state)
{
	sts_store_close(store);
	return wipe_top(state);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_finish),
		cmocka_unit_test(test_since), cmocka_unit_test(test_note),
		cmocka_unit_test(test_report) };

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
