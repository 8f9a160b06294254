/* SPDX-License-Identifier: ISC */
/* The worker's answer, byte by byte; the bytes are judged like any others. */
#include "spawn.h"

#include "err.h"

static bool
take_stage(struct sts_heard *h, char c)
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

static bool
frame_length(struct sts_str digits, size_t *out)
{
	size_t n = 0, d;

	for (size_t i = 0; i < digits.len; i++) {
		char c = digits.p[i];

		if (is_digit(c))
			d = (size_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			d = (size_t)(c - 'a') + 10;
		else
			return false;
		n = n * 16 + d;
	}
	*out = n;
	return n <= STS_ENTRY_MAX;
}

/* What was understood is spent: the rest moves to the front. */
static void
spend(struct sts_heard *h, size_t n)
{
	h->used -= n;
	memmove(h->buf, h->buf + n, h->used);
}

/* One step; false: more bytes are needed, or nothing more is believed. */
static bool
step(struct sts_heard *h)
{
	struct sts_str bytes;
	size_t len, n = 0;

	while (n < h->used && take_stage(h, h->buf[n]))
		n++;
	spend(h, n);
	if (h->used < STS_FRAME_HEAD)
		return false;
	if (strchr("FL!#", h->buf[0]) == NULL ||
	    !frame_length((struct sts_str){ h->buf + 1, STS_FRAME_HEAD - 1 },
		&len)) {
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
sts_heard_add(struct sts_heard *h, size_t n)
{
	h->used += n;
	while (step(h))
		;
	return h->frame != 0;
}
