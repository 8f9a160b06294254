/* SPDX-License-Identifier: ISC */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/domain_name.h"
#include "forward_offset.h"
#include "must.h"

#define DAY "2026-11-24"

static char dir[] = "/tmp/mtasts-fuzz.XXXXXX";

static void
remove_dir(void)
{
	(void)rmdir(dir);
}

/* Whatever lies there: what waits is before the end, and gets done. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct stat day = { .st_ino = 77, .st_size = 1000 };
	static int spool = -1;
	struct forward_waiting w = { .time = 9, .domain = "z.example" };
	struct forward_offset *r;
	size_t left = 0;
	int fd;

	if (spool == -1) {
		MUST(mkdtemp(dir) != NULL && atexit(remove_dir) == 0);
		spool = open(dir, O_RDONLY | O_DIRECTORY);
	}
	fd = openat(spool, "~forward-" DAY, O_WRONLY | O_CREAT, 0600);
	MUST(fd != -1 && write(fd, data, len) == (ssize_t)len);
	close(fd);
	MUST(forward_offset_open(&r, spool, DAY, &day, NULL) == STS_OK);
	MUST(forward_offset_end(r) <= 1000);
	for (size_t i = 0; i < forward_offset_count(r); i++) {
		if (!forward_offset_waiting(r, i, &w))
			continue;
		left++;
		MUST(w.offset < forward_offset_end(r) && w.time >= 0);
		MUST(sts_name_valid(str_of(w.domain)));
		if (i % 2 == 0) {
			left--;
			MUST(forward_offset_done(r, i, NULL) == STS_OK);
		}
	}
	/* One more, whose line must not become part of another's. */
	w.offset = forward_offset_end(r);
	snprintf(w.domain, sizeof w.domain, "z.example");
	MUST(forward_offset_wait(r, &w, 1000 + 1, NULL) == STS_OK);
	forward_offset_close(r);
	MUST(forward_offset_open(&r, spool, DAY,
		 &(struct stat){ .st_ino = 77, .st_size = 2000 },
		 NULL) == STS_OK);
	MUST(forward_offset_end(r) == 1001 && forward_offset_waits(r));
	for (size_t i = 0; i < forward_offset_count(r); i++)
		if (forward_offset_waiting(r, i, &w))
			left--;
	MUST(left == (size_t)-1 && strcmp(w.domain, "z.example") == 0);
	forward_offset_close(r);
	forward_offset_forget(spool, DAY);
	return 0;
}
