/* SPDX-License-Identifier: ISC */
/* What Exim's ${base64:...} wrote, back into bytes. */
#ifndef MTASTS_EXIM_BASE64_H
#define MTASTS_EXIM_BASE64_H

#include <stddef.h>

/* Decode in place of out (at least len of s); -1: not base64. */
long exim_base64(unsigned char *out, const char *s);

#endif
