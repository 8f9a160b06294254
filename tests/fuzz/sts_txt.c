/* SPDX-License-Identifier: ISC */
#include "must.h"

static void
hear(void *arg, const struct sts_problem *p)
{
	*(unsigned *)arg += p->fatal;
	MUST(p->text[0] != '\0' && str_all(str_of(p->text), is_print));
}

static bool
is_text(char c)
{
	return is_print(c) || c == '\t';
}

/* Records end at a newline, which none may hold. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct scan s = scan_bytes(data, len);
	struct sts_str txt[16], one = { NULL, 0 };
	struct sts_txt out;
	struct sts_err err = { 0 };
	unsigned fatal = 0, begin = 0;
	size_t n = 0;
	char id[STS_ID_SIZE + 3];
	enum sts_rc rc;

	for (; n < ARRAY_LEN(txt) && scan_left(&s) > 0; n++) {
		if (!scan_until(&s, '\n', &txt[n]))
			txt[n] = scan_rest(&s);
		scan_char(&s, '\n');
		if (txt[n].len >= 7 && memcmp(txt[n].p, "v=STSv1", 7) == 0 &&
		    txt[n].len > 7 && strchr("; \t", txt[n].p[7]) != NULL) {
			begin++;
			one = txt[n];
		}
	}
	rc = sts_txt_select(&out, txt, n, hear, &fatal, &err);
	MUST(rc == STS_OK || rc == STS_ABSENT || rc == STS_INVALID);
	MUST(err.rc == rc && (rc == STS_OK) == (fatal == 0));
	MUST((rc == STS_OK) == (out.id[0] != '\0'));
	MUST(begin > 0 || rc == STS_ABSENT);
	if (rc != STS_OK)
		return 0;
	MUST(str_all(str_of(out.id), is_alnum) && strlen(out.id) <= 32);
	if (begin == 1) {
		snprintf(id, sizeof id, "id=%s", out.id);
		MUST(str_all(one, is_text));
		MUST(memmem(one.p, one.len, id, strlen(id)) != NULL);
	}
	return 0;
}
