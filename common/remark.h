/* SPDX-License-Identifier: ISC */
/* Problems of a text under judgement, told one by one. */
#ifndef STS_REMARK_H
#define STS_REMARK_H

#include "sts.h"

struct sts_remarks {
	sts_problem_fn *fn; /* NULL: nobody listens */
	void *arg;
	struct sts_err *err; /* gets the first fatal one; NULL: not wanted */
	bool fatal;          /* there was one */
};

/*
 * Tell the listener; foreign bytes go through sts_escape() first.  Formats
 * nothing where nobody would see it: a hostile text may be all problems.
 */
__attribute__((cold, format(printf, 5, 6))) void
sts_remark(struct sts_remarks *, bool fatal, unsigned line, const char *code,
    const char *fmt, ...);

#endif
