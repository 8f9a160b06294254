/* SPDX-License-Identifier: ISC */
/*
 * The resolver with getdns in it: a nameserver on the loopback address gives
 * the same answer to whatever is asked.
 */
#include "dns_message.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

#include "net/dns.h"

enum { SOON = 30, LATE = 30000, ASKED_MAX = 2, REPLY_MAX = 65535 };

static struct {
	struct event_base *base;
	uint8_t reply[REPLY_MAX + 2];
	const uint8_t *input; /* what the answer is made of */
	size_t len;
	bool raw;
} server;

struct got {
	unsigned calls;
	enum dns_outcome outcome;
	enum dns_why why;
	size_t n;
};

/*
 * The answer to a query: its id, and its question unless the input is raw; the
 * rest is the input's.  Returns the length.
 */
static size_t
answer_to(uint8_t *out, const uint8_t *query, size_t len)
{
	struct message m = { .p = query, .len = len };
	struct dns_wire name;
	size_t end = message_name(&m, 12, &name) + 4, n = 0;

	MUST(end > 4 && end <= len);
	memcpy(out, query, end);
	if (server.raw) {
		n = server.len < REPLY_MAX - 2 ? server.len : REPLY_MAX - 2;
		memcpy(out + 2, server.input, n);
		return n + 2;
	}
	memset(out + 2, 0, 10);
	memcpy(out + 2, server.input, 2);
	out[5] = 1;
	for (size_t i = 0; i < 3; i++)
		out[7 + 2 * i] = server.input[2 + i];
	n = server.len - 5 < REPLY_MAX - end ? server.len - 5 : REPLY_MAX - end;
	memcpy(out + end, server.input + 5, n);
	return end + n;
}

static void
by_udp(evutil_socket_t fd, short what, void *arg)
{
	uint8_t query[4096];
	struct sockaddr_storage from;
	socklen_t fromlen = sizeof from;
	ssize_t n = recvfrom(fd, query, sizeof query, 0,
	    (struct sockaddr *)&from, &fromlen);

	(void)what;
	(void)arg;
	if (n > 0)
		(void)!sendto(fd, server.reply,
		    answer_to(server.reply, query, (size_t)n), 0,
		    (struct sockaddr *)&from, fromlen);
}

static void
by_tcp(struct bufferevent *bev, void *arg)
{
	struct evbuffer *in = bufferevent_get_input(bev);
	uint8_t query[4096];
	size_t n;

	(void)arg;
	while (evbuffer_get_length(in) >= 2) {
		evbuffer_copyout(in, query, 2);
		n = (size_t)query[0] << 8 | query[1];
		MUST(n < sizeof query - 2);
		if (evbuffer_get_length(in) < n + 2)
			return;
		evbuffer_remove(in, query, n + 2);
		n = answer_to(server.reply + 2, query + 2, n);
		server.reply[0] = (uint8_t)(n >> 8);
		server.reply[1] = (uint8_t)n;
		bufferevent_write(bev, server.reply, n + 2);
	}
}

static void
gone(struct bufferevent *bev, short what, void *arg)
{
	(void)what;
	(void)arg;
	bufferevent_free(bev);
}

static void
accepted(struct evconnlistener *l, evutil_socket_t fd, struct sockaddr *from,
    int len, void *arg)
{
	struct bufferevent *bev =
	    bufferevent_socket_new(server.base, fd, BEV_OPT_CLOSE_ON_FREE);

	(void)l;
	(void)from;
	(void)len;
	(void)arg;
	MUST(bev != NULL);
	bufferevent_setcb(bev, by_tcp, NULL, gone, NULL);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
}

/* The port of the nameserver. */
static uint16_t
listen_on(void)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	socklen_t len = sizeof sin;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	MUST((server.base = event_base_new()) != NULL);
	MUST(bind(fd, (struct sockaddr *)&sin, len) == 0);
	MUST(getsockname(fd, (struct sockaddr *)&sin, &len) == 0);
	MUST(event_add(event_new(server.base, fd, EV_READ | EV_PERSIST, by_udp,
			   NULL),
		 NULL) == 0);
	MUST(evconnlistener_new_bind(server.base, accepted, NULL,
		 LEV_OPT_CLOSE_ON_FREE | LEV_OPT_REUSEABLE, 16,
		 (struct sockaddr *)&sin, (int)len) != NULL);
	return ntohs(sin.sin_port);
}

static void
done(void *arg, const struct dns_answer *a)
{
	struct got *got = arg;

	MUST(++got->calls == 1);
	got->outcome = a->outcome;
	got->why = a->why;
	got->n = a->n;
	MUST(a->outcome == DNS_FOUND || a->n == 0);
	MUST(a->outcome != DNS_NONE || a->why == DNS_WHY_NXDOMAIN ||
	    a->why == DNS_WHY_NODATA);
	MUST(a->outcome != DNS_TEMPFAIL || a->why >= DNS_WHY_TIMEOUT);
}

static const struct question {
	enum dns_type type;
	unsigned rr[2];
} questions[] = {
	{ DNS_TXT, { TYPE_TXT } },
	{ DNS_MX, { TYPE_MX } },
	{ DNS_TLSA, { TYPE_TLSA } },
	{ DNS_ADDRESS, { TYPE_A, TYPE_AAAA } },
};

/* What the server's answer to a question of this type says. */
static void
read_answer(struct message *m, uint8_t buf[REPLY_MAX], unsigned type)
{
	static const char name[] = "\10_mta-sts\7example\3com";
	uint8_t query[sizeof name + 16] = { 0 };
	struct dns_wire wire;

	memcpy(query + 12, name, sizeof name);
	query[12 + sizeof name + 1] = (uint8_t)type;
	query[12 + sizeof name + 3] = 1;
	MUST(dns_wire_parse(&wire, "_mta-sts.example.com"));
	message_read(m, buf, answer_to(buf, query, 12 + sizeof name + 4),
	    &wire);
}

/*
 * First byte: the type, by TCP from the start, and whether the rest is all of
 * the answer behind its id, or flags, three numbers of records, and those.
 */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static struct sts_conf conf[2];
	static struct dns *dns[2];
	static struct message m;
	static uint8_t buf[REPLY_MAX];
	const struct question *q;
	bool found = false, none = true;
	struct got got = { 0 };
	size_t tcp, records = 0;

	if (len < 6)
		return 0;
	if (server.base == NULL) {
		conf[0].nserver = 1;
		memcpy(conf[0].server[0].addr.bytes, "\177\0\0\1", 4);
		conf[0].server[0].port = listen_on();
		conf[1] = conf[0];
		conf[1].transport = STS_TRANSPORT_TCP;
	}
	for (size_t i = 0; i < 2 && dns[i] == NULL; i++)
		MUST((dns[i] = dns_new(server.base, &conf[i], NULL, NULL)) !=
		    NULL);
	q = &questions[data[0] & 3];
	tcp = data[0] >> 2 & 1;
	server.raw = (data[0] & 8) != 0;
	server.input = data + 1;
	server.len = len - 1;
	for (size_t i = 0; i < 2 && q->rr[i] != 0; i++) {
		read_answer(&m, buf, q->rr[i]);
		found |= message_says_found(&m, q->rr[i]);
		none &= message_says_none(&m, q->rr[i]);
		records += message_answers(&m, q->rr[i]);
	}
	MUST(dns_ask(dns[tcp], q->type, "_mta-sts.example.com",
	    found || none ? LATE : SOON, done, &got));
	while (got.calls == 0)
		MUST(event_base_loop(server.base, EVLOOP_ONCE) == 0);
	MUST(got.outcome != DNS_FOUND || (found && got.n <= records));
	MUST(got.outcome != DNS_NONE || none);
	MUST((!found && !none) || got.why != DNS_WHY_TIMEOUT);
	return 0;
}
