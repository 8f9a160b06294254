/* SPDX-License-Identifier: ISC */
/*
 * What a process gives up before it reads what strangers send.  All of it
 * holds for the process that calls, and for good.
 */
#ifndef STS_SANDBOX_H
#define STS_SANDBOX_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "conf/conf.h"
#include <mtasts/sts.h>

enum sandbox_spool {
	SANDBOX_SPOOL_NONE,
	SANDBOX_SPOOL_APPEND, /* files are made, read and written */
	SANDBOX_SPOOL_ALL /* removed and renamed, too; children are awaited */
};

struct sandbox_plan {
	const struct sts_conf *conf; /* its nameservers, its CA store */
	const char *cache_dir;       /* read and written below; NULL: none */
	bool cache_read;             /* the cache is read and not written */
	const char *spool_dir;       /* as spool says */
	enum sandbox_spool spool;
	uint64_t memory;    /* RLIMIT_AS; 0: as it is */
	uint64_t file_size; /* RLIMIT_FSIZE; 0: as it is */
	bool strict; /* for tests: end at a call that is not on the list */
	int abi;     /* of landlock, at most; SANDBOX_ABI_ANY */
};

enum { SANDBOX_ABI_ANY = 255, SANDBOX_WATCHED = 8, SANDBOX_WHY = 200 };

/* Where tls_find_ca() looks if the configuration names no CA store. */
#define SANDBOX_CA_PATH "/etc/ssl/certs"
#define SANDBOX_CA_FILES "/etc/ssl/cert.pem", "/usr/local/share/certs"

/*
 * What is read again while the process lives.  A rule about a file holds for
 * the inode, so one that was replaced can no longer be read.
 */
enum sandbox_watch { WATCH_READ, WATCH_ANY }; /* if unreadable; always */

struct sandbox_watched {
	const char *path; /* lent, or constant */
	struct stat was;
	enum sandbox_watch kind; /* when a change matters */
};

struct sandbox {
	int abi;               /* of landlock, in force; 0: there is none */
	char why[SANDBOX_WHY]; /* which parts are not in force; "": all are */
	size_t nwatched;
	struct sandbox_watched watched[SANDBOX_WATCHED];
};

/*
 * Limits, no new privileges, landlock(7), seccomp(2); pledge(2) and unveil(2)
 * on OpenBSD.  A part that the system does not offer, or that fails, is named
 * in why, and the caller must log it.  Paths of the plan are lent as
 * long as sandbox_outdated() is called.
 */
void sandbox_enter(struct sandbox *, const struct sandbox_plan *);

/*
 * Was something replaced (resolv.conf, the CA store, the log's socket) that
 * this process cannot get at any more, but a new one could?
 */
bool sandbox_outdated(struct sandbox *);

/*
 * Another 30 seconds of processor time from now on: called when a domain is
 * done, or when there is more to do.  A worker that uses up that time is in
 * an endless loop, and is killed.
 */
void sandbox_more_cpu(void);

/* --- Its parts, for sandbox.c ------------------------------------------- */

/* One more part that is not in force: add it to why. */
__attribute__((format(printf, 2, 3))) static inline void
sandbox_lacks(char why[SANDBOX_WHY], const char *fmt, ...)
{
	size_t len = strlen(why);
	va_list ap;

	if (len > 0 && len + 2 < SANDBOX_WHY)
		len += (size_t)snprintf(why + len, SANDBOX_WHY - len, "; ");
	va_start(ap, fmt);
	(void)vsnprintf(why + len, SANDBOX_WHY - len, fmt, ap);
	va_end(ap);
}

#ifdef __linux__
/*
 * The version of landlock in force; 0, and the reason in why: there is none.  A
 * rule that cannot be set is named in why, too, the first of several.
 */
int sandbox_landlock(const struct sandbox_plan *, char why[SANDBOX_WHY]);
/* False: why says what failed. */
bool sandbox_seccomp(const struct sandbox_plan *, char why[SANDBOX_WHY]);
#endif

#endif
