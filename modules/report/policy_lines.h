/* SPDX-License-Identifier: ISC */
/* The text of a policy as the strings of policy-string, RFC 8460 4.4. */
#ifndef REPORT_POLICY_LINES_H
#define REPORT_POLICY_LINES_H

#include "cache/cache.h"
#include <mtasts/sts.h>

struct policy_lines;

/* The cache is lent.  NULL: no memory. */
struct policy_lines *policy_lines_new(struct sts_store *cache);
void policy_lines_free(struct policy_lines *); /* NULL is fine */

/*
 * The policy of domain, if the cache still has the one with this id: its lines
 * in UTF-8, one C string after another and an empty one at the end, and what
 * was understood of it; else "" and NULL.  Lent until the next call.
 */
void policy_lines_find(struct policy_lines *, const char *domain,
    struct sts_str id, const char **lines, const struct sts_policy **policy);

/* Those strings of a text; free() it.  NULL: no memory. */
char *policy_lines_split(struct sts_str text);

#endif
