/* SPDX-License-Identifier: ISC */
#include "query/worker_protocol.h"
#include "must.h"

static void
one_answer(const struct sts_worker_answer *a, const uint8_t *data, size_t len)
{
	char line[STS_ANSWER_HEAD_MAX];
	struct sts_str domain = str_of(a->domain);
	size_t n;

	MUST(memmem(data, len, domain.p, domain.len) != NULL);
	MUST(a->use >= STS_USE_NONE && a->use <= STS_USE_LOCAL);
	MUST(a->entry.len <= STS_ENTRY_MAX);
	MUST(a->entry.len == 0 ||
	    memmem(data, len, a->entry.p, a->entry.len) != NULL);
	MUST(a->sentence[0] == '\0' || str_all(str_of(a->sentence), is_print));
	n = sts_answer_encode(line, a->domain, a->use, a->entry.len,
	    a->sentence);
	MUST(n < sizeof line && line[n - 1] == '\n');
}

static void
answers(const uint8_t *data, size_t len, size_t piece)
{
	static struct sts_worker_reader r;
	struct sts_worker_answer a;
	size_t room, n;
	char *p;

	sts_worker_reader_init(&r);
	for (size_t at = 0; at < len && !r.ended; at += n) {
		p = sts_worker_reader_room(&r, &room);
		n = len - at < piece ? len - at : piece;
		n = n < room ? n : room;
		MUST(n > 0); /* an answer that fits can always go on */
		memcpy(p, data + at, n);
		sts_worker_reader_add(&r, n);
		while (sts_worker_reader_next(&r, &a)) {
			MUST(r.greeted && !r.ended);
			one_answer(&a, data, len);
		}
		MUST(r.taken <= r.used && r.used <= sizeof r.buf);
	}
	MUST(!r.greeted ||
	    memcmp(data, STS_WORKER_VERSION, strlen(STS_WORKER_VERSION)) == 0);
	MUST((r.fault[0] == '\0') || r.ended);
	MUST(r.fault[0] == '\0' || str_all(str_of(r.fault), is_print));
}

/* What is understood means the same when it is written down again. */
static void
question(const uint8_t *data, size_t len)
{
	char line[STS_QUESTION_MAX];
	struct sts_question q, again;
	size_t n;

	if (!sts_question_decode(&q,
		(struct sts_str){ (const char *)data, len }))
		return;
	if (q.kind == STS_QUESTION_SESSION) {
		MUST(q.session.len == len - strlen("session "));
		return;
	}
	n = sts_question_encode(line, &q);
	MUST(n < sizeof line && line[n - 1] == '\n');
	MUST(sts_question_decode(&again, (struct sts_str){ line, n - 1 }));
	MUST(again.kind == q.kind && again.flags == q.flags &&
	    strcmp(again.domain, q.domain) == 0);
	MUST(memchr(line, '\n', n) == line + n - 1);
}

/* The first byte chooses the size of the pieces in which the rest arrives. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	answers(data + 1, len - 1, data[0] + 1u);
	question(data + 1, len - 1);
	return 0;
}
