/* SPDX-License-Identifier: ISC */
/* What the sessions of one domain come to. */
#include "row.h"
#include "tlsrpt/totals.h"
#include <mtasts/session.h>

#define ONE "11111111111111111111111111111111"
#define TWO "22222222222222222222222222222222"

enum { ROOM = 1 << 16 };

static struct sts_totals totals;
static char shown[ROOM];

static struct sts_session
session(const char *id, enum sts_session_result result)
{
	return (struct sts_session){
		.time = 1000,
		.domain = str_of("a.example"),
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = str_of(id),
		.result = result,
	};
}

static void
add(const struct sts_session *s)
{
	assert_true(sts_totals_add(&totals, s));
}

__attribute__((format(printf, 2, 3))) static void
say(size_t *n, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	*n += (size_t)vsnprintf(shown + *n, ROOM - *n, fmt, ap);
	va_end(ap);
	assert_true(*n < ROOM);
}

/* All as text, and away with it; how many sessions were counted. */
static uint64_t
show(void)
{
	const struct sts_totals_policy *p;
	const struct sts_totals_row *r;
	uint64_t all = 0;
	size_t n = 0;

	shown[0] = '\0';
	for (p = totals.policy; p != NULL; p = p->next) {
		say(&n, "%s %s%s %d+%d last %d\n",
		    sts_policy_type_name(p->type), p->other ? "other" : "",
		    p->id, (int)p->success, (int)p->failure, (int)p->last);
		all += p->success + p->failure;
		for (r = p->row; r != NULL; r = r->next)
			say(&n, " %d %s%.*s %.*s %.*s@%d %d\n", r->result,
			    r->other ? "other" : "", (int)r->mx_helo.len,
			    r->mx_helo.p, (int)r->reason.len, r->reason.p,
			    r->cert.len > 0 ? 3 : 0, r->cert.p, (int)r->time,
			    (int)r->count);
	}
	sts_totals_clear(&totals);
	return all;
}

/* --- What is counted ------------------------------------------------------ */

static void
test_counts(void **state)
{
	struct sts_session s = session("1", STS_SESSION_OK);
	static const char want[] = "sts 1 2+4 last 2000\n"
				   " 1 mx1  @1000 2\n"
				   " 1 mx2  @1000 1\n"
				   " 12  why 111@1000 1\n"
				   "sts 2 0+3 last 1000\n"
				   " 12  why 111@1000 1\n"
				   " 12  why 222@1000 2\n"
				   "no-policy-found  1+0 last 1000\n";

	(void)state;
	add(&s);
	add(&s);
	s.result = STS_STARTTLS_NOT_SUPPORTED;
	s.mx_helo = str_of("mx1");
	add(&s);
	s.mx_helo = str_of("mx2");
	add(&s);
	s.mx_helo = str_of("mx1");
	s.time = 2000;
	add(&s);
	s = session("1", STS_CERTIFICATE_REFUSED);
	s.reason = str_of("why");
	s.cert = str_of(ONE);
	add(&s);
	s.id = str_of("2");
	add(&s);
	s.cert = str_of(TWO);
	add(&s);
	add(&s);
	s = session("", STS_SESSION_OK);
	s.type = STS_TYPE_NO_POLICY_FOUND;
	add(&s);
	ROW(show() == 10, "each is counted");
	ROW(strcmp(shown, want) == 0, "RFC 8460 4.4: %s", shown);
	ROW(show() == 0 && shown[0] == '\0', "nothing is left of them");
	rows_done();
}

/* Each field of RFC 8460 4.4 tells two failures apart. */
static void
test_keys(void **state)
{
	struct sts_session base = session("1", STS_VALIDATION_FAILURE);
	struct sts_session s[9];
	const char *lines = shown;
	unsigned n = 0;

	(void)state;
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
		add(&s[i]);
	ROW(show() == 9, "all");
	while ((lines = strstr(lines, "\n ")) != NULL) {
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
	for (unsigned i = 0; i < 300; i++) {
		s = session("1",
		    i % 2 ? STS_VALIDATION_FAILURE
			  : STS_STARTTLS_NOT_SUPPORTED);
		snprintf(text, sizeof text, "helo%u", i);
		s.mx_helo = str_of(text);
		s.cert = str_of(ONE);
		add(&s);
	}
	ROW(show() == 300, "each is counted");
	ROW(strstr(shown,
		" 5 helo99  111@1000 1\n 1 other  @0 100\n"
		" 5 other  @0 100\n") != NULL,
	    "rows: %s", shown);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(text, sizeof text, "%u", i);
		s = session(text, STS_SESSION_OK);
		add(&s);
	}
	ROW(show() == 40, "each is counted");
	ROW(strstr(shown,
		"sts 15 1+0 last 1000\n"
		"sts other 24+0 last 1000\n") != NULL,
	    "policies: %s", shown);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
