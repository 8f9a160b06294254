/* SPDX-License-Identifier: ISC */
/* Where a report may go by HTTPS, and what libcurl is kept from: RFC 8460 7. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "https_post.h"
#include "row.h"

static const struct {
	const char *address;
	bool good;
} reach[] = {
	{ "192.0.2.1", true },
	{ "198.18.0.1", true },
	{ "2001:db8::1", true },
	{ "198.51.100.9", true },
	{ "198.51.100.8", false }, /* deny_networks, below */
	{ "2001:db8:bad::1", false },
	{ "0.0.0.0", false },
	{ "10.255.255.255", false },
	{ "100.64.0.1", false },
	{ "100.128.0.1", true },
	{ "127.0.0.1", false },
	{ "169.254.169.254", false },
	{ "172.15.255.255", true },
	{ "172.16.0.1", false },
	{ "172.31.255.255", false },
	{ "172.32.0.1", true },
	{ "192.168.0.1", false },
	{ "224.0.0.1", false },
	{ "255.255.255.255", false },
	{ "::", false },
	{ "::1", false },
	{ "::ffff:127.0.0.1", false },
	{ "::ffff:10.0.0.1", false },
	{ "::ffff:192.0.2.1", true },
	{ "64:ff9b::7f00:1", false },
	{ "fc00::1", false },
	{ "fdff::1", false },
	{ "fe80::1", false },
	{ "fec0::1", false },
	{ "ff02::1", false },
};

static struct sts_net deny[2];
static const struct sts_conf conf = { .deny = deny, .ndeny = 2 };

static int
set_up(void **state)
{
	(void)state;
	return sts_net_parse(&deny[0], str_of("198.51.100.8")) &&
		sts_net_parse(&deny[1], str_of("2001:db8:bad::/48"))
	    ? 0
	    : -1;
}

static void
test_reach(void **state)
{
	struct sts_addr a;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(reach); i++)
		ROW(sts_addr_parse(&a, str_of(reach[i].address)) &&
			post_may_reach(&a, &conf) == reach[i].good,
		    "%s", reach[i].address);
	rows_done();
}

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
	const struct tls_ca ca = { .path = "/etc/ssl/certs" };
	struct sts_addr a;
	struct sts_err err;
	struct rua to;
	int fd, got;

	(void)state;
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
		err.text[0] = '\0';
		ROW(post_send(&to, &ca, &conf, &a, 1, "x", 1, &err) ==
			STS_TEMPFAIL,
		    "%s", to.url);
		got = accept(fd, NULL, NULL);
		ROW(got == -1, "%s by %s was connected to: %s", to.url,
		    rows_[i].resolved, err.text);
		if (got != -1)
			close(got);
		close(fd);
	}
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_fence),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
