/* SPDX-License-Identifier: ISC */
/* What exim.conf is told of a domain, by ${dlfunc} or by ${run}. */
#ifndef EXIM_POLICY_ANSWER_H
#define EXIM_POLICY_ANSWER_H

#include <stdbool.h>

#include <mtasts/sts.h>

struct exim_question {
	const char *domain; /* NULL: a bounce, a local part alone */
	const char *sender; /* see exim_is_report() */
	bool verify;        /* an address is verified, and nobody waits */
};

/*
 * One line, malloc'd; NULL: out of memory.  *fault: it is no answer but says
 * what is wrong with this host, and the mail has to wait.  ctx NULL: it could
 * not be had, for what err says.
 */
char *exim_policy_answer(struct sts_ctx *ctx, const struct exim_question *,
    struct sts_err *err, bool *fault);

/*
 * A report of this host?  from: "UID SENDER" of mail that a program of this
 * host handed in, or NULL.
 */
bool exim_is_report(const struct sts_ctx *, const char *from);

#endif
