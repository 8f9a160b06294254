/* SPDX-License-Identifier: ISC */
/*
 * The truth table of RFC 8461 3.3 and 5.1, a row per rule; then every
 * combination of everything, held against the rules that may never break.
 */
#include "row.h"
#include "rules/decide.h"

#define NOW ((int64_t)1800000000)
#define HOUR 3600
#define DAY 86400
#define YEAR 31557600
#define OLD "old1"
#define NEW "new2"

/* --- Cached entries, named ------------------------------------------------ */

#define POLICY .kind = STS_ENTRY_POLICY, .id = OLD
#define FETCHED(t, age) .fetched = (t), .until = (t) + (age)

static const struct sts_entry
    absent = { .kind = STS_ENTRY_ABSENT },
    /* a week's policy, fetched and looked at a minute ago */
    fresh = { POLICY, FETCHED(NOW - 60, 7 * DAY), .checked = NOW - 60 },
    stale = { POLICY, FETCHED(NOW - 3 * HOUR, 7 * DAY),
	    .checked = NOW - 2 * HOUR },
    stale_resting = { POLICY, FETCHED(NOW - 3 * HOUR, 7 * DAY),
	    .checked = NOW - 2 * HOUR, .tried = NOW - 10, .retry = NOW + 20 },
    stale_rested = { POLICY, FETCHED(NOW - 3 * HOUR, 7 * DAY),
	    .checked = NOW - 2 * HOUR, .tried = NOW - 60, .retry = NOW - 1 },
    day_old = { POLICY, FETCHED(NOW - DAY - 1, 7 * DAY),
	    .checked = NOW - 2 * HOUR },
    half_over = { POLICY, FETCHED(NOW - 1801, HOUR), .checked = NOW - 10 },
    last_second = { POLICY, FETCHED(NOW - HOUR, HOUR + 1),
	    .checked = NOW - HOUR },
    expired = { POLICY, FETCHED(NOW - HOUR, HOUR), .checked = NOW - 10 },
    expired_long = { POLICY, FETCHED(NOW - DAY, HOUR), .checked = NOW - DAY },
    fetched_once = { POLICY, FETCHED(NOW - 59, 0), .checked = NOW - 59 },
    fetched_once_over = { POLICY, FETCHED(NOW - 60, 0), .checked = NOW - 60 },
    failed_new = { POLICY, FETCHED(NOW - 3 * HOUR, 7 * DAY),
	    .checked = NOW - 2 * HOUR, .failed = NOW - 299 },
    from_future = { POLICY, FETCHED(NOW + YEAR, YEAR), .checked = NOW + YEAR },
    none = { .kind = STS_ENTRY_NONE, .checked = NOW - 10, .until = NOW + 50 },
    none_over = { .kind = STS_ENTRY_NONE, .checked = NOW - 60, .until = NOW },
    none_future = { .kind = STS_ENTRY_NONE,
	    .checked = NOW + YEAR,
	    .until = NOW + YEAR + 60 },
    none_long = { .kind = STS_ENTRY_NONE,
	    .checked = NOW - STS_NONE_MAX - 1,
	    .until = NOW + YEAR },
    none_days = { .kind = STS_ENTRY_NONE,
	    .checked = NOW - DAY,
	    .until = NOW - DAY + 60 },
    no_fetch = { .kind = STS_ENTRY_NO_FETCH,
	    .checked = NOW - 10,
	    .failed = NOW - 299,
	    .why = STS_WHY_WEBPKI },
    no_fetch_over = { .kind = STS_ENTRY_NO_FETCH,
	    .checked = NOW - 10,
	    .failed = NOW - 300 },
    no_fetch_old = { .kind = STS_ENTRY_NO_FETCH,
	    .checked = NOW - 300,
	    .failed = NOW - 299 },
    no_fetch_long = { .kind = STS_ENTRY_NO_FETCH,
	    .checked = NOW - STS_NONE_MAX - 1,
	    .failed = NOW - STS_NONE_MAX - 1 },
    unasked = { .kind = STS_ENTRY_UNASKED,
	    .tried = NOW - 10,
	    .retry = NOW + 20 },
    unasked_rested = { .kind = STS_ENTRY_UNASKED,
	    .tried = NOW - 30,
	    .retry = NOW },
    unasked_future = { .kind = STS_ENTRY_UNASKED,
	    .tried = NOW + YEAR,
	    .retry = NOW + YEAR + 30 };

/* --- The table ------------------------------------------------------------ */

struct want {
	enum sts_act act;
	enum sts_use use;
	enum sts_keep keep;
	enum sts_entry_kind kind; /* of next.entry; where keep is ENTRY */
};

#define ANSWER(use, keep, kind)                                                \
	{                                                                      \
		STS_ACT_ANSWER, STS_USE_##use, STS_KEEP_##keep,                \
		    STS_ENTRY_##kind                                           \
	}
#define BEHIND                                                                 \
	{                                                                      \
		STS_ACT_ANSWER_THEN_ASK, STS_USE_ENTRY, STS_KEEP_NOTHING,      \
		    STS_ENTRY_POLICY                                           \
	}
/* Nobody waits; an answer, and somebody looks. */
#define THEN_LOOK(use, kind)                                                   \
	{                                                                      \
		STS_ACT_ANSWER_THEN_ASK, STS_USE_##use, STS_KEEP_NOTHING,      \
		    STS_ENTRY_##kind                                           \
	}
#define LOOK                                                                   \
	{                                                                      \
		STS_ACT_ASK_TXT, STS_USE_NONE, STS_KEEP_NOTHING,               \
		    STS_ENTRY_ABSENT                                           \
	}
#define FETCH                                                                  \
	{                                                                      \
		STS_ACT_FETCH, STS_USE_NONE, STS_KEEP_NOTHING,                 \
		    STS_ENTRY_ABSENT                                           \
	}
#define CACHED ANSWER(ENTRY, NOTHING, POLICY)

enum {
	MUST_LOOK = 1,
	MUST_FETCH = 2,
	DOWN = 4,      /* the resolver answered nothing */
	MARKED = 8,    /* a delivery failed ten seconds ago */
	ANSWERED = 16, /* and because of another one was looked before */
	LATER = 32,    /* nobody waits */
	NO_TIME = 64,  /* waited enough */
	OFFLINE = 128  /* nobody looks, either */
};

static const struct {
	const char *clause;
	const struct sts_entry *cached;
	unsigned how;
	enum sts_txt_lookup look;
	const char *id;
	enum sts_fetch_outcome got;
	uint32_t max_age;
	struct want want;
} cases[] = {
#define N STS_TXT_NOT_ASKED, "", STS_FETCH_NOT_TRIED, 0
	/* With the cache alone */
	{ "3.3 a cached policy applies", &fresh, 0, N, CACHED },
	{ "3.3 to its last second", &last_second, DOWN, N, CACHED },
	{ "3.2 and not a second longer", &expired, 0, N, LOOK },
	{ "3.3 nothing known: ask", &absent, 0, N, LOOK },
	{ "5.1 an old look is renewed behind", &stale, 0, N, BEHIND },
	{ "5.1 but not while backing off", &stale_resting, 0, N, CACHED },
	{ "5.1 and again after it", &stale_rested, 0, N, BEHIND },
	{ "5.1 nor where nobody can ask", &stale, DOWN, N, CACHED },
	{ "5 a failure wants a look first", &stale, MARKED, N, LOOK },
	{ "5 a look a minute ago was too early", &fresh, MARKED, N, LOOK },
	{ "5 but not twice in 5 minutes", &fresh, MARKED | ANSWERED, N,
	    CACHED },
	{ "5 nor while backing off", &stale_resting, MARKED, N, CACHED },
	{ "5 nor when nobody can ask", &stale, MARKED | DOWN, N, CACHED },
	{ "5 but later when no time is left", &stale, MARKED | NO_TIME, N,
	    BEHIND },
	{ "3.3 told to look", &fresh, MUST_LOOK, N, LOOK },
	{ "3.3 told to look, waits or not", &fresh, MUST_LOOK | DOWN | NO_TIME,
	    N, LOOK },
	{ "3.1 asked lately: none", &none, 0, N, ANSWER(NONE, NOTHING, NONE) },
	{ "3.1 none, but long ago", &none_over, 0, N, LOOK },
	{ "3.1 none, told to look", &none, MUST_LOOK, N, LOOK },
	{ "3.1 none is not for ever", &none_long, 0, N, LOOK },
	{ "clock: none from the future", &none_future, 0, N, LOOK },
	{ "3.3 no policy to be had: a new id may be there", &no_fetch, 0, N,
	    LOOK },
	{ "3.3 could not ask, too early to ask again", &unasked, 0, N,
	    ANSWER(REMOTE, NOTHING, ABSENT) },
	{ "3.3 could not ask, time to ask again", &unasked_rested, 0, N, LOOK },
	{ "3.3 could not ask, told to look", &unasked, MUST_LOOK, N, LOOK },
	{ "clock: backing off from the future", &unasked_future, 0, N, LOOK },
	{ "nothing known, the resolver is down", &absent, DOWN, N,
	    ANSWER(REMOTE, NOTHING, ABSENT) },
	{ "expired, the resolver is down", &expired, DOWN, N,
	    ANSWER(REMOTE, NOTHING, ABSENT) },
	/* No time is left: the last outcome of the day, and a look */
	{ "no time: nothing known", &absent, NO_TIME, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "no time: a policy applies, and is looked at", &stale, NO_TIME, N,
	    BEHIND },
	{ "no time: a policy that has just expired", &expired, NO_TIME, N,
	    BEHIND },
	{ "no time: one that expired days ago", &expired_long, NO_TIME, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "no time: none, over", &none_over, NO_TIME, N,
	    THEN_LOOK(NONE, NONE) },
	{ "no time: none, over for days", &none_days, NO_TIME, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "no time: none from the future", &none_future, NO_TIME, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "no time: no policy to be had", &no_fetch, NO_TIME, N,
	    THEN_LOOK(NONE, NO_FETCH) },
	{ "no time: could not ask", &unasked_rested, NO_TIME, N,
	    THEN_LOOK(REMOTE, UNASKED) },
	{ "no time, told to look", &absent, NO_TIME | MUST_LOOK, N, LOOK },
	{ "clock: a policy from the future is looked at", &from_future, 0, N,
	    BEHIND },
	/* Nobody waits */
	{ "behind: a cached policy applies", &fresh, LATER, N, CACHED },
	{ "behind: an old look", &stale, LATER, N, BEHIND },
	{ "5 behind: a failure wants a look", &fresh, LATER | MARKED, N,
	    BEHIND },
	{ "5 behind: but not twice in 5 minutes", &fresh,
	    LATER | MARKED | ANSWERED, N, CACHED },
	{ "behind: told to look", &fresh, LATER | MUST_LOOK, N, BEHIND },
	{ "behind: cold", &absent, LATER, N, THEN_LOOK(NOT_YET, ABSENT) },
	{ "behind: cold, told to look", &absent, LATER | MUST_FETCH, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "3.2 behind: one that has just expired", &expired, LATER, N, BEHIND },
	{ "3.2 behind: expired long ago is cold", &expired_long, LATER, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "3.2 mail can wait: expired is cold", &expired, LATER | OFFLINE, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "3.2 mail has waited: max_age 0", &fetched_once, LATER | OFFLINE, N,
	    BEHIND },
	{ "3.2 but not for the next", &fetched_once_over, LATER | OFFLINE, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "3.2 nobody waits or has waited", &fetched_once, OFFLINE, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "behind: none", &none, LATER, N, ANSWER(NONE, NOTHING, NONE) },
	{ "behind: none, over: believed while looked at", &none_over, LATER, N,
	    THEN_LOOK(NONE, NONE) },
	{ "behind: none, but an hour ago: cold", &none_long, LATER, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "clock: behind, none from the future", &none_future, LATER, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "3.3 behind: no policy to be had", &no_fetch, LATER, N,
	    ANSWER(NONE, NOTHING, NO_FETCH) },
	{ "3.3 behind: no policy, time to look", &no_fetch_old, LATER, N,
	    THEN_LOOK(NONE, NO_FETCH) },
	{ "3.3 behind: no policy, but long ago: cold", &no_fetch_long, LATER, N,
	    THEN_LOOK(NOT_YET, ABSENT) },
	{ "behind: could not ask", &unasked, LATER, N,
	    ANSWER(REMOTE, NOTHING, ABSENT) },
	{ "behind: could not ask, time to ask again", &unasked_rested, LATER, N,
	    THEN_LOOK(REMOTE, ABSENT) },
	{ "clock: behind, backing off from the future", &unasked_future, LATER,
	    N, THEN_LOOK(NOT_YET, ABSENT) },
	{ "behind: cold, and nobody can ask", &absent, LATER | DOWN, N,
	    ANSWER(REMOTE, NOTHING, ABSENT) },
	{ "behind: none over, and nobody can ask", &none_over, LATER | DOWN, N,
	    ANSWER(NONE, NOTHING, NONE) },
#undef N
/* The TXT record could not be asked for */
#define T STS_TXT_TEMPFAIL, "", STS_FETCH_NOT_TRIED, 0
	{ "3.3 DNS fails, cached: applies", &stale, 0, T,
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "10.2 DNS fails, nothing cached: not 'none'", &absent, 0, T,
	    ANSWER(REMOTE, ENTRY, UNASKED) },
	{ "10.2 DNS fails, was none", &none_over, 0, T,
	    ANSWER(REMOTE, ENTRY, UNASKED) },
	{ "10.2 DNS fails, expired: kept, not used", &expired, 0, T,
	    ANSWER(REMOTE, ENTRY, POLICY) },
#undef T
/* There is none */
#define A(look) STS_TXT_##look, "", STS_FETCH_NOT_TRIED, 0
	{ "3.3 no record, cached: applies", &stale, 0, A(NONE),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.3 broken record, cached: applies", &stale, 0, A(INVALID),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.1 no record: no policy", &absent, 0, A(NONE),
	    ANSWER(NONE, ENTRY, NONE) },
	{ "3.1 broken record: no policy", &absent, 0, A(INVALID),
	    ANSWER(NONE, ENTRY, NONE) },
	{ "3.3 no record, expired: no policy", &expired, 0, A(NONE),
	    ANSWER(NONE, ENTRY, NONE) },
#undef A
/* A record */
#define F(id) STS_TXT_FOUND, id, STS_FETCH_NOT_TRIED, 0
	{ "3.3 record, nothing cached: fetch", &absent, 0, F(NEW), FETCH },
	{ "3.3 record, was none: fetch", &none, MUST_LOOK, F(NEW), FETCH },
	{ "3.3 record, expired: fetch", &expired, 0, F(OLD), FETCH },
	{ "3.3 same id: no fetch", &stale, 0, F(OLD),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.1 another id: fetch", &stale, 0, F(NEW), FETCH },
	{ "3.1 ids are compared whole", &stale, 0, F("old"), FETCH },
	{ "10.2 same id, fetched a day ago: fetch", &day_old, 0, F(OLD),
	    FETCH },
	{ "3.3 same id, half of max_age gone: fetch", &half_over, 0, F(OLD),
	    FETCH },
	{ "3.3 told to fetch", &stale, MUST_FETCH, F(OLD), FETCH },
	{ "clock: fetched in the future: fetch", &from_future, 0, F(OLD),
	    FETCH },
	{ "3.3 five minutes of silence", &no_fetch, 0, F(NEW),
	    ANSWER(NONE, ENTRY, NO_FETCH) },
	{ "3.3 and not longer", &no_fetch_over, 0, F(NEW), FETCH },
	{ "3.3 for that id only", &no_fetch, 0, F("other"), FETCH },
	{ "3.3 unless told to", &no_fetch, MUST_FETCH, F(NEW), FETCH },
	{ "3.3 silence with a policy at hand", &failed_new, 0, F(NEW),
	    ANSWER(ENTRY, ENTRY, POLICY) },
#undef F
/* The GET */
#define G(id, got, age) STS_TXT_FOUND, id, STS_FETCH_##got, age
	{ "3.3 a first policy", &absent, 0, G(NEW, POLICY, DAY),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.3 a new policy replaces", &stale, 0, G(NEW, POLICY, DAY),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.2 max_age 0 is an outcome, too", &absent, 0, G(NEW, POLICY, 0),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.3 fetch fails, cached: applies", &stale, 0, G(NEW, FAILED, 0),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "3.3 fetch fails, nothing cached: as without", &absent, 0,
	    G(NEW, FAILED, 0), ANSWER(NONE, ENTRY, NO_FETCH) },
	{ "3.3 fetch fails, expired: as without", &expired, 0,
	    G(NEW, FAILED, 0), ANSWER(NONE, ENTRY, NO_FETCH) },
	{ "our fault, cached: applies", &stale, 0, G(NEW, LOCAL, 0),
	    ANSWER(ENTRY, ENTRY, POLICY) },
	{ "our fault, nothing cached: says nothing", &absent, 0,
	    G(NEW, LOCAL, 0), ANSWER(LOCAL, NOTHING, ABSENT) },
	{ "our fault, expired: says nothing", &expired, 0, G(NEW, LOCAL, 0),
	    ANSWER(LOCAL, NOTHING, ABSENT) },
#undef G
};

static struct sts_facts
facts(const struct sts_entry *cached, unsigned how)
{
	static struct sts_entry copy;

	copy = *cached;
	if (copy.failed != 0)
		copy.failed_id = sts_id_hash(NEW);
	return (struct sts_facts){
		.now = NOW,
		.cached = &copy,
		.recheck = HOUR,
		.must_look = (how & (MUST_LOOK | MUST_FETCH)) != 0,
		.must_fetch = (how & MUST_FETCH) != 0,
		.resolver_down = (how & DOWN) != 0,
		.no_time = (how & NO_TIME) != 0,
		.nonblocking = (how & LATER) != 0,
		.offline = (how & OFFLINE) != 0,
		.marked = (how & MARKED) != 0 ? NOW - 10 : 0,
		.answered = (how & ANSWERED) != 0 ? NOW - 299 : 0,
	};
}

static void
test_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct sts_facts f = facts(cases[i].cached, cases[i].how);
		const struct want *w = &cases[i].want;
		struct sts_next n;

		f.txt = cases[i].look;
		f.txt_why = STS_WHY_DNS_TIMEOUT;
		f.id = cases[i].id;
		f.fetch = cases[i].got;
		f.fetch_why = STS_WHY_FETCH_ERROR;
		f.max_age = cases[i].max_age;
		n = sts_decide(&f);
		ROW(n.act == w->act && n.keep == w->keep &&
			(n.act == STS_ACT_ASK_TXT || n.act == STS_ACT_FETCH ||
			    (n.use == w->use && n.entry.kind == w->kind)),
		    "%s: act %d use %d keep %d kind %d", cases[i].clause, n.act,
		    n.use, n.keep, n.entry.kind);
	}
	rows_done();
}

/* --- What is written down ------------------------------------------------- */

static struct sts_next
after(const struct sts_entry *cached, enum sts_txt_lookup look, const char *id,
    enum sts_fetch_outcome got, uint32_t max_age, uint32_t ttl)
{
	struct sts_facts f = facts(cached, 0);

	f.txt = look;
	f.txt_why = STS_WHY_NO_RECORD;
	f.id = id;
	f.fetch = got;
	f.fetch_why = STS_WHY_WEBPKI;
	f.max_age = max_age;
	f.ttl = ttl;
	return sts_decide(&f);
}

static void
test_entries(void **state)
{
	struct sts_entry e;

	(void)state;
	e = after(&absent, STS_TXT_FOUND, NEW, STS_FETCH_POLICY, DAY, 0).entry;
	ROW(e.fetched == NOW && e.checked == NOW && e.until == NOW + DAY &&
		strcmp(e.id, NEW) == 0,
	    "3.2 max_age counts from the fetch");
	e = after(&absent, STS_TXT_FOUND, NEW, STS_FETCH_POLICY, UINT32_MAX, 0)
		.entry;
	ROW(e.until == NOW + YEAR, "3.2 max_age is at most a year");
	e = after(&stale, STS_TXT_FOUND, OLD, STS_FETCH_NOT_TRIED, 0, 0).entry;
	ROW(e.fetched == stale.fetched && e.until == stale.until &&
		e.checked == NOW,
	    "3.2 the same id does not extend");
	e = after(&stale, STS_TXT_NONE, "", STS_FETCH_NOT_TRIED, 0, 0).entry;
	ROW(e.until == stale.until && e.checked == NOW,
	    "3.3 a missing record neither ends nor extends");
	e = after(&stale, STS_TXT_TEMPFAIL, "", STS_FETCH_NOT_TRIED, 0, 0)
		.entry;
	ROW(e.checked == stale.checked && e.tried == NOW &&
		e.retry == NOW + STS_BACKOFF_MIN,
	    "3.3 could not ask: noted");
	e = after(&stale, STS_TXT_FOUND, NEW, STS_FETCH_FAILED, 0, 0).entry;
	ROW(strcmp(e.id, OLD) == 0 && e.failed == NOW &&
		e.failed_id == sts_id_hash(NEW) && e.until == stale.until,
	    "3.3 the failed id is noted beside the policy");
	e = after(&no_fetch, STS_TXT_FOUND, NEW, STS_FETCH_NOT_TRIED, 0, 0)
		.entry;
	ROW(e.failed == no_fetch.failed && e.why == STS_WHY_WEBPKI,
	    "3.3 silence is not prolonged by looking");
	e = after(&from_future, STS_TXT_FOUND, NEW, STS_FETCH_FAILED, 0, 0)
		.entry;
	ROW(e.fetched == NOW && e.until == NOW + YEAR,
	    "clock: a policy from the future gets a present");
	e = after(&absent, STS_TXT_NONE, "", STS_FETCH_NOT_TRIED, 0, 0).entry;
	ROW(e.until == NOW + STS_NONE_MIN, "negative TTL: at least");
	e = after(&absent, STS_TXT_NONE, "", STS_FETCH_NOT_TRIED, 0, 900).entry;
	ROW(e.until == NOW + 900, "negative TTL: as told");
	e = after(&absent, STS_TXT_NONE, "", STS_FETCH_NOT_TRIED, 0, UINT32_MAX)
		.entry;
	ROW(e.until == NOW + STS_NONE_MAX, "negative TTL: at most");
	rows_done();
}

/* 30 s, doubled to ten minutes, and from the start after an hour's peace. */
static void
test_back_off(void **state)
{
	static const int64_t want[] = { 30, 60, 120, 240, 480, 600, 600 };
	struct sts_entry e = absent;
	struct sts_facts f = facts(&absent, 0);

	(void)state;
	f.txt = STS_TXT_TEMPFAIL;
	for (size_t i = 0; i < ARRAY_LEN(want); i++) {
		f.cached = &e;
		e = sts_decide(&f).entry;
		ROW(e.retry - e.tried == want[i], "step %zu: %lld s", i,
		    (long long)(e.retry - e.tried));
		f.now = e.retry;
	}
	f.now += STS_BACKOFF_FORGET;
	e = sts_decide(&f).entry;
	ROW(e.retry - e.tried == STS_BACKOFF_MIN, "starts anew");
	rows_done();
}

/* --- Every combination ---------------------------------------------------- */

static void
judge(const struct sts_facts *f, const char *where)
{
	struct sts_next n = sts_decide(f);
	bool alive =
	    f->cached->kind == STS_ENTRY_POLICY && f->now < f->cached->until;
	bool answers =
	    n.act == STS_ACT_ANSWER || n.act == STS_ACT_ANSWER_THEN_ASK;

	ROW(!alive || !answers ||
		(n.use == STS_USE_ENTRY && n.entry.kind == STS_ENTRY_POLICY),
	    "%s: 3.3: an unexpired policy was dropped", where);
	ROW(!alive || f->fetch == STS_FETCH_POLICY ||
		n.keep != STS_KEEP_ENTRY || n.entry.until <= f->cached->until,
	    "%s: 3.2: extended without a fetch", where);
	ROW(n.keep != STS_KEEP_ENTRY || n.entry.kind != STS_ENTRY_NONE ||
		f->txt == STS_TXT_NONE || f->txt == STS_TXT_INVALID,
	    "%s: 10.2: 'none' stored without having asked", where);
	ROW(n.use != STS_USE_NONE || !answers || f->txt != STS_TXT_TEMPFAIL,
	    "%s: could not ask became 'none'", where);
	ROW(f->fetch != STS_FETCH_LOCAL || f->txt != STS_TXT_FOUND || alive ||
		n.use == STS_USE_LOCAL,
	    "%s: a local fault became an answer", where);
	ROW(!answers || n.use != STS_USE_ENTRY ||
		n.entry.until - n.entry.fetched <= YEAR,
	    "%s: 3.2: longer than a year", where);
	ROW(f->txt != STS_TXT_FOUND || n.act != STS_ACT_ASK_TXT,
	    "%s: looks twice", where);
	ROW(!f->nonblocking || f->txt != STS_TXT_NOT_ASKED || answers,
	    "%s: waits where nobody can", where);
	ROW(n.use != STS_USE_NOT_YET ||
		((f->nonblocking || f->no_time) && f->txt == STS_TXT_NOT_ASKED),
	    "%s: not known yet, but asked", where);
	ROW(n.use != STS_USE_NONE || !answers || f->txt != STS_TXT_NOT_ASKED ||
		f->cached->kind == STS_ENTRY_NONE ||
		f->cached->kind == STS_ENTRY_NO_FETCH,
	    "%s: none without evidence", where);
	ROW(f->fetch == STS_FETCH_NOT_TRIED || n.act == STS_ACT_ANSWER,
	    "%s: no end after the GET", where);
}

/* Everything that the network may bring, at one time. */
static void
judge_all(const struct sts_facts *from, const char *where)
{
	static const char *const ids[] = { OLD, NEW };
	struct sts_facts f = *from;
	char text[120];

	for (int txt = STS_TXT_NOT_ASKED; txt <= STS_TXT_FOUND; txt++)
		for (int got = STS_FETCH_NOT_TRIED; got <= STS_FETCH_LOCAL;
		     got++)
			for (size_t id = 0; id < ARRAY_LEN(ids); id++) {
				/* Without a record nothing is fetched. */
				if (txt != STS_TXT_FOUND &&
				    got != STS_FETCH_NOT_TRIED)
					continue;
				f.txt = (enum sts_txt_lookup)txt;
				f.fetch = (enum sts_fetch_outcome)got;
				f.id = ids[id];
				f.max_age = DAY;
				snprintf(text, sizeof text,
				    "%s txt %d fetch %d id %zu", where, txt,
				    got, id);
				judge(&f, text);
			}
}

static void
test_all(void **state)
{
	static const struct sts_entry *const all[] = { &absent, &fresh, &stale,
		&stale_resting, &stale_rested, &day_old, &half_over,
		&last_second, &expired, &expired_long, &failed_new,
		&from_future, &none, &none_over, &none_future, &none_long,
		&none_days, &no_fetch, &no_fetch_over, &no_fetch_old,
		&no_fetch_long, &unasked, &unasked_rested, &unasked_future };
	static const int64_t clocks[] = { -10 * (int64_t)YEAR, -YEAR, -1, 0, 1,
		YEAR, 10 * (int64_t)YEAR };
	char where[80];

	(void)state;
	for (size_t c = 0; c < ARRAY_LEN(all); c++)
		for (unsigned how = 0; how < 128; how++)
			for (size_t t = 0; t < ARRAY_LEN(clocks); t++) {
				struct sts_facts f = facts(all[c], how);

				f.now += clocks[t];
				snprintf(where, sizeof where,
				    "entry %zu how %u clock %zu", c, how, t);
				judge_all(&f, where);
			}
	rows_done();
}

/* --- What the configuration makes of it ----------------------------------- */

static void
test_override(void **state)
{
	static const struct {
		const char *clause;
		enum sts_domain_mode conf;
		enum sts_verdict in;
		enum sts_mode mode;
		enum sts_verdict out;
		enum sts_mode want;
	} t[] = {
#define M(m) STS_MODE_##m
		{ "5 enforce", STS_DOMAIN_FOLLOW, STS_POLICY, M(ENFORCE),
		    STS_POLICY, M(ENFORCE) },
		{ "5 testing", STS_DOMAIN_FOLLOW, STS_POLICY, M(TESTING),
		    STS_POLICY, M(TESTING) },
		{ "no policy", STS_DOMAIN_FOLLOW, STS_NO_POLICY, M(ENFORCE),
		    STS_NO_POLICY, M(NONE) },
		{ "off", STS_DOMAIN_OFF, STS_POLICY, M(ENFORCE), STS_NO_POLICY,
		    M(NONE) },
		{ "testing lowers what is published", STS_DOMAIN_TESTING,
		    STS_POLICY, M(ENFORCE), STS_POLICY, M(TESTING) },
		{ "testing does not raise", STS_DOMAIN_TESTING, STS_NO_POLICY,
		    M(NONE), STS_NO_POLICY, M(NONE) },
		{ "enforce raises testing", STS_DOMAIN_ENFORCE, STS_POLICY,
		    M(TESTING), STS_POLICY, M(ENFORCE) },
		{ "enforce without a policy", STS_DOMAIN_ENFORCE, STS_NO_POLICY,
		    M(NONE), STS_MUST_WAIT, M(NONE) },
		{ "enforce with mode none", STS_DOMAIN_ENFORCE, STS_POLICY,
		    M(NONE), STS_MUST_WAIT, M(NONE) },
		{ "follow", STS_DOMAIN_FOLLOW, STS_MUST_WAIT, M(NONE),
		    STS_MUST_WAIT, M(NONE) },
#undef M
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		enum sts_mode mode = t[i].mode;
		enum sts_verdict v;

		v = sts_override(t[i].conf, t[i].in, &mode);
		ROW(v == t[i].out && mode == t[i].want, "%s: %d %d",
		    t[i].clause, v, mode);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_back_off),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
