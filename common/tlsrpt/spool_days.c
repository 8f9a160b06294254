/* SPDX-License-Identifier: ISC */
/* Reading days of the spool, and removing them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/err.h"
#include "spool_dir.h"

enum { BUFFER = 1 << 17 };

struct sts_day {
	int fd;
	uint64_t bytes;
	uint64_t at; /* where in the file buf begins */
	size_t used, taken;
	char buf[BUFFER];
};

/* --- Which days there are ------------------------------------------------- */

/* Into its place; of too many the latest go. */
static void
insert(int64_t *day, size_t max, size_t *n, int64_t t)
{
	size_t i = *n;

	if (*n == max) {
		if (max == 0 || day[--i] <= t)
			return;
	} else
		++*n;
	for (; i > 0 && day[i - 1] > t; i--)
		day[i] = day[i - 1];
	day[i] = t;
}

static int
list(const struct sts_spool *s, int64_t now, int64_t *day, size_t max,
    size_t *n)
{
	struct dirent *e;
	DIR *d;
	int64_t t;
	int fd = openat(s->dir->fd, ".",
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd == -1)
		return errno;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return ENOMEM;
	}
	while ((e = readdir(d)) != NULL) {
		t = sts_day_of(e->d_name);
		if (t != -1 && t + STS_DAY + STS_SPOOL_GRACE <= now)
			insert(day, max, n, t);
	}
	closedir(d);
	return 0;
}

enum sts_rc
sts_spool_days(struct sts_spool *s, int64_t now, int64_t *day, size_t max,
    size_t *n, struct sts_err *err)
{
	struct sts_ids ids;
	int error = EPERM;

	*n = 0;
	if (sts_store_enter(s->dir, &ids)) {
		error = list(s, now, day, max, n);
		sts_store_leave(&ids);
	}
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot list the spool: %s",
	    strerror(error));
}

/* 0, or an errno; nothing there is fine. */
static int
remove_certs(const struct sts_spool *s, const char *day)
{
	char name[STS_DAY_NAME + sizeof STS_SPOOL_CERTS];
	struct dirent *e;
	int fd, error = 0;
	DIR *d;

	snprintf(name, sizeof name, "%s" STS_SPOOL_CERTS, day);
	fd = openat(s->dir->fd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1)
		return errno == ENOENT ? 0 : errno;
	if ((d = fdopendir(fd)) == NULL) {
		close(fd);
		return ENOMEM;
	}
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.' && unlinkat(fd, e->d_name, 0) == -1 &&
		    errno != ENOENT)
			error = errno;
	closedir(d);
	if (error == 0 && unlinkat(s->dir->fd, name, AT_REMOVEDIR) == -1)
		error = errno;
	return error;
}

/* The lines last: as long as they are there, it is tried again. */
static int
remove_day(const struct sts_spool *s, const char *day)
{
	char shares[STS_DAY_NAME + sizeof STS_SPOOL_SHARES];
	struct sts_ids ids;
	int error;

	if (!sts_store_enter(s->dir, &ids))
		return EPERM;
	error = remove_certs(s, day);
	sts_store_leave(&ids);
	snprintf(shares, sizeof shares, "%s" STS_SPOOL_SHARES, day);
	if (error == 0)
		error = sts_store_unlink(s->dir, shares);
	return error == 0 ? sts_store_unlink(s->dir, day) : error;
}

enum sts_rc
sts_spool_remove(struct sts_spool *s, int64_t day, struct sts_err *err)
{
	char name[STS_DAY_NAME];
	int error;

	if (!sts_day_name(name, day))
		return sts_fail(err, STS_USAGE, 0, "not a day");
	if ((error = remove_day(s, name)) == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot remove %s of the spool: %s",
	    name, strerror(error));
}

/* --- Reading one ---------------------------------------------------------- */

enum sts_rc
sts_day_open(struct sts_spool *s, int64_t day, struct sts_day **out,
    struct sts_err *err)
{
	char name[STS_DAY_NAME];
	struct sts_ids ids;
	struct sts_day *d;
	struct stat st;
	int fd = -1, error = EPERM;

	*out = NULL;
	if (!sts_day_name(name, day))
		return sts_fail(err, STS_USAGE, 0, "not a day");
	if (sts_store_enter(s->dir, &ids)) {
		fd = sts_spool_file(s, name, O_RDONLY, &st);
		error = errno;
		sts_store_leave(&ids);
	}
	if (fd == -1)
		return sts_fail(err, error == ENOENT ? STS_ABSENT : STS_LOCAL,
		    0, "cannot open %s of the spool: %s", name,
		    strerror(error));
	if ((d = malloc(sizeof *d)) == NULL) {
		close(fd);
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	d->fd = fd;
	d->bytes = (uint64_t)st.st_size;
	sts_day_seek(d, 0);
	*out = d;
	return STS_OK;
}

void
sts_day_close(struct sts_day *d)
{
	if (d == NULL)
		return;
	close(d->fd);
	free(d);
}

uint64_t
sts_day_size(const struct sts_day *d)
{
	return d->bytes;
}

void
sts_day_seek(struct sts_day *d, uint64_t offset)
{
	d->at = offset;
	d->used = d->taken = 0;
}

/* More bytes behind those not taken yet; false: there are none, or errno. */
static bool
more(struct sts_day *d)
{
	ssize_t n;

	d->used -= d->taken;
	memmove(d->buf, d->buf + d->taken, d->used);
	d->at += d->taken;
	d->taken = 0;
	do
		n = pread(d->fd, d->buf + d->used, sizeof d->buf - d->used,
		    (off_t)(d->at + d->used));
	while (n == -1 && errno == EINTR);
	errno = n == -1 ? errno : 0;
	if (n > 0)
		d->used += (size_t)n;
	return n > 0;
}

/* The end of the line that begins at taken; 0: not in the buffer. */
static size_t
line_end(const struct sts_day *d)
{
	const char *from = d->buf + d->taken;
	const char *lf = memchr(from, '\n', d->used - d->taken);

	return lf == NULL ? 0 : (size_t)(lf - d->buf) + 1;
}

enum sts_rc
sts_day_next(struct sts_day *d, char **line, size_t *len, uint64_t *offset,
    struct sts_err *err)
{
	bool skip = false; /* too long, and its head is gone */
	size_t end;

	*len = 0;
	*offset = d->at + d->taken;
	for (;;) {
		end = line_end(d);
		if (end == d->taken + 1 && !skip) { /* empty */
			d->taken = end;
			*offset = d->at + end;
			continue;
		}
		if (end > 0)
			break;
		if (d->used - d->taken > STS_SESSION_LINE_MAX) {
			skip = true;
			d->taken = d->used;
		}
		if (more(d))
			continue;
		if (errno != 0)
			return sts_fail(err, STS_LOCAL, 0,
			    "cannot read the spool: %s", strerror(errno));
		if (d->used == d->taken && !skip)
			return STS_ABSENT;
		end = d->used + 1; /* a last line that was torn */
		break;
	}
	*line = d->buf + d->taken;
	*len = end - 1 - d->taken;
	if (skip || *len >= STS_SESSION_LINE_MAX)
		*len = 0;
	d->taken = end > d->used ? d->used : end;
	return STS_OK;
}
