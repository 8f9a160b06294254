/* SPDX-License-Identifier: ISC */
/* Writing to the spool: one open, one write, one close for a session. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/err.h"
#include "shares.h"
#include "spool_dir.h"

static int
open_day(const struct sts_spool *s, const char *name, struct stat *st)
{
	const int flags = O_RDWR | O_APPEND;
	int fd = sts_spool_file(s, name, flags, st);

	if (fd != -1 || errno != ENOENT)
		return fd;
	fd = sts_spool_file(s, name, flags | O_CREAT | O_EXCL, st);
	if (fd == -1 && errno == EEXIST) /* another was faster */
		return sts_spool_file(s, name, flags, st);
	if (fd != -1)
		(void)fchmod(fd, 0640); /* whatever the umask */
	return fd;
}

/*
 * A line that a full disk or a kill has torn must not spoil the next.  To cut
 * it off is no way out: others may be behind it by now.
 */
static bool
torn(int fd, off_t size)
{
	char last = '\n';

	return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* A session on its way to the file of its day. */
struct line {
	const struct sts_spool *spool;
	const char *day;
	struct sts_str domain;
	struct sts_err *err;
};

static enum sts_rc
lost(const struct line *l, int error)
{
	return sts_fail(l->err, STS_LOCAL, 0,
	    "a session is missing in the TLS report of %s: %s", l->day,
	    strerror(error));
}

/* The first of many says so: a line for each would flood the log. */
static enum sts_rc
refused(const struct line *l, enum sts_share_answer a, const char *why)
{
	return sts_fail(l->err,
	    a == STS_SHARE_REFUSED_AGAIN ? STS_ABSENT : STS_LOCAL, 0,
	    "sessions of %.*s are missing in the TLS report of %s: %s",
	    (int)l->domain.len, l->domain.p, l->day, why);
}

/*
 * Is there room for len bytes behind size?  Half of a day's file is for
 * whoever comes first; in the rest each owner of domains has a share.  Where
 * the shares cannot be counted, the end of the file is still the end.
 */
static enum sts_rc
may_grow(const struct line *l, uint64_t size, size_t len)
{
	const uint64_t max = sts_spool_size_limit(l->spool->max);
	bool full = len > max || size > max - len;
	enum sts_share_answer a = STS_SHARE_UNKNOWN;
	struct sts_shares shares;

	if (!full && size + len <= max / 2)
		return STS_OK;
	if (sts_shares_open(&shares, l->spool, l->day, true)) {
		a = full ? sts_shares_full(&shares)
			 : sts_shares_line(&shares, l->domain, len);
		sts_shares_close(&shares);
	}
	if (full)
		return refused(l, a, "the day's file is full");
	if (a == STS_SHARE_REFUSED || a == STS_SHARE_REFUSED_AGAIN)
		return refused(l, a,
		    "the share of its owner in the day's file is used up");
	return STS_OK;
}

/* buf has a line from its second byte on; the first is free. */
static enum sts_rc
append(const struct line *l, int fd, off_t size, char *buf, size_t len)
{
	enum sts_rc rc = may_grow(l, (uint64_t)size, len + 1);
	ssize_t n;

	if (rc != STS_OK)
		return rc;
	buf[0] = '\n';
	if (torn(fd, size))
		len++;
	else
		buf++;
	while ((n = write(fd, buf, len)) == -1 && errno == EINTR)
		;
	return n == (ssize_t)len ? STS_OK : lost(l, n == -1 ? errno : ENOSPC);
}

/* buf and len as for append(): the line without a certificate. */
static enum sts_rc
add(const struct line *l, const struct sts_session *session, char *buf,
    size_t len)
{
	char cert[STS_SESSION_CERT];
	struct sts_session s = *session;
	struct stat st;
	int fd = open_day(l->spool, l->day, &st);
	enum sts_rc rc;

	if (fd == -1)
		return lost(l, errno);
	/* The certificate first, for the line has its name. */
	if (s.der.len > 0 &&
	    sts_spool_keep_cert(l->spool, l->day, l->domain, s.der, cert)) {
		s.cert = str_of(cert);
		len = sts_session_encode(buf + 1, &s);
	}
	rc = append(l, fd, st.st_size, buf, len);
	/* Errors that only close(2) tells of are those of networks. */
	if (close(fd) == -1 && rc == STS_OK)
		rc = lost(l, errno);
	return rc;
}

enum sts_rc
sts_spool_add(struct sts_spool *s, const struct sts_session *session,
    int64_t now, struct sts_err *err)
{
	char buf[1 + STS_SESSION_LINE_MAX], name[STS_DAY_NAME];
	struct line l = { s, name, session->domain, err };
	size_t len = sts_session_encode(buf + 1, session);
	struct sts_ids ids;
	enum sts_rc rc;

	if (len == 0 || !sts_day_name(name, now))
		return sts_fail(err, STS_USAGE, 0, "not a session");
	if (!sts_store_enter(s->dir, &ids))
		return lost(&l, EPERM);
	rc = add(&l, session, buf, len);
	sts_store_leave(&ids);
	return rc;
}
