/* SPDX-License-Identifier: ISC */
#ifndef STS_RULES_POLICY_H
#define STS_RULES_POLICY_H

#include "base/scan.h"

/* The mode of that name, exact case. */
bool sts_mode_of(struct sts_str name, enum sts_mode *);

/*
 * The policy that a configuration states itself: mx patterns with blanks
 * between.  *out as sts_policy_parse() has it.
 */
enum sts_rc sts_policy_pin(struct sts_policy **out, enum sts_mode,
    const char *patterns, struct sts_err *err);

/* The same, to be freed once more: it is immutable, so a copy would be waste.
 */
struct sts_policy *sts_policy_share(struct sts_policy *);

#endif
