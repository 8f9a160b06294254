/* SPDX-License-Identifier: ISC */
#ifndef MTASTS_WORKER_REPORT_H
#define MTASTS_WORKER_REPORT_H

#include "job.h"

/*
 * Record for TLS reports that the policy was not to be had, if that is how the
 * attempt ended: RFC 8461 6, RFC 8460 4.3.2.2.
 */
void report_fetch(const struct job *);

#endif
