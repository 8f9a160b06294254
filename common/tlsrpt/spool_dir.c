/* SPDX-License-Identifier: ISC */
/* The directory of the spool: opening it, the names of days, opening files. */
#include "spool_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"

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

/* --- Files ---------------------------------------------------------------- */

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

uint64_t
sts_spool_size_limit(uint64_t wanted)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == -1 || r.rlim_cur > wanted)
		return wanted;
	return r.rlim_cur;
}
