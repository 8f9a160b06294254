/* SPDX-License-Identifier: ISC */
/* Writing to the spool: one open, one write, one close for a session. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/err.h"
#include "spool_dir.h"

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

/*
 * How large a file may become here, at most wanted: a write(2) over the limit
 * of the host (RLIMIT_FSIZE) would end it with SIGXFSZ.
 */
static uint64_t
size_limit(uint64_t wanted)
{
	struct rlimit r;

	if (getrlimit(RLIMIT_FSIZE, &r) == -1 || r.rlim_cur > wanted)
		return wanted;
	return r.rlim_cur;
}

/* --- Sessions that could not be written ----------------------------------- */

/*
 * How many sessions could not be written, on a disk that may be full: numbers
 * of a fixed width in a file whose blocks are there already.  Many processes
 * count at once and none may wait, so there are many numbers, each under a
 * record lock; who finds one taken goes to the next.
 */
#define LOST "~lost"

enum { WIDTH = 16, SLOTS = 256, TRIES = 32 };

static bool
may_write(void)
{
	return size_limit(SLOTS * WIDTH) == SLOTS * WIDTH;
}

static void
put_slot(char slot[WIDTH], uint64_t n)
{
	slot[WIDTH - 1] = '\n';
	for (size_t i = WIDTH - 1; i-- > 0; n /= 10)
		slot[i] = (char)('0' + n % 10);
}

/* While there is room on the disk. */
static void
lost_make(const struct sts_spool *s)
{
	char all[SLOTS * WIDTH];
	struct stat st;
	int fd;

	if (!may_write())
		return;
	fd = sts_spool_file(s, LOST, O_WRONLY | O_CREAT | O_EXCL, &st);
	if (fd == -1)
		return;
	for (size_t i = 0; i < SLOTS; i++)
		put_slot(all + i * WIDTH, 0);
	(void)fchmod(fd, 0640);
	/* What is shorter counts nothing and would be in the way. */
	if (write(fd, all, sizeof all) != (ssize_t)sizeof all)
		(void)unlinkat(s->dir->fd, LOST, 0);
	close(fd);
}

static int
open_lost(const struct sts_spool *s)
{
	struct stat st;
	int fd = sts_spool_file(s, LOST, O_RDWR, &st);

	if (fd != -1 && (st.st_size != SLOTS * WIDTH || !may_write())) {
		close(fd);
		errno = EINVAL;
		return -1;
	}
	return fd;
}

static bool
lock(int fd, unsigned slot, short type)
{
	struct flock l = {
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)slot * WIDTH,
		.l_len = WIDTH,
	};

	return fcntl(fd, F_SETLK, &l) == 0;
}

/* What cannot be read counts as none. */
static uint64_t
read_slot(int fd, unsigned slot)
{
	char text[WIDTH];
	uint64_t n;

	if (pread(fd, text, WIDTH, (off_t)slot * WIDTH) != WIDTH ||
	    !str_u64((struct sts_str){ text, WIDTH - 1 }, UINT64_MAX, &n))
		return 0;
	return n;
}

static bool
write_slot(int fd, unsigned slot, uint64_t n)
{
	char text[WIDTH];

	put_slot(text, n);
	return pwrite(fd, text, WIDTH, (off_t)slot * WIDTH) == WIDTH;
}

/* One session more; false: that is not known either. */
static bool
lost_count(const struct sts_spool *s)
{
	int fd = open_lost(s);
	unsigned slot = (unsigned)getpid() % SLOTS;
	bool counted = false;

	if (fd == -1)
		return false;
	for (unsigned i = 0; i < TRIES && !counted; i++) {
		if (lock(fd, slot, F_WRLCK)) {
			counted = write_slot(fd, slot, read_slot(fd, slot) + 1);
			(void)lock(fd, slot, F_UNLCK);
		}
		slot = (slot + 1) % SLOTS;
	}
	close(fd);
	return counted;
}

/* A number that is taken just now is left for the next time. */
static uint64_t
collect(int fd)
{
	uint64_t sum = 0, n;

	for (unsigned slot = 0; slot < SLOTS; slot++) {
		if (!lock(fd, slot, F_WRLCK))
			continue;
		n = read_slot(fd, slot);
		if (n > 0 && write_slot(fd, slot, 0))
			sum += n;
		(void)lock(fd, slot, F_UNLCK);
	}
	return sum;
}

enum sts_rc
sts_spool_lost(struct sts_spool *s, uint64_t *n, struct sts_err *err)
{
	struct sts_ids ids;
	int fd, error = EPERM;

	*n = 0;
	if (sts_store_enter(s->dir, &ids)) {
		lost_make(s); /* where none could be made yet */
		fd = open_lost(s);
		error = fd == -1 ? errno : 0;
		if (fd != -1) {
			*n = collect(fd);
			close(fd);
		}
		sts_store_leave(&ids);
	}
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot read %s of the spool: %s",
	    LOST, strerror(error));
}

/* --- Writing -------------------------------------------------------------- */

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
		lost_make(s);
	}
	return fd;
}

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
	max = size_limit(s->max);
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
			counted = lost_count(s);
		sts_store_leave(&ids);
	}
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "a session is missing in the TLS report of %s%s: %s", name,
	    counted ? "" : " and is not even counted",
	    error == EFBIG ? "the day's file is full" : strerror(error));
}
