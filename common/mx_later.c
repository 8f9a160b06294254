/* SPDX-License-Identifier: ISC */
/* Stands in until the choice of an MX host is wired up; then it goes. */
#include "err.h"

__attribute__((weak)) enum sts_rc
sts_mx_next(struct sts_ctx *ctx, const char *domain, char host[STS_NAME_SIZE],
    struct sts_err *err)
{
	(void)ctx;
	(void)domain;
	host[0] = '\0';
	return sts_fail(err, STS_TEMPFAIL, 0, "MX set not known yet");
}

__attribute__((weak)) enum sts_rc
sts_mx_learnt(struct sts_ctx *ctx, const char *address, bool failed,
    struct sts_err *err)
{
	(void)ctx;
	(void)address;
	(void)failed;
	(void)err;
	return STS_OK;
}
