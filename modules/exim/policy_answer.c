/* SPDX-License-Identifier: ISC */
/* From Exim's question to the answer in its words, see mtasts-exim(5). */
#include "policy_answer.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alabel.h"
#include "host_list.h"
#include <mtasts/session.h>

static bool
printable(const char *s)
{
	for (; *s != '\0'; s++)
		if (*s < 0x21 || *s > 0x7e)
			return false;
	return true;
}

/* One line for the main log: why mail waits, and how to have it tried again. */
static char *
fault_text(const char *domain, const struct sts_err *err)
{
	const char *name = printable(domain) ? domain : "";
	char text[sizeof err->text + STS_NAME_SIZE + 64];

	snprintf(text, sizeof text,
	    "mtasts: %.80s%s%s; once that is mended: exim -qff", name,
	    name[0] == '\0' ? "" : ": ", err->text);
	return strdup(text);
}

/*
 * No client waits for a look, nor is sent away for want of one: it begins, and
 * the delivery will ask again.
 */
static char *
verify(struct sts_ctx *ctx, const char *domain)
{
	struct sts_err err = { 0 };
	struct sts_answer *a;
	char *text;

	if (sts_query(ctx, domain, STS_NONBLOCKING, &a, &err) != STS_OK)
		return exim_wait(err.text);
	/* Cutthrough would leave no line in the log; a delivery does. */
	text = a->unprotected ? exim_wait(a->why) : exim_host_list(a);
	sts_answer_free(a);
	return text;
}

bool
exim_is_report(const struct sts_ctx *ctx, const char *from)
{
	unsigned long long uid = 0;
	const char *p = from;

	if (from == NULL)
		return false;
	for (; *p >= '0' && *p <= '9' && uid <= UINT_MAX; p++)
		uid = uid * 10 + (unsigned)(*p - '0');
	return p > from && *p == ' ' && uid <= UINT_MAX &&
	    sts_report_mail(ctx, (unsigned)uid, p + 1);
}

static char *
answer(struct sts_ctx *ctx, const char *domain, const struct exim_question *q,
    struct sts_err *err, bool *fault)
{
	struct sts_answer *a;
	char *text;

	/* RFC 8460 3: a report gets through whatever is wrong with TLS. */
	if (ctx != NULL && exim_is_report(ctx, q->sender))
		return strdup("sts=none report=yes ignore=\"\"");
	if (q->verify)
		return ctx == NULL ? exim_wait(err->text) : verify(ctx, domain);
	if (ctx == NULL || sts_query(ctx, domain, 0, &a, err) != STS_OK) {
		*fault = true;
		return fault_text(ctx == NULL ? "" : domain, err);
	}
	text = exim_host_list(a);
	sts_answer_free(a);
	return text;
}

char *
exim_policy_answer(struct sts_ctx *ctx, const struct exim_question *q,
    struct sts_err *err, bool *fault)
{
	char *alabel = NULL, *text;

	*fault = false;
	/* A name that has no form in ASCII, such as an emoji, is nobody's. */
	if (q->domain == NULL || !exim_alabel(&alabel, q->domain))
		return strdup("sts=none ignore=\"\"");
	text = answer(ctx, alabel != NULL ? alabel : q->domain, q, err, fault);
	free(alabel);
	return text;
}
