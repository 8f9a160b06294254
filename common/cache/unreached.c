/* SPDX-License-Identifier: ISC */
/*
 * ~unreached: the owners whose policy hosts could not be connected to, one a
 * line with its time, since one could.  So many of them in a row are no fault
 * of theirs.  A stranger would need as many domains, each registered, and has
 * but filled a file of a few lines.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "entry_files.h"
#include "rules/decide.h"

#define NAME "~unreached"

enum {
	GAP_MAX = 86400, /* s between two of them; else it is not in a row */
	FILE_MAX = 2 * STS_UNREACHED_OWNERS * (STS_NAME_SIZE + 24)
};

/* Of the lines that are understood; owner NULL: all of them. */
static unsigned
count(struct sts_str text, const char *owner, int64_t *since)
{
	struct scan s = scan_str(text);
	struct sts_str line, name;
	uint64_t when = 0;
	struct scan l;
	unsigned n = 0;

	while (scan_until(&s, '\n', &line)) {
		s.p++;
		l = scan_str(line);
		if (!scan_word(&l, ' ', &name) ||
		    !str_u64(name, INT64_MAX, &when))
			continue;
		if (owner != NULL && !str_is(scan_rest(&l), owner))
			continue;
		if (n++ == 0)
			*since = (int64_t)when;
	}
	return n;
}

/* Lines of a day that is over say nothing: *text is empty then. */
static bool
read_lines(const struct sts_store *s, int64_t now, struct sts_file *f,
    struct sts_str *text)
{
	*f = (struct sts_file){ .size = FILE_MAX };
	*text = str_of("");
	if (sts_store_read_file(s, NAME, f, NULL) != STS_OK || !f->good)
		return false;
	if (sts_within(now, f->used, GAP_MAX))
		*text = (struct sts_str){ f->buf, f->len };
	return true;
}

unsigned
sts_store_unreached(struct sts_store *s, int64_t now, int64_t *since)
{
	struct sts_file f;
	struct sts_str text;
	struct sts_ids ids;
	unsigned n = 0;

	if (!sts_store_enter(s, &ids))
		return 0;
	if (read_lines(s, now, &f, &text))
		n = count(text, NULL, since);
	free(f.buf);
	sts_store_leave(&ids);
	return n;
}

void
sts_store_unreached_add(struct sts_store *s, const char *owner, int64_t now)
{
	char line[STS_NAME_SIZE + 24];
	struct sts_file f;
	struct sts_str text;
	struct sts_ids ids;
	int64_t since;
	int fd, len;

	if (!sts_store_enter(s, &ids))
		return;
	(void)read_lines(s, now, &f, &text);
	if (text.len == 0)
		(void)unlinkat(s->fd, NAME, 0);
	fd = sts_store_create(s, NAME, O_APPEND, 0600);
	if (fd != -1 && count(text, NULL, &since) < STS_UNREACHED_OWNERS &&
	    count(text, owner, &since) == 0) {
		len = snprintf(line, sizeof line, "%lld %s\n", (long long)now,
		    owner);
		(void)!write(fd, line, (size_t)len);
	} else if (fd != -1)
		(void)futimens(fd, NULL);
	if (fd != -1)
		close(fd);
	free(f.buf);
	sts_store_leave(&ids);
}

void
sts_store_reached(struct sts_store *s)
{
	(void)sts_store_unlink(s, NAME);
}
