/* SPDX-License-Identifier: ISC */
/* Problems of a text under judgement, told one by one. */
#include "remark.h"

#include <stdarg.h>
#include <stdio.h>

#include "err.h"

void
sts_remark(struct sts_remarks *r, bool fatal, unsigned line, const char *code,
    const char *fmt, ...)
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
