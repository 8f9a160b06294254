/* SPDX-License-Identifier: ISC */
/*
 * One GET of a policy, RFC 8461 3.3, as libcurl's easy handle sees it.  Bytes
 * and facts only; what they mean is judged in rules/policy_reply.c.
 */
#include "curl_transfer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/err.h"
#include "base/scan.h"
#include "tls.h"

enum {
	BODY_FIRST = 4096,
	/*
	 * An address given to curl is forgotten after so many seconds; it is
	 * used in the first millisecond.  0 would forget it before that and
	 * ask the system's resolver.
	 */
	FORGET_ADDR = 30
};

/* --- Settings ---------------------------------------------------------- */

static const struct {
	CURLoption option;
	long value;
} numbers[] = {
	{ CURLOPT_FOLLOWLOCATION, 0 }, /* RFC 8461 3.3: no redirects */
	{ CURLOPT_MAXREDIRS, 0 },
	{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 }, /* RFC 8461 7.2 */
	{ CURLOPT_SSL_VERIFYPEER, 1 },
	{ CURLOPT_SSL_VERIFYHOST, 2 },
	{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
	{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
	{ CURLOPT_NOSIGNAL, 1 },
	{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
	{ CURLOPT_HTTP09_ALLOWED, 0 },
	{ CURLOPT_HTTP_CONTENT_DECODING, 0 }, /* no decompression bombs */
	{ CURLOPT_BUFFERSIZE, 16384 },
	{ CURLOPT_FRESH_CONNECT, 1 },
	{ CURLOPT_FORBID_REUSE, 1 },
	{ CURLOPT_DNS_CACHE_TIMEOUT, FORGET_ADDR },
};

static bool
set_numbers(CURL *curl)
{
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (curl_easy_setopt(curl, numbers[i].option,
			numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool
set_texts(CURL *curl)
{
	static const struct {
		CURLoption option;
		const char *value;
	} texts[] = {
		{ CURLOPT_PROTOCOLS_STR, "https" },
		{ CURLOPT_PROXY, "" }, /* not even from the environment */
		{ CURLOPT_NOPROXY, "*" },
		{ CURLOPT_USERAGENT, "mtasts" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (curl_easy_setopt(curl, texts[i].option, texts[i].value) !=
		    CURLE_OK)
			return false;
	return true;
}

/*
 * RFC 9110 12.5.3: without it a server may encode the body, and what is not
 * decoded is no policy.  CURLOPT_ACCEPT_ENCODING would make curl a decoder.
 */
static bool
set_fields(CURL *curl)
{
	static char identity[] = "Accept-Encoding: identity";
	static struct curl_slist fields = { identity, NULL };

	return curl_easy_setopt(curl, CURLOPT_HTTPHEADER, &fields) == CURLE_OK;
}

/* --- Callbacks --------------------------------------------------------- */

/*
 * The handshake is done, nothing was sent yet.  libcurl takes a certificate
 * that names the host in its CN alone; RFC 8461 3.3 wants a DNS-ID.
 */
int
http_transfer_connected(void *arg, char *remote, char *local, int rport,
    int lport)
{
	struct http_transfer *easy = arg;
	struct curl_tlssessioninfo *info = NULL;
	size_t len = 0;
	void *der = NULL;

	(void)remote;
	(void)local;
	(void)rport;
	(void)lport;
	if (curl_easy_getinfo(easy->curl, CURLINFO_TLS_SSL_PTR, &info) ==
		CURLE_OK &&
	    info != NULL && info->internals != NULL) {
		tls_one_handshake(info->internals);
		der = tls_leaf(info->internals, &len);
	}
	if (der == NULL)
		easy->local = "no way to see the certificate";
	else if (!sts_cert_has_dns_id(der, len, easy->host))
		easy->cert = STS_CERT_NO_DNS_ID;
	else
		easy->cert = tls_leaf_why(der, len);
	free(der);
	return der == NULL || easy->cert != STS_CERT_OK ? CURL_PREREQFUNC_ABORT
							: CURL_PREREQFUNC_OK;
}

static size_t
take_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_transfer *easy = arg;
	size_t len = size * n;

	if (!http_head_line(&easy->head, (struct sts_str){ p, len })) {
		easy->too_big = true;
		return 0;
	}
	if (!easy->head.complete)
		return len;
	/* CURLOPT_MAXFILESIZE would judge a 404 by its length, too. */
	if (easy->head.status == 200 && easy->head.length > STS_BODY_MAX)
		easy->too_big = true;
	return easy->too_big || easy->head.status != 200 ? 0 : len;
}

static bool
make_room(struct http_transfer *easy, size_t need)
{
	size_t room = easy->room == 0 ? BODY_FIRST : easy->room;
	char *p;

	while (room < need)
		room *= 2;
	if (room == easy->room)
		return true;
	if ((p = realloc(easy->body, room)) == NULL)
		return false;
	easy->body = p;
	easy->room = room;
	return true;
}

static size_t
take_body(char *p, size_t size, size_t n, void *arg)
{
	struct http_transfer *easy = arg;
	size_t len = size * n;

	if (len > STS_BODY_MAX - easy->len)
		easy->too_big = true;
	else if (!make_room(easy, easy->len + len))
		easy->local = "out of memory";
	else {
		memcpy(easy->body + easy->len, p, len);
		easy->len += len;
		return len;
	}
	return 0;
}

static void
close_copy(struct http_transfer *easy, unsigned n)
{
	if (easy->socket[n % HTTP_SOCKETS] != -1)
		close(easy->socket[n % HTTP_SOCKETS]);
	easy->socket[n % HTTP_SOCKETS] = -1;
}

/* libcurl says of a socket that it could not have what it says of a host. */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct http_transfer *easy = arg;
	int fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);

	(void)purpose;
	if (fd == -1 && errno != EAFNOSUPPORT)
		easy->local = "no socket to be had";
	if (fd == -1)
		return CURL_SOCKET_BAD;
	if (easy->nsockets >= HTTP_SOCKETS)
		close_copy(easy, easy->nsockets);
	easy->socket[easy->nsockets++ % HTTP_SOCKETS] =
	    fcntl(fd, F_DUPFD_CLOEXEC, 0);
	return fd;
}

static bool
set_callbacks(CURL *curl)
{
	return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION,
		   open_socket) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION,
		http_transfer_connected) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header) ==
	    CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body) ==
	    CURLE_OK;
}

CURL *
http_transfer_new(void)
{
	CURL *curl = curl_easy_init();

	if (curl == NULL)
		return NULL;
	if (set_numbers(curl) && set_texts(curl) && set_fields(curl) &&
	    set_callbacks(curl))
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

/* --- One GET ----------------------------------------------------------- */

/*
 * "+host:443:192.0.2.1,[2001:db8::1]": curl never resolves a name itself.
 * Its resolver would be a thread that no deadline stops.  The "+" lets the
 * entry expire; others stay as long as the multi handle.
 */
static struct curl_slist *
resolve_entry(struct curl_slist *list, const char *host, unsigned port,
    const struct sts_addr *addr, size_t naddr)
{
	size_t room = strlen(host) + 8 + naddr * (STS_ADDR_TEXT + 3);
	char *line = malloc(room), text[STS_ADDR_TEXT];
	struct curl_slist *longer;
	size_t n;

	if (line == NULL)
		return NULL;
	n = (size_t)snprintf(line, room, "+%s:%u", host, port);
	for (size_t i = 0; i < naddr; i++)
		n += (size_t)snprintf(line + n, room - n,
		    addr[i].v6 ? "%c[%s]" : "%c%s", i == 0 ? ':' : ',',
		    sts_addr_text(&addr[i], text));
	longer = curl_slist_append(list, line);
	free(line);
	return longer;
}

/*
 * curl walks through every address it knows at the end of each connection,
 * so what the handle brought last time goes first: "-host:443".
 */
static struct curl_slist *
resolve_list(const struct http_transfer *easy, unsigned port,
    const struct sts_addr *addr, size_t naddr)
{
	struct curl_slist *list = NULL, *longer;
	char old[STS_NAME_SIZE + 8];

	if (easy->before[0] != '\0') {
		(void)snprintf(old, sizeof old, "-%s:443", easy->before);
		if ((list = curl_slist_append(NULL, old)) == NULL)
			return NULL;
	}
	longer = resolve_entry(list, easy->host, port, addr, naddr);
	if (longer == NULL)
		curl_slist_free_all(list);
	return longer;
}

CURLcode
http_transfer_aim_at(struct http_transfer *easy, const char *url, unsigned port,
    const struct sts_addr *addr, size_t naddr, long timeout_ms)
{
	CURL *curl = easy->curl;
	CURLcode rc;

	easy->resolve = resolve_list(easy, port, addr, naddr);
	if (easy->resolve == NULL)
		return CURLE_OUT_OF_MEMORY;
	if ((rc = ca_store_apply(easy->ca, curl)) != CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_URL, url)) != CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_RESOLVE, easy->resolve)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, easy->error)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_PREREQDATA, easy)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, easy)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_HEADERDATA, easy)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_WRITEDATA, easy)) !=
		CURLE_OK ||
	    (rc = curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS,
		 timeout_ms)) != CURLE_OK)
		return rc;
	return curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, timeout_ms);
}

CURLcode
http_transfer_aim(struct http_transfer *easy, const struct sts_addr *addr,
    size_t naddr, long timeout_ms)
{
	char url[STS_NAME_SIZE + 40];

	(void)snprintf(url, sizeof url, "https://%s/.well-known/mta-sts.txt",
	    easy->host);
	return http_transfer_aim_at(easy, url, 443, addr, naddr, timeout_ms);
}

void
http_transfer_clear(struct http_transfer *easy)
{
	for (unsigned i = 0; i < HTTP_SOCKETS && i < easy->nsockets; i++)
		close_copy(easy, i);
	easy->nsockets = 0;
	curl_slist_free_all(easy->resolve);
	free(easy->body);
	easy->resolve = NULL;
	easy->body = NULL;
}

/* --- What came of it --------------------------------------------------- */

static const struct {
	CURLcode code;
	enum sts_reply_end end;
} ends[] = {
	{ CURLE_OK, STS_REPLY_COMPLETE },
	{ CURLE_OPERATION_TIMEDOUT, STS_REPLY_TIMEOUT },
	{ CURLE_COULDNT_CONNECT, STS_REPLY_CONNECT },
	{ CURLE_SSL_CONNECT_ERROR, STS_REPLY_TLS },
	{ CURLE_SSL_CIPHER, STS_REPLY_TLS },
	{ CURLE_SSL_CERTPROBLEM, STS_REPLY_TLS }, /* it wants one of ours */
	{ CURLE_SSL_CLIENTCERT, STS_REPLY_TLS },
	{ CURLE_PEER_FAILED_VERIFICATION, STS_REPLY_CERT },
	{ CURLE_SSL_ISSUER_ERROR, STS_REPLY_CERT },
	{ CURLE_PARTIAL_FILE, STS_REPLY_CUT },
	{ CURLE_RECV_ERROR, STS_REPLY_CUT },
	{ CURLE_SEND_ERROR, STS_REPLY_CUT },
	{ CURLE_GOT_NOTHING, STS_REPLY_CUT },
	/* Ours: no library, no memory, no CA store, a setting refused. */
	{ CURLE_FAILED_INIT, STS_REPLY_LOCAL },
	{ CURLE_URL_MALFORMAT, STS_REPLY_LOCAL },
	{ CURLE_NOT_BUILT_IN, STS_REPLY_LOCAL },
	{ CURLE_COULDNT_RESOLVE_PROXY, STS_REPLY_LOCAL },
	{ CURLE_COULDNT_RESOLVE_HOST, STS_REPLY_LOCAL },
	{ CURLE_OUT_OF_MEMORY, STS_REPLY_LOCAL },
	{ CURLE_BAD_FUNCTION_ARGUMENT, STS_REPLY_LOCAL },
	{ CURLE_INTERFACE_FAILED, STS_REPLY_LOCAL },
	{ CURLE_UNKNOWN_OPTION, STS_REPLY_LOCAL },
	{ CURLE_SETOPT_OPTION_SYNTAX, STS_REPLY_LOCAL },
	{ CURLE_SSL_CACERT_BADFILE, STS_REPLY_LOCAL },
	{ CURLE_SSL_ENGINE_NOTFOUND, STS_REPLY_LOCAL },
	{ CURLE_SSL_ENGINE_SETFAILED, STS_REPLY_LOCAL },
	{ CURLE_SSL_ENGINE_INITFAILED, STS_REPLY_LOCAL },
};

/*
 * libcurl says "out of memory" (before 8.6) of a header line over 100 KB.
 * Nobody may look like our own fault by sending one.
 */
static bool
line_too_long(const struct http_transfer *easy, CURLcode code)
{
	enum { TOO_LARGE = 100 }; /* CURLE_TOO_LARGE since 8.6 */
	curl_off_t handshake = 0;

	if ((int)code == TOO_LARGE)
		return true;
	return code == CURLE_OUT_OF_MEMORY && !easy->head.complete &&
	    curl_easy_getinfo(easy->curl, CURLINFO_APPCONNECT_TIME_T,
		&handshake) == CURLE_OK &&
	    handshake > 0;
}

static enum sts_reply_end
end_of_code(CURLcode code)
{
	for (size_t i = 0; i < ARRAY_LEN(ends); i++)
		if (ends[i].code == code)
			return ends[i].end;
	return STS_REPLY_PROTOCOL; /* what else a server may think of */
}

/* A local firewall, or a route of the kind "prohibit". */
static bool
forbidden(const struct http_transfer *easy, CURLcode code)
{
	long os = 0;

	if (code == CURLE_COULDNT_CONNECT)
		(void)curl_easy_getinfo(easy->curl, CURLINFO_OS_ERRNO, &os);
	return os == EACCES || os == EPERM;
}

/*
 * What this host lacks or forbids proves nothing of a policy host.  A network
 * that cannot be reached may well be one that only the other side has; where it
 * is ours, there was no GET: gate_no_route().
 */
static const char *
local_fault(const struct http_transfer *easy, CURLcode code)
{
	static const int faults[] = { EMFILE, ENFILE, ENOBUFS, ENOMEM, EACCES,
		EPERM, EADDRNOTAVAIL };
	long os = 0;

	if (code == CURLE_COULDNT_CONNECT)
		(void)curl_easy_getinfo(easy->curl, CURLINFO_OS_ERRNO, &os);
	for (size_t i = 0; i < ARRAY_LEN(faults); i++)
		if (os == faults[i] ||
		    (code == CURLE_SSL_CONNECT_ERROR &&
			strstr(easy->error, strerror(faults[i])) != NULL))
			return strerror(faults[i]);
	return easy->local;
}

/*
 * The connection ended in the handshake; nobody refused TLS.  errno would not
 * tell, nor would a failure to send: they may stem from the alert that was the
 * last thing to be sent.
 */
static bool
ended_in_handshake(const struct http_transfer *easy)
{
	return strstr(easy->error, "Recv failure") != NULL ||
	    tls_connection_ended(easy->error);
}

static enum sts_reply_end
end_of(const struct http_transfer *easy, CURLcode code)
{
	enum sts_reply_end end = end_of_code(code);

	if (end == STS_REPLY_TLS && ended_in_handshake(easy))
		end = STS_REPLY_CUT;
	if (local_fault(easy, code) != NULL)
		return STS_REPLY_LOCAL;
	if (easy->cert != STS_CERT_OK)
		return STS_REPLY_CERT;
	if (easy->met)
		return STS_REPLY_COMPLETE;
	if (easy->too_big || line_too_long(easy, code))
		return STS_REPLY_TOO_BIG;
	if (easy->head.complete && easy->head.status != 200)
		return STS_REPLY_COMPLETE;
	/*
	 * GnuTLS reports an end of TCP without one of TLS, OpenSSL may not.
	 * Where no length was announced both are to look the same: complete,
	 * but not delimited.
	 */
	if (end == STS_REPLY_CUT && easy->head.complete &&
	    !easy->head.delimited)
		return STS_REPLY_COMPLETE;
	return end;
}

static bool
is_connected(const struct http_transfer *easy)
{
	struct sockaddr_storage peer;
	socklen_t len;

	for (unsigned i = 0; i < HTTP_SOCKETS && i < easy->nsockets; i++) {
		len = sizeof peer;
		if (getpeername(easy->socket[i], (struct sockaddr *)&peer,
			&len) == 0)
			return true;
	}
	return false;
}

static enum sts_reach
reach_of(const struct http_transfer *easy, CURLcode code)
{
	if (forbidden(easy, code))
		return STS_REACH_NONE;
	if (end_of_code(code) == STS_REPLY_LOCAL ||
	    local_fault(easy, code) != NULL)
		return STS_REACH_UNKNOWN;
	if ((code == CURLE_COULDNT_CONNECT ||
		code == CURLE_OPERATION_TIMEDOUT) &&
	    !is_connected(easy))
		return STS_REACH_NONE;
	return STS_REACH_MADE;
}

static enum sts_cert
cert_of(const struct http_transfer *easy)
{
	long result = 0;

	if (easy->cert != STS_CERT_OK)
		return easy->cert;
	if (curl_easy_getinfo(easy->curl, CURLINFO_SSL_VERIFYRESULT, &result) !=
	    CURLE_OK)
		return STS_CERT_OTHER;
	return tls_cert_why(result);
}

static void
say_why(const struct http_transfer *easy, CURLcode code, struct sts_reply *out)
{
	const char *text =
	    easy->error[0] != '\0' ? easy->error : curl_easy_strerror(code);

	/* Of a certificate the word for it is all there is to say. */
	if (out->end == STS_REPLY_COMPLETE || out->end == STS_REPLY_CERT)
		return;
	if (forbidden(easy, code)) {
		(void)snprintf(out->why, sizeof out->why,
		    "the firewall or the routes of this host forbid the "
		    "connection: %s",
		    local_fault(easy, code));
		return;
	}
	if (out->end == STS_REPLY_LOCAL && local_fault(easy, code) != NULL)
		text = local_fault(easy, code);
	else if (out->end == STS_REPLY_TOO_BIG && !easy->head.complete)
		text = "header over 16 KiB";
	else if (out->end == STS_REPLY_TOO_BIG)
		text = "body over 64 KiB";
	sts_escape(out->why, sizeof out->why, str_of(text));
}

void
http_transfer_reply(const struct http_transfer *easy, CURLcode code,
    struct sts_reply *out)
{
	*out = (struct sts_reply){ .end = end_of(easy, code),
		.reach = reach_of(easy, code),
		.body = easy->body,
		.len = easy->len };
	if (easy->head.complete) {
		out->status = easy->head.status;
		out->delimited = easy->head.delimited;
		memcpy(out->content_type, easy->head.content_type,
		    sizeof out->content_type);
	}
	if (out->end == STS_REPLY_CERT)
		out->cert = cert_of(easy);
	say_why(easy, code, out);
}
