/* SPDX-License-Identifier: ISC */
#include "must.h"
#include "query/spawn.h"

/* The first byte chooses the size of the pieces in which the rest arrives. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sts_worker_answer h;
	size_t piece, n;
	bool whole = false;

	if (len == 0)
		return 0;
	piece = data[0] + 1u;
	h.stage = STS_STAGE_NONE;
	h.frame = 0;
	h.ended = false;
	h.used = 0;
	h.note[0] = '\0';
	for (size_t at = 1; at < len && !whole && !h.ended; at += n) {
		n = len - at < piece ? len - at : piece;
		if (n > sizeof h.buf - h.used)
			n = sizeof h.buf - h.used;
		MUST(n > 0); /* a frame that fits can always go on */
		memcpy(h.buf + h.used, data + at, n);
		whole = sts_worker_answer_add(&h, n);
		MUST(h.used <= sizeof h.buf);
	}
	MUST(whole == (h.frame != 0));
	MUST(!(whole && h.ended));
	MUST(str_all(str_of(h.note), is_print) || h.note[0] == '\0');
	MUST(h.stage == STS_STAGE_NONE ||
	    memchr(data, (int)h.stage, len) != NULL);
	if (whole) {
		MUST(h.bytes.len <= STS_ENTRY_MAX);
		MUST(h.bytes.p == h.buf + STS_FRAME_HEAD);
		MUST(h.bytes.len == 0 ||
		    memmem(data, len, h.bytes.p, h.bytes.len) != NULL);
	}
	return 0;
}
