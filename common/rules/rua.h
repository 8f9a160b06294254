/* SPDX-License-Identifier: ISC */
/*
 * One URI of rua, RFC 8460 3, as something that can be sent to.  The one judge
 * of it: of records (tlsrpt_txt.c) and of what is about to be sent.
 */
#ifndef STS_RULES_RUA_H
#define STS_RULES_RUA_H

#include <stdbool.h>

#include <mtasts/sts.h>

enum { RUA_SIZE = 700, RUA_URL_SIZE = 2048 };

enum rua_kind { RUA_USELESS, RUA_MAIL, RUA_HTTPS };

struct rua {
	enum rua_kind kind;
	char address[RUA_SIZE];   /* MAIL: an addr-spec, RFC 5322 3.4.1 */
	char host[STS_NAME_SIZE]; /* HTTPS: whom to look up; MAIL: its domain */
	unsigned short port;
	char url[RUA_URL_SIZE]; /* HTTPS: without its fragment */
};

/*
 * NULL, or why nothing can be sent there, in a few words; kind is USELESS then.
 * Percent-encoding is undone in mail addresses; header fields behind "?" are
 * dropped (RFC 6068 4 lets us), for they would be a stranger's words in our
 * mail.
 */
const char *sts_rua_read(struct rua *, struct sts_str uri);

/* Do they reach the same mailbox or URL? */
bool sts_rua_same(const struct rua *, const struct rua *);

#endif
