/* SPDX-License-Identifier: ISC */
/* A worker's bytes are judged like any others. */
#include "worker_protocol.h"

#include "base/domain_name.h"
#include "base/err.h"
#include "base/scan.h"
#include "rules/checksum_line.h"

/* --- The answer over the pipe, byte by byte ------------------------------- */

static bool
take_stage(struct sts_worker_answer *h, char c)
{
	switch (c) {
	case STS_STAGE_STARTED:
	case STS_STAGE_DNS:
	case STS_STAGE_FOUND:
	case STS_STAGE_GET:
	case STS_STAGE_STORE:
		h->stage = (enum sts_stage)c;
		return true;
	default:
		return false;
	}
}

/* What was understood is spent: the rest moves to the front. */
static void
spend(struct sts_worker_answer *h, size_t n)
{
	h->used -= n;
	memmove(h->buf, h->buf + n, h->used);
}

/* One step; false: more bytes are needed, or nothing more is believed. */
static bool
step(struct sts_worker_answer *h)
{
	struct sts_str bytes;
	size_t n = 0;
	uint64_t len;

	while (n < h->used && take_stage(h, h->buf[n]))
		n++;
	spend(h, n);
	if (h->used < STS_FRAME_HEAD)
		return false;
	if (strchr("FL!#", h->buf[0]) == NULL ||
	    !sts_hex64((struct sts_str){ h->buf + 1, STS_FRAME_HEAD - 1 },
		STS_ENTRY_MAX, &len)) {
		h->ended = true;
		return false;
	}
	if (h->used < STS_FRAME_HEAD + len)
		return false;
	bytes = (struct sts_str){ h->buf + STS_FRAME_HEAD, len };
	if (h->buf[0] != STS_FRAME_NOTE) {
		h->frame = (enum sts_frame)h->buf[0];
		h->bytes = bytes;
		return false;
	}
	sts_escape(h->note, sizeof h->note, bytes);
	spend(h, STS_FRAME_HEAD + len);
	return true;
}

/* The bytes at buf[used] to buf[used + n] are new. */
bool
sts_worker_answer_add(struct sts_worker_answer *h, size_t n)
{
	h->used += n;
	while (step(h))
		;
	return h->frame != 0;
}

/* --- The lines of a kept worker ------------------------------------------- */

char *
sts_worker_lines_room(struct sts_worker_lines *t, size_t *room)
{
	memmove(t->buf, t->buf + t->taken, t->used - t->taken);
	t->used -= t->taken;
	t->taken = 0;
	/* No line of ours is as long: its name was at its head, and is gone. */
	if (t->used == sizeof t->buf) {
		t->skip = true;
		t->used = 0;
	}
	*room = sizeof t->buf - t->used;
	return t->buf + t->used;
}

void
sts_worker_lines_add(struct sts_worker_lines *t, size_t n)
{
	t->used += n;
}

/* A domain is only what sts_domain_normal() leaves as it is. */
static bool
take(struct sts_worker_lines *t, struct sts_str line,
    char domain[STS_NAME_SIZE])
{
	struct scan s = scan_str(line);
	struct sts_str name, word;

	if (!scan_word(&s, ' ', &name))
		return false;
	if (str_is(name, "!")) {
		scan_wsp(&s);
		sts_escape(t->fault, sizeof t->fault, scan_rest(&s));
		return false;
	}
	for (int i = 0; i < 4; i++) /* KIND MODE ID EXPIRES */
		if (!scan_word(&s, ' ', &word))
			s = scan_str(str_of(""));
	word = scan_rest(&s);
	sts_escape(t->why, sizeof t->why,
	    str_is(word, "-") ? str_of("") : word);
	return sts_domain_is_normal(domain, name);
}

bool
sts_worker_lines_next(struct sts_worker_lines *t, char domain[STS_NAME_SIZE])
{
	struct scan s;
	struct sts_str line;
	bool skipped;

	for (;;) {
		s = scan_bytes(t->buf + t->taken, t->used - t->taken);
		if (!scan_until(&s, '\n', &line))
			return false;
		t->taken += line.len + 1;
		skipped = t->skip;
		t->skip = false;
		if (!skipped && take(t, line, domain))
			return true;
	}
}
