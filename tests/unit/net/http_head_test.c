/* SPDX-License-Identifier: ISC */
#include "net/http_head.h"
#include "row.h"

/* Feed a text line by line, as libcurl does. */
static bool
feed(struct http_head *head, const char *text)
{
	const char *end;
	bool ok = true;

	while (ok && *text != '\0') {
		size_t len = (end = strchr(text, '\n')) != NULL
		    ? (size_t)(end - text) + 1
		    : strlen(text);

		ok = http_head_line(head,
		    (struct sts_str){ guard_copy(text, len), len });
		text += len;
	}
	return ok;
}

static void
heads(void **state)
{
	static const struct {
		const char *what, *in;
		long status;
		bool complete, delimited;
		const char *type;
		uint64_t length;
	} cases[] = {
		{ "plain",
		    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    "Content-Length: 42\r\n\r\n",
		    200, true, true, "text/plain", 42 },
		{ "LF alone, odd case, no blank",
		    "HTTP/1.1 200\ncontent-TYPE:text/plain\n\n", 200, true,
		    false, "text/plain", 0 },
		{ "no reason", "HTTP/1.1 200 \nContent-Type:text/plain \t\n\n",
		    200, true, false, "text/plain", 0 },
		{ "not yet complete", "HTTP/1.1 404 No\r\nA: b\r\n", 404, false,
		    false, "", 0 },
		{ "RFC 9110 15.2 interim replies say nothing",
		    "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n"
		    "Content-Type: text/html\r\n\r\n"
		    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n",
		    200, true, false, "text/plain", 0 },
		{ "interim reply alone",
		    "HTTP/1.1 103 Early Hints\r\nContent-Length: 5\r\n\r\n",
		    103, false, true, "", 5 },
		{ "RFC 9110 6.5.1 trailers say nothing",
		    "HTTP/1.1 200 OK\r\n\r\nContent-Type: text/plain\r\n"
		    "Content-Length: 5\r\n",
		    200, true, false, "", 0 },
		{ "a reply after the reply",
		    "HTTP/1.1 404 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 404, true,
		    false, "", 0 },
		{ "a status line among the fields",
		    "HTTP/1.1 404 No\r\nHTTP/1.1 200 OK\r\n\r\n", 404, true,
		    false, "", 0 },
		{ "RFC 9110 5.3 two types are a list",
		    "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
		    "Content-Type: text/html\r\n\r\n",
		    200, true, false, "text/plain, text/html", 0 },
		{ "an empty one is no type",
		    "HTTP/1.1 200 OK\r\nContent-Type:\r\n"
		    "Content-Type: text/plain\r\nContent-Type: \r\n\r\n",
		    200, true, false, "text/plain", 0 },
		{ "two lengths: the greater",
		    "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n"
		    "Content-Length: 5\r\n\r\n",
		    200, true, true, "", 9 },
		{ "length wraps",
		    "HTTP/1.1 200 OK\r\n"
		    "Content-Length: 18446744073709551620\r\n\r\n",
		    200, true, true, "", UINT64_MAX },
		{ "length is no number",
		    "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n", 200, true,
		    false, "", 0 },
		{ "chunked",
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n",
		    200, true, true, "", 0 },
		{ "RFC 9112 6.3 chunked last",
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: x , chunked\r\n"
		    "\r\n",
		    200, true, true, "", 0 },
		{ "RFC 9112 6.3 chunked not last",
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, x\r\n\r\n",
		    200, true, false, "", 0 },
		{ "not chunked",
		    "HTTP/1.1 200 OK\r\nTransfer-Encoding: xchunked\r\n\r\n",
		    200, true, false, "", 0 },
		{ "name is another's prefix",
		    "HTTP/1.1 200 OK\r\nContent-Length-X: 5\r\n"
		    "X-Content-Length: 5\r\nContent-Length : 5\r\n\r\n",
		    200, true, false, "", 0 },
		{ "no colon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n", 200,
		    true, false, "", 0 },
		{ "status of two digits", "HTTP/1.1 20 OK\r\n\r\n", 0, false,
		    false, "", 0 },
		{ "status of four digits", "HTTP/1.1 2000 OK\r\n\r\n", 0, false,
		    false, "", 0 },
		{ "junk", "ICY 200 OK\r\n\r\n", 0, false, false, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct http_head head = { .bytes = 0 };

		ROW(feed(&head, cases[i].in) &&
			head.complete == cases[i].complete &&
			(!head.complete || head.status == cases[i].status) &&
			head.delimited == cases[i].delimited &&
			head.length == cases[i].length &&
			strcmp(head.content_type, cases[i].type) == 0,
		    "%s: status %ld complete %d delimited %d \"%s\"",
		    cases[i].what, head.status, head.complete, head.delimited,
		    head.content_type);
	}
	rows_done();
}

static void
limits(void **state)
{
	struct http_head head = { .bytes = 0 };
	char line[1024], value[STS_TYPE_MAX + 100];

	(void)state;
	memset(line, 'x', sizeof line);
	for (size_t i = 0; i < STS_HEADER_MAX / sizeof line; i++)
		ROW(http_head_line(&head,
			(struct sts_str){ line, sizeof line }),
		    "line %zu", i);
	ROW(!http_head_line(&head, (struct sts_str){ line, 1 }),
	    "a byte over the limit");

	/* A type too long for its field is cut, and stays a string. */
	memset(value, 'y', sizeof value);
	memcpy(value, "Content-Type: ", 14);
	head = (struct http_head){ .inside = true };
	ROW(http_head_line(&head, (struct sts_str){ value, sizeof value }) &&
		strlen(head.content_type) == sizeof head.content_type - 1,
	    "long type");
	ROW(http_head_line(&head, (struct sts_str){ value, 20 }) &&
		strlen(head.content_type) == sizeof head.content_type - 1,
	    "and another");
	head = (struct http_head){ .inside = true };
	ROW(http_head_line(&head,
		(struct sts_str){ "Content-Type: text/plain\0x", 26 }) &&
		strcmp(head.content_type, "text/plain?x") == 0,
	    "NUL in a type: %s", head.content_type);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(limits),
	};

	return cmocka_run_group_tests_name("http_head", tests, NULL, NULL);
}
