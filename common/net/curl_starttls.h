/* SPDX-License-Identifier: ISC */
/* One STARTTLS with an MX host as libcurl's easy handle sees it. */
#ifndef STS_NET_CURL_STARTTLS_H
#define STS_NET_CURL_STARTTLS_H

#include "curl_transfer.h"

enum { HTTP_SMTP_HEARD = 16384 }; /* bytes of answers, in sum */

/* As http_transfer_new() and http_transfer_aim(); http_transfer_reply() for the
 * outcome. */
CURL *http_smtp_new(void);
CURLcode http_smtp_aim(struct http_transfer *, const char *ehlo,
    const struct sts_addr *, long timeout_ms);

#endif
