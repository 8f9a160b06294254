/* SPDX-License-Identifier: ISC */
#ifndef STS_POLICY_H
#define STS_POLICY_H

#include "scan.h"

/* The mode of that name, exact case. */
bool sts_mode_of(struct sts_str name, enum sts_mode *);

/* The same, to be freed once more: it is immutable, so a copy would be waste.
 */
struct sts_policy *sts_policy_share(struct sts_policy *);

#endif
