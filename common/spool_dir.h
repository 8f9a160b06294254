/* SPDX-License-Identifier: ISC */
/* What the files of the spool share. */
#ifndef STS_SPOOL_DIR_H
#define STS_SPOOL_DIR_H

#include <sys/stat.h>

#include "spool.h"
#include "store_dir.h"

struct sts_spool {
	struct sts_store *dir;
	uint64_t max;
};

enum { STS_DAY_NAME = sizeof "2026-11-24" };

/* The file of the day of t; false: t is before 1970 or after 9999. */
bool sts_day_name(char name[STS_DAY_NAME], int64_t t);

/* When the day with that file begins; -1: not the name of a day's file. */
int64_t sts_day_of(const char *name);

/*
 * openat(2) with our usual flags: a regular file with one link and the right
 * owner, or -1 and errno.  The caller has the owner's ids, here and below.
 */
int sts_spool_file(const struct sts_spool *, const char *name, int flags,
    struct stat *st);

/*
 * How large a file may become here, at most wanted: a write(2) over the limit
 * of the host (RLIMIT_FSIZE) would end it with SIGXFSZ.
 */
uint64_t sts_spool_limit(uint64_t wanted);

/* Make ~lost while there is room on the disk. */
void sts_lost_make(const struct sts_spool *);

/* One session more; false: that is not known either. */
bool sts_lost_count(const struct sts_spool *);

#endif
