/* SPDX-License-Identifier: ISC */
/*
 * What of a day's sessions has been handed over:
 *
 *   SPOOL/~forward-DAY   the offset up to which the day's file is done, and
 *                        which sessions before it wait because their domain
 *                        could not be asked for its record
 *
 * A session is noted right behind what is done with it.  Where the program was
 * killed between the two, that one session is handed over twice, and none is
 * left out.  Where the machine went down, those of the last seconds may be
 * handed over twice, or, if they had to wait, be lost.
 */
#ifndef REPORT_FORWARD_OFFSET_H
#define REPORT_FORWARD_OFFSET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <mtasts/sts.h>

struct forward_offset;

/* A session that waits. */
struct forward_waiting {
	uint64_t offset; /* of its line in the day's file */
	int64_t time;    /* of the session */
	char domain[STS_NAME_SIZE];
};

/*
 * spool: the directory, whose lock is held.  file: the day's, so that another
 * file of that name begins anew.  STS_LOCAL: nothing can be noted, so nothing
 * must be handed over.
 */
enum sts_rc forward_offset_open(struct forward_offset **, int spool,
    const char *day, const struct stat *file, struct sts_err *err);
void forward_offset_close(struct forward_offset *); /* NULL is fine */

/* Lines that begin before it have been looked at. */
uint64_t forward_offset_end(const struct forward_offset *);

/* The line at the end is done with, and the next one begins at next. */
enum sts_rc forward_offset_pass(struct forward_offset *, uint64_t next,
    struct sts_err *err);

/* It waits, and the next line begins at next. */
enum sts_rc forward_offset_wait(struct forward_offset *,
    const struct forward_waiting *, uint64_t next, struct sts_err *err);

/* How many there are that waited when it was opened, and each one of them;
 * false: it does not any more. */
size_t forward_offset_count(const struct forward_offset *);
bool forward_offset_waiting(const struct forward_offset *, size_t i,
    struct forward_waiting *);
/* That one is done with. */
enum sts_rc forward_offset_done(struct forward_offset *, size_t i,
    struct sts_err *err);

/* Does any session wait, new ones included? */
bool forward_offset_waits(const struct forward_offset *);

/*
 * Has anything of a day been handed over?  STS_OK: yes.  STS_ABSENT: no.
 * STS_LOCAL: that is not known.
 */
enum sts_rc forward_offset_begun(int spool, const char *day,
    struct sts_err *err);
/* Forget the day. */
void forward_offset_forget(int spool, const char *day);

#endif
