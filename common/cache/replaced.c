/* SPDX-License-Identifier: ISC */
/*
 * Policies that another one, or none, has replaced in the store: the report
 * of their last day needs their text (RFC 8460 4.4), and is made on the day
 * after it.  Files as for entries; sts_store_prune() ends them.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/err.h"
#include "entry_files.h"

/* "ab/example.com~replaced2" */
static void
path_of(const struct sts_store *s, char path[STS_STORE_NAME],
    const char *domain, unsigned n)
{
	char suffix[sizeof STS_STORE_REPLACED + 1];

	snprintf(suffix, sizeof suffix, "%s%u", STS_STORE_REPLACED, n % 10);
	sts_store_path(s, path, domain, suffix);
}

/* The first that is free, or else the oldest. */
static void
choose(const struct sts_store *s, char path[STS_STORE_NAME], const char *domain)
{
	unsigned best = 0;
	time_t oldest = 0;
	struct stat st;

	for (unsigned i = 0; i < STS_STORE_REPLACED_N; i++) {
		path_of(s, path, domain, i);
		if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == -1) {
			best = i;
			break;
		}
		if (i == 0 || st.st_mtime < oldest) {
			best = i;
			oldest = st.st_mtime;
		}
	}
	path_of(s, path, domain, best);
}

enum sts_rc
sts_store_put_replaced(struct sts_store *s, const char *domain,
    const struct sts_entry *e, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	char *buf = malloc(STS_ENTRY_MAX + 1);
	struct sts_ids ids;
	int error = EPERM;
	bool is_link;
	size_t len;

	if (buf == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	path[0] = '\0';
	len = sts_entry_encode(buf, e, domain, &is_link);
	if (len == 0 || e->kind != STS_ENTRY_POLICY)
		error = EINVAL;
	else if (sts_store_enter(s, &ids)) {
		choose(s, path, domain);
		error = sts_store_replace(s, path, domain, buf, len, false);
		sts_store_leave(&ids);
	}
	free(buf);
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot store %s: %s", path,
	    strerror(error));
}

/* Is it at that path?  What cannot be read does not hide the others. */
static bool
is_it(const struct sts_store *s, const char *path, const char *domain,
    const char *id, struct sts_loaded *loaded, enum sts_rc *rc,
    struct sts_err *err)
{
	if (sts_store_read(s, path, domain, loaded, err) != STS_OK) {
		*rc = STS_LOCAL;
		return false;
	}
	return loaded->entry.kind == STS_ENTRY_POLICY &&
	    strcmp(loaded->entry.id, id) == 0;
}

enum sts_rc
sts_store_get_replaced(struct sts_store *s, const char *domain, const char *id,
    struct sts_loaded *loaded, struct sts_err *err)
{
	char path[STS_STORE_NAME];
	enum sts_rc rc = STS_OK;
	struct sts_ids ids;
	bool found;

	if (!sts_store_enter(s, &ids))
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot become the owner of the cache");
	sts_store_path(s, path, domain, "");
	found = is_it(s, path, domain, id, loaded, &rc, err);
	for (unsigned i = 0; i < STS_STORE_REPLACED_N && !found; i++) {
		path_of(s, path, domain, i);
		found = is_it(s, path, domain, id, loaded, &rc, err);
	}
	sts_store_leave(&ids);
	if (found)
		return STS_OK;
	sts_loaded_clear(loaded);
	return rc;
}
