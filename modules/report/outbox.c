/* SPDX-License-Identifier: ISC */
#include "outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "base/fd_io.h"
#include "base/scan.h"

enum { BODY_MAX = 64 << 20 };

struct outbox {
	int fd; /* of SPOOL/out */
};

enum sts_rc
outbox_open(struct outbox **out, int fd, struct sts_err *err)
{
	struct outbox *o = malloc(sizeof *o);

	*out = NULL;
	if (o == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	if ((mkdirat(fd, "out", 0750) == -1 && errno != EEXIST) ||
	    (o->fd = openat(fd, "out",
		 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) == -1) {
		free(o);
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot open or make out in the spool directory: %s",
		    strerror(errno));
	}
	*out = o;
	return STS_OK;
}

void
outbox_close(struct outbox *o)
{
	if (o == NULL)
		return;
	close(o->fd);
	free(o);
}

/* --- Names -------------------------------------------------------------- */

static const char *
key(char out[OUTBOX_KEY_MAX], const char *day, const char *domain,
    const char *tail)
{
	snprintf(out, OUTBOX_KEY_MAX, "%s~%s%s", day, domain, tail);
	return out;
}

static enum sts_rc
exists(const struct outbox *o, const char *name, struct sts_err *err)
{
	struct stat st;

	if (fstatat(o->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return STS_OK;
	return sts_fail(err, errno == ENOENT ? STS_ABSENT : STS_LOCAL, 0,
	    "cannot look for out/%s in the spool: %s", name, strerror(errno));
}

enum sts_rc
outbox_has(const struct outbox *o, const char *day, const char *domain,
    struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX];

	return exists(o, key(name, day, domain, ""), err);
}

enum sts_rc
outbox_day_done(const struct outbox *o, const char *day, struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX];

	return exists(o, key(name, day, "", ""), err);
}

/* --- Files -------------------------------------------------------------- */

/* On the disk before its name is: a crash leaves the old one or the new. */
static enum sts_rc
replace(struct outbox *o, const char *name, const char *p, size_t len,
    struct sts_err *err)
{
	bool good;
	int fd, error;

	/* Of a run that was killed; O_TRUNC is not for us (sandbox.h). */
	(void)unlinkat(o->fd, "~tmp", 0);
	fd = openat(o->fd, "~tmp",
	    O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0640);
	good = fd != -1 && sts_write_all(fd, p, len) && fsync(fd) == 0;
	error = errno;
	if (fd != -1)
		close(fd);
	if (good && renameat(o->fd, "~tmp", o->fd, name) == 0 &&
	    fsync(o->fd) == 0)
		return STS_OK;
	if (good)
		error = errno;
	(void)unlinkat(o->fd, "~tmp", 0);
	return sts_fail(err, STS_LOCAL, 0,
	    "cannot write out/%s in the spool directory: %s", name,
	    strerror(error));
}

/* free() it; NULL: errno says why, ENOENT where there is none. */
static char *
read_file(const struct outbox *o, const char *name, size_t max, size_t *len)
{
	int fd =
	    openat(o->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	int error = 0;

	if (fd == -1)
		return NULL;
	if (fstat(fd, &st) == -1)
		error = errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)max)
		error = EINVAL;
	else if ((p = malloc((size_t)st.st_size + 1)) == NULL)
		error = ENOMEM;
	else if (!sts_read_all(fd, p, (size_t)st.st_size, len))
		error = errno;
	else if (*len != (size_t)st.st_size)
		error = EIO;
	close(fd);
	if (error != 0) {
		free(p);
		errno = error;
		return NULL;
	}
	p[*len] = '\0';
	return p;
}

/* --- Reports and their states -------------------------------------------- */

enum sts_rc
outbox_update(struct outbox *o, const struct report_state *p,
    struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX], text[REPORT_STATE_TEXT_MAX];
	size_t n = report_state_write(text, p);

	return replace(o, key(name, p->day, p->domain, ""), text, n, err);
}

enum sts_rc
outbox_put(struct outbox *o, const struct report_state *p, const void *gz,
    size_t len, struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX];
	enum sts_rc rc;

	rc = replace(o, key(name, p->day, p->domain, "~gz"), gz, len, err);
	return rc == STS_OK ? outbox_update(o, p, err) : rc;
}

enum sts_rc
outbox_end_day(struct outbox *o, const char *day, struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX];

	return replace(o, key(name, day, "", ""), REPORT_STATE_MAGIC "\n",
	    sizeof REPORT_STATE_MAGIC, err);
}

void *
outbox_body(struct outbox *o, const struct report_state *p, size_t *len)
{
	char name[OUTBOX_KEY_MAX];

	return read_file(o, key(name, p->day, p->domain, "~gz"), BODY_MAX, len);
}

void
outbox_served(struct outbox *o, const struct report_state *p)
{
	char name[OUTBOX_KEY_MAX];

	(void)unlinkat(o->fd, key(name, p->day, p->domain, "~gz"), 0);
}

/* "2026-11-23~example.com", and nothing behind it. */
static bool
parse_name(struct report_state *p, const char *name)
{
	size_t day = sizeof p->day - 1;

	if (strlen(name) <= day + 1 || name[day] != '~')
		return false;
	memcpy(p->day, name, day);
	p->day[day] = '\0';
	return sts_domain_normal(p->domain, name + day + 1, NULL) == STS_OK &&
	    strcmp(p->domain, name + day + 1) == 0;
}

bool
outbox_read(struct outbox *o, const char *day, const char *domain,
    struct report_state *p)
{
	char name[OUTBOX_KEY_MAX];
	struct sts_str text;
	char *buf;
	bool good;

	key(name, day, domain, "");
	buf = read_file(o, name, REPORT_STATE_TEXT_MAX, &text.len);
	if (buf == NULL)
		return false;
	text.p = buf;
	good = parse_name(p, name) && report_state_read(p, text);
	free(buf);
	return good;
}

static enum sts_rc
visit(struct outbox *o, const char *name, struct report_state *p,
    void (*fn)(void *, struct report_state *), void *arg, struct sts_err *err)
{
	struct sts_str text;
	char *buf;

	if (!parse_name(p, name))
		return STS_OK;
	buf = read_file(o, name, REPORT_STATE_TEXT_MAX, &text.len);
	if (buf == NULL)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot read out/%s in the spool directory: %s", name,
		    errno == EINVAL ? "not a regular file, or too large"
				    : strerror(errno));
	text.p = buf;
	if (report_state_read(p, text))
		fn(arg, p);
	else {
		syslog(LOG_WARNING,
		    "out/%s in the spool directory is damaged: that report is "
		    "not sent again",
		    name);
		p->n = 0;
		memset(p->unique, '0', sizeof p->unique - 1);
		p->unique[sizeof p->unique - 1] = '\0';
		(void)outbox_update(o, p, NULL);
		outbox_served(o, p);
	}
	free(buf);
	return STS_OK;
}

/*
 * All names at once: while fn replaces files, readdir(3) may return a name
 * twice.  As scandir(3), -1 and errno.
 */
static int
list_names(const struct outbox *o, struct dirent ***list)
{
	char path[32];

	snprintf(path, sizeof path, "/dev/fd/%d", o->fd);
	return scandir(path, list, NULL, alphasort);
}

enum sts_rc
outbox_each(struct outbox *o, void (*fn)(void *, struct report_state *),
    void *arg, struct sts_err *err)
{
	struct report_state *p = calloc(1, sizeof *p);
	struct dirent **list;
	enum sts_rc rc = STS_OK;
	int n = p == NULL ? -1 : list_names(o, &list);

	if (n == -1)
		rc = sts_fail(err, STS_LOCAL, 0,
		    "cannot list out in the spool directory: %s",
		    strerror(errno));
	for (int i = 0; i < n; i++) {
		if (visit(o, list[i]->d_name, p, fn, arg, err) != STS_OK)
			rc = STS_LOCAL;
		free(list[i]);
	}
	if (n != -1)
		free(list);
	free(p);
	return rc;
}

void
outbox_forget(struct outbox *o, const char *day)
{
	struct dirent **list;
	int n = list_names(o, &list);

	if (n == -1)
		syslog(LOG_ERR,
		    "cannot list out in the spool directory, so the files of "
		    "%s stay there: %s",
		    day, strerror(errno));
	for (int i = 0; i < n; i++) {
		if (strncmp(list[i]->d_name, day, strlen(day)) == 0 &&
		    list[i]->d_name[strlen(day)] == '~' &&
		    unlinkat(o->fd, list[i]->d_name, 0) == -1)
			syslog(LOG_ERR,
			    "cannot remove out/%s in the spool directory: %s",
			    list[i]->d_name, strerror(errno));
		free(list[i]);
	}
	if (n != -1)
		free(list);
}
