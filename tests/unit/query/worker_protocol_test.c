/* SPDX-License-Identifier: ISC */
#include "query/worker_protocol.h"
#include "row.h"

#define V STS_WORKER_VERSION

/* "DOMAIN/USE/SENTENCE/ENTRY " for each answer, then "!FAULT" at the end. */
static const struct {
	const char *what;
	struct sts_str in;
	bool greeted, ended;
	const char *want;
} answers[] = {
	{ "nothing", LIT(""), false, false, "" },
	{ "started", LIT(V), true, false, "" },
	{ "half a version", LIT("mtasts-work"), false, false, "" },
	{ "a policy", LIT(V "done a.example policy 3 -\nabc"), true, false,
	    "a.example/1/-/abc " },
	{ "none, without a sentence", LIT(V "done a.example none 2 \n1n"), true,
	    false, "a.example/0//1n " },
	{ "an LF in the entry", LIT(V "done a.example policy 2 x\n\nz"), true,
	    false, "a.example/1/x/\nz " },
	{ "two",
	    LIT(V "done a.example remote 0 DNS timeout\n"
		  "done b.example not-yet 0 full\n"),
	    true, false, "a.example/2/DNS timeout/ b.example/3/full/ " },
	{ "a fault of this host", LIT(V "done a.example local 0 disk full\n"),
	    true, false, "a.example/4/disk full/ " },
	{ "half an entry", LIT(V "done a.example policy 4 -\nabc"), true, false,
	    "" },
	{ "half a line", LIT(V "done a.example pol"), true, false, "" },
	{ "a sentence is escaped", LIT(V "done a.example none 0 a\xff\x1b\n"),
	    true, false, "a.example/0/a\\xff\\x1b/ " },
	{ "it gives up", LIT(V "fault no memory\n"), true, true, "!no memory" },
	{ "nothing is believed after that",
	    LIT(V "fault x\ndone a.example none 0 \n"), true, true, "!x" },
#define NONSENSE "!the answer of the worker cannot be understood"
#define OTHER "!the worker is of another version of mtasts"
	{ "the version before this one", LIT("sdtg#00000002hi"), false, false,
	    "" },
	{ "its lines", LIT("a.example none - - 0 no-record\n"), false, true,
	    OTHER },
	{ "the version after this one", LIT("mtasts-worker2\n"), false, true,
	    OTHER },
	{ "a version that goes on", LIT("mtasts-worker1 x\n"), false, true,
	    OTHER },
	{ "a word of no meaning", LIT(V "well a.example none 0 \n"), true, true,
	    NONSENSE },
	{ "a use of no meaning", LIT(V "done a.example maybe 0 \n"), true, true,
	    NONSENSE },
	{ "a domain not in normal form", LIT(V "done A.example none 0 \n"),
	    true, true, NONSENSE },
	{ "a length over the limit", LIT(V "done a.example policy 66561 \n"),
	    true, true, NONSENSE },
	{ "a length that is none", LIT(V "done a.example policy -1 \n"), true,
	    true, NONSENSE },
	{ "no sentence at all", LIT(V "done a.example none 0\n"), true, true,
	    NONSENSE },
	{ "an empty line", LIT(V "\n"), true, true, NONSENSE },
	{ "a NUL in the domain", LIT(V "done a\0.example none 0 \n"), true,
	    true, NONSENSE },
};

/* The same whatever the size of the pieces that read(2) brings. */
static void
test_answers(void **state)
{
	static struct sts_worker_reader r;
	struct sts_worker_answer a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		for (size_t piece = 1; piece < 60; piece += 7) {
			struct sts_str in = answers[i].in;
			char got[400] = "";
			size_t room, n, used = 0;
			char *p;

			sts_worker_reader_init(&r);
			for (size_t at = 0; at < in.len; at += n) {
				p = sts_worker_reader_room(&r, &room);
				n = in.len - at < piece ? in.len - at : piece;
				memcpy(p, in.p + at, n);
				sts_worker_reader_add(&r, n);
				while (sts_worker_reader_next(&r, &a))
					used += (size_t)snprintf(got + used,
					    sizeof got - used, "%s/%d/%s/%.*s ",
					    a.domain, (int)a.use, a.sentence,
					    (int)a.entry.len, a.entry.p);
			}
			if (r.fault[0] != '\0')
				snprintf(got + used, sizeof got - used, "!%s",
				    r.fault);
			ROW(r.greeted == answers[i].greeted &&
				r.ended == answers[i].ended &&
				strcmp(got, answers[i].want) == 0,
			    "%s, by %zu: '%s'", answers[i].what, piece, got);
		}
	rows_done();
}

static void
test_long_line(void **state)
{
	static struct sts_worker_reader r;
	struct sts_worker_answer a;
	size_t room;

	(void)state;
	sts_worker_reader_init(&r);
	memset(sts_worker_reader_room(&r, &room), 'x', STS_ANSWER_HEAD_MAX);
	sts_worker_reader_add(&r, STS_ANSWER_HEAD_MAX);
	ROW(!sts_worker_reader_next(&r, &a) && r.ended && !r.greeted,
	    "a line without end is waited for");
	rows_done();
}

static const struct {
	const char *line;
	bool good;
	enum sts_question_kind kind;
	const char *domain;
	unsigned flags;
} questions[] = {
	{ "ask a.example", true, STS_QUESTION_ASK, "a.example", 0 },
	{ "ask a.example fresh", true, STS_QUESTION_ASK, "a.example",
	    STS_FRESH },
	{ "ask a.example refetch mx", true, STS_QUESTION_ASK, "a.example",
	    STS_REFETCH | STS_QUESTION_MX },
	{ "ask a.example renew", true, STS_QUESTION_ASK, "a.example",
	    STS_QUESTION_RENEW },
	{ "refresh a.example", true, STS_QUESTION_REFRESH, "a.example", 0 },
	{ "refresh a.example mx", true, STS_QUESTION_REFRESH, "a.example",
	    STS_QUESTION_MX },
	{ "session 1\tx", true, STS_QUESTION_SESSION, "", 0 },
	{ "refresh a.example fresh", false, 0, "", 0 },
	{ "ask a.example more", false, 0, "", 0 },
	{ "ask a.example  mx", false, 0, "", 0 },
	{ "ask A.example", false, 0, "", 0 },
	{ "ask [192.0.2.1]", false, 0, "", 0 },
	{ "ask ", false, 0, "", 0 },
	{ "ask", false, 0, "", 0 },
	{ "", false, 0, "", 0 },
	{ "a.example mx", false, 0, "", 0 }, /* of the version before */
	{ "= 1", false, 0, "", 0 },
};

static void
test_questions(void **state)
{
	char buf[STS_QUESTION_MAX];
	struct sts_question q;
	size_t n;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		bool good = sts_question_decode(&q, str_of(questions[i].line));

		ROW(good == questions[i].good, "%s", questions[i].line);
		if (!good || !questions[i].good)
			continue;
		ROW(q.kind == questions[i].kind &&
			strcmp(q.domain, questions[i].domain) == 0 &&
			q.flags == questions[i].flags,
		    "%s: kind %d domain %s flags %u", questions[i].line,
		    (int)q.kind, q.domain, q.flags);
		if (q.kind == STS_QUESTION_SESSION) {
			ROW(str_is(q.session, "1\tx"), "the session");
			continue;
		}
		n = sts_question_encode(buf, &q);
		ROW(n == strlen(questions[i].line) + 1 && buf[n - 1] == '\n' &&
			memcmp(buf, questions[i].line, n - 1) == 0,
		    "%s: encoded %.*s", questions[i].line, (int)n, buf);
	}
	rows_done();
}

/* What one side writes the other reads. */
static void
test_encode(void **state)
{
	static struct sts_worker_reader r;
	struct sts_worker_answer a;
	char long_name[STS_NAME_SIZE], long_note[STS_NOTE_SIZE * 3];
	size_t room;
	char *p;

	(void)state;
	memset(long_name, 'a', sizeof long_name);
	for (size_t i = 63; i < sizeof long_name - 1; i += 64)
		long_name[i] = '.';
	long_name[240] = '\0';
	memset(long_note, '\xff', sizeof long_note);
	long_note[sizeof long_note - 1] = '\0';
	for (int use = STS_USE_NONE; use <= STS_USE_LOCAL; use++) {
		sts_worker_reader_init(&r);
		p = sts_worker_reader_room(&r, &room);
		memcpy(p, V, strlen(V));
		sts_worker_reader_add(&r, strlen(V));
		p = sts_worker_reader_room(&r, &room);
		sts_worker_reader_add(&r,
		    sts_answer_encode(p, long_name, (enum sts_use)use, 0,
			long_note));
		ROW(sts_worker_reader_next(&r, &a) &&
			a.use == (enum sts_use)use &&
			strcmp(a.domain, long_name) == 0 &&
			a.sentence[0] == '\\',
		    "use %d", use);
		p = sts_worker_reader_room(&r, &room);
		sts_worker_reader_add(&r, sts_fault_encode(p, "full"));
		ROW(!sts_worker_reader_next(&r, &a) && r.ended &&
			strcmp(r.fault, "full") == 0,
		    "fault");
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_long_line),
		cmocka_unit_test(test_questions),
		cmocka_unit_test(test_encode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
