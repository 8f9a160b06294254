/* SPDX-License-Identifier: ISC */
/* One STARTTLS with an MX host as libcurl's easy handle sees it. */
#ifndef STS_HTTP_SMTP_H
#define STS_HTTP_SMTP_H

#include "http_easy.h"

enum { HTTP_SMTP_HEARD = 16384 }; /* bytes of answers, in sum */

/* As http_easy_new() and http_easy_aim(); http_easy_reply() for the outcome. */
CURL *http_smtp_new(void);
CURLcode http_smtp_aim(struct http_easy *, const char *ehlo,
    const struct sts_addr *, long timeout_ms);

#endif
