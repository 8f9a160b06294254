/* SPDX-License-Identifier: ISC */
/* What a worker gives up before it speaks to the network. */
#ifndef WORKER_SANDBOX_H
#define WORKER_SANDBOX_H

/*
 * Limits, no new privileges, writing only below cache_dir, no exec, no
 * tracing; below spool_dir, unless NULL, files can be made and written to.
 * What the system does not offer is done without; never fails.
 * cpu: seconds of processor time the worker may use; 0: any.
 */
void sandbox(const char *cache_dir, const char *spool_dir, unsigned cpu);

#endif
