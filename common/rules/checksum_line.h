/* SPDX-License-Identifier: ISC */
/*
 * The first line of our files, so that a torn file and a file under another
 * domain's name are both seen:
 *
 *   file = magic " " length " " sum LF text
 *
 * length counts the bytes of the text, sum is taken over the domain and them.
 */
#ifndef STS_RULES_CHECKSUM_LINE_H
#define STS_RULES_CHECKSUM_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/scan.h"

enum { STS_CHECKSUM_LINE_MAX = 64 }; /* bytes of the first line */

/* Later than any clock that could be right: keeps sums from overflowing. */
#define STS_TIME_MAX ((int64_t)1 << 40)

uint32_t sts_checksum(const char *domain, struct sts_str text);

/* Writes the first line and a NUL; returns its length. */
size_t sts_checksum_line_put(char buf[STS_CHECKSUM_LINE_MAX], const char *magic,
    size_t len, uint32_t sum);

/*
 * Takes the first line off s.  False: another magic, or what is left is not
 * the text that was sealed for this domain.
 */
bool sts_checksum_line_check(struct scan *s, const char *magic,
    const char *domain, size_t max);

/* Lower case, at most 16 digits. */
bool sts_hex64(struct sts_str, uint64_t max, uint64_t *out);

/* A decimal number up to STS_TIME_MAX, and the separator behind it. */
bool sts_time_word(struct scan *, char sep, int64_t *out);

#endif
