/* SPDX-License-Identifier: ISC */
/*
 * The store as a directory: its entries.
 *
 * Every name is opened without following links, without waiting, and must
 * then be a regular file with one link and the right owner.
 */
#include "entry_files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd_io.h"

/* --- Names -------------------------------------------------------------- */

/*
 * Not by snprintf(3), which touches pages that nothing else on a hit does: 7 of
 * 70 us in a fresh process.
 */
void
sts_store_path(const struct sts_store *s, char path[STS_STORE_NAME],
    const char *domain, const char *suffix)
{
	static const char hex[] = "0123456789abcdef";
	unsigned dir = sts_store_dir_of(s, domain);
	size_t len = strlen(domain);

	*path++ = hex[dir >> 4];
	*path++ = hex[dir & 15];
	*path++ = '/';
	memcpy(path, domain, len);
	memcpy(path + len, suffix, strlen(suffix) + 1);
}

/* --- Reading ------------------------------------------------------------ */

static struct sts_stamp
stamp_of(const struct stat *st)
{
	return (struct sts_stamp){ st->st_dev, st->st_ino, st->st_size,
		st->st_mtim, st->st_ctim };
}

static bool
same_time(struct timespec a, struct timespec b)
{
	return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool
sts_store_same(const struct sts_store *s, const char *path,
    const struct sts_stamp *then)
{
	struct sts_stamp now;
	struct stat st;

	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	now = stamp_of(&st);
	/* Type, owner and links cannot change without the last. */
	return now.dev == then->dev && now.ino == then->ino &&
	    now.size == then->size && same_time(now.modified, then->modified) &&
	    same_time(now.changed, then->changed);
}

static enum sts_rc
cannot_read(const char *path, int error, struct sts_err *err)
{
	return sts_fail(err, STS_LOCAL, 0, "cannot read %s in the cache: %s",
	    path, strerror(error));
}

enum sts_rc
sts_store_judge(const struct sts_store *s, const char *path,
    const struct stat *st, struct sts_err *err)
{
	if (st->st_uid != s->uid)
		return sts_fail(err, STS_LOCAL, 0,
		    "wrong owner in the cache (uid %u, not %u): %s",
		    (unsigned)st->st_uid, (unsigned)s->uid, path);
	if (!S_ISREG(st->st_mode) && !S_ISLNK(st->st_mode))
		return sts_fail(err, STS_LOCAL, 0,
		    "neither file nor link in the cache: %s", path);
	/* No link is left where a writer replaced it since it was opened. */
	if (st->st_nlink > 1)
		return sts_fail(err, STS_LOCAL, 0,
		    "%u hard links to one file in the cache: %s",
		    (unsigned)st->st_nlink, path);
	return STS_OK;
}

enum sts_rc
sts_store_judge_dir(const struct sts_store *s, const char *path,
    struct sts_err *err)
{
	size_t len = strcspn(path, "/");
	char dir[STS_STORE_NAME];
	struct stat st;

	if (path[len] == '\0')
		return STS_OK; /* in the cache directory itself */
	snprintf(dir, sizeof dir, "%.*s", (int)len, path);
	if (fstatat(s->fd, dir, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? STS_OK : cannot_read(dir, errno, err);
	if (!S_ISDIR(st.st_mode))
		return sts_fail(err, STS_LOCAL, 0,
		    "not a directory in the cache: %s", dir);
	if (st.st_uid == s->uid)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "wrong owner of a directory in the cache (uid %u, not %u): %s",
	    (unsigned)st.st_uid, (unsigned)s->uid, dir);
}

/*
 * After a failed look at path.  Nothing is there only where it could be: a
 * directory of another owner is why we cannot store, not why there is none.
 */
static enum sts_rc
not_there(const struct sts_store *s, const char *path, int error,
    struct sts_err *err)
{
	if (error == ENOENT || error == ENOTDIR)
		return sts_store_judge_dir(s, path, err);
	return cannot_read(path, error, err);
}

void
sts_loaded_clear(struct sts_loaded *loaded)
{
	free(loaded->buf);
	*loaded = (struct sts_loaded){ .buf = NULL };
}

enum sts_rc
sts_store_read_file(const struct sts_store *s, const char *path,
    struct sts_file *f, struct sts_err *err)
{
	struct stat st;
	enum sts_rc rc;
	int fd = openat(s->fd, path,
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);

	f->good = false;
	if (fd == -1)
		return not_there(s, path, errno, err);
	if (fstat(fd, &st) == -1) {
		rc = cannot_read(path, errno, err);
		goto out;
	}
	f->used = st.st_mtime;
	f->stamp = stamp_of(&st);
	if ((rc = sts_store_judge(s, path, &st, err)) != STS_OK ||
	    st.st_size > (off_t)f->size)
		goto out;
	if ((f->buf == NULL &&
		(f->buf = malloc((size_t)st.st_size + 1)) == NULL) ||
	    !sts_read_all(fd, f->buf, (size_t)st.st_size, &f->len)) {
		rc = cannot_read(path, errno, err);
		goto out;
	}
	f->good = true;
out:
	close(fd);
	return rc;
}

static enum sts_rc
read_file(const struct sts_store *s, const char *path, const char *domain,
    struct sts_loaded *loaded, struct sts_err *err)
{
	struct sts_file f = { .size = STS_ENTRY_MAX };
	enum sts_rc rc = sts_store_read_file(s, path, &f, err);

	loaded->buf = f.buf;
	loaded->used = f.used;
	loaded->stamp = f.stamp;
	/* Removed since, or cut: too large, or never written to the disk. */
	loaded->broken = !f.good ||
	    !sts_entry_decode(&loaded->entry, (struct sts_str){ f.buf, f.len },
		false, domain);
	return rc;
}

static enum sts_rc
read_link(const struct sts_store *s, const char *path, const char *domain,
    struct sts_loaded *loaded, struct sts_str text, struct sts_err *err)
{
	struct stat st;
	enum sts_rc rc;

	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return not_there(s, path, errno, err);
	loaded->used = st.st_mtime;
	if ((rc = sts_store_judge(s, path, &st, err)) == STS_OK)
		loaded->broken =
		    !sts_entry_decode(&loaded->entry, text, true, domain);
	return rc;
}

enum sts_rc
sts_store_read(const struct sts_store *s, const char *path, const char *domain,
    struct sts_loaded *loaded, struct sts_err *err)
{
	char link[STS_LINK_MAX + 1];
	enum sts_rc rc;
	ssize_t n;

	/* A link may take the place of a file while we look. */
	for (int tries = 0;; tries++) {
		sts_loaded_clear(loaded);
		n = readlinkat(s->fd, path, link, sizeof link);
		if (n != -1)
			return read_link(s, path, domain, loaded,
			    (struct sts_str){ link, (size_t)n }, err);
		if (errno != EINVAL) /* EINVAL: not a link */
			return not_there(s, path, errno, err);
		rc = read_file(s, path, domain, loaded, err);
		if (rc == STS_OK || tries == 3)
			return rc;
	}
}

enum sts_rc
sts_store_get(struct sts_store *s, const char *domain,
    struct sts_loaded *loaded, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	struct sts_ids ids;
	enum sts_rc rc;

	sts_store_path(s, path, domain, "");
	sts_loaded_clear(loaded);
	if (!sts_store_enter(s, &ids))
		return cannot_read(path, EPERM, err);
	rc = sts_store_read(s, path, domain, loaded, err);
	sts_store_leave(&ids);
	return rc;
}

/* --- Writing ------------------------------------------------------------ */

static int
write_file(const struct sts_store *s, const char *tmp, const char *buf,
    size_t len, bool sync)
{
	int error = 0;
	int fd = sts_store_create(s, tmp, O_EXCL, 0640);

	if (fd == -1)
		return errno;
	if (!sts_write_all(fd, buf, len))
		error = errno;
	/* The umask of the host may be anything, Exim's is 0. */
	if (error == 0 && fchmod(fd, 0640) == -1)
		error = errno;
	if (error == 0 && sync && fdatasync(fd) == -1)
		error = errno;
	if (close(fd) == -1 && error == 0)
		error = errno;
	return error;
}

static int
write_link(const struct sts_store *s, const char *tmp, const char *text)
{
	if (symlinkat(text, s->fd, tmp) == 0 ||
	    (errno == ENOENT && sts_store_make_dir(s, tmp) == 0 &&
		symlinkat(text, s->fd, tmp) == 0))
		return 0;
	return errno;
}

/* For whoever bounds the directory; lost where it fails, until the next day. */
static void
count_units(const struct sts_store *s, const char *domain, size_t len)
{
	static const char nothing[64];
	unsigned units = sts_store_units(len), n;
	char path[STS_STORE_NAME];
	int fd;

	snprintf(path, sizeof path, "%02x/" STS_STORE_SIZE,
	    sts_store_dir_of(s, domain));
	fd = sts_store_create(s, path, O_APPEND, 0600);
	for (; fd != -1 && units > 0; units -= n) {
		n = units < sizeof nothing ? units : sizeof nothing;
		(void)!write(fd, nothing, n);
	}
	if (fd != -1)
		close(fd);
}

/*
 * A power failure may empty a new file, and then there is no entry.  So it was
 * before where there was none; but a policy must not be lost by its renewal.
 */
int
sts_store_replace(struct sts_store *s, const char *path, const char *domain,
    char *buf, size_t len, bool is_link)
{
	char tmp[STS_STORE_NAME];
	struct stat st;
	bool sync = fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode);
	int error;

	snprintf(tmp, sizeof tmp, "%02x/~tmp.%ld.%u",
	    sts_store_dir_of(s, domain), (long)getpid(), s->serial++);
	if (is_link) {
		buf[len] = '\0';
		error = write_link(s, tmp, buf);
	} else
		error = write_file(s, tmp, buf, len, sync);
	if (error == 0 && renameat(s->fd, tmp, s->fd, path) == -1)
		error = errno;
	if (error != 0)
		(void)unlinkat(s->fd, tmp, 0);
	else
		count_units(s, domain, is_link ? 0 : len);
	return error;
}

enum sts_rc
sts_store_put(struct sts_store *s, const char *domain,
    const struct sts_entry *e, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	struct sts_ids ids;
	bool is_link;
	size_t len;
	int error = EPERM;
	char *buf = malloc(STS_ENTRY_MAX + 1);

	if (buf == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	sts_store_path(s, path, domain, "");
	len = sts_entry_encode(buf, e, domain, &is_link);
	if (len == 0)
		error = EINVAL;
	else if (sts_store_enter(s, &ids)) {
		error = sts_store_replace(s, path, domain, buf, len, is_link);
		sts_store_leave(&ids);
	}
	free(buf);
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot store cache entry %s: %s",
	    path, strerror(error));
}

void
sts_store_set_used(struct sts_store *s, const char *domain, int64_t used)
{
	struct timespec t[2] = { { 0, UTIME_OMIT }, { used, 0 } };
	char path[STS_STORE_NAME];
	struct sts_ids ids;

	sts_store_path(s, path, domain, "");
	if (!sts_store_enter(s, &ids))
		return;
	(void)utimensat(s->fd, path, t, AT_SYMLINK_NOFOLLOW);
	sts_store_leave(&ids);
}

int
sts_store_unlink(const struct sts_store *s, const char *path)
{
	struct sts_ids ids;
	int error = EPERM;

	if (sts_store_enter(s, &ids)) {
		error = unlinkat(s->fd, path, 0) == -1 ? errno : 0;
		sts_store_leave(&ids);
	}
	return error == ENOENT ? 0 : error;
}

enum sts_rc
sts_store_remove(struct sts_store *s, const char *domain, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	int error;

	sts_store_path(s, path, domain, "");
	if ((error = sts_store_unlink(s, path)) == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot remove cache entry %s: %s",
	    path, strerror(error));
}
