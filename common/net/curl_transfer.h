/* SPDX-License-Identifier: ISC */
/* One GET as libcurl's easy handle sees it: settings, callbacks, outcome. */
#ifndef STS_NET_CURL_TRANSFER_H
#define STS_NET_CURL_TRANSFER_H

#include <stdbool.h>
#include <stddef.h>

#include <curl/curl.h>

#include "ca_store.h"
#include "http_head.h"
#include "rules/http_reply.h"
#include <mtasts/sts.h>

enum { HTTP_SOCKETS = 4 }; /* libcurl tries fewer at once */

struct http_transfer {
	CURL *curl; /* NULL: not set up */
	struct ca_store *ca;
	struct curl_slist *resolve;
	char host[STS_NAME_SIZE];
	char before[STS_NAME_SIZE]; /* host of the handle's last GET, or "" */
	char error[CURL_ERROR_SIZE];
	struct http_head head;
	char *body;
	size_t len, room;
	bool too_big;
	bool met;           /* curl_starttls.h: TLS was all that is asked for */
	size_t heard;       /* the same: bytes of answers */
	enum sts_cert cert; /* what we found wrong after the handshake */
	/* Copies of its last sockets: libcurl closes its own at a timeout, and
	 * does not tell whether one was connected before TLS was up. */
	int socket[HTTP_SOCKETS];
	unsigned nsockets; /* in all, also those that are closed again */
	const char *local; /* trouble of our own; NULL: none */
};

/* A handle with every setting that is the same for all GETs.  NULL: cannot. */
CURL *http_transfer_new(void);

/*
 * Set easy->curl up for one GET.  easy is zeroed but for curl, ca, host and
 * before, and stays where it is; http_transfer_clear() it, but the handle is
 * the caller's.
 */
CURLcode http_transfer_aim(struct http_transfer *, const struct sts_addr *addr,
    size_t naddr, long timeout_ms);
/* The same at another URL of easy->host. */
CURLcode http_transfer_aim_at(struct http_transfer *, const char *url,
    unsigned port, const struct sts_addr *addr, size_t naddr, long timeout_ms);
void http_transfer_clear(struct http_transfer *);

/* CURLOPT_PREREQFUNCTION, arg is the struct http_transfer: judges the leaf. */
int http_transfer_connected(void *arg, char *remote, char *local, int rport,
    int lport);

/* What came of it; lends the body. */
void http_transfer_reply(const struct http_transfer *, CURLcode,
    struct sts_reply *out);

#endif
