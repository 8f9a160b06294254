/* SPDX-License-Identifier: ISC */
#include "must.h"

struct count {
	unsigned all, fatal;
};

static void
hear(void *arg, const struct sts_problem *p)
{
	struct count *c = arg;

	MUST(p->text[0] != '\0' && str_all(str_of(p->text), is_print));
	c->all++;
	c->fatal += p->fatal;
}

/* Lines that begin with "mx:"; no byte of an accepted body is a control. */
static size_t
mx_lines(const char *p, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		MUST((unsigned char)p[i] >= ' ' || p[i] == '\t' ||
		    p[i] == '\n' || (p[i] == '\r' && p[i + 1] == '\n'));
		if ((i == 0 || p[i - 1] == '\n') && len - i > 3)
			n += memcmp(p + i, "mx:", 3) == 0;
	}
	return n;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char again[2 * 65536];
	const char *body = (const char *)data;
	struct sts_policy *pol, *copy;
	struct count c = { 0 };
	struct sts_err err = { 0 };
	enum sts_rc rc = sts_policy_parse(&pol, body, len, hear, &c, &err);
	size_t n;

	MUST(rc == STS_OK || rc == STS_INVALID);
	MUST((rc == STS_OK) == (pol != NULL));
	MUST((rc == STS_OK) == (c.fatal == 0) && err.rc == rc);
	MUST(c.all <= 2 * len + 8);
	if (pol == NULL)
		return 0;
	MUST(sts_policy_max_age(pol) <= 31557600);
	MUST(sts_policy_mx_count(pol) == mx_lines(body, len));
	MUST(sts_policy_mx_count(pol) > 0 ||
	    sts_policy_mode(pol) == STS_MODE_NONE);

	/* Written out again it is the same policy. */
	n = (size_t)snprintf(again, sizeof again,
	    "mode: %s\nmax_age: %u\nversion: STSv1",
	    sts_mode_name(sts_policy_mode(pol)), sts_policy_max_age(pol));
	for (size_t i = 0; i < sts_policy_mx_count(pol); i++) {
		const char *mx = sts_policy_mx(pol, i);

		MUST(sts_mx_valid(mx, strlen(mx)));
		n += (size_t)snprintf(again + n, sizeof again - n, "\nmx:%s",
		    mx);
	}
	if (sts_policy_parse(&copy, again, n, NULL, NULL, NULL) == STS_OK) {
		MUST(sts_policy_mode(copy) == sts_policy_mode(pol));
		MUST(sts_policy_max_age(copy) == sts_policy_max_age(pol));
		MUST(sts_policy_mx_count(copy) == sts_policy_mx_count(pol));
		for (size_t i = 0; i < sts_policy_mx_count(pol); i++)
			MUST(strcmp(sts_policy_mx(copy, i),
				 sts_policy_mx(pol, i)) == 0);
	} else
		MUST(n > 65536);
	sts_policy_free(copy);
	sts_policy_free(pol);
	return 0;
}
