/* SPDX-License-Identifier: ISC */
/* FNV-1a, stirred: for tables of what strangers name. */
#ifndef OPENSMTPD_KEYED_HASH_H
#define OPENSMTPD_KEYED_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Where nothing is gained by names that collide, the key may be this. */
#define HASH_PLAIN UINT64_C(0xcbf29ce484222325)

static inline uint64_t
hash_bytes(uint64_t key, const char *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		key = (key ^ (unsigned char)p[i]) * UINT64_C(0x100000001b3);
		key ^= key >> 29;
	}
	return key;
}

static inline uint64_t
hash_name(uint64_t key, const char *name)
{
	return hash_bytes(key, name, strlen(name));
}

#endif
