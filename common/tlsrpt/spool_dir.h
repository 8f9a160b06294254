/* SPDX-License-Identifier: ISC */
/* What the files of the spool share. */
#ifndef STS_TLSRPT_SPOOL_DIR_H
#define STS_TLSRPT_SPOOL_DIR_H

#include <sys/stat.h>

#include "cache/entry_files.h"
#include "spool.h"

struct sts_spool {
	struct sts_store *dir;
	uint64_t max;
};

/*
 * openat(2) with our usual flags: a regular file with one link and the right
 * owner, or -1 and errno.  The caller has the owner's ids, here and below.
 */
int sts_spool_file(const struct sts_spool *, const char *name, int flags,
    struct stat *st);

#endif
