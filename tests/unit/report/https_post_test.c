/* SPDX-License-Identifier: ISC */
/* What libcurl is kept from, whatever a URL says: RFC 8460 7. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "ca_pem.h"
#include "https_post.h"
#include "row.h"

/* On loopback, at a port of its own. */
static int
listener(unsigned short *port)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	union {
		struct sockaddr_in *in;
		struct sockaddr *any;
	} u = { &in };

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_not_equal(fd, -1);
	assert_int_equal(bind(fd, u.any, sizeof in), 0);
	assert_int_equal(listen(fd, 5), 0);
	assert_int_equal(getsockname(fd, u.any, &len), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	*port = ntohs(in.sin_port);
	return fd;
}

static void
keep(void *arg, const struct post_answer *a)
{
	*(struct post_answer *)arg = *a;
}

/*
 * The address that was judged is a good one; the URL holds another, in words
 * that libcurl or libc read as an address, or the list itself is wrong.
 */
static void
test_fence(void **state)
{
	static const struct {
		const char *host, *resolved;
	} rows_[] = {
		{ "127.0.0.1", "192.0.2.1" },
		{ "127.1", "192.0.2.1" },
		{ "0x7f000001", "192.0.2.1" },
		{ "2130706433", "192.0.2.1" },
		{ "[::ffff:127.0.0.1]", "192.0.2.1" },
		{ "localhost", "192.0.2.1" },
		{ "good.example", "127.0.0.1" },
		{ "good.example", "::ffff:127.0.0.1" },
	};
	char ca[] = "/tmp/t-https-post.XXXXXX";
	const struct sts_conf conf = { .ca_file = ca };
	struct event_base *base = event_base_new();
	struct post_answer answer;
	struct sts_addr a;
	struct sts_err err;
	struct posts *posts;
	struct rua to;
	int fd = mkstemp(ca), got;

	(void)state;
	assert_int_equal(write(fd, ca_pem, strlen(ca_pem)), strlen(ca_pem));
	close(fd);
	posts = posts_new(base, &conf, &err);
	(void)unlink(ca);
	assert_non_null(posts);
	for (size_t i = 0; i < ARRAY_LEN(rows_); i++) {
		memset(&to, 0, sizeof to);
		to.kind = RUA_HTTPS;
		fd = listener(&to.port);
		snprintf(to.host, sizeof to.host, "%s",
		    i < 5 ? "good.example" : rows_[i].host);
		snprintf(to.url, sizeof to.url, "https://%s:%u/", rows_[i].host,
		    to.port);
		assert_true(sts_addr_parse(&a, str_of(rows_[i].resolved)));
		/* "localhost" is resolved to an address that is swallowed. */
		if (strcmp(rows_[i].host, "localhost") == 0)
			assert_true(sts_addr_parse(&a, str_of("::1")));
		memset(&answer, 0, sizeof answer);
		ROW(post_start(posts, &to, &a, 1, "x", 1, keep, &answer),
		    "%s begins", to.url);
		(void)event_base_dispatch(base);
		ROW(answer.fate == POST_AGAIN && answer.why[0] != '\0' &&
			answer.ndead == 0,
		    "%s: %d %s", to.url, answer.fate, answer.why);
		got = accept(fd, NULL, NULL);
		ROW(got == -1, "%s by %s was connected to: %s", to.url,
		    rows_[i].resolved, answer.why);
		if (got != -1)
			close(got);
		close(fd);
	}
	posts_free(posts);
	event_base_free(base);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fence),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
