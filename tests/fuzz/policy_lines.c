/* SPDX-License-Identifier: ISC */
#include "policy_lines.h"

#include <jansson.h>

#include "must.h"

/*
 * May it stand in I-JSON?  RFC 7493 2.1: UTF-8 without surrogates, which
 * jansson looks at, and without noncharacters (Unicode 23.7).
 */
static bool
is_text(const char *p, size_t len)
{
	json_t *s = json_stringn(p, len);
	bool good = s != NULL && memchr(p, '\0', len) == NULL;

	json_decref(s);
	for (size_t i = 0; good && i + 2 < len; i++) {
		const unsigned char *c = (const unsigned char *)p + i;
		size_t four = i + 3 < len && c[0] >= 0xf0;

		if (c[0] == 0xef && c[1] == 0xb7 && c[2] >= 0x90 &&
		    c[2] <= 0xaf)
			return false; /* U+FDD0 to U+FDEF */
		if (((c[0] == 0xef && c[1] == 0xbf) ||
			(four && (c[1] & 15) == 15 && c[2] == 0xbf)) &&
		    c[2 + four] >= 0xbe)
			return false; /* the last two of each plane */
	}
	return good;
}

/* Each line with anything in it is one string, the same or the mark. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct scan s = scan_bytes(data, len);
	struct sts_str line = { "", 0 };
	char *all = policy_lines_split(scan_rest(&s));
	const char *p = all;

	MUST(all != NULL);
	for (s = scan_bytes(data, len); s.p < s.end;) {
		if (!scan_word(&s, '\n', &line))
			line = scan_rest(&s);
		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		if (line.len == 0)
			continue;
		if (is_text(line.p, line.len))
			MUST(str_is(line, p));
		else
			MUST(strcmp(p, "(not UTF-8)") == 0);
		p += strlen(p) + 1;
	}
	MUST(*p == '\0');
	free(all);
	return 0;
}
