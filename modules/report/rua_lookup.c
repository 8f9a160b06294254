/* SPDX-License-Identifier: ISC */
/* Does a domain ask for reports, and where to?  RFC 8460 3. */
#include <stdio.h>
#include <stdlib.h>

#include "program.h"
#include <mtasts/session.h>

struct question {
	rua_lookup_fn *fn;
	void *arg;
};

static void
answered(void *arg, const struct dns_answer *a)
{
	struct question q = *(struct question *)arg;
	struct sts_tlsrpt found = { 0 };
	enum sts_rc rc = STS_ABSENT;

	free(arg);
	if (a->outcome == DNS_TEMPFAIL)
		rc = STS_TEMPFAIL;
	else if (a->outcome == DNS_FOUND &&
	    sts_tlsrpt_select(&found, a->txt, a->n, NULL, NULL, NULL) == STS_OK)
		rc = STS_OK;
	q.fn(q.arg, rc, &found);
}

bool
rua_lookup(struct program *p, const char *domain, rua_lookup_fn *fn, void *arg)
{
	char name[STS_NAME_SIZE + 12];
	struct question *q = malloc(sizeof *q);

	if (q == NULL)
		return false;
	*q = (struct question){ fn, arg };
	snprintf(name, sizeof name, "_smtp._tls.%s", domain);
	if (dns_ask(p->dns, DNS_TXT, name, p->conf->dns_timeout, answered, q))
		return true;
	free(q);
	return false;
}
