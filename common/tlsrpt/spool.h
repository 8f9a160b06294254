/* SPDX-License-Identifier: ISC */
/*
 * The spool: where TLS sessions wait for the report of their day, which is
 * one UTC day (RFC 8460 4.1).
 *
 *   DIR/2026-11-24         the lines of session_line.h that were written on
 *                          that day
 *   DIR/2026-11-24~certs   certificates of failed sessions: certs.c
 *   DIR/2026-11-24~shares  what each owner of domains has used: shares.h
 *
 * Any number of processes write at once; the rules for the directory and its
 * files are those of cache/cache.h, so a process with effective uid 0 works
 * under the ids of the directory's owner.  DIR must be on a local file system:
 * NFS has no O_APPEND that is safe between machines.
 */
#ifndef STS_TLSRPT_SPOOL_H
#define STS_TLSRPT_SPOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "session_line.h"
#include <mtasts/sts.h>

enum {
	STS_DAY = 86400,
	STS_SPOOL_DAY_MAX = 1 << 30, /* bytes of a day's file */
	STS_SPOOL_DAYS_MAX = 366,    /* that are listed */
	STS_SPOOL_GRACE = 60 /* s after a day for those who looked at the clock
			      * in time and write late */
};

enum { STS_DAY_NAME = sizeof "2026-11-24" };

/* The file of the day of t; false: t is before 1970 or after 9999. */
bool sts_day_name(char name[STS_DAY_NAME], int64_t t);

/* When the day with that file begins; -1: not the name of a day's file. */
int64_t sts_day_of(const char *name);

struct sts_spool;

/* STS_LOCAL: as for sts_store_open().  max: bytes of a day's file. */
enum sts_rc sts_spool_open(struct sts_spool **out, const char *dir,
    uint64_t max, struct sts_err *err);
void sts_spool_close(struct sts_spool *); /* NULL is fine */

/* Is dir, under which it was opened, another directory by now, or gone? */
bool sts_spool_moved(const struct sts_spool *, const char *dir);

/* --- Writing -------------------------------------------------------------- */

/*
 * Record a session on the day of now, which is the clock; its certificate,
 * der, is stored beside the lines, or left out where that cannot be.  Never
 * waits but for the disk.  STS_LOCAL: it is lost (disk full, day full, share
 * of the domain's owner used up, file odd), which is to be logged and no
 * reason to hold mail up.  STS_ABSENT: lost as others of that day, which was
 * said.  STS_USAGE: sts_session_encode() has no line for it.
 */
enum sts_rc sts_spool_add(struct sts_spool *, const struct sts_session *,
    int64_t now, struct sts_err *err);

/* --- Reading; a day is named by the time at which it begins --------------- */

/* The days that are over, oldest first; *n of them, at most max. */
enum sts_rc sts_spool_days(struct sts_spool *, int64_t now, int64_t *day,
    size_t max, size_t *n, struct sts_err *err);

/* One day, read in bounded memory. */
struct sts_day;
/* STS_ABSENT: nothing was written on that day. */
enum sts_rc sts_day_open(struct sts_spool *, int64_t day, struct sts_day **out,
    struct sts_err *err);
void sts_day_close(struct sts_day *); /* NULL is fine */

/* Its bytes when it was opened. */
uint64_t sts_day_size(const struct sts_day *);

/*
 * The next line, without its line feed, and where it begins; lent, and may be
 * written to, until the next call.  Empty ones are passed over; one that is
 * too long comes as nothing, once.  STS_ABSENT: the end.  STS_LOCAL.
 */
enum sts_rc sts_day_next(struct sts_day *, char **line, size_t *len,
    uint64_t *offset, struct sts_err *err);

/* Go on with the line that begins at offset; 0: once more from the start. */
void sts_day_seek(struct sts_day *, uint64_t offset);

/* With all that is beside it; STS_OK where there was none, too. */
enum sts_rc sts_spool_remove(struct sts_spool *, int64_t day,
    struct sts_err *err);

/* The certificate that a line of the day names; false: it is not there. */
bool sts_spool_cert(const struct sts_spool *, int64_t day, struct sts_str name,
    char der[STS_SESSION_DER_MAX], size_t *len);

#endif
