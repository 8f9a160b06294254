/* SPDX-License-Identifier: ISC */
#include "outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "err.h"
#include "scan.h"

enum { STATE_MAX = 32768, BODY_MAX = 64 << 20 };

#define MAGIC "mtasts-out1 "

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
		    "cannot open out in the spool directory: %s",
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

static bool
exists(const struct outbox *o, const char *name)
{
	struct stat st;

	return fstatat(o->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

bool
outbox_has(const struct outbox *o, const char *day, const char *domain)
{
	char name[OUTBOX_KEY_MAX];

	return exists(o, key(name, day, domain, ""));
}

bool
outbox_day_done(const struct outbox *o, const char *day)
{
	char name[OUTBOX_KEY_MAX];

	return exists(o, key(name, day, "", ""));
}

/* --- Files -------------------------------------------------------------- */

static bool
write_all(int fd, const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

/* On the disk before its name is: a crash leaves the old one or the new. */
static enum sts_rc
replace(struct outbox *o, const char *name, const char *p, size_t len,
    struct sts_err *err)
{
	int fd = openat(o->fd, "~tmp",
	    O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
	bool good = fd != -1 && write_all(fd, p, len) && fsync(fd) == 0;
	int error = errno;

	if (fd != -1)
		close(fd);
	if (good && renameat(o->fd, "~tmp", o->fd, name) == 0 &&
	    fsync(o->fd) == 0)
		return STS_OK;
	if (good)
		error = errno;
	(void)unlinkat(o->fd, "~tmp", 0);
	return sts_fail(err, STS_LOCAL, 0, "cannot store out/%s: %s", name,
	    strerror(error));
}

/* free() it; NULL: not there, or not a file of ours. */
static char *
read_file(const struct outbox *o, const char *name, size_t max, size_t *len)
{
	int fd =
	    openat(o->fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	char *p = NULL;
	ssize_t n = 0;

	if (fd == -1)
		return NULL;
	*len = 0;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	    (size_t)st.st_size <= max &&
	    (p = malloc((size_t)st.st_size + 1)) != NULL)
		while (*len < (size_t)st.st_size &&
		    (n = read(fd, p + *len, (size_t)st.st_size - *len)) > 0)
			*len += (size_t)n;
	close(fd);
	if (p != NULL && *len != (size_t)st.st_size) {
		free(p);
		return NULL;
	}
	if (p != NULL)
		p[*len] = '\0';
	return p;
}

/* --- State -------------------------------------------------------------- */

static const char *const states[] = {
	[GOAL_WAITS] = "waits",
	[GOAL_SENDING] = "sending",
	[GOAL_SENT] = "sent",
	[GOAL_GIVEN_UP] = "given-up",
};

/* "MAGIC unique LF" then "state tries first next uri LF" for each goal. */
enum sts_rc
outbox_update(struct outbox *o, const struct parcel *p, struct sts_err *err)
{
	char name[OUTBOX_KEY_MAX], text[STATE_MAX];
	size_t n;

	n = (size_t)snprintf(text, sizeof text, MAGIC "%s\n", p->unique);
	for (size_t i = 0; i < p->n; i++) {
		const struct goal *g = &p->goal[i];

		n += (size_t)snprintf(text + n, sizeof text - n,
		    "%s %u %" PRId64 " %" PRId64 " %s\n", states[g->state],
		    g->tries, g->first, g->next, g->uri);
	}
	return replace(o, key(name, p->day, p->domain, ""), text, n, err);
}

static bool
take_number(struct scan *s, uint64_t max, uint64_t *out)
{
	struct sts_str w;

	if (!scan_until(s, ' ', &w) || !str_u64(w, max, out))
		return false;
	s->p++;
	return true;
}

static bool
take_goal(struct sts_str line, struct goal *g)
{
	struct scan s = scan_str(line);
	struct sts_str w;
	uint64_t tries, first, next;

	if (!scan_until(&s, ' ', &w))
		return false;
	s.p++;
	for (size_t i = 0; i < ARRAY_LEN(states); i++)
		if (str_is(w, states[i])) {
			g->state = (enum goal_state)i;
			if (!take_number(&s, 1000, &tries) ||
			    !take_number(&s, INT64_MAX, &first) ||
			    !take_number(&s, INT64_MAX, &next))
				return false;
			w = scan_rest(&s);
			if (w.len == 0 || w.len >= sizeof g->uri)
				return false;
			g->tries = (unsigned)tries;
			g->first = (int64_t)first;
			g->next = (int64_t)next;
			memcpy(g->uri, w.p, w.len);
			g->uri[w.len] = '\0';
			return true;
		}
	return false;
}

static bool
take_state(struct parcel *p, struct sts_str text)
{
	struct scan s = scan_str(text);
	struct sts_str line;

	if (!scan_lit(&s, MAGIC) || !scan_until(&s, '\n', &line) ||
	    line.len != sizeof p->unique - 1)
		return false;
	memcpy(p->unique, line.p, line.len);
	p->unique[line.len] = '\0';
	for (p->n = 0, s.p++; s.p < s.end; p->n++, s.p++)
		if (p->n == STS_RUA_MAX || !scan_until(&s, '\n', &line) ||
		    !take_goal(line, &p->goal[p->n]))
			return false;
	return true;
}

/* --- Parcels ------------------------------------------------------------ */

enum sts_rc
outbox_put(struct outbox *o, const struct parcel *p, const void *gz, size_t len,
    struct sts_err *err)
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

	return replace(o, key(name, day, "", ""), MAGIC "\n", sizeof MAGIC,
	    err);
}

void *
outbox_body(struct outbox *o, const struct parcel *p, size_t *len)
{
	char name[OUTBOX_KEY_MAX];

	return read_file(o, key(name, p->day, p->domain, "~gz"), BODY_MAX, len);
}

void
outbox_served(struct outbox *o, const struct parcel *p)
{
	char name[OUTBOX_KEY_MAX];

	(void)unlinkat(o->fd, key(name, p->day, p->domain, "~gz"), 0);
}

/* "2026-11-23~example.com", and nothing behind it. */
static bool
take_name(struct parcel *p, const char *name)
{
	size_t day = sizeof p->day - 1;

	if (strlen(name) <= day + 1 || name[day] != '~')
		return false;
	memcpy(p->day, name, day);
	p->day[day] = '\0';
	return sts_domain_normal(p->domain, name + day + 1, NULL) == STS_OK &&
	    strcmp(p->domain, name + day + 1) == 0;
}

static void
visit(struct outbox *o, const char *name, struct parcel *p,
    void (*fn)(void *, struct parcel *), void *arg)
{
	struct sts_str text;
	char *buf;

	if (!take_name(p, name) ||
	    (buf = read_file(o, name, STATE_MAX, &text.len)) == NULL)
		return;
	text.p = buf;
	if (take_state(p, text))
		fn(arg, p);
	else {
		syslog(LOG_WARNING, "out/%s is damaged and counts as sent",
		    name);
		p->n = 0;
		memset(p->unique, '0', sizeof p->unique - 1);
		p->unique[sizeof p->unique - 1] = '\0';
		(void)outbox_update(o, p, NULL);
		outbox_served(o, p);
	}
	free(buf);
}

/* fn may write states, so the names are read before: in one go they may be
 * told twice. */
void
outbox_each(struct outbox *o, void (*fn)(void *, struct parcel *), void *arg)
{
	struct parcel *p = calloc(1, sizeof *p);
	struct dirent **list;
	char path[32];
	int n;

	snprintf(path, sizeof path, "/dev/fd/%d", o->fd);
	n = p == NULL ? -1 : scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		visit(o, list[i]->d_name, p, fn, arg);
		free(list[i]);
	}
	if (n != -1)
		free(list);
	free(p);
}

void
outbox_forget(struct outbox *o, const char *day)
{
	struct dirent **list;
	char path[32];
	int n;

	snprintf(path, sizeof path, "/dev/fd/%d", o->fd);
	n = scandir(path, &list, NULL, alphasort);
	for (int i = 0; i < n; i++) {
		if (strncmp(list[i]->d_name, day, strlen(day)) == 0 &&
		    list[i]->d_name[strlen(day)] == '~')
			(void)unlinkat(o->fd, list[i]->d_name, 0);
		free(list[i]);
	}
	if (n != -1)
		free(list);
}

bool
outbox_reaches(const struct goal *g, size_t n, struct sts_str uri)
{
	struct rua new, old;

	rua_read(&new, uri);
	for (size_t i = 0; i < n && new.kind != RUA_USELESS; i++) {
		rua_read(&old, (struct sts_str){ g[i].uri, strlen(g[i].uri) });
		if (rua_same(&new, &old))
			return true;
	}
	return false;
}

bool
goal_failed(struct goal *g, int64_t now)
{
	int64_t pause = OUTBOX_RETRY_MIN;

	for (unsigned i = 1; i < g->tries && pause < OUTBOX_RETRY_MAX; i++)
		pause *= 2;
	if (pause > OUTBOX_RETRY_MAX)
		pause = OUTBOX_RETRY_MAX;
	g->next = now + pause;
	g->state =
	    now - g->first >= OUTBOX_GIVE_UP ? GOAL_GIVEN_UP : GOAL_WAITS;
	return g->state == GOAL_WAITS;
}
