/* SPDX-License-Identifier: ISC */
#include "conf/conf.h"
#include "must.h"

static void
hear(void *arg, const struct sts_problem *p)
{
	*(unsigned *)arg += 1;
	MUST(p->fatal && p->text[0] != '\0' && p->code[0] != '\0');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct sts_str text = { (const char *)data, len };
	struct sts_conf *c;
	struct sts_err err = { 0 };
	unsigned problems = 0;
	char name[STS_NAME_SIZE];
	enum sts_rc rc = sts_conf_parse(&c, "F", text, hear, &problems, &err);

	MUST(
	    (rc == STS_OK) == (c != NULL) && (rc == STS_OK) == (problems == 0));
	if (rc != STS_OK) {
		MUST(rc == STS_LOCAL && strncmp(err.text, "F:", 2) == 0);
		MUST(str_all(str_of(err.text), is_print));
		return 0;
	}
	MUST(c->cache_dir[0] == '/' && c->worker_dir[0] == '/');
	MUST(c->fetch_timeout >= 1000 && c->fetch_timeout <= 60000);
	MUST(c->dns_timeout >= 1000 && c->dns_timeout <= 30000);
	MUST(c->recheck >= 1 && c->recheck <= 86400);
	MUST(c->nserver <= STS_SERVERS_MAX && c->ndeny <= STS_DENY_MAX);
	for (size_t i = 0; i < c->ndomain; i++) {
		MUST(sts_domain_normal(name, c->domain[i].name, NULL) ==
			STS_OK &&
		    strcmp(name, c->domain[i].name) == 0);
		MUST(sts_conf_domain(c, name) == &c->domain[i]);
	}
	sts_conf_free(c);
	return 0;
}
