/* SPDX-License-Identifier: ISC */
/* The header lines of the replies to one GET, as they come in.  Pure. */
#ifndef STS_NET_HTTP_HEAD_H
#define STS_NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/http_reply.h"
#include <mtasts/sts.h>

struct http_head {
	size_t bytes;  /* of all lines so far, interim replies included */
	bool inside;   /* a status line was seen, its blank line was not */
	bool complete; /* the final reply's header is; what follows, trails */
	long status;   /* of the last reply, an interim one included */
	bool delimited;
	uint64_t length; /* Content-Length, the greatest; 0 without one */
	char content_type[STS_TYPE_MAX];
};

/* One line with its end.  False: over STS_HEADER_MAX. */
bool http_head_line(struct http_head *, struct sts_str line);

#endif
