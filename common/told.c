/* SPDX-License-Identifier: ISC */
#include "told.h"

#include "err.h"
#include "scan.h"

char *
sts_told_room(struct sts_told *t, size_t *room)
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
sts_told_add(struct sts_told *t, size_t n)
{
	t->used += n;
}

/* A domain is only what sts_domain_normal() leaves as it is. */
static bool
take(struct sts_told *t, struct sts_str line, char domain[STS_NAME_SIZE])
{
	struct scan s = scan_str(line);
	char name[STS_NAME_SIZE];
	struct sts_str word;

	if (!scan_until(&s, ' ', &word) || word.len >= sizeof name)
		return false;
	if (str_is(word, "!")) {
		scan_wsp(&s);
		sts_escape(t->fault, sizeof t->fault, scan_rest(&s));
		return false;
	}
	if (memchr(word.p, '\0', word.len) != NULL)
		return false;
	memcpy(name, word.p, word.len);
	name[word.len] = '\0';
	return sts_domain_normal(domain, name, NULL) == STS_OK &&
	    strcmp(domain, name) == 0;
}

bool
sts_told_next(struct sts_told *t, char domain[STS_NAME_SIZE])
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
