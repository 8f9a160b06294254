/* SPDX-License-Identifier: ISC */
#include "table_line.h"

#include "line_buffer.h"
#include "must.h"

/* One answer of one line, with the id that was asked with. */
static void
judge(const struct table_request *r, struct table_answer a)
{
	static const enum table_found found[] = { TABLE_FOUND, TABLE_NOT_FOUND,
		TABLE_ERROR };
	char out[TABLE_LINE_ANSWER_MAX], id[TABLE_ID_MAX + 3];
	size_t n;

	snprintf(id, sizeof id, "|%.*s|", (int)r->id.len, r->id.p);
	for (size_t i = 0; i < ARRAY_LEN(found); i++) {
		a.found = found[i];
		n = table_line_answer(out, r, &a);
		MUST(n > 0 && n < sizeof out && out[n - 1] == '\n');
		MUST(memchr(out, '\n', n) == out + n - 1);
		MUST(memmem(out, n, "-result", 7) <
		    memmem(out, n, id, strlen(id)));
		/* An empty value is the end of smtpd. */
		MUST(n < 8 || memcmp(out + n - 7, "found|\n", 7) != 0);
	}
}

/* The first byte chooses the size of the pieces in which the rest arrives. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct line_buffer l;
	struct table_answer a = { .text = "v" };
	size_t room, n, ends = 0, got = 0;
	struct table_request r;
	struct sts_str line;
	char *p;

	if (len == 0)
		return 0;
	l.used = l.taken = 0;
	l.cut = false;
	for (size_t at = 1; at < len; at += n) {
		p = line_buffer_room(&l, &room);
		n = len - at < data[0] + 1u ? len - at : data[0] + 1u;
		n = n < room ? n : room;
		MUST(n > 0);
		memcpy(p, data + at, n);
		line_buffer_add(&l, n);
		while (line_buffer_next(&l, &line)) {
			got++;
			MUST(memchr(line.p, '\n', line.len) == NULL);
			table_line_parse(&r, line);
			if (r.op < TABLE_CHECK)
				continue;
			MUST(r.op >= TABLE_CHECK && r.op <= TABLE_UPDATE);
			MUST(field_is_id(r.id, TABLE_ID_MAX));
			MUST(memchr(r.id.p, '|', r.id.len) == NULL);
			MUST(r.key.len <= KEY_MAX);
			judge(&r, a);
			a.text[0] = a.text[0] == 'v' ? '\0' : 'v';
		}
	}
	for (size_t i = 1; i < len; i++)
		ends += data[i] == '\n';
	MUST(got == ends); /* none is lost, however long */
	return 0;
}
