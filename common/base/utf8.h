/* SPDX-License-Identifier: ISC */
/* UTF-8 as RFC 3629 has it. */
#ifndef STS_BASE_UTF8_H
#define STS_BASE_UTF8_H

#include "scan.h"

/*
 * Step over one well-formed character of 2 to 4 bytes (UTF8-2, UTF8-3 and
 * UTF8-4 of RFC 3629 4: nothing overlong, no surrogates).
 */
static inline bool
scan_utf8(struct scan *s)
{
	static const struct {
		unsigned char first, last; /* of the first byte */
		unsigned char low, high;   /* of the second; others 80 to bf */
		unsigned char len;
	} kinds[] = {
		{ 0xc2, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 },
		{ 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 },
		{ 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 },
		{ 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};
	const unsigned char *p = (const unsigned char *)s->p;
	size_t left = scan_left(s);

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (left < kinds[i].len || p[0] < kinds[i].first ||
		    p[0] > kinds[i].last)
			continue;
		if (p[1] < kinds[i].low || p[1] > kinds[i].high)
			return false;
		for (size_t k = 2; k < kinds[i].len; k++)
			if (p[k] < 0x80 || p[k] > 0xbf)
				return false;
		s->p += kinds[i].len;
		return true;
	}
	return false;
}

#endif
