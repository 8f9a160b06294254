/* SPDX-License-Identifier: ISC */
/* A worker's bytes are judged like any others, and so are an adapter's. */
#include "worker_protocol.h"

#include <stdio.h>

#include "base/domain_name.h"
#include "base/err.h"

static const char *const uses[] = {
	[STS_USE_NONE] = "none",
	[STS_USE_ENTRY] = "policy",
	[STS_USE_REMOTE] = "remote",
	[STS_USE_NOT_YET] = "not-yet",
	[STS_USE_LOCAL] = "local",
};

/* --- What is asked ---------------------------------------------------------
 */

static const struct {
	const char *word;
	unsigned flag;
	bool refresh; /* allowed in a refresh, too */
} wishes[] = {
	{ "fresh", STS_FRESH, false },
	{ "refetch", STS_REFETCH, false },
	{ "renew", STS_QUESTION_RENEW, false },
	{ "mx", STS_QUESTION_MX, true },
};

static bool
take_wish(struct sts_question *q, struct sts_str word)
{
	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		if (str_is(word, wishes[i].word)) {
			q->flags |= wishes[i].flag;
			return q->kind == STS_QUESTION_ASK || wishes[i].refresh;
		}
	return false;
}

/* Up to a blank or the end; false: there is nothing. */
static bool
next_word(struct scan *s, struct sts_str *word)
{
	if (scan_word(s, ' ', word))
		return true;
	*word = scan_rest(s);
	s->p = s->end;
	return word->len > 0;
}

bool
sts_question_decode(struct sts_question *q, struct sts_str line)
{
	struct scan s = scan_str(line);
	struct sts_str word;

	*q = (struct sts_question){ 0 };
	if (!scan_word(&s, ' ', &word))
		return false;
	if (str_is(word, "session")) {
		q->kind = STS_QUESTION_SESSION;
		q->session = scan_rest(&s);
		return true;
	}
	if (str_is(word, "refresh"))
		q->kind = STS_QUESTION_REFRESH;
	else if (!str_is(word, "ask"))
		return false;
	if (!next_word(&s, &word) || !sts_domain_is_normal(q->domain, word))
		return false;
	while (s.p < s.end)
		if (!next_word(&s, &word) || !take_wish(q, word))
			return false;
	return true;
}

size_t
sts_question_encode(char buf[STS_QUESTION_MAX], const struct sts_question *q)
{
	int n = snprintf(buf, STS_QUESTION_MAX, "%s %s",
	    q->kind == STS_QUESTION_REFRESH ? "refresh" : "ask", q->domain);

	for (size_t i = 0; i < ARRAY_LEN(wishes); i++)
		if ((q->flags & wishes[i].flag) != 0)
			n += snprintf(buf + n, STS_QUESTION_MAX - (size_t)n,
			    " %s", wishes[i].word);
	buf[n++] = '\n';
	return (size_t)n;
}

/* --- What is answered ------------------------------------------------------
 */

size_t
sts_answer_encode(char buf[STS_ANSWER_HEAD_MAX], const char *domain,
    enum sts_use use, size_t entry_len, const char *sentence)
{
	char shown[STS_NOTE_SIZE];

	return (size_t)snprintf(buf, STS_ANSWER_HEAD_MAX, "done %s %s %zu %s\n",
	    domain, uses[use], entry_len,
	    sts_escape(shown, sizeof shown, str_of(sentence)));
}

size_t
sts_fault_encode(char buf[STS_ANSWER_HEAD_MAX], const char *sentence)
{
	char shown[STS_NOTE_SIZE];

	return (size_t)snprintf(buf, STS_ANSWER_HEAD_MAX, "fault %s\n",
	    sts_escape(shown, sizeof shown, str_of(sentence)));
}

void
sts_worker_reader_init(struct sts_worker_reader *r)
{
	r->greeted = r->ended = false;
	r->fault[0] = '\0';
	r->used = r->taken = 0;
}

/* What was understood is spent: the rest moves to the front. */
char *
sts_worker_reader_room(struct sts_worker_reader *r, size_t *room)
{
	memmove(r->buf, r->buf + r->taken, r->used - r->taken);
	r->used -= r->taken;
	r->taken = 0;
	*room = sizeof r->buf - r->used;
	return r->buf + r->used;
}

void
sts_worker_reader_add(struct sts_worker_reader *r, size_t n)
{
	r->used += n;
}

static bool
end(struct sts_worker_reader *r, const char *fault)
{
	r->ended = true;
	snprintf(r->fault, sizeof r->fault, "%s", fault);
	return false;
}

static bool
take_use(enum sts_use *use, struct sts_str word)
{
	for (size_t i = 0; i < ARRAY_LEN(uses); i++)
		if (str_is(word, uses[i])) {
			*use = (enum sts_use)i;
			return true;
		}
	return false;
}

static bool
take_done(struct sts_worker_answer *a, struct scan *s, uint64_t *len)
{
	struct sts_str domain, use, number;

	if (!scan_word(s, ' ', &domain) || !scan_word(s, ' ', &use) ||
	    !scan_word(s, ' ', &number) ||
	    !sts_domain_is_normal(a->domain, domain) ||
	    !take_use(&a->use, use) || !str_u64(number, STS_ENTRY_MAX, len))
		return false;
	sts_escape(a->sentence, sizeof a->sentence, scan_rest(s));
	return true;
}

bool
sts_worker_reader_next(struct sts_worker_reader *r, struct sts_worker_answer *a)
{
	size_t left = r->used - r->taken;
	struct scan s = scan_bytes(r->buf + r->taken, left);
	struct sts_str line, word;
	uint64_t len;

	if (r->ended)
		return false;
	if (!scan_until(&s, '\n', &line))
		return left < STS_ANSWER_HEAD_MAX
		    ? false
		    : end(r, "the answer of the worker cannot be understood");
	if (!r->greeted) {
		if (line.len + 1 != strlen(STS_WORKER_VERSION) ||
		    memcmp(line.p, STS_WORKER_VERSION, line.len) != 0)
			return end(r,
			    "the worker is of another version of mtasts");
		r->greeted = true;
		r->taken += line.len + 1;
		return sts_worker_reader_next(r, a);
	}
	s = scan_str(line);
	if (!scan_word(&s, ' ', &word))
		return end(r, "the answer of the worker cannot be understood");
	if (str_is(word, "fault")) {
		r->ended = true;
		sts_escape(r->fault, sizeof r->fault, scan_rest(&s));
		return false;
	}
	if (!str_is(word, "done") || !take_done(a, &s, &len))
		return end(r, "the answer of the worker cannot be understood");
	if (left - (line.len + 1) < len)
		return false;
	a->entry = (struct sts_str){ line.p + line.len + 1, len };
	r->taken += line.len + 1 + len;
	return true;
}
