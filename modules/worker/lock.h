/* SPDX-License-Identifier: ISC */
/*
 * One fetch per domain on the whole machine: a record lock, one byte of one
 * file per domain, taken by workers only.  A lock ends with its process, so
 * a killed worker leaves none behind.
 */
#ifndef MTASTS_WORKER_LOCK_H
#define MTASTS_WORKER_LOCK_H

#include <stdbool.h>

/*
 * fd: the lock file, opened once in the life of the process, since closing
 * any descriptor of it would drop all locks.  Never waits; false: another
 * process has it.  A file system without locks counts as free.
 */
bool lock_try(int fd, const char *domain);
void lock_release(int fd, const char *domain);

#endif
