/* SPDX-License-Identifier: ISC */
#include "net/http_head.h"
#include "must.h"

/* Lines as libcurl hands them over, one by one. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct scan s = scan_bytes(data, len);
	struct http_head head = { .bytes = 0 }, then;
	struct sts_str line;
	const char *from;

	while (s.p < s.end) {
		from = s.p;
		if (scan_until(&s, '\n', &line))
			s.p++;
		else
			(void)scan_rest(&s);
		line = (struct sts_str){ from, (size_t)(s.p - from) };
		then = head;
		if (!http_head_line(&head, line))
			break;
		MUST(head.bytes == then.bytes + line.len);
		MUST(head.bytes <= STS_HEADER_MAX);
		MUST(memchr(head.content_type, '\0',
			 sizeof head.content_type) != NULL);
		MUST(head.status >= 0 && head.status <= 999);
		MUST(!head.complete || head.status >= 200);
		if (then.complete) { /* trailers change nothing */
			MUST(head.status == then.status);
			MUST(head.delimited == then.delimited);
			MUST(strcmp(head.content_type, then.content_type) == 0);
		}
	}
	return 0;
}
