/* SPDX-License-Identifier: ISC */
#include "machine_locks.h"

#include <errno.h>
#include <fcntl.h>

/*
 * The first byte of the owners' places and of the machine's.  Below are the
 * domains, and between these two is STS_LOCK_REFRESH (cache.h).
 */
#define OWNERS (UINT64_C(1) << 61)
#define PLACES (UINT64_C(3) << 61)

static struct flock
byte_at(uint64_t at, short type)
{
	return (struct flock){ .l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)at,
		.l_len = 1 };
}

static bool
lock_byte(int fd, uint64_t at)
{
	struct flock fl = byte_at(at, F_WRLCK);

	if (fd == -1 || fcntl(fd, F_SETLK, &fl) == 0)
		return true;
	return errno != EAGAIN && errno != EACCES;
}

static void
unlock_byte(int fd, uint64_t at)
{
	struct flock fl = byte_at(at, F_UNLCK);

	if (fd != -1)
		(void)fcntl(fd, F_SETLK, &fl);
}

/* --- Domains ---------------------------------------------------------------
 */

static uint64_t
byte_of_domain(uint64_t hash)
{
	return hash % OWNERS;
}

bool
lock_domain(int fd, uint64_t hash)
{
	return lock_byte(fd, byte_of_domain(hash));
}

void
unlock_domain(int fd, uint64_t hash)
{
	unlock_byte(fd, byte_of_domain(hash));
}

/* --- Places ----------------------------------------------------------------
 */

static uint64_t
bytes_of_owner(uint64_t owner)
{
	return OWNERS + owner % (OWNERS / WORKERS_MAX) * WORKERS_MAX;
}

/* How many of WORKERS_MAX bytes other processes have locked. */
static unsigned
count(int fd, uint64_t at)
{
	struct flock fl;
	unsigned n = 0;

	for (unsigned i = 0; fd != -1 && i < WORKERS_MAX; i++) {
		fl = byte_at(at + i, F_WRLCK);
		n += fcntl(fd, F_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
	}
	return n;
}

static bool
take_one(int fd, uint64_t at, unsigned *which)
{
	for (*which = 0; *which < WORKERS_MAX; ++*which)
		if (lock_byte(fd, at + *which))
			return true;
	return false;
}

enum work_place_got
take_work_place(int fd, uint64_t owner, struct work_place *w)
{
	uint64_t own = bytes_of_owner(owner);
	unsigned his = count(fd, own), all = count(fd, PLACES);

	if (his >= WORKERS_MAX - all || !take_one(fd, PLACES, &w->place))
		return his == 0 ? WORK_PLACE_SOON : WORK_PLACE_NONE;
	w->owner = own;
	if (take_one(fd, own, &w->of_owner))
		return WORK_PLACE_TAKEN;
	unlock_byte(fd, PLACES + w->place);
	return WORK_PLACE_NONE;
}

void
leave_work_place(int fd, const struct work_place *w)
{
	unlock_byte(fd, w->owner + w->of_owner);
	unlock_byte(fd, PLACES + w->place);
}
