/* SPDX-License-Identifier: ISC */
#include "rua_records.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/scan.h"
#include <mtasts/session.h>

enum { AT_ONCE = 64, BUCKETS = 4096 };

struct record {
	struct record *next;
	struct rua_records *all;
	enum sts_rc rc;
	char *text; /* of STS_OK */
	char domain[];
};

struct rua_records {
	struct program *program;
	size_t asked; /* without an answer yet */
	struct record *bucket[BUCKETS];
};

struct rua_records *
rua_records_new(struct program *p)
{
	struct rua_records *all = calloc(1, sizeof *all);

	if (all != NULL)
		all->program = p;
	return all;
}

void
rua_records_free(struct rua_records *all)
{
	struct record *r, *next;

	if (all == NULL)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (r = all->bucket[i]; r != NULL; r = next) {
			next = r->next;
			free(r->text);
			free(r);
		}
	free(all);
}

static bool
in_record(char c)
{
	return is_print(c) || c == '\t';
}

/* The record that the URIs were found in. */
static char *
text_of(const struct dns_answer *a, const struct sts_tlsrpt *found)
{
	for (size_t i = 0; i < a->n; i++) {
		struct sts_str txt = a->txt[i];

		if (found->rua[0].p >= txt.p &&
		    found->rua[0].p < txt.p + txt.len &&
		    str_all(txt, in_record))
			return strndup(txt.p, txt.len);
	}
	return NULL;
}

static void
answered(void *arg, const struct dns_answer *a)
{
	struct record *r = arg;
	struct sts_tlsrpt found;

	r->all->asked--;
	if (a->outcome == DNS_TEMPFAIL)
		return; /* as it was before it was asked */
	if (a->outcome != DNS_FOUND ||
	    sts_tlsrpt_select(&found, a->txt, a->n, NULL, NULL, NULL) != STS_OK)
		r->rc = STS_ABSENT;
	else if ((r->text = text_of(a, &found)) != NULL)
		r->rc = STS_OK;
}

static struct record **
place(struct rua_records *all, const char *domain)
{
	uint64_t h = sts_hash(str_of(domain));
	struct record **p = &all->bucket[h % BUCKETS];

	while (*p != NULL && strcmp((*p)->domain, domain) != 0)
		p = &(*p)->next;
	return p;
}

bool
rua_records_ask(struct rua_records *all, const char *domain)
{
	struct record **at = place(all, domain), *r;
	const struct program *p = all->program;
	char name[STS_NAME_SIZE + 12];
	size_t size = strlen(domain) + 1;

	if (*at != NULL)
		return true;
	r = calloc(1, sizeof *r + size);
	if (r == NULL)
		return false;
	r->all = all;
	r->rc = STS_TEMPFAIL;
	memcpy(r->domain, domain, size);
	*at = r;
	snprintf(name, sizeof name, "_smtp._tls.%s", domain);
	if (!dns_ask(p->dns, DNS_TXT, name, p->conf->dns_timeout, answered, r))
		return false;
	all->asked++;
	while (all->asked >= AT_ONCE)
		if (event_base_loop(p->base, EVLOOP_ONCE) != 0)
			break;
	return true;
}

void
rua_records_wait(struct rua_records *all)
{
	while (all->asked > 0)
		if (event_base_loop(all->program->base, EVLOOP_ONCE) != 0)
			break;
}

enum sts_rc
rua_records_get(struct rua_records *all, const char *domain, const char **text)
{
	const struct record *r = *place(all, domain);

	*text = r == NULL ? NULL : r->text;
	return r == NULL ? STS_TEMPFAIL : r->rc;
}
