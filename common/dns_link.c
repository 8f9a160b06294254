/* SPDX-License-Identifier: ISC */
/*
 * A getdns context that talks to one nameserver by one protocol.  getdns
 * stays on a dead server for a whole timeout and falls back from TCP to UDP as
 * it likes; with one server and one protocol in each there is nothing left to
 * choose.
 *
 * A server that failed is backed off from for up to an hour, and a connection
 * that went silent is kept.  The way out is a new context.  Setting the
 * servers of the old one again would do as well, but 1.6 then uses the old
 * server after its last query has freed it.
 */
#include "dns_link.h"

#include <stdlib.h>
#include <string.h>

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

struct dns_link *
dns_link_new(struct event_base *base, const struct sts_conf *conf,
    const struct sts_server *server, enum dns_proto proto)
{
	struct dns_link *link = calloc(1, sizeof *link);

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
free_unused(struct dns_link *link)
{
	if (!link->retired || link->users > 0)
		return;
	getdns_context_destroy(link->ctx);
	free(link);
}

void
dns_link_take(struct dns_link *link)
{
	link->users++;
}

void
dns_link_drop(struct dns_link *link)
{
	link->users--;
	free_unused(link);
}

void
dns_link_retire(struct dns_link *link)
{
	if (link == NULL)
		return;
	link->retired = true;
	free_unused(link);
}
