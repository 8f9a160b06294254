/* SPDX-License-Identifier: ISC */
/*
 * Fail the first, second, third ... allocation of a parser until none is left
 * to fail; those of a whole question, and its system calls, are in faults. The
 * linker sends the library's calls through here (ld --wrap).
 */
#include <stdio.h>
#include <string.h>

#include "base/scan.h"
#include "conf/conf.h"
#include "rules/policy_reply.h"
#include <mtasts/sts.h>

void *__real_calloc(size_t n, size_t size);
void *__real_malloc(size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);

static long countdown = -1;

static bool
now(void)
{
	return countdown-- == 0;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	return now() ? NULL : __real_calloc(n, size);
}

void *
__wrap_malloc(size_t size)
{
	return now() ? NULL : __real_malloc(size);
}

void *
__wrap_realloc(void *p, size_t size)
{
	return now() ? NULL : __real_realloc(p, size);
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return now() ? NULL : __real_reallocarray(p, n, size);
}

char *
__wrap_strdup(const char *s)
{
	return now() ? NULL : __real_strdup(s);
}

char *
__wrap_strndup(const char *s, size_t n)
{
	return now() ? NULL : __real_strndup(s, n);
}

static const char body[] = "version: STSv1\nmode: enforce\n"
			   "mx: a.example\nmx: b.example\nmax_age: 1\n";

/* Each returns true when the call succeeded, and sets *sane. */
static bool
policy(bool *sane)
{
	struct sts_policy *pol;
	struct sts_err err = { 0 };
	enum sts_rc rc =
	    sts_policy_parse(&pol, body, sizeof body - 1, NULL, NULL, &err);

	*sane = rc == STS_OK ? pol != NULL
			     : rc == STS_NOMEM && err.rc == rc && pol == NULL;
	sts_policy_free(pol);
	return rc == STS_OK;
}

static bool
fetch(bool *sane)
{
	struct sts_reply r = { .status = 200,
		.delimited = true,
		.content_type = "text/plain",
		.body = body,
		.len = sizeof body - 1 };
	struct sts_policy *pol;
	struct sts_err err = { 0 };
	enum sts_policy_reply f = sts_policy_reply_judge(&r, &pol, &err);

	/* No memory is no fault of the policy host. */
	*sane = f == STS_POLICY_REPLY_OK
	    ? pol != NULL
	    : f == STS_POLICY_REPLY_LOCAL && pol == NULL && err.rc == STS_NOMEM;
	sts_policy_free(pol);
	return f == STS_POLICY_REPLY_OK;
}

static bool
record(bool *sane)
{
	struct sts_str txt = str_of("v=STSv1; id=a; x=y");
	struct sts_txt out;

	return *sane =
		   sts_txt_select(&out, &txt, 1, NULL, NULL, NULL) == STS_OK;
}

static bool
names(bool *sane)
{
	char out[STS_NAME_SIZE];

	return *sane =
		   sts_domain_normal(out, "[A.Example]:25", NULL) == STS_OK &&
	    sts_mx_match("a.example", "*.example") &&
	    !sts_cert_has_dns_id("\x30\x00", 2, NULL);
}

static const char conf[] = "cache_dir = /nonexistent\n"
			   "[domain a.example]\nmx = b.example\n"
			   "[domain b.example]\nmode = off\n";

static bool
configuration(bool *sane)
{
	struct sts_conf *c;
	struct sts_err err = { 0 };
	enum sts_rc rc =
	    sts_conf_parse(&c, "F", str_of(conf), NULL, NULL, &err);

	*sane = rc == STS_OK ? c != NULL : rc == STS_NOMEM && c == NULL;
	sts_conf_free(c);
	return rc == STS_OK;
}

int
main(void)
{
	static const struct {
		const char *what;
		bool (*run)(bool *sane);
		long allocations;
	} calls[] = {
		{ "policy", policy, 1 },
		{ "fetch", fetch, 1 },
		{ "record", record, 0 },
		{ "names", names, 0 },
		{ "configuration", configuration, 3 },
	};
	bool sane = true, ok, bad = false;
	long n;

	for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
		for (n = 0;; n++) {
			countdown = n;
			ok = calls[i].run(&sane);
			if (countdown >= 0 || !sane)
				break; /* nothing was left to fail */
			if (ok) {      /* went on without what it asked for */
				sane = false;
				break;
			}
		}
		countdown = -1;
		ok = sane && n == calls[i].allocations;
		printf("%s - %s: %ld allocations, each failed once\n",
		    ok ? "ok" : "not ok", calls[i].what, n);
		bad |= !ok;
	}
	return bad;
}
