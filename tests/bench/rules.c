/* SPDX-License-Identifier: ISC */
/*
 * What the pure parts cost in one process: lines of "NAME NS", several of
 * each, in turn.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/hash.h"
#include "conf/conf.h"
#include "rules/decide.h"

enum { ROUNDS = 15, BODY = 65536, SECTIONS = 1000, CONF = 65536 };

static const char small[] = "version: STSv1\nmode: enforce\n"
			    "mx: mx1.example.com\nmx: mx2.example.com\n"
			    "mx: *.backup.example.com\nmax_age: 604800\n";
static char large[BODY], conf[CONF];
static char worst[BODY];
static size_t large_len, worst_len, conf_len;
static volatile uint64_t sink;

static double
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

/* As many distinct patterns as go into 64 KiB, just over 8000. */
static void
make_large(void)
{
	size_t n = (size_t)snprintf(large, sizeof large,
	    "version:STSv1\nmode:enforce\nmax_age:86400\n");

	for (unsigned i = 0; i < 8000; i++)
		n += (size_t)snprintf(large + n, sizeof large - n,
		    "mx:%c.%c%c\n", 'a' + (int)(i / 676),
		    'a' + (int)(i / 26 % 26), 'a' + (int)(i % 26));
	large_len = n;
}

/* All of the length of the host, and alike up to its end. */
static void
make_worst(void)
{
	size_t n = (size_t)snprintf(worst, sizeof worst,
	    "version:STSv1\nmode:enforce\nmax_age:86400\n");

	while (n + sizeof "mx:zz.a.zz\n" < sizeof worst)
		n += (size_t)snprintf(worst + n, sizeof worst - n,
		    "mx:zz.a.zy\n");
	worst_len = n;
}

static void
make_conf(void)
{
	size_t n =
	    (size_t)snprintf(conf, sizeof conf, "cache_dir = /nowhere\n");

	for (unsigned i = 0; i < SECTIONS; i++)
		n += (size_t)snprintf(conf + n, sizeof conf - n,
		    "[domain \"d%04u.example.com\"]\nmode = testing\n", i);
	conf_len = n;
}

static void
parse(const char *p, size_t len)
{
	struct sts_policy *pol;

	if (sts_policy_parse(&pol, p, len, NULL, NULL, NULL) != STS_OK)
		abort();
	sink += sts_policy_mx_count(pol);
	sts_policy_free(pol);
}

static void
parse_small(void)
{
	parse(small, sizeof small - 1);
}

static void
parse_large(void)
{
	parse(large, large_len);
}

/* What a table's answer costs at worst: 32 hosts, none of them in the policy.
 */
static void
judge_worst(void)
{
	struct sts_policy *pol;
	char host[] = "zz.a.zz";

	if (sts_policy_parse(&pol, worst, worst_len, NULL, NULL, NULL) !=
	    STS_OK)
		abort();
	for (int i = 0; i < 32; i++)
		sink += sts_policy_permits(pol, host);
	sts_policy_free(pol);
}

/* The floor: each byte is looked at once. */
static void
hash_small(void)
{
	sink += sts_hash((struct sts_str){ small, sizeof small - 1 });
}

static void
hash_large(void)
{
	sink += sts_hash((struct sts_str){ large, large_len });
}

static void
decide(void)
{
	struct sts_entry e = { .kind = STS_ENTRY_POLICY,
		.id = "1",
		.fetched = 1000000,
		.checked = 1000000,
		.until = 2000000 };
	struct sts_facts f = { .now = 1000100, .cached = &e, .recheck = 3600 };

	sink += (uint64_t)sts_decide(&f).use;
}

static void
configure(void)
{
	struct sts_conf *c;
	struct sts_err err;

	if (sts_conf_parse(&c, "conf", (struct sts_str){ conf, conf_len }, NULL,
		NULL, &err) != STS_OK)
		abort();
	sink += c->ndomain;
	sts_conf_free(c);
}

static const struct {
	const char *name;
	void (*fn)(void);
	unsigned times;
} things[] = {
	{ "small", parse_small, 20000 },
	{ "small-floor", hash_small, 20000 },
	{ "large", parse_large, 50 },
	{ "large-floor", hash_large, 50 },
	{ "worst", judge_worst, 50 },
	{ "decide", decide, 200000 },
	{ "conf", configure, 50 },
};

int
main(void)
{
	double t;

	make_large();
	make_worst();
	make_conf();
	printf("bytes %zu %zu\n", sizeof small - 1, large_len);
	for (unsigned r = 0; r < ROUNDS; r++)
		for (size_t i = 0; i < sizeof things / sizeof things[0]; i++) {
			t = now_ns();
			for (unsigned k = 0; k < things[i].times; k++)
				things[i].fn();
			printf("%s %.1f\n", things[i].name,
			    (now_ns() - t) / things[i].times);
		}
	return 0;
}
