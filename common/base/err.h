/* SPDX-License-Identifier: ISC */
/* Filling in struct sts_err, and making foreign bytes fit for a log. */
#ifndef STS_BASE_ERR_H
#define STS_BASE_ERR_H

#include <mtasts/sts.h>

/*
 * Note why a call fails and return rc.  err may be NULL.  The text is cut to
 * its field; any byte that is not printable ASCII becomes '?'.
 */
__attribute__((cold, format(printf, 4, 5))) enum sts_rc
sts_fail(struct sts_err *err, enum sts_rc rc, unsigned line, const char *fmt,
    ...);

/* sts_escape() for use as an argument: sts_show(name).text */
struct sts_shown {
	char text[80];
};
struct sts_shown sts_show(struct sts_str);

/* --- Problems of a text under judgement, told one by one ------------------ */

struct sts_problems {
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
sts_problem_add(struct sts_problems *, bool fatal, unsigned line,
    const char *code, const char *fmt, ...);

#endif
