/* SPDX-License-Identifier: ISC */
/*
 * Marks: empty files whose time of modification is the message, claims among
 * many processes, and the file that the workers' record locks are on.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "entry_files.h"

enum { RESOLVER_DOWN_SPAN = 30 }; /* s */

static void
mark_path(const struct sts_store *s, char out[STS_STORE_NAME],
    enum sts_mark mark, const char *about)
{
	/* The name of what it is about stands in front, behind, or nowhere. */
	static const struct {
		enum { MACHINE, DOMAIN, ADDRESS } kind;
		char word[20];
	} marks[] = {
		[STS_MARK_FAILED] = { DOMAIN, "~failed" },
		[STS_MARK_ANSWERED] = { DOMAIN, "~answered" },
		[STS_MARK_REFRESH] = { DOMAIN, "~refresh" },
		[STS_MARK_REFRESH_MX] = { DOMAIN, "~refresh-mx" },
		[STS_MARK_RELAYED] = { DOMAIN, STS_STORE_RELAYED },
		[STS_MARK_WARNED] = { DOMAIN, "~warned" },
		[STS_MARK_MX_FAILED] = { ADDRESS, "~failed" },
		[STS_MARK_MX_PROBED] = { ADDRESS, "~probed" },
		[STS_MARK_MX_DOWN] = { ADDRESS, "~down" },
		[STS_MARK_RESOLVER_DOWN] = { MACHINE, "~resolver-down" },
		[STS_MARK_SANDBOX_SAID] = { MACHINE, "~sandbox-said" },
		[STS_MARK_UNREACHED_SAID] = { MACHINE, "~unreached-said" },
	};
	const char *word = marks[mark].word;

	switch (marks[mark].kind) {
	case DOMAIN:
		sts_store_path(s, out, about, word);
		break;
	case ADDRESS:
		snprintf(out, STS_STORE_NAME, "~mx/%s%s", about, word);
		break;
	case MACHINE:
		snprintf(out, STS_STORE_NAME, "%s", word);
		break;
	}
}

const char *
sts_store_mx_name(const struct sts_store *s, char out[STS_MX_NAME],
    const char *host, const char *address)
{
	snprintf(out, STS_MX_NAME, "%s~%016llx", address,
	    (unsigned long long)sts_store_hash(s, host));
	return out;
}

enum sts_rc
sts_store_mark(struct sts_store *s, enum sts_mark mark, const char *domain,
    struct sts_err *err)
{
	char path[STS_STORE_NAME];
	struct sts_ids ids;
	struct stat st;
	int fd, error = EPERM;
	enum sts_rc rc = STS_OK;

	mark_path(s, path, mark, domain);
	if (sts_store_enter(s, &ids)) {
		fd = sts_store_create(s, path, 0, 0600);
		error =
		    fd == -1 || futimens(fd, NULL) == -1 || fstat(fd, &st) == -1
		    ? errno
		    : 0;
		if (error == 0)
			rc = sts_store_judge(s, path, &st, err);
		if (fd != -1)
			close(fd);
		sts_store_leave(&ids);
	}
	if (error == 0)
		return rc;
	return sts_fail(err, STS_LOCAL, 0, "cannot set the mark %s: %s", path,
	    strerror(error));
}

enum sts_rc
sts_store_look(const struct sts_store *s, enum sts_mark mark,
    const char *domain, int64_t *when, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	struct stat st;
	enum sts_rc rc;

	*when = 0;
	mark_path(s, path, mark, domain);
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT
		    ? STS_OK
		    : sts_fail(err, STS_LOCAL, 0, "cannot see the mark %s: %s",
			  path, strerror(errno));
	if ((rc = sts_store_judge(s, path, &st, err)) == STS_OK)
		*when = st.st_mtime;
	return rc;
}

int64_t
sts_store_marked(struct sts_store *s, enum sts_mark mark, const char *domain)
{
	struct sts_ids ids;
	int64_t t;

	if (!sts_store_enter(s, &ids))
		return 0;
	(void)sts_store_look(s, mark, domain, &t, NULL);
	sts_store_leave(&ids);
	return t;
}

bool
sts_store_resolver_down(struct sts_store *s, int64_t now)
{
	int64_t down = sts_store_marked(s, STS_MARK_RESOLVER_DOWN, NULL);

	return down <= now && now - down < RESOLVER_DOWN_SPAN;
}

void
sts_store_unmark(struct sts_store *s, enum sts_mark mark, const char *domain)
{
	char path[STS_STORE_NAME];

	mark_path(s, path, mark, domain);
	(void)sts_store_unlink(s, path);
}

bool
sts_store_claim(struct sts_store *s, enum sts_mark mark, const char *domain,
    int64_t now, int64_t stale)
{
	char path[STS_STORE_NAME];
	struct sts_ids ids;
	struct stat st;
	int fd;

	mark_path(s, path, mark, domain);
	if (!sts_store_enter(s, &ids))
		return false;
	fd = sts_store_create(s, path, O_EXCL, 0600);
	if (fd == -1 && errno == EEXIST &&
	    fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (now - st.st_mtime > stale || st.st_mtime - now > stale) &&
	    unlinkat(s->fd, path, 0) == 0)
		fd = sts_store_create(s, path, O_EXCL, 0600);
	if (fd != -1)
		close(fd);
	sts_store_leave(&ids);
	return fd != -1;
}

int
sts_store_lock_file(struct sts_store *s)
{
	struct sts_ids ids;
	struct stat st;
	int fd = -1;

	if (!sts_store_enter(s, &ids))
		return -1;
	fd = openat(s->fd, "~lock",
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd != -1 &&
	    (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
		st.st_uid != s->uid || st.st_nlink != 1)) {
		close(fd);
		fd = -1;
		errno = EINVAL;
	}
	sts_store_leave(&ids);
	return fd;
}
