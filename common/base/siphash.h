/* SPDX-License-Identifier: ISC */
/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): who does not know the key cannot
 * choose names that come to stand together.
 */
#ifndef STS_BASE_SIPHASH_H
#define STS_BASE_SIPHASH_H

#include <stdint.h>

#include "scan.h"

static inline uint64_t
sts_sip_rotate(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void
sts_sip_rounds(uint64_t v[4], unsigned n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = sts_sip_rotate(v[1], 13) ^ v[0];
		v[3] = sts_sip_rotate(v[3], 16) ^ v[2];
		v[0] = sts_sip_rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = sts_sip_rotate(v[1], 17) ^ v[2];
		v[3] = sts_sip_rotate(v[3], 21) ^ v[0];
		v[2] = sts_sip_rotate(v[2], 32);
	}
}

static inline uint64_t
sts_siphash(const uint64_t key[2], struct sts_str s)
{
	uint64_t v[4] = { key[0] ^ 0x736f6d6570736575u,
		key[1] ^ 0x646f72616e646f6du, key[0] ^ 0x6c7967656e657261u,
		key[1] ^ 0x7465646279746573u };
	uint64_t m = 0;

	for (size_t i = 0; i < s.len; i++) {
		m |= (uint64_t)(unsigned char)s.p[i] << i % 8 * 8;
		if (i % 8 == 7) {
			v[3] ^= m;
			sts_sip_rounds(v, 2);
			v[0] ^= m;
			m = 0;
		}
	}
	m |= (uint64_t)s.len << 56;
	v[3] ^= m;
	sts_sip_rounds(v, 2);
	v[0] ^= m;
	v[2] ^= 0xff;
	sts_sip_rounds(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
