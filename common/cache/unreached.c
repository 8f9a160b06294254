/* SPDX-License-Identifier: ISC */
/*
 * ~unreached: the owners whose policy hosts could not be connected to since one
 * could, a line for each, with the time.  So many in a row are hardly at fault
 * themselves.  A stranger who wanted to cause that would need as many
 * registered domains, and would only fill a file of a few lines.
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
	GAP_MAX = 86400, /* s between two failures; longer: it begins anew */
	FILE_MAX = 2 * STS_UNREACHED_OWNERS * (STS_NAME_SIZE + 24)
};

/* The lines about the owner; NULL: about any. */
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

/* Empty where the last failure is too long ago. */
static struct sts_str
read_lines(const struct sts_store *s, int64_t now, struct sts_file *f)
{
	*f = (struct sts_file){ .size = FILE_MAX };
	if (sts_store_read_file(s, NAME, f, NULL) != STS_OK || !f->good ||
	    !sts_within(now, f->used, GAP_MAX))
		return str_of("");
	return (struct sts_str){ f->buf, f->len };
}

unsigned
sts_store_unreached(struct sts_store *s, int64_t now, int64_t *since)
{
	struct sts_file f;
	struct sts_ids ids;
	unsigned n;

	if (!sts_store_enter(s, &ids))
		return 0;
	n = count(read_lines(s, now, &f), NULL, since);
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
	text = read_lines(s, now, &f);
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
