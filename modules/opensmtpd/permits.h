/* SPDX-License-Identifier: ISC */
#ifndef OPENSMTPD_PERMITS_H
#define OPENSMTPD_PERMITS_H

#include "sts.h"

/* RFC 8461 4.1; NULL: no policy is known, and nothing forbidden. */
static inline bool
policy_permits(const struct sts_policy *policy, const char *host)
{
	if (policy == NULL)
		return true;
	for (size_t i = 0; i < sts_policy_mx_count(policy); i++)
		if (sts_mx_match(host, sts_policy_mx(policy, i)))
			return true;
	return false;
}

#endif
