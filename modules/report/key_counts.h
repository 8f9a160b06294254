/* SPDX-License-Identifier: ISC */
/* How often each of many keys was counted.  Pure. */
#ifndef REPORT_KEY_COUNTS_H
#define REPORT_KEY_COUNTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scan.h"

/* All zero but for secret, which nobody else may guess. */
struct key_counts {
	uint64_t secret[2];
	size_t room, used;
	struct key_count {
		uint64_t key;
		uint32_t n;
	} * slot;
};

void key_counts_clear(struct key_counts *);

/* Of the parts, each of which ends where the next one begins.  Never 0. */
uint64_t key_of(const struct key_counts *, const struct sts_str *part,
    size_t n);

uint32_t key_counts_get(const struct key_counts *, uint64_t key);
/* False: no memory. */
bool key_counts_set(struct key_counts *, uint64_t key, uint32_t n);

#endif
