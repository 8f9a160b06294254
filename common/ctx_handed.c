/* SPDX-License-Identifier: ISC */
/* Noting what sts_mx_next() hands out, and sts_mx_handed(). */
#include "ctx.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "err.h"
#include "handed.h"
#include "hash.h"
#include "store_dir.h"

/* At most twice STS_HANDED_MAX: one that grows, and the one before it. */
static const char file[] = "~handed", before[] = "~handed-before";

static int64_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Each envelope of a message asks anew, and one line will do for them. */
static bool
just_noted(struct sts_ctx *ctx, const char *domain, const char *host,
    int64_t now)
{
	uint64_t h = sts_hash_more(sts_hash(str_of(domain)), str_of(host));
	struct sts_noted *n = &ctx->noted[h % ARRAY_LEN(ctx->noted)];

	if (n->hash == h && now >= n->when && now - n->when < STS_HANDED_GAP)
		return true;
	*n = (struct sts_noted){ h, now };
	return false;
}

/* One write: lines of several tables do not mix.  Lost where it fails. */
static void
append(struct sts_store *s, const char *line, size_t len)
{
	struct sts_ids ids;
	struct stat st, now;
	int fd;

	if (!sts_store_enter(s, &ids))
		return;
	fd = sts_store_create(s, file, O_APPEND, 0600);
	if (fd != -1 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    st.st_uid == s->uid && st.st_nlink == 1) {
		(void)!write(fd, line, len);
		/* Not what another table has begun meanwhile. */
		if (st.st_size + (off_t)len > STS_HANDED_MAX &&
		    flock(fd, LOCK_EX | LOCK_NB) == 0 &&
		    fstatat(s->fd, file, &now, AT_SYMLINK_NOFOLLOW) == 0 &&
		    now.st_ino == st.st_ino)
			(void)renameat(s->fd, file, s->fd, before);
	}
	if (fd != -1)
		close(fd);
	sts_store_leave(&ids);
}

void
sts_note_handed(struct sts_ctx *ctx, const char *domain,
    const struct sts_mx_host *host)
{
	int64_t now = wall_ms();
	char line[STS_HANDED_LINE];
	size_t len;

	if (ctx->conf->report.contact == NULL ||
	    just_noted(ctx, domain, host->name, now) ||
	    (len = sts_handed_line(line, now, domain, host)) == 0)
		return;
	append(ctx->store, line, len);
}

/* False: fn wants no more. */
static bool
tell(struct sts_store *s, const char *name, const char *address, int64_t since,
    sts_mx_handed_fn *fn, void *arg)
{
	struct sts_file f = { .size = STS_HANDED_MAX + STS_HANDED_LINE };
	struct sts_handed h;
	struct sts_ids ids;
	struct scan scan;
	bool more = true;

	if (!sts_store_enter(s, &ids))
		return false;
	(void)sts_store_read_file(s, name, &f);
	sts_store_leave(&ids);
	if (f.good) {
		scan = scan_bytes(f.buf, f.len);
		while (more && sts_handed_next(&scan, address, &h))
			if (h.when >= since)
				more = fn(arg, h.when, h.domain, h.host);
	}
	free(f.buf);
	return more;
}

enum sts_rc
sts_mx_handed(struct sts_ctx *ctx, const char *address, int64_t since,
    sts_mx_handed_fn *fn, void *arg, struct sts_err *err)
{
	char text[STS_ADDR_TEXT];
	struct sts_addr addr;
	enum sts_rc rc;

	if (!sts_addr_parse(&addr, str_of(address)))
		return sts_fail(err, STS_USAGE, 0, "%s is not an IP address",
		    sts_show(str_of(address)).text);
	if ((rc = sts_ctx_store(ctx, err)) != STS_OK)
		return rc;
	sts_addr_text(&addr, text);
	if (tell(ctx->store, before, text, since, fn, arg))
		(void)tell(ctx->store, file, text, since, fn, arg);
	return STS_OK;
}
