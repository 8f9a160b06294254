/* SPDX-License-Identifier: ISC */
/*
 * How far the sessions of a day have been handed over:
 *
 *   SPOOL/~forward-DAY   records of a fixed width, written in place
 *
 * The first has the offset up to which the day's file is done, and the inode
 * of that file.  Each other one is a domain that could not be asked for its
 * record: from which offset on its sessions wait.  One domain with broken DNS
 * holds up no other.
 *
 * A record is written right behind what it tells of.  Where the program was
 * killed between the two, that one session is handed over twice; where the
 * machine went down, those of the last seconds may be.  None is left out.
 */
#ifndef REPORT_FORWARD_OFFSET_H
#define REPORT_FORWARD_OFFSET_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include <mtasts/sts.h>

enum { FORWARD_OFFSET_WAITING_MAX = 256 };

struct forward_offset;

/*
 * spool: the directory, whose lock is held.  file: the day's, so that another
 * file of that name begins anew.  STS_LOCAL: nothing can be remembered, so
 * nothing must be handed over.
 */
enum sts_rc forward_offset_open(struct forward_offset **, int spool,
    const char *day, const struct stat *file, struct sts_err *err);
void forward_offset_close(struct forward_offset *); /* NULL is fine */

/* Where to begin to read; the end of what is done, but for who waits. */
uint64_t forward_offset_from(const struct forward_offset *);
uint64_t forward_offset_end(const struct forward_offset *);
bool forward_offset_waits(const struct forward_offset *); /* does anybody? */

/* Has the session of domain at offset been dealt with? */
bool forward_offset_has(const struct forward_offset *, const char *domain,
    uint64_t offset);

/* It is, and the next line begins at next. */
enum sts_rc forward_offset_pass(struct forward_offset *, const char *domain,
    uint64_t offset, uint64_t next, struct sts_err *err);

/* It has to wait for its domain.  STS_ABSENT: too many domains do. */
enum sts_rc forward_offset_wait(struct forward_offset *, const char *domain,
    uint64_t offset, uint64_t next, struct sts_err *err);

/*
 * All lines before end have been looked at since forward_offset_open(): who was
 * not told to wait again does not any more.
 */
enum sts_rc forward_offset_settle(struct forward_offset *, uint64_t end,
    struct sts_err *err);

/* Has anything of a day been handed over?  And forget it. */
bool forward_offset_begun(int spool, const char *day);
void forward_offset_forget(int spool, const char *day);

#endif
