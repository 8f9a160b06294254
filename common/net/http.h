/* SPDX-License-Identifier: ISC */
/*
 * One GET over HTTPS, RFC 8461 3.3: the edge moves bytes and reports facts;
 * what they mean is judged in rules/policy_reply.c.  One file knows the library
 * (curl_*.c), one per TLS library its settings and codes (tls.h).
 */
#ifndef STS_NET_HTTP_H
#define STS_NET_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/addr.h"
#include "conf/conf.h"
#include "rules/http_reply.h"

struct event_base;
struct http;

/* The reply and its body are lent for the time of the call. */
typedef void http_done(void *arg, const struct sts_reply *);

/*
 * Initialise the library, which reads its configuration, before a sandbox is
 * entered; once a process.  False: no memory.
 */
bool http_init(void);

/*
 * ca_file and ca_path come from conf (lent; must outlive the http); the store
 * is looked at again every minute, and is a local fault while unusable. Ignores
 * SIGPIPE for the process and initialises the library, once a process.  NULL:
 * no memory, or a CA store without one usable certificate (err, STS_LOCAL):
 * that is our fault and must never look like the remote's.
 */
struct http *http_new(struct event_base *, const struct sts_conf *,
    struct sts_err *err);
void http_free(struct http *); /* NULL is fine; open GETs never call back */

/*
 * GET https://host/.well-known/mta-sts.txt from one of the addresses, SNI and
 * certificate name host.  GETs over the cap of the TLS library wait in a
 * queue; timeout_ms counts from its end, lest slow hosts make the GETs behind
 * them fail unasked.  done is called
 * exactly once, from the event loop, never from within http_get; it may get
 * again, but not free the http.  The body of a reply other than 200 is not
 * waited for.  All arguments are copied.  False: no memory, done will not be
 * called.
 */
bool http_get(struct http *, const char *host, const struct sts_addr *addr,
    size_t naddr, unsigned timeout_ms, http_done *done, void *arg);

/*
 * EHLO, STARTTLS, EHLO, QUIT with the MX host at port 25 of addr, SNI and
 * certificate name host, among the GETs and by their rules.  COMPLETE: TLS is
 * as RFC 8461 4.2 asks for; PROTOCOL: no STARTTLS, or no SMTP.  ehlo: this
 * host's name.
 */
bool http_starttls(struct http *, const char *host, const struct sts_addr *addr,
    const char *ehlo, unsigned timeout_ms, http_done *done, void *arg);

#endif
