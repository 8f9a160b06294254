/* SPDX-License-Identifier: ISC */
/*
 * What the workers of a machine tell each other by locked bytes of one file:
 * who fetches a domain, and how many are at work, for whom.  The locks of a
 * process end with it, so a killed worker leaves none behind.
 */
#ifndef WORKER_MACHINE_LOCKS_H
#define WORKER_MACHINE_LOCKS_H

#include <stdbool.h>
#include <stdint.h>

/*
 * fd: the lock file, opened once in the life of the process, since closing any
 * descriptor of it would drop all locks; -1, or a file system without locks:
 * all is free.  None of these waits.  Hashes are keyed (sts_store_hash()), or
 * strangers could choose names that get in each other's way.
 */

/* One fetch per domain.  False: another process has it. */
bool lock_domain(int fd, uint64_t hash);
void unlock_domain(int fd, uint64_t hash);

enum { WORKERS_MAX = 32 }; /* at work on a machine */

struct work_place {
	unsigned place;    /* of the machine's */
	uint64_t owner;    /* the first byte of his places */
	unsigned of_owner; /* which of them */
};

enum work_place_got {
	WORK_PLACE_TAKEN,
	WORK_PLACE_NONE, /* he has his share */
	WORK_PLACE_SOON  /* he has none, and may have the next free one */
};

/*
 * Take one of WORKERS_MAX places, for work that the owner of a domain (a hash)
 * causes: while he has fewer than are free, as base/accountant.h has it.
 */
enum work_place_got take_work_place(int fd, uint64_t owner,
    struct work_place *);
void leave_work_place(int fd, const struct work_place *);

#endif
