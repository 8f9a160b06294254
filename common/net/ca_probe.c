/* SPDX-License-Identifier: ISC */
/*
 * Looking for one usable certificate in a CA store.  libcurl with GnuTLS
 * takes a bundle without any for an empty store and then blames the remote.
 */
#include "ca_probe.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"

enum { HASH_LEN = 8 };

static bool
is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f');
}

/* c_rehash(1): eight hexadecimal digits, a dot, a number. */
static bool
is_hashed(const char *name)
{
	struct scan s = scan_str(str_of(name));

	return scan_while(&s, is_hex).len == HASH_LEN && scan_char(&s, '.') &&
	    str_all(scan_rest(&s), is_digit);
}

/* fd is taken.  Errno says why not, 0: it can be read but holds none. */
static bool
probe_fd(int fd, tls_ca_probe *probe)
{
	struct stat st;
	bool ok = false;
	FILE *fp;

	if (fd == -1)
		return false;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    (fp = fdopen(fd, "r")) == NULL) {
		close(fd);
		errno = 0;
		return false;
	}
	ok = probe(fp);
	fclose(fp);
	errno = 0;
	return ok;
}

enum sts_rc
tls_ca_file(const char *path, tls_ca_probe *probe, struct sts_err *err)
{
	if (probe_fd(open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), probe))
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "CA file %s: %s", path,
	    errno != 0 ? strerror(errno) : "no certificate in it");
}

enum sts_rc
tls_ca_dir(const char *path, bool hashed, tls_ca_probe *probe,
    struct sts_err *err)
{
	const char *kind = hashed ? "hashed " : "";
	struct dirent *entry;
	bool found = false;
	DIR *dir;

	if ((dir = opendir(path)) == NULL)
		return sts_fail(err, STS_LOCAL, 0, "CA directory %s: %s", path,
		    strerror(errno));
	while (!found && (entry = readdir(dir)) != NULL)
		if (!hashed || is_hashed(entry->d_name))
			found = probe_fd(openat(dirfd(dir), entry->d_name,
					     O_RDONLY | O_CLOEXEC | O_NONBLOCK),
			    probe);
	closedir(dir);
	if (found)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "CA directory %s: no %scertificate in it", path, kind);
}

const char *
tls_ca_first(const char *const paths[])
{
	for (size_t i = 0; paths[i] != NULL; i++)
		if (access(paths[i], R_OK) == 0)
			return paths[i];
	return paths[0];
}
