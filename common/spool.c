/* SPDX-License-Identifier: ISC */
/* Writing to the spool: one open, one write, one close for a session. */
#include "spool_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "err.h"

/* --- Names of days -------------------------------------------------------- */

bool
sts_day_name(char name[STS_DAY_NAME], int64_t t)
{
	time_t seconds = (time_t)t;
	struct tm tm;

	return t >= 0 && gmtime_r(&seconds, &tm) != NULL &&
	    tm.tm_year <= 9999 - 1900 &&
	    strftime(name, STS_DAY_NAME, "%Y-%m-%d", &tm) == STS_DAY_NAME - 1;
}

int64_t
sts_day_of(const char *name)
{
	char again[STS_DAY_NAME];
	struct tm tm = { 0 };
	const char *end = strptime(name, "%Y-%m-%d", &tm);
	int64_t t = end == NULL || *end != '\0' ? -1 : (int64_t)timegm(&tm);

	/* strptime(3) also takes "2026-2-3" and the thirtieth of February. */
	return sts_day_name(again, t) && strcmp(again, name) == 0 ? t : -1;
}

/* --- Opening -------------------------------------------------------------- */

enum sts_rc
sts_spool_open(struct sts_spool **out, const char *dir, uint64_t max,
    struct sts_err *err)
{
	struct sts_spool *s = calloc(1, sizeof *s);
	enum sts_rc rc;

	*out = NULL;
	if (s == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	s->max = max;
	rc = sts_store_open_as(&s->dir, "spool directory", dir, err);
	if (rc == STS_OK)
		*out = s;
	else
		free(s);
	return rc;
}

void
sts_spool_close(struct sts_spool *s)
{
	if (s == NULL)
		return;
	sts_store_close(s->dir);
	free(s);
}

bool
sts_spool_moved(const struct sts_spool *s, const char *dir)
{
	return sts_store_moved(s->dir, dir);
}

int
sts_spool_file(const struct sts_spool *s, const char *name, int flags,
    struct stat *st)
{
	int fd = openat(s->dir->fd, name,
	    flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY, 0640);
	int error;

	if (fd == -1)
		return -1;
	if (fstat(fd, st) == -1)
		error = errno;
	else if (!S_ISREG(st->st_mode) || st->st_nlink > 1 ||
	    st->st_uid != s->dir->uid)
		error = EINVAL;
	else
		return fd;
	close(fd);
	errno = error;
	return -1;
}

static int
open_day(const struct sts_spool *s, const char *name, struct stat *st)
{
	const int flags = O_RDWR | O_APPEND;
	int fd = sts_spool_file(s, name, flags, st);

	if (fd != -1 || errno != ENOENT)
		return fd;
	fd = sts_spool_file(s, name, flags | O_CREAT | O_EXCL, st);
	if (fd == -1 && errno == EEXIST) /* another was faster */
		return sts_spool_file(s, name, flags, st);
	if (fd != -1) {
		(void)fchmod(fd, 0640); /* whatever the umask */
		sts_lost_make(s);
	}
	return fd;
}

/* --- Writing -------------------------------------------------------------- */

/*
 * A line that a full disk or a kill has torn must not spoil the next.  To cut
 * it off is no way out: others may be behind it by now.
 */
static bool
torn(int fd, off_t size)
{
	char last = '\n';

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

uint64_t
sts_spool_limit(uint64_t wanted)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == -1 || r.rlim_cur > wanted)
		return wanted;
	return r.rlim_cur;
}

/* buf has a line from its second byte on; the first is free. */
static int
append(const struct sts_spool *s, const char *name, char *buf, size_t len)
{
	struct stat st;
	int error = 0, fd = open_day(s, name, &st);
	uint64_t max;
	ssize_t n;

	if (fd == -1)
		return errno;
	buf[0] = '\n';
	max = sts_spool_limit(s->max);
	if (len + 1 > max || (uint64_t)st.st_size > max - len - 1)
		error = EFBIG;
	else {
		if (torn(fd, st.st_size))
			len++;
		else
			buf++;
		while ((n = write(fd, buf, len)) == -1 && errno == EINTR)
			;
		if (n != (ssize_t)len)
			error = n == -1 ? errno : ENOSPC;
	}
	/* Errors that only close(2) tells of are those of networks. */
	if (close(fd) == -1 && error == 0)
		error = errno;
	return error;
}

enum sts_rc
sts_spool_add(struct sts_spool *s, const struct sts_session *session,
    int64_t now, struct sts_err *err)
{
	char buf[1 + STS_SESSION_LINE_MAX], name[STS_DAY_NAME];
	size_t len = sts_session_encode(buf + 1, session);
	bool counted = false;
	struct sts_ids ids;
	int error = EPERM;

	if (len == 0 || !sts_day_name(name, now))
		return sts_fail(err, STS_USAGE, 0, "not a session");
	if (sts_store_enter(s->dir, &ids)) {
		error = append(s, name, buf, len);
		if (error != 0)
			counted = sts_lost_count(s);
		sts_store_leave(&ids);
	}
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "a session is missing in the TLS report of %s%s: %s", name,
	    counted ? "" : " and is not even counted",
	    error == EFBIG ? "the day's file is full" : strerror(error));
}
