/* SPDX-License-Identifier: ISC */
/*
 * Bytes from a socket as lines.  Of a line that is too long the head is kept
 * and the rest dropped, so that a request in it can still be answered.
 */
#ifndef OPENSMTPD_LINE_BUFFER_H
#define OPENSMTPD_LINE_BUFFER_H

#include <mtasts/sts.h>

enum { LINE_BUFFER_SIZE = 16384, LINE_BUFFER_KEEP = 4096 };

struct line_buffer {
	size_t used, taken;
	bool cut; /* the line in hand lost its end */
	char buf[LINE_BUFFER_SIZE];
};

/* Where the next bytes go; never without room. */
char *line_buffer_room(struct line_buffer *, size_t *room);
void line_buffer_add(struct line_buffer *, size_t n);

/* The next line without its end, lent until the next call; false: none. */
bool line_buffer_next(struct line_buffer *, struct sts_str *line);

/* Up to the next '|', which is taken too, or to the end; false: no more. */
bool field_next(struct sts_str *rest, struct sts_str *field);
bool field_is(struct sts_str, const char *);
/* Fit to be sent back: 1 to max printable bytes. */
bool field_is_id(struct sts_str, size_t max);

#endif
