/* SPDX-License-Identifier: ISC */
/*
 * Starting a worker from inside somebody else's process, and hearing its
 * answer without ever waiting longer than allowed.
 */
#ifndef STS_QUERY_SPAWN_H
#define STS_QUERY_SPAWN_H

#include <sys/types.h>

#include "worker_protocol.h"
#include <mtasts/sts.h>

struct sts_spawn {
	const char *const *argv; /* argv[0]: absolute path of the worker */
	uid_t uid; /* the owner of the cache: what a root process becomes */
	gid_t gid;
};

/*
 * Start a worker that outlives this call and is nobody's child.  *fd, unless
 * fd is NULL, is the caller's end of the pipe.  STS_LOCAL: not possible.
 */
enum sts_rc sts_spawn_start(const struct sts_spawn *, int *fd,
    struct sts_err *err);

/*
 * The same for a worker that is kept: *fd, which does not block, is a socket
 * to its standard input and output.  It ends when that is closed.  One that
 * cannot start says "! WHY" in a line.
 */
enum sts_rc sts_spawn_serve(const struct sts_spawn *, int *fd,
    struct sts_err *err);

/* Read until a whole frame, the end, or timeout_ms; then close fd. */
void sts_spawn_read_answer(int fd, unsigned timeout_ms,
    struct sts_worker_answer *);

#endif
