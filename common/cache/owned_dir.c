/* SPDX-License-Identifier: ISC */
/*
 * A directory of the MTA's user: opening it, being its owner for a while,
 * making files in it.  The cache is one, the spool of sessions another.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "entry_files.h"

/* --- The owner's ids ---------------------------------------------------- */

bool
sts_store_enter(const struct sts_store *s, struct sts_ids *ids)
{
	gid_t gid = s->gid;

	ids->changed = false;
	if (geteuid() != 0)
		return true;
	ids->egid = getegid();
	ids->ngroups = getgroups((int)ARRAY_LEN(ids->groups), ids->groups);
	if (ids->ngroups == -1 || setgroups(1, &gid) == -1)
		return false;
	ids->changed = true;
	if (setegid(gid) == 0 && seteuid(s->uid) == 0)
		return true;
	sts_store_leave(ids);
	ids->changed = false;
	return false;
}

void
sts_store_leave(const struct sts_ids *ids)
{
	int saved = errno;

	/* The real uid is 0 all the while, so none of these can be refused. */
	if (ids->changed &&
	    (seteuid(0) == -1 || setegid(ids->egid) == -1 ||
		setgroups((size_t)ids->ngroups, ids->groups) == -1))
		saved = EPERM;
	errno = saved;
}

ssize_t
sts_store_readlink(const struct sts_store *s, const char *name, char *buf,
    size_t size)
{
	ssize_t n = readlinkat(s->fd, name, buf, size);
	struct sts_ids ids;

	if (n != -1 || errno != EACCES || geteuid() != 0 ||
	    !sts_store_enter(s, &ids))
		return n;
	n = readlinkat(s->fd, name, buf, size);
	sts_store_leave(&ids);
	return n;
}

/* --- Opening ------------------------------------------------------------ */

static enum sts_rc
check_owner(const char *what, const char *dir, const struct stat *st,
    struct sts_err *err)
{
	if (!S_ISDIR(st->st_mode))
		return sts_fail(err, STS_LOCAL, 0, "%s %s is not a directory",
		    what, dir);
	if (st->st_uid == 0) /* root must not work on network data */
		return sts_fail(err, STS_LOCAL, 0,
		    "%s %s belongs to root; it must belong to the MTA's user",
		    what, dir);
	if ((st->st_mode & (S_IWGRP | S_IWOTH)) != 0)
		return sts_fail(err, STS_LOCAL, 0,
		    "%s %s is writable by others than its owner", what, dir);
	return STS_OK;
}

/* A link could be another user's way to have root act as a third. */
static int
open_dir(const char *dir)
{
	return open(dir,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
}

/* Root without the capability to read everything is its owner for a moment. */
static int
open_as_owner(const char *dir)
{
	struct sts_store owner = { 0 };
	struct sts_ids ids;
	struct stat st;
	int fd = open_dir(dir);

	if (fd != -1 || errno != EACCES || geteuid() != 0)
		return fd;
	if (lstat(dir, &st) == -1 || st.st_uid == 0) {
		errno = EACCES;
		return -1;
	}
	owner.uid = st.st_uid;
	owner.gid = st.st_gid;
	if (!sts_store_enter(&owner, &ids))
		return -1;
	fd = open_dir(dir);
	sts_store_leave(&ids);
	return fd;
}

enum sts_rc
sts_store_open_as(struct sts_store **out, const char *what, const char *dir,
    struct sts_err *err)
{
	struct sts_store *s;
	struct stat st;
	enum sts_rc rc;
	int fd = open_as_owner(dir);

	*out = NULL;
	if (fd == -1 || fstat(fd, &st) == -1) {
		rc = sts_fail(err, STS_LOCAL, 0, "%s %s: %s%s", what, dir,
		    strerror(errno),
		    errno == ENOTDIR || errno == ELOOP
			? " (a symbolic link will not do)"
			: "");
		goto out;
	}
	if ((rc = check_owner(what, dir, &st, err)) != STS_OK)
		goto out;
	if ((s = calloc(1, sizeof *s)) == NULL) {
		rc = sts_fail(err, STS_NOMEM, 0, "out of memory");
		goto out;
	}
	*s = (struct sts_store){ .fd = fd, .uid = st.st_uid, .gid = st.st_gid };
	*out = s;
	return STS_OK;
out:
	if (fd != -1)
		close(fd);
	return rc;
}

void
sts_store_close(struct sts_store *s)
{
	if (s == NULL)
		return;
	close(s->fd);
	free(s);
}

/* A cache that was emptied has no key, or another one. */
static bool
same_key(const struct sts_store *s)
{
	char text[sizeof s->key_link];
	size_t len = strlen(s->key_link);

	return len == 0 ||
	    (sts_store_readlink(s, STS_STORE_KEY, text, sizeof text) ==
		    (ssize_t)len &&
		memcmp(text, s->key_link, len) == 0);
}

bool
sts_store_moved(const struct sts_store *s, const char *dir)
{
	struct stat now, then;

	return lstat(dir, &now) == -1 || fstat(s->fd, &then) == -1 ||
	    now.st_dev != then.st_dev || now.st_ino != then.st_ino ||
	    !same_key(s);
}

/* --- Making files -------------------------------------------------------- */

/* The directory part of a path of ours: all of them are two levels at most. */
int
sts_store_make_dir(const struct sts_store *s, const char *path)
{
	const char *slash = strchr(path, '/');
	char dir[16];
	bool done;
	int fd;

	if (slash == NULL || (size_t)(slash - path) >= sizeof dir)
		return -1;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	if (!same_key(s)) {
		errno = ESTALE; /* nobody would look there */
		return -1;
	}
	if (mkdirat(s->fd, dir, 0750) == -1)
		return errno == EEXIST ? 0 : -1;
	/* Whatever the umask.  Not by name: the worker may not (sandbox.h). */
	fd =
	    openat(s->fd, dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	done = fd != -1 && fchmod(fd, 0750) == 0;
	if (fd != -1)
		close(fd);
	return done ? 0 : -1;
}

int
sts_store_create(const struct sts_store *s, const char *path, int flags,
    mode_t mode)
{
	int fd;

	flags |= O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	fd = openat(s->fd, path, flags, mode);
	if (fd == -1 && errno == ENOENT && sts_store_make_dir(s, path) == 0)
		fd = openat(s->fd, path, flags, mode);
	return fd;
}
