/* SPDX-License-Identifier: ISC */
/*
 * Processes that do nothing but hand mail to sendmail(8), one mail after the
 * other, so that nothing else waits for it.  They are forked before anything
 * foreign is read, and are told a file and to whom it goes.
 */
#ifndef REPORT_HAND_OVER_H
#define REPORT_HAND_OVER_H

#include <stdbool.h>

#include "conf/conf.h"
#include "sendmail.h"

struct event_base;
struct hand_over;

/* From the loop; why is lent, and "" for MAIL_SENT. */
typedef void hand_over_done(void *arg, enum mail_fate, const char *why);

/*
 * n processes; conf and base are lent.  NULL: they cannot be started.  Before
 * any thread is, and without a lock by fcntl(2) that they would need.
 */
struct hand_over *hand_over_start(struct event_base *, const struct sts_conf *,
    unsigned n, struct sts_err *err);
/* Does any of them have nothing to do?  False also when none is left. */
bool hand_over_idle(struct hand_over *);
/* Only after hand_over_idle().  The text is copied.  False: not begun. */
bool hand_over_mail(struct hand_over *, const char *to, const char *text,
    size_t len, hand_over_done *, void *arg);
void hand_over_end(struct hand_over *); /* all are done; NULL is fine */

#endif
