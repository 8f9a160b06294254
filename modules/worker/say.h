/* SPDX-License-Identifier: ISC */
/* A worker's answers: frames for an adapter, lines for a stream. */
#ifndef MTASTS_WORKER_SAY_H
#define MTASTS_WORKER_SAY_H

#include "engine.h"

/* To the adapter on STS_PIPE_FD; whether it still listens is its affair. */
void say_stage(enum sts_stage);
void say_fault(const char *text);
void say_entry(const char *domain, const struct engine_result *);

/*
 * "DOMAIN KIND MODE ID EXPIRES WHY" on standard output, "-" for what there is
 * not.  KIND: policy, none, no-policy, unknown, fault.  False: nobody reads.
 */
bool say_line(const char *domain, const struct engine_result *);

#endif
