/* SPDX-License-Identifier: ISC */
/* Starting a worker from inside somebody else's process. */
#ifndef STS_QUERY_SPAWN_H
#define STS_QUERY_SPAWN_H

#include <sys/types.h>

#include <mtasts/sts.h>

struct sts_spawn {
	const char *const *argv; /* argv[0]: absolute path of the worker */
	uid_t uid; /* the owner of the cache: what a root process becomes */
	gid_t gid;
};

/*
 * Start a worker that is nobody's child.  *fd, which does not block, is a
 * socket to its standard input and output; once that is closed it ends when
 * its work is done.  One that cannot start says so as worker_protocol.h has
 * it.  STS_LOCAL: not possible.
 */
enum sts_rc sts_spawn_start(const struct sts_spawn *, int *fd,
    struct sts_err *err);

#endif
