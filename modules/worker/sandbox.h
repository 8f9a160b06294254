/* SPDX-License-Identifier: ISC */
/* What a worker gives up before it speaks to the network. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

/*
 * Limits, no new privileges, writing only below cache_dir, no exec, no
 * tracing; below spool_dir, unless NULL, files can be made and written to.
 * What the system does not offer is done without; never fails.
 */
void sandbox(const char *cache_dir, const char *spool_dir);

/*
 * Another 30 seconds of processor time from now on: called when a domain is
 * done, or when there is more to do.  A worker that uses up that time is in
 * an endless loop, and is killed.
 */
void sandbox_more_cpu(void);

#endif
