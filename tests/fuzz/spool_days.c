/* SPDX-License-Identifier: ISC */
#include "tlsrpt/spool.h"

#include "fixture.h"
#include "must.h"

enum { RUN = 256, BYTES_MAX = 1 << 20 };

/* "\1n" stands for n times RUN bytes, to pass the limits of line and buffer. */
static size_t
expand(char *out, const uint8_t *data, size_t len)
{
	size_t n = 0, k;

	for (size_t i = 0; i < len && n < BYTES_MAX - 255 * RUN; i++) {
		if (data[i] != 1 || i + 1 == len) {
			out[n++] = (char)data[i];
			continue;
		}
		k = (size_t)data[++i] * RUN;
		memset(out + n, 'a' + (int)i % 26, k);
		n += k;
	}
	return n;
}

/* Each line that is not empty once, in its order, and again at its offset. */
static void
read_day(struct sts_spool *spool, struct sts_str all)
{
	struct scan s = scan_str(all);
	struct sts_str want;
	struct sts_day *day;
	uint64_t at, where;
	char *line;
	size_t len;

	MUST(sts_day_open(spool, sts_day_of("2026-11-24"), &day, NULL) ==
	    STS_OK);
	MUST(sts_day_size(day) == all.len);
	while (s.p < s.end) {
		at = (uint64_t)(s.p - all.p);
		if (!scan_word(&s, '\n', &want))
			want = scan_rest(&s);
		if (want.len == 0)
			continue;
		for (int twice = 0; twice < 2; twice++) {
			MUST(sts_day_next(day, &line, &len, &where, NULL) ==
			    STS_OK);
			MUST(where == at);
			MUST(want.len < STS_SESSION_LINE_MAX
				? len == want.len &&
				    memcmp(line, want.p, len) == 0
				: len == 0);
			memset(line, 'x', len); /* it may be written to */
			if (twice == 0 && want.len % 8 == 0)
				sts_day_seek(day, at);
			else
				break;
		}
	}
	MUST(sts_day_next(day, &line, &len, &where, NULL) == STS_ABSENT);
	sts_day_close(day);
}

static void
wipe(void)
{
	wipe_top(NULL);
}

/* A day's file, which may be damaged, as any bytes. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static char buf[BYTES_MAX];
	static struct sts_spool *spool;
	struct sts_str all = { buf, expand(buf, data, len) };
	int fd;

	if (spool == NULL) {
		MUST(make_top(NULL) == 0 && atexit(wipe) == 0);
		MUST(own(in_top("spool")));
		MUST(sts_spool_open(&spool, in_top("spool"), BYTES_MAX, NULL) ==
		    STS_OK);
	}
	fd = open(in_top("spool/2026-11-24"), O_WRONLY | O_CREAT | O_TRUNC,
	    0600);
	MUST(fd != -1 && write(fd, buf, all.len) == (ssize_t)all.len);
	MUST(geteuid() != 0 || fchown(fd, OWNER, OWNER) == 0);
	close(fd);
	read_day(spool, all);
	return 0;
}
