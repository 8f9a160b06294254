/* SPDX-License-Identifier: ISC */
/* An answer in the words of exim.conf. */
#ifndef EXIM_HOST_LIST_H
#define EXIM_HOST_LIST_H

#include <mtasts/sts.h>

/*
 * "sts=enforce id=2024 ignore=\"...\"", for ${extract{sts}{...}}; no id where
 * there is none.  ignore is a host list for ignore_target_hosts: under enforce
 * everything but the MX hosts of the policy, else empty.  "sts=wait": it is not
 * known yet what there is; why says more, as it does where mail goes
 * unprotected although there may be a policy.  malloc'd; NULL: out of memory.
 */
char *exim_host_list(const struct sts_answer *);

/* The same for an answer that could not be had at all. */
char *exim_wait(const char *why);

#endif
