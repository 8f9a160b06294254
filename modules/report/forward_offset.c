/* SPDX-License-Identifier: ISC */
/*
 * file  = first *line
 * first = "mtasts-forward1 " inode SP offset LF, numbers of 20 digits
 * line  = ("w" / "x") SP offset SP time SP domain LF
 *
 * The first line and the first byte of the others are written over in place:
 * an "x" is done with.  A line is appended before the offset moves on, so one
 * that is torn, or is of a session at the offset or behind it, does not count:
 * that session comes once more.
 */
#include "forward_offset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "base/fd_io.h"
#include "base/scan.h"

#define VERSION "mtasts-forward1 "

enum {
	DIGITS = 20,
	FIRST = sizeof VERSION - 1 + DIGITS + 1 + DIGITS + 1,
	LINE_MAX_BYTES = 2 * (DIGITS + 1) + STS_NAME_SIZE + 3,
	FILE_MAX = 1 << 26, /* bytes; forward.c keeps far below */
	FILE_NAME = 32
};

struct forward_offset {
	int spool, fd;
	char name[FILE_NAME];
	uint64_t inode, end;
	char *text; /* the file as it was read */
	size_t text_len;
	size_t len; /* of the file now; where the next line begins */
	size_t n, left, added;
	struct entry {
		size_t at; /* where its line begins in text */
		bool done;
	} * entry;
};

static const char *
file_name(char out[FILE_NAME], const char *day)
{
	snprintf(out, FILE_NAME, "~forward-%s", day);
	return out;
}

/* --- Writing -------------------------------------------------------------- */

static enum sts_rc
write_at(int fd, const char *text, size_t len, size_t at, struct sts_err *err)
{
	ssize_t n;

	do
		n = pwrite(fd, text, len, (off_t)at);
	while (n == -1 && errno == EINTR);
	if (n >= 0 && (size_t)n == len)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "cannot write to the spool which sessions went to the collector: "
	    "%s",
	    n == -1 ? strerror(errno) : "disk full");
}

static enum sts_rc
write_first(const struct forward_offset *r, int fd, struct sts_err *err)
{
	char text[FIRST + 1];

	snprintf(text, sizeof text, VERSION "%020" PRIu64 " %020" PRIu64 "\n",
	    r->inode, r->end);
	return write_at(fd, text, FIRST, 0, err);
}

/* --- Reading -------------------------------------------------------------- */

static bool
parse_number(struct scan *s, char behind, uint64_t *out)
{
	struct sts_str n = scan_while(s, is_digit);

	return n.len > 0 && n.len <= DIGITS && str_u64(n, UINT64_MAX, out) &&
	    scan_char(s, behind);
}

static bool
parse_first(struct forward_offset *r, const char *text, size_t len)
{
	struct scan s = scan_bytes(text, len < FIRST ? len : FIRST);

	return scan_lit(&s, VERSION) && parse_number(&s, ' ', &r->inode) &&
	    parse_number(&s, '\n', &r->end) && scan_left(&s) == 0 &&
	    len >= FIRST;
}

/* line: without its line feed. */
static bool
parse_line(struct forward_waiting *w, struct sts_str line, bool *done)
{
	struct scan s = scan_str(line);
	struct sts_str name;
	uint64_t time;

	*done = scan_lit(&s, "x ");
	if ((!*done && !scan_lit(&s, "w ")) ||
	    !parse_number(&s, ' ', &w->offset) ||
	    !parse_number(&s, ' ', &time) || time > INT64_MAX)
		return false;
	w->time = (int64_t)time;
	name = scan_rest(&s);
	if (name.len >= sizeof w->domain || !sts_name_valid(name))
		return false;
	memcpy(w->domain, name.p, name.len);
	w->domain[name.len] = '\0';
	return true;
}

static struct sts_str
line_at(const struct forward_offset *r, size_t at)
{
	const char *lf = memchr(r->text + at, '\n', r->text_len - at);
	size_t end = lf == NULL ? r->text_len : (size_t)(lf - r->text);

	return (struct sts_str){ r->text + at, end - at };
}

/* False: some of it is damaged. */
static bool
parse_lines(struct forward_offset *r)
{
	struct forward_waiting w;
	struct sts_str line;
	bool done, good = true;

	for (size_t at = FIRST; at < r->text_len; at += line.len + 1) {
		line = line_at(r, at);
		if (at + line.len == r->text_len) { /* torn */
			r->len = at;
			break;
		}
		if (!parse_line(&w, line, &done)) {
			good = false;
			continue;
		}
		if (w.offset >= r->end) {
			r->len = at;
			break;
		}
		r->entry[r->n++] = (struct entry){ at, done };
		r->left += !done;
	}
	return good;
}

static enum sts_rc
read_all(struct forward_offset *r, size_t size, struct sts_err *err)
{
	size_t lines = 0;

	if ((r->text = malloc(size + 1)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	if (!sts_read_all(r->fd, r->text, size, &r->len))
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot read %s of the spool: %s", r->name,
		    strerror(errno));
	r->text_len = r->len;
	for (size_t i = 0; i < r->len; i++)
		lines += r->text[i] == '\n';
	r->entry = calloc(lines + 1, sizeof *r->entry);
	return r->entry == NULL ? sts_fail(err, STS_NOMEM, 0, "out of memory")
				: STS_OK;
}

/* What the file says, if it is about this file of the day. */
static enum sts_rc
load(struct forward_offset *r, size_t size, const struct stat *file,
    struct sts_err *err)
{
	enum sts_rc rc = read_all(r, size < FILE_MAX ? size : FILE_MAX, err);
	bool first;

	if (rc != STS_OK)
		return rc;
	first = parse_first(r, r->text, r->len);
	if (!first && size > 0)
		syslog(LOG_WARNING,
		    "%s of the spool is damaged: sessions of that day may go "
		    "to the "
		    "collector twice",
		    r->name);
	if (first && r->inode == (uint64_t)file->st_ino) {
		/* The machine went down, and its end with it. */
		if (r->end > (uint64_t)file->st_size)
			r->end = (uint64_t)file->st_size;
		if (!parse_lines(r))
			syslog(LOG_WARNING,
			    "%s of the spool is damaged: sessions that waited "
			    "for their domains are lost",
			    r->name);
	} else {
		r->inode = (uint64_t)file->st_ino;
		r->end = 0;
		r->len = FIRST;
	}
	/* A torn line, or all that was about another file. */
	return ftruncate(r->fd, (off_t)r->len) == 0
	    ? STS_OK
	    : sts_fail(err, STS_LOCAL, 0, "cannot truncate %s of the spool: %s",
		  r->name, strerror(errno));
}

static enum sts_rc
open_file(struct forward_offset *r, size_t *size, struct sts_err *err)
{
	struct stat st;

	r->fd = openat(r->spool, r->name,
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
	    0600);
	if (r->fd == -1)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot open %s of the spool: %s", r->name,
		    strerror(errno));
	if (fstat(r->fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1 || st.st_uid != geteuid())
		return sts_fail(err, STS_LOCAL, 0,
		    "%s of the spool is not a regular file of our own",
		    r->name);
	*size = (size_t)st.st_size;
	return STS_OK;
}

/* --- Opening and closing -------------------------------------------------- */

enum sts_rc
forward_offset_open(struct forward_offset **out, int spool, const char *day,
    const struct stat *file, struct sts_err *err)
{
	struct forward_offset *r = calloc(1, sizeof *r);
	enum sts_rc rc;
	size_t size = 0;

	*out = NULL;
	if (r == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	r->spool = spool;
	file_name(r->name, day);
	rc = open_file(r, &size, err);
	if (rc == STS_OK)
		rc = load(r, size, file, err);
	/* What a full disk could not note later, it cannot now. */
	if (rc == STS_OK)
		rc = write_first(r, r->fd, err);
	if (rc == STS_OK)
		*out = r;
	else
		forward_offset_close(r);
	return rc;
}

/* The same without what is done with; where that fails, it stays as it is. */
static void
shorten(const struct forward_offset *r)
{
	char name[FILE_NAME + 4];
	struct sts_str line;
	size_t len = FIRST;
	bool good;
	int fd;

	snprintf(name, sizeof name, "%s.new", r->name);
	fd = openat(r->spool, name,
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return;
	good = write_first(r, fd, NULL) == STS_OK;
	for (size_t i = 0; i < r->n && good; i++) {
		if (r->entry[i].done)
			continue;
		line = line_at(r, r->entry[i].at);
		good = write_at(fd, line.p, line.len + 1, len, NULL) == STS_OK;
		len += line.len + 1;
	}
	good = good && fsync(fd) == 0;
	close(fd);
	if (!good || renameat(r->spool, name, r->spool, r->name) == -1)
		(void)unlinkat(r->spool, name, 0);
}

void
forward_offset_close(struct forward_offset *r)
{
	if (r == NULL)
		return;
	/* What was appended is not in text: another time. */
	if (r->fd != -1 && r->added == 0 && r->n - r->left > r->left)
		shorten(r);
	if (r->fd != -1)
		close(r->fd);
	free(r->entry);
	free(r->text);
	free(r);
}

enum sts_rc
forward_offset_begun(int spool, const char *day, struct sts_err *err)
{
	struct forward_offset r = { .end = 0 };
	char name[FILE_NAME], text[FIRST];
	int fd = openat(spool, file_name(name, day),
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	size_t len;
	bool good;

	if (fd == -1 && errno == ENOENT)
		return STS_ABSENT;
	good = fd != -1 && sts_read_all(fd, text, sizeof text, &len);
	if (!good)
		sts_fail(err, STS_LOCAL, 0, "cannot read %s of the spool: %s",
		    name, strerror(errno));
	if (fd != -1)
		close(fd);
	if (!good)
		return STS_LOCAL;
	return len == FIRST && parse_first(&r, text, FIRST) && r.end > 0
	    ? STS_OK
	    : STS_ABSENT;
}

void
forward_offset_forget(int spool, const char *day)
{
	char name[FILE_NAME], new[FILE_NAME + 4];

	(void)unlinkat(spool, file_name(name, day), 0);
	snprintf(new, sizeof new, "%s.new", name);
	(void)unlinkat(spool, new, 0);
}

/* --- Asking and noting ---------------------------------------------------- */

uint64_t
forward_offset_end(const struct forward_offset *r)
{
	return r->end;
}

size_t
forward_offset_count(const struct forward_offset *r)
{
	return r->n;
}

bool
forward_offset_waits(const struct forward_offset *r)
{
	return r->left + r->added > 0;
}

bool
forward_offset_waiting(const struct forward_offset *r, size_t i,
    struct forward_waiting *w)
{
	bool done;

	return !r->entry[i].done &&
	    parse_line(w, line_at(r, r->entry[i].at), &done);
}

enum sts_rc
forward_offset_pass(struct forward_offset *r, uint64_t next,
    struct sts_err *err)
{
	if (r->end >= next)
		return STS_OK;
	r->end = next;
	return write_first(r, r->fd, err);
}

enum sts_rc
forward_offset_wait(struct forward_offset *r, const struct forward_waiting *w,
    uint64_t next, struct sts_err *err)
{
	char text[LINE_MAX_BYTES];
	int len = snprintf(text, sizeof text, "w %" PRIu64 " %" PRId64 " %s\n",
	    w->offset, w->time, w->domain);
	enum sts_rc rc = write_at(r->fd, text, (size_t)len, r->len, err);

	if (rc != STS_OK)
		return rc;
	r->len += (size_t)len;
	r->added++;
	return forward_offset_pass(r, next, err);
}

enum sts_rc
forward_offset_done(struct forward_offset *r, size_t i, struct sts_err *err)
{
	struct entry *e = &r->entry[i];

	if (e->done)
		return STS_OK;
	e->done = true;
	r->left--;
	return write_at(r->fd, "x", 1, e->at, err);
}
