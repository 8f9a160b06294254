/* SPDX-License-Identifier: ISC */
/* Base64, RFC 4648 section 4, strict: no blanks, padding at the end only. */
#include "base64.h"

static int
value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long
exim_base64(unsigned char *out, const char *s)
{
	unsigned bits = 0, n = 0, pad = 0;
	long len = 0;
	int v;

	for (; *s != '\0' && *s != '='; s++) {
		if ((v = value(*s)) == -1)
			return -1;
		bits = (bits << 6 | (unsigned)v) & 0xffffff;
		n++;
		if (n % 4 != 1)
			out[len++] =
			    (unsigned char)(bits >> (n % 4 == 2          ? 4
							    : n % 4 == 3 ? 2
									 : 0));
	}
	for (; *s == '='; s++)
		pad++;
	return *s == '\0' && n % 4 != 1 && pad == (4 - n % 4) % 4 ? len : -1;
}
