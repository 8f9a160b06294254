/* SPDX-License-Identifier: ISC */
/*
 * Reports on their way, RFC 8460 5.5: on disk, so that neither a crash nor a
 * restart loses one or sends one twice.
 *
 *   SPOOL/out/DAY~DOMAIN       state: where it goes, and how far that is
 *   SPOOL/out/DAY~DOMAIN~gz    the compressed report, until all are served
 *   SPOOL/out/DAY~             all reports of the day have been made
 *
 * A state is written before anything is sent and after.  Where a crash comes
 * between the two, nobody knows whether the report went out; it is not sent
 * again, for a domain must not get it twice.
 */
#ifndef REPORT_OUTBOX_H
#define REPORT_OUTBOX_H

#include "report.h"
#include "rules/rua.h"
#include <mtasts/session.h>

enum {
	OUTBOX_RETRY_MIN = 900,   /* s, doubled at each failure */
	OUTBOX_RETRY_MAX = 14400, /* s */
	OUTBOX_GIVE_UP = 86400,   /* s after the first attempt, RFC 8460 5.5 */
	OUTBOX_KEY_MAX = STS_NAME_SIZE + 16,
	OUTBOX_DOMAIN_MAX = 255 - 14, /* a file name has day and tail, too */
	REPORT_STATE_TEXT_MAX = 32768
};

#define REPORT_STATE_MAGIC "mtasts-out1 "

enum destination_state {
	DEST_WAITS,   /* to be sent at .next */
	DEST_SENDING, /* at work, or a crash */
	DEST_SENT,
	DEST_UNKNOWN, /* it may have gone out or not; never again */
	DEST_GIVEN_UP,
	/* Not sent, see report_caps.h: */
	DEST_WITHHELD_PLACE,   /* another report of the owner goes there */
	DEST_WITHHELD_OUTSIDE, /* the same, of places of one other owner */
	DEST_WITHHELD_OWNER,   /* the owner has too many */
	DEST_WITHHELD_FULL,    /* the place gets too many */
	DEST_STATES
};

/* One URI of rua.  "?" stands for "not known yet: look _smtp._tls up". */
struct destination {
	char uri[RUA_URL_SIZE];
	enum destination_state state;
	unsigned tries;
	int64_t first, next; /* attempts; 0: none yet */
};

struct report_state {
	char day[REPORT_DAY_TEXT]; /* "2026-11-23" */
	char domain[STS_NAME_SIZE];
	char unique[17];
	struct destination dest[STS_RUA_MAX];
	size_t n;
};

struct outbox;

/* fd: of the spool directory, ours alone while the caller holds its lock. */
enum sts_rc outbox_open(struct outbox **, int fd, struct sts_err *err);
void outbox_close(struct outbox *);

/* STS_OK: it is there.  STS_ABSENT: it is not.  STS_LOCAL: that is not known.
 */
enum sts_rc outbox_has(const struct outbox *, const char *day,
    const char *domain, struct sts_err *err);
enum sts_rc outbox_day_done(const struct outbox *, const char *day,
    struct sts_err *err);
enum sts_rc outbox_end_day(struct outbox *, const char *day,
    struct sts_err *err);

/* The report first, then the state: half a state is none. */
enum sts_rc outbox_put(struct outbox *, const struct report_state *,
    const void *gz, size_t len, struct sts_err *err);
enum sts_rc outbox_update(struct outbox *, const struct report_state *,
    struct sts_err *err);

/* False: not there, or damaged. */
bool outbox_read(struct outbox *, const char *day, const char *domain,
    struct report_state *);

/* free() it; NULL: not there. */
void *outbox_body(struct outbox *, const struct report_state *, size_t *len);

/*
 * Each state.  A damaged one is replaced by one without destinations, which is
 * logged: it must not be sent twice.  STS_LOCAL: one or all cannot be read; err
 * has the last reason.
 */
enum sts_rc outbox_each(struct outbox *,
    void (*fn)(void *arg, struct report_state *), void *arg,
    struct sts_err *err);

/* No destination waits any more: remove the report, keep its state. */
void outbox_served(struct outbox *, const struct report_state *);

/* Remove all of a day; a failure is logged. */
void outbox_forget(struct outbox *, const char *day);

const char *destination_state_word(enum destination_state);

/* Is any destination still to be sent to? */
bool report_state_waits(const struct report_state *);

/* The text of a state, of REPORT_STATE_TEXT_MAX bytes; its length. */
size_t report_state_write(char *text, const struct report_state *);
/* False for anything odd; day and domain are not in it, and stay. */
bool report_state_read(struct report_state *, struct sts_str text);

/* RFC 8460 7: a mailbox or URL gets one report, however often it is named. */
bool outbox_reaches(const struct destination *, size_t n, struct sts_str uri);

/* When to try again after a failure now; false: give up. */
bool destination_failed(struct destination *, int64_t now);

#endif
