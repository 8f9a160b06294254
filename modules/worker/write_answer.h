/* SPDX-License-Identifier: ISC */
/* A worker's answers: frames for an adapter, lines for a stream. */
#ifndef WORKER_WRITE_ANSWER_H
#define WORKER_WRITE_ANSWER_H

#include "lookup.h"

/* To the adapter on STS_PIPE_FD; whether it still listens is its affair. */
void write_stage(enum sts_stage);
void write_fault(const char *text);
void write_entry(const char *domain, const struct lookup_result *);

/*
 * "DOMAIN KIND MODE ID EXPIRES WHY" on standard output, "-" for what there is
 * not.  KIND: policy, none, no-policy, unknown, fault.  False: nobody reads.
 */
bool write_line(const char *domain, const struct lookup_result *);

#endif
