/* SPDX-License-Identifier: ISC */
/*
 * Going through the whole store, and keeping it bounded: what is past its use
 * goes; over the limit goes what protects least, live enforce policies last.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "entry_files.h"
#include "rules/decide.h"

enum {
	UNUSED_MAX = 180 * 86400, /* s a policy is kept without being used */
	EXPIRED_MAX = 7 * 86400,  /* s an expired one is kept */
	LEFTOVER_MAX = 86400,     /* s a mark or half-written entry is kept */
	WAS_MAX = 3 * 86400,      /* s a replaced policy is kept for reports */
	TIDY_EVERY = 86400,
	ADDRESS_MAX = 2 * STS_MX_FAILED_SPAN,
	/* The mark is set at most once in a gap. */
	RELAYED_MAX = STS_MX_KEEP + STS_MX_RELAYED_GAP,
	PER_DIR_MAX = 8192 /* entries; two million in the whole store */
};

/* What an entry is worth, least first. */
enum worth { WORTH_NOTHING, WORTH_LITTLE, WORTH_TESTING, WORTH_ENFORCE };

struct row {
	enum worth worth;
	int64_t used;
	char *name;
};

struct rows {
	struct row *row;
	size_t n, room;
};

static enum worth
worth_of(const struct sts_loaded *loaded, int64_t now)
{
	const struct sts_entry *e = &loaded->entry;
	enum worth worth = WORTH_LITTLE;
	struct sts_policy *pol;

	switch (e->kind) {
	case STS_ENTRY_ABSENT:
		return WORTH_NOTHING;
	case STS_ENTRY_NONE:
		return now < e->until ? WORTH_LITTLE : WORTH_NOTHING;
	case STS_ENTRY_NO_FETCH:
		return now - e->failed < LEFTOVER_MAX ? WORTH_LITTLE
						      : WORTH_NOTHING;
	case STS_ENTRY_UNASKED:
		return now - e->retry < LEFTOVER_MAX ? WORTH_LITTLE
						     : WORTH_NOTHING;
	case STS_ENTRY_POLICY:
		break;
	}
	if (now - loaded->used > UNUSED_MAX || now - e->until > EXPIRED_MAX)
		return WORTH_NOTHING;
	if (now >= e->until)
		return WORTH_LITTLE;
	if (sts_policy_parse(&pol, e->body.p, e->body.len, NULL, NULL, NULL) !=
	    STS_OK)
		return WORTH_NOTHING;
	if (sts_policy_mode(pol) == STS_MODE_ENFORCE)
		worth = WORTH_ENFORCE;
	else if (sts_policy_mode(pol) == STS_MODE_TESTING)
		worth = WORTH_TESTING;
	sts_policy_free(pol);
	return worth;
}

/* --- One directory ------------------------------------------------------ */

static DIR *
open_dir(const struct sts_store *s, const char *name)
{
	int fd = openat(s->fd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd == -1 ? NULL : fdopendir(fd);

	if (fd != -1 && dir == NULL)
		close(fd);
	return dir;
}

/* A name that is an entry's and stands in the right directory. */
static bool
is_entry(const struct sts_store *s, const char *name, unsigned dir)
{
	char normal[STS_NAME_SIZE];

	return sts_domain_is_normal(normal, str_of(name)) &&
	    sts_store_dir_of(s, name) == dir;
}

static bool
add_row(struct rows *rows, const char *name, enum worth worth, int64_t used)
{
	struct row *more;
	size_t room;
	char *copy;

	if (rows->n == rows->room) {
		room = rows->room == 0 ? 64 : rows->room * 2;
		more = reallocarray(rows->row, room, sizeof *more);
		if (more == NULL)
			return false;
		rows->row = more;
		rows->room = room;
	}
	if ((copy = strdup(name)) == NULL)
		return false;
	rows->row[rows->n++] = (struct row){ worth, used, copy };
	return true;
}

static void
free_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->row[i].name);
	free(rows->row);
}

static int
by_worth(const void *a, const void *b)
{
	const struct row *x = a, *y = b;

	if (x->worth != y->worth)
		return x->worth < y->worth ? -1 : 1;
	return (x->used > y->used) - (x->used < y->used);
}

static bool
drop(DIR *dir, const char *name, size_t *removed)
{
	if (unlinkat(dirfd(dir), name, 0) == -1)
		return false;
	++*removed;
	return true;
}

/* Is the end of name what, and all before it domain? */
static bool
splits(const char *name, const char *what, char domain[STS_NAME_SIZE])
{
	const char *tilde = strchr(name, '~');
	size_t len;

	if (tilde == NULL || strcmp(tilde, what) != 0 ||
	    (len = (size_t)(tilde - name)) == 0 || len >= STS_NAME_SIZE)
		return false;
	memcpy(domain, name, len);
	domain[len] = '\0';
	return true;
}

/* Mail was handed on to the domain of late, and may lie in a queue. */
static bool
relayed(const struct sts_store *s, const char *domain, int64_t now)
{
	char path[STS_STORE_NAME];
	struct stat st;

	sts_store_path(s, path, domain, STS_STORE_RELAYED);
	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    now - st.st_mtime < RELAYED_MAX;
}

/* Does a live policy, or mail on its way, need the domain's MX set? */
static bool
mx_needed(const struct sts_store *s, const char *domain, int64_t now,
    struct sts_loaded *loaded)
{
	char path[STS_STORE_NAME];

	if (relayed(s, domain, now))
		return true;
	sts_store_path(s, path, domain, "");
	return sts_store_read(s, path, domain, loaded, NULL) != STS_OK ||
	    (loaded->entry.kind == STS_ENTRY_POLICY &&
		now < loaded->entry.until);
}

static bool
is_was(const char *name)
{
	const char *tilde = strchr(name, '~');

	return tilde != NULL &&
	    strncmp(tilde, STS_STORE_REPLACED, sizeof STS_STORE_REPLACED - 1) ==
	    0;
}

/*
 * What is no entry: marks, MX sets, policies that were, and half-written files
 * of processes that were killed.
 */
static void
drop_leftover(const struct sts_store *s, DIR *dir, const char *name,
    int64_t now, struct sts_loaded *loaded)
{
	char domain[STS_NAME_SIZE];
	struct stat st;

	if (strchr(name, '~') == NULL || strcmp(name, "~tidied") == 0 ||
	    fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
	    now - st.st_mtime <= LEFTOVER_MAX)
		return;
	if (is_was(name) && now - st.st_mtime < WAS_MAX)
		return;
	if (splits(name, STS_STORE_RELAYED, domain) &&
	    now - st.st_mtime < RELAYED_MAX)
		return;
	if (splits(name, STS_STORE_MX, domain) &&
	    mx_needed(s, domain, now, loaded))
		return;
	(void)unlinkat(dirfd(dir), name, 0);
}

/* A directory of marks, each of which is over after a time. */
static void
prune_marks(const struct sts_store *s, const char *name, int64_t now,
    int64_t span)
{
	DIR *dir = open_dir(s, name);
	struct dirent *d;
	struct stat st;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    now - st.st_mtime >= span)
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
}

/* Marks that stand in no part of the store. */
static void
prune_lists(const struct sts_store *s, int64_t now)
{
	prune_marks(s, "~mx", now, ADDRESS_MAX);
}

/* What was past its use at a time. */
static void
prune_dir(const struct sts_store *s, unsigned n, int64_t now, size_t *removed)
{
	struct sts_loaded loaded = { .buf = NULL };
	char path[STS_STORE_NAME];
	struct rows rows = { 0 };
	struct dirent *d;
	enum worth worth;
	DIR *dir;

	snprintf(path, sizeof path, "%02x", n);
	if ((dir = open_dir(s, path)) == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (!is_entry(s, d->d_name, n)) {
			drop_leftover(s, dir, d->d_name, now, &loaded);
			continue;
		}
		snprintf(path, sizeof path, "%02x/%s", n, d->d_name);
		if (sts_store_read(s, path, d->d_name, &loaded, NULL) != STS_OK)
			continue;
		worth = worth_of(&loaded, now);
		if (worth == WORTH_NOTHING)
			drop(dir, d->d_name, removed);
		else if (!add_row(&rows, d->d_name, worth, loaded.used))
			break;
	}
	sts_loaded_clear(&loaded);
	if (rows.n > PER_DIR_MAX) {
		qsort(rows.row, rows.n, sizeof *rows.row, by_worth);
		for (size_t i = 0; i < rows.n - PER_DIR_MAX; i++)
			drop(dir, rows.row[i].name, removed);
	}
	free_rows(&rows);
	closedir(dir);
}

/*
 * When this directory was last looked at, a day ago or longer; 0: it was not,
 * and is from now on.  What goes is judged by that time: a clock that jumps
 * ahead and back within a day removes nothing.
 */
static int64_t
last_look(const struct sts_store *s, unsigned n, int64_t now)
{
	struct timespec t[2] = { { now, 0 }, { now, 0 } };
	char path[STS_STORE_NAME];
	int64_t then = 0;
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%02x/~tidied", n);
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
		then = st.st_mtime;
	if (then <= now && now - then <= TIDY_EVERY)
		return 0;
	fd = openat(s->fd, path,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd == -1 || futimens(fd, t) == -1)
		then = 0;
	if (fd != -1)
		close(fd);
	return then <= now ? then : 0;
}

/* Returns the time by which it was judged. */
static int64_t
tidy_dir(const struct sts_store *s, unsigned n, int64_t now, size_t *removed)
{
	int64_t then = last_look(s, n, now);

	if (then != 0)
		prune_dir(s, n, then, removed);
	return then;
}

enum sts_rc
sts_store_prune(struct sts_store *s, int64_t now, size_t *removed,
    struct sts_err *err)
{
	int64_t then = 0, dir_then;
	enum sts_rc rc = STS_OK;
	struct sts_ids ids;
	size_t n = 0;
	char path[8];

	if (!sts_store_enter(s, &ids))
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot become the owner of the cache");
	for (unsigned i = 0; i < STS_STORE_DIRS; i++) {
		snprintf(path, sizeof path, "%02x/", i);
		if (sts_store_judge_dir(s, path, err) != STS_OK)
			rc = STS_LOCAL;
		else if ((dir_then = tidy_dir(s, i, now, &n)) != 0)
			then = dir_then;
	}
	if (then != 0)
		prune_lists(s, then);
	sts_store_leave(&ids);
	if (removed != NULL)
		*removed = n;
	return rc;
}

void
sts_store_tidy(struct sts_store *s, const char *domain, int64_t now)
{
	struct sts_ids ids;
	size_t removed = 0;
	int64_t then;

	if (!sts_store_enter(s, &ids))
		return;
	then = tidy_dir(s, sts_store_dir_of(s, domain), now, &removed);
	if (then != 0)
		prune_lists(s, then);
	sts_store_leave(&ids);
}

/* --- Walking ------------------------------------------------------------ */

enum sts_rc
sts_store_walk(struct sts_store *s, sts_loaded_fn *fn, void *arg,
    struct sts_err *err)
{
	struct sts_loaded loaded = { .buf = NULL };
	char path[STS_STORE_NAME];
	enum sts_rc rc = STS_OK;
	struct sts_ids ids;
	struct dirent *d;
	bool more = true;
	DIR *dir;

	if (!sts_store_enter(s, &ids))
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot become the owner of the cache");
	for (unsigned i = 0; i < STS_STORE_DIRS && more; i++) {
		snprintf(path, sizeof path, "%02x/", i);
		if (sts_store_judge_dir(s, path, err) != STS_OK)
			rc = STS_LOCAL;
		if ((dir = open_dir(s, path)) == NULL)
			continue;
		while (more && (d = readdir(dir)) != NULL) {
			if (!is_entry(s, d->d_name, i))
				continue;
			snprintf(path, sizeof path, "%02x/%s", i, d->d_name);
			if (sts_store_read(s, path, d->d_name, &loaded, err) ==
			    STS_OK)
				more = fn(arg, d->d_name, &loaded);
			else
				rc = STS_LOCAL;
		}
		closedir(dir);
	}
	sts_store_leave(&ids);
	sts_loaded_clear(&loaded);
	return rc;
}
