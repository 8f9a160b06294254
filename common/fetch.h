/* SPDX-License-Identifier: ISC */
/* The judgement on a policy host's reply, RFC 8461 3.2 and 3.3. */
#ifndef STS_FETCH_H
#define STS_FETCH_H

#include "reply.h"
#include "sts.h"

enum sts_fetch {
	STS_FETCH_OK,
	STS_FETCH_ERROR,   /* no policy to be had */
	STS_FETCH_WEBPKI,  /* certificate refused */
	STS_FETCH_INVALID, /* a body that is no policy */
	STS_FETCH_LOCAL    /* our own trouble: proves nothing */
};

/*
 * On STS_FETCH_OK *out is the caller's; otherwise it is NULL and err, unless
 * NULL, says why in one line.
 */
enum sts_fetch sts_fetch_judge(const struct sts_reply *,
    struct sts_policy **out, struct sts_err *err);

/* "sts-policy-fetch-error" and so on, RFC 8460 4.3.2.2; "ok", "local". */
const char *sts_fetch_name(enum sts_fetch);

/* The word for why a certificate was refused: "expired". */
const char *sts_cert_name(enum sts_cert);

#endif
