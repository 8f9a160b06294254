/* SPDX-License-Identifier: ISC */
#include "line_buffer.h"

#include <string.h>

char *
line_buffer_room(struct line_buffer *l, size_t *room)
{
	if (l->taken > 0) {
		memmove(l->buf, l->buf + l->taken, l->used - l->taken);
		l->used -= l->taken;
		l->taken = 0;
	}
	if (l->used == sizeof l->buf) {
		l->cut = true;
		l->used = LINE_BUFFER_KEEP;
	}
	*room = sizeof l->buf - l->used;
	return l->buf + l->used;
}

void
line_buffer_add(struct line_buffer *l, size_t n)
{
	l->used += n;
}

bool
line_buffer_next(struct line_buffer *l, struct sts_str *line)
{
	const char *p = l->buf + l->taken, *nl;

	if (l->taken == l->used ||
	    (nl = memchr(p, '\n', l->used - l->taken)) == NULL)
		return false;
	line->p = p;
	line->len = l->cut ? LINE_BUFFER_KEEP : (size_t)(nl - p);
	l->taken = (size_t)(nl + 1 - l->buf);
	l->cut = false;
	return true;
}

bool
field_next(struct sts_str *rest, struct sts_str *field)
{
	const char *bar;

	if (rest->p == NULL)
		return false;
	*field = *rest;
	bar = rest->len == 0 ? NULL : memchr(rest->p, '|', rest->len);
	if (bar == NULL) {
		*rest = (struct sts_str){ NULL, 0 };
		return true;
	}
	field->len = (size_t)(bar - rest->p);
	*rest = (struct sts_str){ bar + 1, rest->len - field->len - 1 };
	return true;
}

bool
field_is(struct sts_str s, const char *word)
{
	return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

bool
field_is_id(struct sts_str s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] > '~')
			return false;
	return s.len > 0 && s.len <= max;
}
