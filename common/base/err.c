/* SPDX-License-Identifier: ISC */
/* Errors as a code to branch on and a line to log. */
#include "err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "scan.h"

const char *
sts_version(void)
{
	return STS_VERSION;
}

const char *
sts_rc_name(enum sts_rc rc)
{
	static const char *const names[] = {
		[STS_OK] = "ok",
		[STS_ABSENT] = "absent",
		[STS_TEMPFAIL] = "tempfail",
		[STS_INVALID] = "invalid",
		[STS_LOCAL] = "local",
		[STS_NOMEM] = "nomem",
		[STS_USAGE] = "usage",
	};

	return (size_t)rc < ARRAY_LEN(names) ? names[rc] : "?";
}

enum sts_rc
sts_fail(struct sts_err *err, enum sts_rc rc, unsigned line, const char *fmt,
    ...)
{
	va_list ap;

	if (err == NULL)
		return rc;
	err->rc = rc;
	err->line = line;
	va_start(ap, fmt);
	if (vsnprintf(err->text, sizeof err->text, fmt, ap) < 0)
		err->text[0] = '\0';
	va_end(ap);
	for (char *p = err->text; *p != '\0'; p++)
		if (!is_print(*p))
			*p = '?';
	return rc;
}

/* One byte as it is to be shown; returns how many were written to to. */
static size_t
show(char to[4], char c)
{
	static const char hex[] = "0123456789abcdef";
	unsigned char u = (unsigned char)c;

	if (c == '\\') {
		to[0] = to[1] = '\\';
		return 2;
	}
	if (is_print(c)) {
		to[0] = c;
		return 1;
	}
	to[0] = '\\';
	to[1] = 'x';
	to[2] = hex[u >> 4];
	to[3] = hex[u & 15];
	return 4;
}

const char *
sts_escape(char *out, size_t size, struct sts_str in)
{
	static const char cut[] = "...";
	char shown[4];
	size_t n = 0, len, fits = 0; /* fits: n where the cut mark has room */

	if (size == 0)
		return out;
	for (size_t i = 0; i < in.len; i++) {
		len = show(shown, in.p[i]);
		if (len >= size - n) {
			n = fits;
			for (const char *p = cut; *p != '\0' && n + 1 < size;)
				out[n++] = *p++;
			break;
		}
		memcpy(out + n, shown, len);
		n += len;
		if (n + sizeof cut <= size)
			fits = n;
	}
	out[n] = '\0';
	return out;
}

struct sts_shown
sts_show(struct sts_str in)
{
	struct sts_shown out;

	sts_escape(out.text, sizeof out.text, in);
	return out;
}

/* --- Problems ------------------------------------------------------------- */

void
sts_problem_add(struct sts_problems *r, bool fatal, unsigned line,
    const char *code, const char *fmt, ...)
{
	bool first = fatal && !r->fatal;
	struct sts_problem problem = { fatal, line, code, NULL };
	struct sts_err said;
	char text[sizeof said.text];
	va_list ap;

	r->fatal |= fatal;
	if (r->fn == NULL && !(first && r->err != NULL))
		return;
	va_start(ap, fmt);
	if (vsnprintf(text, sizeof text, fmt, ap) < 0)
		text[0] = '\0';
	va_end(ap);
	sts_fail(&said, STS_INVALID, line, "%s", text);
	if (first && r->err != NULL)
		*r->err = said;
	problem.text = said.text;
	if (r->fn != NULL)
		r->fn(r->arg, &problem);
}
