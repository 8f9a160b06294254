/* SPDX-License-Identifier: ISC */
#ifndef STS_POLICY_H
#define STS_POLICY_H

#include "scan.h"

/* The mode of that name, exact case. */
bool sts_mode_of(struct sts_str name, enum sts_mode *);

#endif
