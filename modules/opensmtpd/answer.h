/* SPDX-License-Identifier: ISC */
/* From what smtpd asks, through sts.h, to what it is told. */
#ifndef OPENSMTPD_ANSWER_H
#define OPENSMTPD_ANSWER_H

#include "config.h"
#include "forbidden.h"
#include "request.h"

void answer(struct table_answer *, const struct table_request *,
    struct config *, struct forbidden *);

#endif
