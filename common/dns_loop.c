/* SPDX-License-Identifier: ISC */
/* getdns on libevent: the five functions of getdns_eventloop_vmt. */
#include "dns_loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

static struct dns_loop *
loop_of(getdns_eventloop *ext)
{
	return (struct dns_loop *)(void *)ext;
}

/*
 * One callback a call: the first may free ev.  What else was ready is
 * reported again, since the descriptor still is.
 */
static void
fired(evutil_socket_t fd, short what, void *arg)
{
	getdns_eventloop_event *ev = arg;

	(void)fd;
	if ((what & EV_READ) != 0 && ev->read_cb != NULL)
		ev->read_cb(ev->userarg);
	else if ((what & EV_WRITE) != 0 && ev->write_cb != NULL)
		ev->write_cb(ev->userarg);
	else if ((what & EV_TIMEOUT) != 0 && ev->timeout_cb != NULL)
		ev->timeout_cb(ev->userarg);
}

#if defined(__linux__)

/*
 * Any local user can learn the port of a UDP socket and answer in the
 * server's place.  Linux still takes the address that getdns gives to
 * sendto(2) on a connected socket; the BSDs would refuse it with EISCONN.
 */
static bool
only_from_peer(const struct dns_loop *loop, int fd)
{
	int type;
	socklen_t len = sizeof type;

	if (fd < 0 || getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == -1 ||
	    type != SOCK_DGRAM)
		return true;
	return connect(fd, (const struct sockaddr *)&loop->peer,
		   loop->peer_len) == 0;
}

#else

static bool
only_from_peer(const struct dns_loop *loop, int fd)
{
	(void)loop;
	(void)fd;
	return true; /* dns_plan.c asks by TCP first instead */
}

#endif

static getdns_return_t
schedule(getdns_eventloop *ext, int fd, uint64_t timeout,
    getdns_eventloop_event *ev)
{
	struct timeval tv = { (time_t)(timeout / 1000),
		(suseconds_t)(timeout % 1000 * 1000) };
	bool forever = timeout == UINT64_MAX; /* TIMEOUT_FOREVER of getdns */
	struct event *e;
	short what = EV_PERSIST;

	if (ev == NULL || (fd < 0 && (ev->read_cb || ev->write_cb)))
		return GETDNS_RETURN_INVALID_PARAMETER;
	if (ev->read_cb != NULL)
		what |= EV_READ;
	if (ev->write_cb != NULL)
		what |= EV_WRITE;
	if (ev->timeout_cb != NULL)
		what |= EV_TIMEOUT;
	if (ev->write_cb != NULL && !only_from_peer(loop_of(ext), fd))
		return GETDNS_RETURN_GENERIC_ERROR;
	e = event_new(loop_of(ext)->base, fd, what, fired, ev);
	if (e == NULL)
		return GETDNS_RETURN_MEMORY_ERROR;
	if (event_add(e, forever ? NULL : &tv) == -1) {
		event_free(e);
		return GETDNS_RETURN_GENERIC_ERROR;
	}
	ev->ev = e;
	return GETDNS_RETURN_GOOD;
}

static getdns_return_t
clear(getdns_eventloop *ext, getdns_eventloop_event *ev)
{
	(void)ext;
	if (ev == NULL)
		return GETDNS_RETURN_INVALID_PARAMETER;
	if (ev->ev != NULL)
		event_free(ev->ev);
	ev->ev = NULL; /* getdns asks this whether an event is scheduled */
	return GETDNS_RETURN_GOOD;
}

static void
cleanup(getdns_eventloop *ext)
{
	(void)ext; /* one loop for many contexts; the base is the worker's */
}

static void
run_once(getdns_eventloop *ext, int blocking)
{
	(void)event_base_loop(loop_of(ext)->base,
	    EVLOOP_ONCE | (blocking ? 0 : EVLOOP_NONBLOCK));
}

static void
run(getdns_eventloop *ext)
{
	(void)event_base_dispatch(loop_of(ext)->base);
}

static void
set_peer(struct dns_loop *loop, const struct sts_server *server)
{
	unsigned short port = server->port == 0 ? 53 : server->port;
	struct sockaddr_in sin = { .sin_family = AF_INET,
		.sin_port = htons(port) };
	struct sockaddr_in6 sin6 = { .sin6_family = AF_INET6,
		.sin6_port = htons(port) };

	if (server->addr.v6) {
		memcpy(&sin6.sin6_addr, server->addr.bytes, 16);
		sin6.sin6_scope_id = if_nametoindex(server->scope);
		memcpy(&loop->peer, &sin6, sizeof sin6);
		loop->peer_len = sizeof sin6;
	} else {
		memcpy(&sin.sin_addr, server->addr.bytes, 4);
		memcpy(&loop->peer, &sin, sizeof sin);
		loop->peer_len = sizeof sin;
	}
}

void
dns_loop_init(struct dns_loop *loop, struct event_base *base,
    const struct sts_server *server)
{
	static getdns_eventloop_vmt vmt = { cleanup, schedule, clear, run,
		run_once };

	loop->ext.vmt = &vmt;
	loop->base = base;
	set_peer(loop, server);
}
