/* SPDX-License-Identifier: ISC */
/* A getdns context for one nameserver, on libevent. */
#include "upstream.h"

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <event2/event.h>

#include "sockaddr.h"

/* --- The event loop ------------------------------------------------------- */

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
	return true; /* attempts.c asks by TCP first instead */
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

/* By name or by number, RFC 4007 11.2. */
static uint32_t
scope_id(const struct sts_server *server)
{
	uint64_t n;

	if (str_u64(str_of(server->scope), UINT32_MAX, &n))
		return (uint32_t)n;
	return if_nametoindex(server->scope);
}

bool
dns_upstream_here(const struct sts_server *server)
{
	char name[IF_NAMESIZE];

	return server->scope[0] == '\0' ||
	    if_indextoname(scope_id(server), name) != NULL;
}

static void
set_peer(struct dns_loop *loop, const struct sts_server *server)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&loop->peer;

	loop->peer_len = sockaddr_of(&loop->peer, &server->addr,
	    server->port == 0 ? 53 : server->port);
	if (server->addr.v6)
		sin6->sin6_scope_id = scope_id(server);
}

/*
 * A loop for contexts that talk to one server.  getdns takes a UDP answer
 * from any address and port; where the system allows it, its UDP sockets are
 * connected to the server first, so that the kernel lets no other's through.
 * The loop must outlive every context it is set on.
 */
static void
dns_loop_init(struct dns_loop *loop, struct event_base *base,
    const struct sts_server *server)
{
	static getdns_eventloop_vmt vmt = { cleanup, schedule, clear, run,
		run_once };

	loop->ext.vmt = &vmt;
	loop->base = base;
	set_peer(loop, server);
}

/* --- The context ---------------------------------------------------------- */

#include "sockaddr.h"

enum {
	NEVER_MS = 120 * 1000, /* our own timers are shorter */
	IDLE_MS = 2000,        /* a TCP connection waits so long for more */
	UDP_SIZE = 1232,       /* fits IPv6's least MTU: no fragments */
	PORT_DNS = 53,
	PORT_TLS = 853 /* RFC 7858 3.1 */
};

static getdns_return_t
set_text(getdns_dict *dict, const char *key, const char *text)
{
	getdns_bindata data = { strlen(text), NULL };
	uint8_t copy[256];

	if (data.size > sizeof copy)
		return GETDNS_RETURN_INVALID_PARAMETER;
	memcpy(copy, text, data.size);
	data.data = copy;
	return getdns_dict_set_bindata(dict, key, &data);
}

static getdns_return_t
describe(getdns_dict *dict, const struct sts_server *server,
    enum dns_proto proto)
{
	bool tls = proto == DNS_BY_TLS;
	uint32_t port = server->port != 0 ? server->port
	    : tls                         ? PORT_TLS
					  : PORT_DNS;
	struct sts_addr addr = server->addr;
	getdns_bindata bytes = { addr.v6 ? 16 : 4, addr.bytes };
	getdns_return_t rc;

	rc = set_text(dict, "address_type", addr.v6 ? "IPv6" : "IPv4");
	if (rc == 0)
		rc = getdns_dict_set_bindata(dict, "address_data", &bytes);
	if (rc == 0)
		rc = getdns_dict_set_int(dict, tls ? "tls_port" : "port", port);
	if (rc == 0 && server->scope[0] != '\0')
		rc = set_text(dict, "scope_id", server->scope);
	if (rc == 0 && tls)
		rc = set_text(dict, "tls_auth_name", server->tls_name);
	return rc;
}

static getdns_return_t
set_server(getdns_context *ctx, const struct sts_server *server,
    enum dns_proto proto)
{
	getdns_dict *dict = getdns_dict_create();
	getdns_list *list = getdns_list_create();
	getdns_return_t rc = GETDNS_RETURN_MEMORY_ERROR;

	if (dict != NULL && list != NULL)
		rc = describe(dict, server, proto);
	if (rc == 0)
		rc = getdns_list_set_dict(list, 0, dict);
	if (rc == 0)
		rc = getdns_context_set_upstream_recursive_servers(ctx, list);
	getdns_list_destroy(list);
	getdns_dict_destroy(dict);
	return rc;
}

/*
 * Never with the system's settings: those bring a search list, /etc/hosts and
 * another server.  No DNSSEC: 1.6 asserts on crafted answers and, without
 * root.key, writes into a home directory and fetches it over plain http.
 */
static getdns_return_t
stub(getdns_context *ctx)
{
	getdns_namespace_t dns = GETDNS_NAMESPACE_DNS;
	getdns_return_t rc;

	rc = getdns_context_set_resolution_type(ctx, GETDNS_RESOLUTION_STUB);
	if (rc == 0)
		rc = getdns_context_set_namespaces(ctx, 1, &dns);
	if (rc == 0)
		rc = getdns_context_set_append_name(ctx,
		    GETDNS_APPEND_NAME_NEVER);
	if (rc == 0)
		rc = getdns_context_set_timeout(ctx, NEVER_MS);
	if (rc == 0)
		rc = getdns_context_set_edns_maximum_udp_payload_size(ctx,
		    UDP_SIZE);
	return rc;
}

static getdns_return_t
set_proto(getdns_context *ctx, const struct sts_conf *conf,
    enum dns_proto proto)
{
	static const getdns_transport_list_t transports[] = {
		[DNS_BY_UDP] = GETDNS_TRANSPORT_UDP,
		[DNS_BY_TCP] = GETDNS_TRANSPORT_TCP,
		[DNS_BY_TLS] = GETDNS_TRANSPORT_TLS,
	};
	getdns_transport_list_t transport = transports[proto];
	getdns_return_t rc;

	rc = getdns_context_set_dns_transport_list(ctx, 1, &transport);
	if (rc == 0 && proto != DNS_BY_UDP)
		rc = getdns_context_set_idle_timeout(ctx, IDLE_MS);
	if (rc != 0 || proto != DNS_BY_TLS)
		return rc;
	rc = getdns_context_set_tls_authentication(ctx,
	    GETDNS_AUTHENTICATION_REQUIRED);
	if (rc == 0 && conf->ca_file != NULL)
		rc = getdns_context_set_tls_ca_file(ctx, conf->ca_file);
	if (rc == 0 && conf->ca_path != NULL)
		rc = getdns_context_set_tls_ca_path(ctx, conf->ca_path);
	return rc;
}

static getdns_context *
new_context(struct dns_loop *loop, const struct sts_conf *conf,
    const struct sts_server *server, enum dns_proto proto)
{
	getdns_context *ctx;

	if (getdns_context_create(&ctx, 0) != 0)
		return NULL;
	if (getdns_context_set_eventloop(ctx, &loop->ext) != 0 ||
	    stub(ctx) != 0 || set_proto(ctx, conf, proto) != 0 ||
	    set_server(ctx, server, proto) != 0) {
		getdns_context_destroy(ctx);
		return NULL;
	}
	return ctx;
}

struct dns_upstream *
dns_upstream_new(struct event_base *base, const struct sts_conf *conf,
    const struct sts_server *server, enum dns_proto proto)
{
	struct dns_upstream *link = calloc(1, sizeof *link);

	if (link == NULL)
		return NULL;
	dns_loop_init(&link->loop, base, server);
	if ((link->ctx = new_context(&link->loop, conf, server, proto)) ==
	    NULL) {
		free(link);
		return NULL;
	}
	return link;
}

static void
free_unused(struct dns_upstream *link)
{
	if (!link->retired || link->users > 0)
		return;
	getdns_context_destroy(link->ctx);
	free(link);
}

void
dns_upstream_take(struct dns_upstream *link)
{
	link->users++;
}

void
dns_upstream_drop(struct dns_upstream *link)
{
	link->users--;
	free_unused(link);
}

void
dns_upstream_retire(struct dns_upstream *link)
{
	if (link == NULL)
		return;
	link->retired = true;
	free_unused(link);
}
