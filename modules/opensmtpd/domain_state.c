/* SPDX-License-Identifier: ISC */
#include "domain_state.h"

#include <stdio.h>
#include <string.h>

#include <mtasts/cache_admin.h>

enum sts_rc
domain_policy(struct sts_ctx *ctx, const char *domain, bool *enforced,
    struct sts_err *why)
{
	struct sts_answer *a;
	enum sts_rc rc;

	*enforced = false;
	why->text[0] = '\0';
	rc = sts_query(ctx, domain, STS_NONBLOCKING | STS_OFFLINE, &a, why);
	if (rc != STS_OK)
		return rc;
	if (a->verdict == STS_MUST_WAIT) {
		rc = STS_TEMPFAIL;
		memcpy(why->text, a->why, sizeof a->why);
	} else {
		*enforced =
		    a->verdict == STS_POLICY && a->mode == STS_MODE_ENFORCE;
		if (a->unprotected)
			memcpy(why->text, a->why, sizeof a->why);
	}
	sts_answer_free(a);
	return rc;
}

static bool
enough(void *arg, const struct sts_mx_row *row)
{
	(void)arg;
	(void)row;
	return false;
}

enum sts_rc
domain_ready(struct sts_ctx *ctx, const char *domain, struct sts_err *why)
{
	bool enforced;
	enum sts_rc rc = domain_policy(ctx, domain, &enforced, why);

	if (rc == STS_OK && enforced)
		rc = sts_mx_walk(ctx, domain, enough, NULL, why);
	if (rc != STS_ABSENT)
		return rc;
	snprintf(why->text, sizeof why->text, "MX hosts not known yet");
	return STS_TEMPFAIL;
}
