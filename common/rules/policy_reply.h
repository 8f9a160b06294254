/* SPDX-License-Identifier: ISC */
/* The judgement on a policy host's reply, RFC 8461 3.2 and 3.3. */
#ifndef STS_RULES_POLICY_REPLY_H
#define STS_RULES_POLICY_REPLY_H

#include "http_reply.h"
#include <mtasts/sts.h>

enum sts_policy_reply {
	STS_POLICY_REPLY_OK,
	STS_POLICY_REPLY_ERROR,   /* no policy to be had */
	STS_POLICY_REPLY_WEBPKI,  /* certificate refused */
	STS_POLICY_REPLY_INVALID, /* a body that is no policy */
	STS_POLICY_REPLY_LOCAL    /* our own trouble: proves nothing */
};

/*
 * On STS_POLICY_REPLY_OK *out is the caller's; otherwise it is NULL and err,
 * unless NULL, says why in one line.
 */
enum sts_policy_reply sts_policy_reply_judge(const struct sts_reply *,
    struct sts_policy **out, struct sts_err *err);

/* "sts-policy-fetch-error" and so on, RFC 8460 4.3.2.2; "ok", "local". */
const char *sts_policy_reply_name(enum sts_policy_reply);

/* The word for why a certificate was refused: "expired". */
const char *sts_cert_name(enum sts_cert);

#endif
