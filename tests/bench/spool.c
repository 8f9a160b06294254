/* SPDX-License-Identifier: ISC */
/*
 * The spool and what its days come to.
 *
 *   spool lines DIR N              N sessions, one by one: "line NS" each,
 *                                  and in turn "floor NS": the same bytes by
 *                                  a bare open, write and close
 *   spool record CONF N            sts_record_session() for a domain in the
 *                                  cache, as an adapter calls it: "first NS"
 *                                  in a new context that has been asked for
 *                                  the policy, "line NS" once more in it
 *   spool make DIR LINES DOMAINS   a day of that size, one line in ten a
 *                                  failure; prints its bytes
 *   spool totals DIR               that day: milliseconds, those of CPU time,
 *                                  the largest memory of this program and of
 *                                  sort(1) in KiB, sessions, domains
 */
#include <mtasts/session.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/scan.h"
#include "day_sort.h"
#include "tlsrpt/spool.h"
#include "tlsrpt/totals.h"

static const int64_t day = 1795478400; /* 2026-11-24 */

static long
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static int
fail(const char *what)
{
	fprintf(stderr, "spool: %s\n", what);
	return 1;
}

static long
cpu_ms(const struct rusage *r)
{
	return (r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000 +
	    (r->ru_utime.tv_usec + r->ru_stime.tv_usec) / 1000;
}

static struct sts_session
session(const char *domain, bool failed)
{
	struct sts_session s = {
		.time = day,
		.domain = str_of(domain),
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = str_of("20261124000000"),
	};

	if (failed) {
		s.result = STS_STARTTLS_NOT_SUPPORTED;
		s.sending_ip = str_of("192.0.2.25");
		s.mx_host = str_of("mx1.example.com");
		s.mx_helo = str_of("mx1.example.com");
		s.receiving_ip = str_of("198.51.100.25");
		s.reason = str_of("no STARTTLS offered");
	}
	return s;
}

static long
bare(const char *path, const char *buf, size_t len)
{
	long t = now_ns();
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
	ssize_t n = fd == -1 ? -1 : write(fd, buf, len);

	if (fd != -1)
		close(fd);
	return n == (ssize_t)len ? now_ns() - t : -1;
}

static int
lines(struct sts_spool *sp, const char *dir, uint64_t n)
{
	static char buf[STS_SESSION_LINE_MAX];
	struct sts_session s = session("example.com", true);
	size_t len = sts_session_encode(buf, &s);
	char path[4096];
	long t, floor;

	snprintf(path, sizeof path, "%s/floor", dir);
	for (uint64_t i = 0; i < n; i++) {
		t = now_ns();
		if (sts_spool_add(sp, &s, day, NULL) != STS_OK)
			return fail("cannot add");
		t = now_ns() - t;
		if ((floor = bare(path, buf, len)) == -1)
			return fail("cannot write");
		printf("line %ld\nfloor %ld\n", t, floor);
	}
	return 0;
}

static int
record(const char *conf, uint64_t n)
{
	static const struct sts_session_report seen = {
		.domain = "example.com",
		.result = STS_STARTTLS_NOT_SUPPORTED,
		.sending_ip = "192.0.2.25",
		.mx_host = "mx1.example.com",
		.mx_helo = "mx1.example.com",
		.receiving_ip = "198.51.100.25",
		.reason = "no STARTTLS offered",
	};
	static const char *const names[] = { "first", "line" };
	struct sts_answer *a;
	struct sts_ctx *ctx;
	struct sts_err err;
	long t;

	for (uint64_t i = 0; i < n; i++) {
		if (sts_open(&ctx, conf, &err) != STS_OK ||
		    sts_query(ctx, seen.domain, STS_OFFLINE, &a, &err) !=
			STS_OK)
			return fail(err.text);
		if (a->verdict != STS_POLICY)
			return fail(a->why);
		sts_answer_free(a);
		for (size_t k = 0; k < ARRAY_LEN(names); k++) {
			t = now_ns();
			if (sts_record_session(ctx, &seen, &err) != STS_OK)
				return fail(err.text);
			printf("%s %ld\n", names[k], now_ns() - t);
		}
		sts_close(ctx);
	}
	return 0;
}

static int
make(const char *dir, uint64_t n, uint64_t domains)
{
	static char buf[STS_SESSION_LINE_MAX];
	char path[4096], name[64];
	struct sts_session s;
	uint64_t x = 1, bytes = 0;
	FILE *f;

	snprintf(path, sizeof path, "%s/2026-11-24", dir);
	if ((f = fopen(path, "w")) == NULL)
		return fail("cannot write");
	for (uint64_t i = 0; i < n; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		snprintf(name, sizeof name, "mail-%llu.example.com",
		    (unsigned long long)((x >> 33) % domains));
		s = session(name, i % 10 == 0);
		bytes += fwrite(buf, 1, sts_session_encode(buf, &s), f);
	}
	if (fclose(f) != 0)
		return fail("cannot write");
	printf("%llu\n", (unsigned long long)bytes);
	return 0;
}

/* As make_reports.c does, without what it asks and writes. */
static int
totals(struct sts_spool *sp, const char *dir)
{
	uint64_t at, sessions = 0, domains = 0;
	char domain[STS_NAME_SIZE] = "";
	struct sts_totals t = { 0 };
	struct rusage own, child;
	struct sts_session s;
	struct day_sort *sorted;
	struct sts_day *in;
	long start = now_ns();
	size_t len;
	char *line;

	if (sts_day_open(sp, day, &in, NULL) != STS_OK ||
	    day_sort_start(&sorted, dir, sts_day_size(in), NULL) != STS_OK)
		return fail("cannot begin");
	while (sts_day_next(in, &line, &len, &at, NULL) == STS_OK)
		if (day_sort_put(sorted, line, len, NULL) != STS_OK)
			return fail("cannot sort");
	sts_day_close(in);
	while (day_sort_next(sorted, &line, &len, NULL) == STS_OK) {
		if (!sts_session_decode(&s, line, len))
			return fail("a damaged line");
		if (!str_is(s.domain, domain)) {
			sts_totals_clear(&t);
			memcpy(domain, s.domain.p, s.domain.len);
			domain[s.domain.len] = '\0';
			domains++;
		}
		if (!sts_totals_add(&t, &s))
			return fail("no memory");
		sessions++;
	}
	sts_totals_clear(&t);
	day_sort_close(sorted);
	(void)getrusage(RUSAGE_SELF, &own);
	(void)getrusage(RUSAGE_CHILDREN, &child);
	printf("%ld %ld %ld %ld %llu %llu\n", (now_ns() - start) / 1000000,
	    cpu_ms(&own) + cpu_ms(&child), own.ru_maxrss, child.ru_maxrss,
	    (unsigned long long)sessions, (unsigned long long)domains);
	return 0;
}

static uint64_t
number(const char *s)
{
	uint64_t n;

	return str_u64(str_of(s), UINT32_MAX, &n) ? n : 0;
}

int
main(int argc, char *argv[])
{
	struct sts_spool *sp;
	struct sts_err err;

	if (argc < 3)
		return fail("bad usage");
	if (strcmp(argv[1], "make") == 0 && argc == 5 && number(argv[4]) > 0)
		return make(argv[2], number(argv[3]), number(argv[4]));
	if (strcmp(argv[1], "record") == 0 && argc == 4)
		return record(argv[2], number(argv[3]));
	if (sts_spool_open(&sp, argv[2], STS_SPOOL_DAY_MAX, &err) != STS_OK)
		return fail(err.text);
	if (strcmp(argv[1], "lines") == 0 && argc == 4)
		return lines(sp, argv[2], number(argv[3]));
	if (strcmp(argv[1], "totals") == 0)
		return totals(sp, argv[2]);
	return fail("bad usage");
}
