/* SPDX-License-Identifier: ISC */
/* What a day comes to; the same however little memory there is. */
#include "row.h"
#include "tlsrpt/totals.h"
#include <mtasts/session.h>

#define ONE "11111111111111111111111111111111"
#define TWO "22222222222222222222222222222222"

enum { LINES_MAX = 4000, ROOM = 1 << 20 };

static char day[ROOM], shown[2][ROOM];
static size_t used, start[LINES_MAX + 1], nline;
static struct sts_totals_sums sums;

static void
put_raw(const char *line, size_t len)
{
	assert_true(nline < LINES_MAX && used + len < ROOM);
	memcpy(day + used, line, len);
	start[nline++] = used;
	used += len;
	start[nline] = used;
}

static void
put(const struct sts_session *s)
{
	static char line[STS_SESSION_LINE_MAX];
	size_t len = sts_session_encode(line, s);

	assert_true(len > 0);
	put_raw(line, len - 1);
}

static struct sts_session
session(const char *domain, const char *id, enum sts_session_result result)
{
	return (struct sts_session){
		.time = 1000,
		.domain = str_of(domain),
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = str_of(id),
		.result = result,
	};
}

__attribute__((format(printf, 3, 4))) static void
say(char *out, size_t *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*n += (size_t)vsnprintf(out + *n, ROOM - *n, fmt, ap);
	va_end(ap);
	assert_true(*n < ROOM);
}

static void
show(char *out, size_t *n, const struct sts_totals_domain *d)
{
	const struct sts_totals_policy *p;
	const struct sts_totals_row *r;

	say(out, n, "%.*s\n", (int)d->name.len, d->name.p);
	for (p = d->policy; p != NULL; p = p->next) {
		say(out, n, " %s %s%.*s %d+%d last %d\n",
		    sts_policy_type_name(p->type), p->other ? "other" : "",
		    (int)p->id.len, p->id.p, (int)p->success, (int)p->failure,
		    (int)p->last);
		for (r = p->row; r != NULL; r = r->next)
			say(out, n, "  %d %s%.*s %.*s %.3s@%d %d\n", r->result,
			    r->other ? "other" : "", (int)r->mx_helo.len,
			    r->mx_helo.p, (int)r->reason.len, r->reason.p,
			    r->cert.len > 0 ? r->cert.p : "", (int)r->time,
			    (int)r->count);
	}
}

/* The whole day as text; how many sessions were counted. */
static uint64_t
tally(char *out, size_t memory, uint64_t seed)
{
	static char line[STS_SESSION_LINE_MAX];
	const struct sts_totals_domain *d;
	const struct sts_totals_policy *p;
	struct sts_totals *t;
	uint64_t all = 0;
	size_t n = 0;

	out[0] = '\0';
	assert_int_equal(sts_totals_new(&t, memory, seed, NULL), STS_OK);
	do {
		for (size_t i = 0; i < nline; i++) {
			size_t len = start[i + 1] - start[i];

			memcpy(line, day + start[i], len);
			ROW(sts_totals_line(t, line, len) != STS_NOMEM,
			    "line %zu", i);
		}
		while ((d = sts_totals_next(t)) != NULL) {
			show(out, &n, d);
			for (p = d->policy; p != NULL; p = p->next)
				all += p->success + p->failure;
		}
	} while (sts_totals_again(t));
	sums = sts_totals_sums(t);
	sts_totals_free(t);
	return all;
}

static void
clear(void)
{
	used = nline = 0;
}

/* --- What is counted ------------------------------------------------------ */

static void
test_counts(void **state)
{
	struct sts_session s = session("b.example", "1", STS_SESSION_OK);
	static const char want[] = "a.example\n"
				   " no-policy-found  1+0 last 1000\n"
				   "b.example\n"
				   " sts 1 2+4 last 2000\n"
				   "  1 mx1  @1000 2\n"
				   "  1 mx2  @1000 1\n"
				   "  12  why 111@1000 1\n"
				   " sts 2 0+2 last 1000\n"
				   "  12  why 111@1000 1\n"
				   "  12  why 222@1000 1\n"
				   "b.example.com\n"
				   " sts 1 1+0 last 1000\n";

	(void)state;
	clear();
	put(&s);
	put_raw("nonsense", 8);
	put(&s);
	s.result = STS_STARTTLS_NOT_SUPPORTED;
	s.mx_helo = str_of("mx1");
	put(&s);
	s.mx_helo = str_of("mx2");
	put(&s);
	s.mx_helo = str_of("mx1");
	s.time = 2000;
	put(&s);
	s = session("b.example.com", "1", STS_SESSION_OK);
	put(&s);
	s = session("b.example", "1", STS_CERTIFICATE_REFUSED);
	s.reason = str_of("why");
	s.cert = str_of(ONE);
	put(&s);
	s.id = str_of("2");
	put(&s);
	s.cert = str_of(TWO);
	put(&s);
	s = session("a.example", "", STS_SESSION_OK);
	s.type = STS_TYPE_NO_POLICY_FOUND;
	put(&s);
	put_raw("", 0);
	ROW(tally(shown[0], 1 << 20, 7) == 10 && sums.sessions == 10 &&
		sums.odd == 2 && sums.passes == 1,
	    "%d sessions, %d odd, %u passes", (int)sums.sessions, (int)sums.odd,
	    sums.passes);
	ROW(strcmp(shown[0], want) == 0, "4.4: %s", shown[0]);
	ROW(tally(shown[1], 0, 8) == 10 && sums.sessions == 10 &&
		sums.odd == 2 && sums.passes == 3,
	    "no memory: %d sessions, %d odd, %u passes", (int)sums.sessions,
	    (int)sums.odd, sums.passes);
	ROW(strcmp(shown[1], want) == 0, "no memory: %s", shown[1]);
	clear();
	ROW(tally(shown[0], 1000, 7) == 0 && shown[0][0] == '\0' &&
		sums.passes == 1,
	    "an empty day");
	rows_done();
}

/* Each field of 4.4 tells two failures apart. */
static void
test_keys(void **state)
{
	struct sts_session base =
	    session("a.example", "1", STS_VALIDATION_FAILURE);
	struct sts_session s[9];
	const char *lines = shown[0];
	unsigned n = 0;

	(void)state;
	clear();
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		s[i] = base;
	s[1].result = STS_CERTIFICATE_EXPIRED;
	s[2].sending_ip = str_of("192.0.2.1");
	s[3].receiving_ip = str_of("192.0.2.1");
	s[4].mx_host = str_of("x");
	s[5].mx_helo = str_of("x");
	s[6].reason = str_of("x");
	s[7].cert = str_of(ONE);
	s[8].time = 1; /* not this one */
	for (size_t i = 0; i < ARRAY_LEN(s); i++)
		put(&s[i]);
	ROW(tally(shown[0], 1 << 20, 7) == 9, "all");
	while ((lines = strstr(lines, "\n  ")) != NULL) {
		lines++;
		n++;
	}
	ROW(n == 8, "%u rows", n);
	rows_done();
}

/* --- Limits --------------------------------------------------------------- */

static void
test_limits(void **state)
{
	struct sts_session s;
	char text[16];

	(void)state;
	clear();
	for (unsigned i = 0; i < 300; i++) {
		s = session("a.example", "1",
		    i % 2 ? STS_VALIDATION_FAILURE
			  : STS_STARTTLS_NOT_SUPPORTED);
		snprintf(text, sizeof text, "helo%u", i);
		s.mx_helo = str_of(text);
		put(&s);
	}
	ROW(tally(shown[0], 1 << 20, 7) == 300, "each is counted");
	ROW(strstr(shown[0],
		"  5 helo99  @1000 1\n  1 other  @0 100\n"
		"  5 other  @0 100\n") != NULL,
	    "rows: %s", shown[0]);
	clear();
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof text, "%u", i);
		s = session("a.example", text, STS_SESSION_OK);
		put(&s);
	}
	ROW(tally(shown[0], 1 << 20, 7) == 40, "each is counted");
	ROW(strstr(shown[0],
		" sts 15 1+0 last 1000\n"
		" sts other 24+0 last 1000\n") != NULL,
	    "policies: %s", shown[0]);
	rows_done();
}

/* A generator of our own: the same day each time. */
static unsigned
next_number(unsigned below)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)(x >> 33) % below;
}

static void
test_memory(void **state)
{
	static const size_t memory[] = { 0, 1, 3000, 5000, 10000, 30000, 60000,
		100000, 200000 };
	struct sts_session s;
	char domain[32], helo[32], id[8];
	unsigned before = 0;

	(void)state;
	clear();
	for (unsigned i = 0; i < LINES_MAX; i++) {
		snprintf(domain, sizeof domain, "d%u.example",
		    next_number(300));
		snprintf(helo, sizeof helo, "mx%u", next_number(40));
		snprintf(id, sizeof id, "%u", next_number(20));
		s = session(domain, id,
		    (enum sts_session_result)next_number(4));
		s.time += i;
		if (s.result != STS_SESSION_OK)
			s.mx_helo = str_of(helo);
		put(&s);
	}
	ROW(tally(shown[0], 1 << 30, 7) == LINES_MAX && sums.passes == 1,
	    "in one pass");
	for (size_t i = ARRAY_LEN(memory); i-- > 0;) {
		ROW(tally(shown[1], memory[i], i) == LINES_MAX &&
			sums.sessions == LINES_MAX,
		    "%zu bytes: all", memory[i]);
		ROW(strcmp(shown[0], shown[1]) == 0, "%zu bytes: the same",
		    memory[i]);
		ROW(sums.passes >= before, "%zu bytes: %u passes", memory[i],
		    sums.passes);
		before = sums.passes;
	}
	ROW(before == 300, "%u passes, one for each domain", before);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
