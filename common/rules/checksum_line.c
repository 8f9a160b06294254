/* SPDX-License-Identifier: ISC */
/* The first line of our files, and numbers in them. */
#include "checksum_line.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/hash.h"

uint32_t
sts_checksum(const char *domain, struct sts_str text)
{
	return sts_hash_fold(sts_hash_more(sts_hash(str_of(domain)), text));
}

size_t
sts_checksum_line_put(char buf[STS_CHECKSUM_LINE_MAX], const char *magic,
    size_t len, uint32_t sum)
{
	return (size_t)snprintf(buf, STS_CHECKSUM_LINE_MAX,
	    "%.16s %zu %08" PRIx32 "\n", magic, len, sum);
}

bool
sts_hex64(struct sts_str s, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;
	unsigned d;

	if (s.len == 0 || s.len > 16)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		if (is_digit(s.p[i]))
			d = (unsigned)(s.p[i] - '0');
		else if (s.p[i] >= 'a' && s.p[i] <= 'f')
			d = (unsigned)(s.p[i] - 'a' + 10);
		else
			return false;
		n = n << 4 | d;
	}
	*out = n;
	return n <= max;
}

bool
sts_time_word(struct scan *s, char sep, int64_t *out)
{
	struct sts_str w;
	uint64_t n;

	if (!scan_word(s, sep, &w) || !str_u64(w, STS_TIME_MAX, &n))
		return false;
	*out = (int64_t)n;
	return true;
}

bool
sts_checksum_line_check(struct scan *s, const char *magic, const char *domain,
    size_t max)
{
	struct sts_str w;
	uint64_t len, want;

	return scan_lit(s, magic) && scan_word(s, ' ', &w) && w.len == 0 &&
	    scan_word(s, ' ', &w) && str_u64(w, max, &len) &&
	    scan_word(s, '\n', &w) && sts_hex64(w, UINT32_MAX, &want) &&
	    len == scan_left(s) &&
	    want ==
	    sts_checksum(domain, (struct sts_str){ s->p, scan_left(s) });
}
