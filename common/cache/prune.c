/* SPDX-License-Identifier: ISC */
/*
 * Going through the whole store, and keeping it bounded: what is past its use
 * goes; over the limit goes what removal_order.c says.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/domain_name.h"
#include "base/err.h"
#include "entry_files.h"
#include "removal_order.h"
#include "rules/decide.h"

enum {
	UNUSED_MAX = 180 * 86400, /* s a policy is kept without being used */
	EXPIRED_MAX = 7 * 86400,  /* s an expired one is kept */
	LEFTOVER_MAX = 86400,     /* s a mark or half-written entry is kept */
	REPLACED_MAX = 3 * 86400, /* s a replaced policy is kept for reports */
	TIDY_EVERY = 86400,
	ADDRESS_MAX = 2 * STS_MX_FAILED_SPAN,
	/* The mark is set at most once in a gap. */
	RELAYED_MAX = STS_MX_KEEP + STS_MX_RELAYED_GAP,
	PER_DIR_MAX = 8192 /* files; two million in the whole store */
};

struct rows {
	struct sts_removable *row;
	size_t n, room;
	uint64_t units;
};

/* By the clock of the look before: a day ago or longer, 0: there was none. */
static enum sts_worth
worth_of(const struct sts_loaded *loaded, int64_t then)
{
	const struct sts_entry *e = &loaded->entry;

	switch (e->kind) {
	case STS_ENTRY_ABSENT:
		return STS_WORTH_NOTHING;
	case STS_ENTRY_NONE:
		return then < e->until ? STS_WORTH_NO_POLICY
				       : STS_WORTH_NOTHING;
	case STS_ENTRY_NO_FETCH:
		return then - e->failed < LEFTOVER_MAX ? STS_WORTH_NO_POLICY
						       : STS_WORTH_NOTHING;
	case STS_ENTRY_UNASKED:
		return then - e->retry < LEFTOVER_MAX ? STS_WORTH_NO_POLICY
						      : STS_WORTH_NOTHING;
	case STS_ENTRY_POLICY:
		break;
	}
	if (then - loaded->used > UNUSED_MAX || then - e->until > EXPIRED_MAX)
		return STS_WORTH_NOTHING;
	if (then >= e->until)
		return STS_WORTH_EXPIRED;
	return e->since <= then ? STS_WORTH_IN_USE : STS_WORTH_NEW;
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
add_row(struct rows *rows, DIR *dir, const char *name, enum sts_worth worth)
{
	struct sts_removable *more;
	struct stat st;
	unsigned units;
	size_t room;
	char *copy;

	if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return true; /* gone */
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
	units = sts_store_units(S_ISLNK(st.st_mode) ? 0 : (size_t)st.st_size);
	rows->units += units;
	rows->row[rows->n++] =
	    (struct sts_removable){ worth, units, 0, st.st_mtime, copy };
	return true;
}

static void
free_rows(struct rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		free(rows->row[i].name);
	free(rows->row);
}

static bool
drop(DIR *dir, const char *name, size_t *removed)
{
	if (unlinkat(dirfd(dir), name, 0) == -1)
		return false;
	*removed += strchr(name, '~') == NULL;
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

/*
 * What is no entry: marks, MX sets, policies that were, and half-written files
 * of processes that were killed.  True: it takes room, and stays.
 */
static bool
keep_leftover(const struct sts_store *s, DIR *dir, const char *name,
    int64_t then, struct sts_loaded *loaded)
{
	bool is_mx, was = strstr(name, STS_STORE_REPLACED) != NULL;
	char domain[STS_NAME_SIZE];
	struct stat st;

	if (strcmp(name, "~tidied") == 0 || strcmp(name, STS_STORE_SIZE) == 0 ||
	    name[0] == '.' ||
	    fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return false;
	is_mx = splits(name, STS_STORE_MX, domain);
	if (then - st.st_mtime <= LEFTOVER_MAX ||
	    (was && then - st.st_mtime < REPLACED_MAX) ||
	    (splits(name, STS_STORE_RELAYED, domain) &&
		then - st.st_mtime < RELAYED_MAX) ||
	    (is_mx && mx_needed(s, domain, then, loaded)))
		return is_mx || was;
	(void)unlinkat(dirfd(dir), name, 0);
	return false;
}

/* Marks about addresses, which stand in no part of the store. */
static void
prune_addresses(const struct sts_store *s, int64_t now)
{
	DIR *dir = open_dir(s, "~mx");
	struct dirent *d;
	struct stat st;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (fstatat(dirfd(dir), d->d_name, &st, AT_SYMLINK_NOFOLLOW) ==
			0 &&
		    now - st.st_mtime >= ADDRESS_MAX)
			(void)unlinkat(dirfd(dir), d->d_name, 0);
	closedir(dir);
}

/*
 * Down to what fits.  Of what is new a little more goes, so that not every
 * newcomer has the whole directory looked at; what is in use never goes for
 * that.
 */
static void
drop_excess(DIR *dir, struct rows *rows, uint64_t limit, size_t *removed)
{
	const struct sts_removable *r = rows->row;
	size_t left = rows->n;
	bool over;

	if (rows->units <= limit && left <= PER_DIR_MAX)
		return;
	sts_removal_order(rows->row, rows->n);
	for (; left > 0; r++) {
		over = rows->units > limit || left > PER_DIR_MAX;
		if (!over &&
		    (r->worth == STS_WORTH_IN_USE ||
			rows->units <= limit - limit / 8))
			break;
		drop(dir, r->name, removed);
		rows->units -= r->units;
		left--;
	}
}

/* Returns the units that are left. */
static uint64_t
prune_dir(const struct sts_store *s, unsigned n, int64_t then, uint64_t limit,
    size_t *removed)
{
	struct sts_loaded loaded = { .buf = NULL };
	char path[STS_STORE_NAME];
	struct rows rows = { 0 };
	enum sts_worth worth;
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof path, "%02x", n);
	if ((dir = open_dir(s, path)) == NULL)
		return 0;
	while ((d = readdir(dir)) != NULL) {
		worth = STS_WORTH_EXPIRED;
		if (is_entry(s, d->d_name, n)) {
			snprintf(path, sizeof path, "%02x/%s", n, d->d_name);
			if (sts_store_read(s, path, d->d_name, &loaded, NULL) !=
			    STS_OK)
				continue;
			worth = worth_of(&loaded, then);
		} else if (!keep_leftover(s, dir, d->d_name, then, &loaded))
			continue;
		else if (strstr(d->d_name, STS_STORE_REPLACED) != NULL)
			worth = STS_WORTH_NO_POLICY;
		if (worth == STS_WORTH_NOTHING)
			drop(dir, d->d_name, removed);
		else if (!add_row(&rows, dir, d->d_name, worth))
			break;
	}
	sts_loaded_clear(&loaded);
	drop_excess(dir, &rows, limit, removed);
	free_rows(&rows);
	closedir(dir);
	return rows.units;
}

/*
 * AB/~tidied: its time of modification is that of the last look at this
 * directory, its time of access that of the look before.  What goes is judged
 * by one of them, a day ago or longer: a clock that jumps ahead and back within
 * a day removes nothing.
 */
struct looks {
	bool due;
	int64_t then; /* the time to judge by; 0: none */
};

static struct looks
next_look(const struct sts_store *s, unsigned n, int64_t now)
{
	struct timespec t[2] = { { 0, 0 }, { now, 0 } };
	struct looks l = { true, 0 };
	char path[STS_STORE_NAME];
	struct stat st;
	int fd;

	snprintf(path, sizeof path, "%02x/~tidied", n);
	if (fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_mtime <= now) {
		l.due = now - st.st_mtime > TIDY_EVERY;
		l.then = l.due ? st.st_mtime : st.st_atime;
	}
	if (!l.due)
		return l;
	t[0].tv_sec = l.then;
	fd = openat(s->fd, path,
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd == -1 || futimens(fd, t) == -1)
		l.then = 0;
	if (fd != -1)
		close(fd);
	return l;
}

/* AB/~size: has as many bytes as units are in use, or somewhat more. */
static bool
is_full(const struct sts_store *s, const char *path, uint64_t limit)
{
	struct stat st;

	return fstatat(s->fd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    (uint64_t)st.st_size > limit;
}

static void
set_size(const struct sts_store *s, const char *path, uint64_t units)
{
	int fd =
	    openat(s->fd, path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1)
		return;
	(void)!ftruncate(fd, (off_t)units);
	close(fd);
}

/* Returns the time by which it was judged; 0: nothing was due. */
static int64_t
tidy_dir(const struct sts_store *s, unsigned n, int64_t now, unsigned max_mib,
    size_t *removed)
{
	uint64_t units,
	    limit =
		(uint64_t)max_mib * (1048576 / STS_STORE_UNIT) / STS_STORE_DIRS;
	struct looks l = next_look(s, n, now);
	char path[STS_STORE_NAME];

	snprintf(path, sizeof path, "%02x/" STS_STORE_SIZE, n);
	if ((!l.due || l.then == 0) && !is_full(s, path, limit))
		return 0;
	units = prune_dir(s, n, l.then, limit, removed);
	/* Of a full one with nothing but what is in use: not at every call. */
	set_size(s, path, units < limit ? units : limit - limit / 8);
	return l.due ? l.then : 0;
}

enum sts_rc
sts_store_prune(struct sts_store *s, int64_t now, unsigned max_mib,
    size_t *removed, struct sts_err *err)
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
		else if ((dir_then = tidy_dir(s, i, now, max_mib, &n)) != 0)
			then = dir_then;
	}
	if (then != 0)
		prune_addresses(s, then);
	sts_store_leave(&ids);
	if (removed != NULL)
		*removed = n;
	return rc;
}

void
sts_store_tidy(struct sts_store *s, const char *domain, int64_t now,
    unsigned max_mib)
{
	struct sts_ids ids;
	size_t removed = 0;
	int64_t then;

	if (!sts_store_enter(s, &ids))
		return;
	then = tidy_dir(s, sts_store_dir_of(s, domain), now, max_mib, &removed);
	if (then != 0)
		prune_addresses(s, then);
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
