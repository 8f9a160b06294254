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

/* How large a file may become here, at most wanted: a write(2) over the limit
 * of the host (RLIMIT_FSIZE) would end it with SIGXFSZ. */
uint64_t sts_spool_size_limit(uint64_t wanted);

/* What follows the day in the names of what is beside its file. */
#define STS_SPOOL_CERTS "~certs"
#define STS_SPOOL_SHARES "~shares"

/* Store a certificate; false: it is not there, and has no name. */
bool sts_spool_keep_cert(const struct sts_spool *, const char *day,
    struct sts_str domain, struct sts_str der, char name[STS_SESSION_CERT]);

#endif
