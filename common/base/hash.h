/* SPDX-License-Identifier: ISC */
/* FNV-1a: spreads names over directories and finds torn files; no secret. */
#ifndef STS_BASE_HASH_H
#define STS_BASE_HASH_H

#include <stdint.h>

#include "scan.h"

#define STS_HASH_START 14695981039346656037u

static inline uint64_t
sts_hash_more(uint64_t h, struct sts_str s)
{
	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 1099511628211u;
	return h;
}

static inline uint64_t
sts_hash(struct sts_str s)
{
	return sts_hash_more(STS_HASH_START, s);
}

/* Both halves folded, for where eight digits must do. */
static inline uint32_t
sts_hash_fold(uint64_t h)
{
	return (uint32_t)(h ^ h >> 32);
}

#endif
