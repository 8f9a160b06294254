/* SPDX-License-Identifier: ISC */
/*
 * How many sessions could not be written, on a disk that may be full: numbers
 * of a fixed width in a file whose blocks are there already.  Many processes
 * count at once and none may wait, so there are many numbers, each under a
 * record lock; who finds one taken goes to the next.
 */
#include "spool_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "err.h"

#define LOST "~lost"

enum { WIDTH = 16, SLOTS = 256, TRIES = 32 };

static bool
may_write(void)
{
	return sts_spool_limit(SLOTS * WIDTH) == SLOTS * WIDTH;
}

static void
put_slot(char slot[WIDTH], uint64_t n)
{
	slot[WIDTH - 1] = '\n';
	for (size_t i = WIDTH - 1; i-- > 0; n /= 10)
		slot[i] = (char)('0' + n % 10);
}

void
sts_lost_make(const struct sts_spool *s)
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

bool
sts_lost_count(const struct sts_spool *s)
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
		sts_lost_make(s); /* where none could be made yet */
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
