/* SPDX-License-Identifier: ISC */
/* Resource limits, and the order of the rest. */
#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#ifdef __linux__
#include <sys/prctl.h>
#endif

enum { CPU_S = 30, FILES = 1024 };

/* --- Limits ---------------------------------------------------------------
 */

void
sandbox_more_cpu(void)
{
	struct rusage used;
	struct rlimit seconds;

	if (getrusage(RUSAGE_SELF, &used) == -1 ||
	    getrlimit(RLIMIT_CPU, &seconds) == -1)
		return;
	seconds.rlim_cur =
	    (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + CPU_S;
	(void)setrlimit(RLIMIT_CPU, &seconds);
}

#ifdef __SANITIZE_ADDRESS__
enum { HAS_SHADOW = 1 }; /* AddressSanitizer maps terabytes */
#else
enum { HAS_SHADOW = 0 };
#endif

#ifdef __GLIBC__
typedef __rlimit_resource_t resource;
#else
typedef int resource;
#endif

/* Only ever lowered: the administrator may have set less. */
static bool
limit(resource what, uint64_t most)
{
	struct rlimit r;

	if (getrlimit(what, &r) == -1)
		return false;
	if (r.rlim_max > most)
		r.rlim_max = (rlim_t)most;
	if (r.rlim_cur > r.rlim_max)
		r.rlim_cur = r.rlim_max;
	return setrlimit(what, &r) == 0;
}

static void
limits(struct sandbox *s, const struct sandbox_plan *p)
{
	bool done = limit(RLIMIT_CORE, 0) && limit(RLIMIT_NOFILE, FILES);

	if (p->memory > 0 && !HAS_SHADOW)
		done &= limit(RLIMIT_AS, p->memory);
	if (p->file_size > 0)
		done &= limit(RLIMIT_FSIZE, p->file_size);
	if (!done)
		sandbox_lacks(s->why, "resource limits: %s", strerror(errno));
}

/* --- What was replaced ----------------------------------------------------
 */

static void
watch(struct sandbox *s, const char *path, enum sandbox_watch kind)
{
	struct sandbox_watched *w = &s->watched[s->nwatched];

	if (path == NULL || s->nwatched == SANDBOX_WATCHED)
		return;
	*w = (struct sandbox_watched){ .path = path };
	w->kind = kind;
	(void)stat(path, &w->was);
	s->nwatched++;
}

static bool
same(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* One that is not there just now may be being replaced: ask again later. */
static bool
is_out_of_reach(struct sandbox_watched *w)
{
	struct stat now;
	int fd;

	if (stat(w->path, &now) == -1 || same(&now, &w->was))
		return false;
	if (w->kind == WATCH_READ &&
	    (fd = open(w->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) != -1) {
		close(fd);
		w->was = now;
		return false;
	}
	return true;
}

bool
sandbox_outdated(struct sandbox *s)
{
	for (size_t i = 0; i < s->nwatched; i++)
		if (is_out_of_reach(&s->watched[i]))
			return true;
	return false;
}

/* --- All of it ------------------------------------------------------------
 */

#if defined(__OpenBSD__)

static void
fault(struct sandbox *s, const char *what)
{
	sandbox_lacks(s->why, "%s: %s", what, strerror(errno));
}

/* Files outside of what is unveiled are not there. */
static void
restrict_self(struct sandbox *s, const struct sandbox_plan *p)
{
	const struct {
		const char *path, *rights;
	} veils[] = { { p->cache_dir, p->cache_read ? "r" : "rwc" },
		{ p->spool == SANDBOX_SPOOL_NONE ? NULL : p->spool_dir, "rwc" },
		{ p->conf->ca_file, "r" }, { p->conf->ca_path, "r" },
		{ "/etc/resolv.conf", "r" }, { "/etc/ssl", "r" } };

	for (size_t i = 0; i < sizeof veils / sizeof veils[0]; i++)
		if (veils[i].path != NULL &&
		    unveil(veils[i].path, veils[i].rights) == -1 &&
		    errno != ENOENT)
			fault(s, "unveil");
	if (pledge("stdio rpath wpath cpath fattr flock inet dns", NULL) == -1)
		fault(s, "pledge");
}

#elif defined(__linux__)

static void
restrict_self(struct sandbox *s, const struct sandbox_plan *p)
{
	/*
	 * Nobody may trace us or read our memory, and a set-user-ID program
	 * gives nothing back.
	 */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		sandbox_lacks(s->why, "prctl: %s", strerror(errno));
	s->abi = sandbox_landlock(p, s->why);
	(void)sandbox_seccomp(p, s->why);
}

#else

static void
restrict_self(struct sandbox *s, const struct sandbox_plan *p)
{
	(void)p;
	sandbox_lacks(s->why, "no sandbox is known for this system");
}

#endif

void
sandbox_enter(struct sandbox *s, const struct sandbox_plan *p)
{
	const struct sts_conf *conf = p->conf;

	*s = (struct sandbox){ 0 };
	tzset(); /* syslog(3) has read the time zone before */
	watch(s, "/etc/resolv.conf", WATCH_READ);
	watch(s, conf->ca_file, WATCH_READ);
	/* New links in it may lead to files that no rule permits. */
	watch(s,
	    conf->ca_file == NULL && conf->ca_path == NULL ? SANDBOX_CA_PATH
							   : conf->ca_path,
	    WATCH_ANY);
	/* A new syslogd has a new socket, and we can make no AF_UNIX one. */
	watch(s, "/dev/log", WATCH_ANY);
	limits(s, p);
	restrict_self(s, p);
}
