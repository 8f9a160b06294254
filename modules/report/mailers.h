/* SPDX-License-Identifier: ISC */
/*
 * Processes that do nothing but give mail to sendmail(8), one mail after the
 * other, so that nothing else waits for it.  They are forked before the sandbox
 * is entered, which allows no execve(2), and before anything foreign is read.
 */
#ifndef REPORT_MAILERS_H
#define REPORT_MAILERS_H

#include <stdbool.h>

#include "conf/conf.h"
#include "sendmail.h"

struct event_base;
struct mailers;

/* From the loop; why is lent, and "" for MAIL_SENT. */
typedef void mailer_done(void *arg, enum mail_fate, const char *why);

/*
 * n processes; conf and base are lent.  NULL: they cannot be started.  The
 * caller has no thread yet, and no fcntl(2) lock that they would need.
 */
struct mailers *mailers_start(struct event_base *, const struct sts_conf *,
    unsigned n, struct sts_err *err);
/* Does any of them have nothing to do?  False also when none is left. */
bool mailers_idle(struct mailers *);
/* Only while mailers_idle().  The text is copied.  STS_LOCAL: not begun. */
enum sts_rc mailers_send(struct mailers *, const char *to, const char *text,
    size_t len, mailer_done *done, void *arg, struct sts_err *err);
void mailers_stop(struct mailers *); /* all are done; NULL is fine */

#endif
