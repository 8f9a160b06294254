/* SPDX-License-Identifier: ISC */
/*
 * The leaf certificates of a day's failed sessions, each stored once:
 *
 *   DAY~certs/NAME    DER; NAME is a keyed hash of it
 *
 * The adapters have no more than libc, so it is no SHA-256.  SipHash with a
 * random key of the day does, twice, for 128 bits: a stranger who does not
 * know the key cannot make two certificates that have one name, and who reads
 * one holds it against its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd_io.h"
#include "base/siphash.h"
#include "shares.h"
#include "spool_dir.h"

enum { PATH = STS_DAY_NAME + sizeof STS_SPOOL_CERTS + STS_SESSION_CERT };

static void
name_of(char name[STS_SESSION_CERT], const struct sts_shares *s,
    struct sts_str der)
{
	snprintf(name, STS_SESSION_CERT, "%016" PRIx64 "%016" PRIx64,
	    sts_siphash(s->key, der), sts_siphash(s->key + 2, der));
}

static void
path_of(char path[PATH], const char *day, const char *name)
{
	snprintf(path, PATH, "%s" STS_SPOOL_CERTS "/%s", day, name);
}

/* --- Storing ----------------------------------------------------------------
 */

/* A new file; makes the directory where it is missing. */
static int
create(const struct sts_spool *s, const char *day, const char *path)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	char dir[PATH];
	int fd = openat(s->dir->fd, path, flags, 0640);

	if (fd != -1 || errno != ENOENT)
		return fd;
	path_of(dir, day, "");
	dir[strlen(dir) - 1] = '\0';
	if (mkdirat(s->dir->fd, dir, 0750) == 0 &&
	    fchmodat(s->dir->fd, dir, 0750, 0) == -1) /* whatever the umask */
		return -1;
	return openat(s->dir->fd, path, flags, 0640);
}

/* Written under another name first, so that nobody reads a part of it. */
static bool
store(const struct sts_spool *s, const char *day, const char *path,
    struct sts_str der)
{
	char random_name[STS_SESSION_CERT], temporary[PATH];
	uint64_t random;
	bool good;
	int fd;

	if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
		return false;
	snprintf(random_name, sizeof random_name, "~%016" PRIx64, random);
	path_of(temporary, day, random_name);
	if ((fd = create(s, day, temporary)) == -1)
		return false;
	(void)fchmod(fd, 0640);
	good = sts_write_all(fd, der.p, der.len);
	if (close(fd) == -1)
		good = false;
	if (good && renameat(s->dir->fd, temporary, s->dir->fd, path) == 0)
		return true;
	(void)unlinkat(s->dir->fd, temporary, 0);
	return false;
}

bool
sts_spool_keep_cert(const struct sts_spool *s, const char *day,
    struct sts_str domain, struct sts_str der, char name[STS_SESSION_CERT])
{
	struct sts_shares shares;
	char path[PATH];
	struct stat st;
	bool there;

	if (der.len > STS_SESSION_DER_MAX ||
	    sts_spool_size_limit(der.len) < der.len ||
	    !sts_shares_open(&shares, s, day, true))
		return false;
	name_of(name, &shares, der);
	path_of(path, day, name);
	there = (fstatat(s->dir->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(st.st_mode)) ||
	    (sts_shares_cert(&shares, domain, der.len) == STS_SHARE_CHARGED &&
		store(s, day, path, der));
	sts_shares_close(&shares);
	return there;
}

/* --- Reading ----------------------------------------------------------------
 */

static bool
read_cert(const struct sts_spool *s, const char *day, const char *name,
    char *buf, size_t *len)
{
	char path[PATH], again[STS_SESSION_CERT];
	struct sts_shares shares;
	struct stat st;
	bool good;
	int fd;

	path_of(path, day, name);
	if ((fd = sts_spool_file(s, path, O_RDONLY, &st)) == -1)
		return false;
	good = sts_read_all(fd, buf, STS_SESSION_DER_MAX, len);
	close(fd);
	if (!good || *len == 0 || *len != (size_t)st.st_size ||
	    !sts_shares_open(&shares, s, day, false))
		return false;
	name_of(again, &shares, (struct sts_str){ buf, *len });
	sts_shares_close(&shares);
	return strcmp(again, name) == 0;
}

bool
sts_spool_cert(const struct sts_spool *s, int64_t day, struct sts_str name,
    char der[STS_SESSION_DER_MAX], size_t *len)
{
	char of_day[STS_DAY_NAME], text[STS_SESSION_CERT];
	struct sts_ids ids;
	bool good;

	if (!sts_session_is_cert(name) || !sts_day_name(of_day, day) ||
	    !sts_store_enter(s->dir, &ids))
		return false;
	memcpy(text, name.p, name.len);
	text[name.len] = '\0';
	good = read_cert(s, of_day, text, der, len);
	sts_store_leave(&ids);
	return good;
}
