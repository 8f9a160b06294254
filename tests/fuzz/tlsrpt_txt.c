/* SPDX-License-Identifier: ISC */
#include "must.h"
#include <mtasts/session.h>

static void
hear(void *arg, const struct sts_problem *p)
{
	*(unsigned *)arg += p->fatal;
	MUST(p->text[0] != '\0' && str_all(str_of(p->text), is_print));
}

static bool
is_visible(char c)
{
	return c > ' ' && c <= '~' && c != ',' && c != ';' && c != '!';
}

/* Records end at a newline, which none may hold. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct scan s = scan_bytes(data, len);
	struct sts_str txt[16];
	struct sts_tlsrpt out;
	struct sts_err err = { 0 };
	unsigned fatal = 0;
	size_t n = 0;
	enum sts_rc rc;

	for (; n < ARRAY_LEN(txt) && scan_left(&s) > 0; n++) {
		if (!scan_until(&s, '\n', &txt[n]))
			txt[n] = scan_rest(&s);
		scan_char(&s, '\n');
	}
	rc = sts_tlsrpt_select(&out, txt, n, hear, &fatal, &err);
	MUST(rc == STS_OK || rc == STS_ABSENT || rc == STS_INVALID);
	MUST(err.rc == rc && (rc == STS_OK) == (fatal == 0));
	MUST((rc == STS_OK) == (out.n > 0) && out.n <= STS_RUA_MAX);
	for (size_t i = 0; i < out.n; i++) {
		struct sts_str u = out.rua[i];

		MUST(str_all(u, is_visible));
		MUST(u.len > 7 &&
		    (str_is_nocase((struct sts_str){ u.p, 7 }, "mailto:") ||
			str_is_nocase((struct sts_str){ u.p, 8 }, "https://")));
		for (size_t j = 0; j < i; j++)
			MUST(out.rua[j].len != u.len ||
			    memcmp(out.rua[j].p, u.p, u.len) != 0);
	}
	return 0;
}
