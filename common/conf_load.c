/* SPDX-License-Identifier: ISC */
/* What sections and values need alike: problems, strings, words. */
#include "conf_load.h"

#include <stdarg.h>
#include <stdio.h>

#include "err.h"

void
sts_conf_problem(struct sts_load *l, const char *code, const char *fmt, ...)
{
	char text[200];
	struct sts_problem pr = { true, l->line, code, text };
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (l->rc == STS_OK)
		sts_fail(l->err, STS_LOCAL, l->line, "%s:%u: %s", l->path,
		    l->line, text);
	l->rc = STS_LOCAL;
	if (l->fn != NULL)
		l->fn(l->arg, &pr);
}

const char *
sts_conf_keep(struct sts_load *l, struct sts_str s)
{
	char *p = l->text + l->used;

	/*
	 * In place: s is part of a line that was read and copied, and in that
	 * line at least one byte stood beside it, so p is behind l->in.
	 */
	memcpy(p, s.p, s.len);
	p[s.len] = '\0';
	l->used += s.len + 1;
	return p;
}

bool
sts_conf_word(struct scan *s, struct sts_str *w)
{
	scan_wsp(s);
	w->p = s->p;
	while (s->p < s->end && !is_wsp(*s->p))
		s->p++;
	w->len = (size_t)(s->p - w->p);
	return w->len > 0;
}

int
sts_conf_choose(struct sts_str v, const struct sts_choice *choices, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (str_is(v, choices[i].word))
			return choices[i].value;
	return -1;
}
