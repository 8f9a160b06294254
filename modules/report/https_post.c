/* SPDX-License-Identifier: ISC */
#include "https_post.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/err.h"
#include "net/gate.h"
#include "net/sockaddr.h"

enum { POST_MS = 60000, ANSWER_MAX = 65536, FORGET_ADDR = 30 };

/* "+host:port:192.0.2.1,[2001:db8::1]": no resolver of libcurl's. */
static struct curl_slist *
resolve_list(const struct rua *to, const struct sts_addr *addr, size_t n)
{
	size_t room = strlen(to->host) + 16 + n * (STS_ADDR_TEXT + 3), at;
	char *line = malloc(room), text[STS_ADDR_TEXT];
	struct curl_slist *list;

	if (line == NULL)
		return NULL;
	at = (size_t)snprintf(line, room, "+%s:%u", to->host, to->port);
	for (size_t i = 0; i < n; i++)
		at += (size_t)snprintf(line + at, room - at,
		    addr[i].v6 ? "%c[%s]" : "%c%s", i == 0 ? ':' : ',',
		    sts_addr_text(&addr[i], text));
	list = curl_slist_append(NULL, line);
	free(line);
	return list;
}

/*
 * The second fence: the names were looked up and judged before, but what
 * counts is where the connection goes.  libcurl has ways of its own to read an
 * address out of a URL.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	const struct sts_conf *conf = arg;
	struct sts_addr addr;

	if (purpose != CURLSOCKTYPE_IPCXN || !sockaddr_addr(&addr, &to->addr) ||
	    gate_refuses(conf, GATE_POST, &addr, sockaddr_port(&to->addr)) !=
		NULL)
		return CURL_SOCKET_BAD;
	return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

static bool
set_fence(CURL *curl, const struct sts_conf *conf)
{
	union { /* libcurl hands it back and does not write there */
		const struct sts_conf *in;
		void *out;
	} u = { conf };

	return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION,
		   open_socket) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, u.out) == CURLE_OK;
}

/* What a server says beside its status is not for us; some of it may come. */
static size_t
drop(char *p, size_t size, size_t n, void *arg)
{
	size_t *got = arg;

	(void)p;
	*got += size * n;
	return *got > ANSWER_MAX ? 0 : size * n;
}

static bool
set_numbers(CURL *curl, size_t len)
{
	const struct {
		CURLoption option;
		long value;
	} numbers[] = {
		{ CURLOPT_POST, 1 },
		{ CURLOPT_POSTFIELDSIZE, (long)len },
		{ CURLOPT_FOLLOWLOCATION, 0 }, /* the target was looked up */
		{ CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2 },
		{ CURLOPT_SSL_VERIFYPEER, 1 },
		{ CURLOPT_SSL_VERIFYHOST, 2 },
		{ CURLOPT_NETRC, CURL_NETRC_IGNORED },
		{ CURLOPT_NOSIGNAL, 1 },
		{ CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1 },
		{ CURLOPT_HTTP09_ALLOWED, 0 },
		{ CURLOPT_HTTP_CONTENT_DECODING, 0 },
		{ CURLOPT_FORBID_REUSE, 1 },
		{ CURLOPT_DNS_CACHE_TIMEOUT, FORGET_ADDR },
		{ CURLOPT_TIMEOUT_MS, POST_MS },
		{ CURLOPT_CONNECTTIMEOUT_MS, POST_MS / 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (curl_easy_setopt(curl, numbers[i].option,
			numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool
set_texts(CURL *curl, const struct rua *to, const struct tls_ca *ca)
{
	const struct {
		CURLoption option;
		const char *value;
	} texts[] = {
		{ CURLOPT_URL, to->url },
		{ CURLOPT_PROTOCOLS_STR, "https" },
		{ CURLOPT_PROXY, "" },
		{ CURLOPT_NOPROXY, "*" },
		{ CURLOPT_USERAGENT, "mtasts" },
		{ CURLOPT_CAINFO, ca->file },
		{ CURLOPT_CAPATH, ca->path },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (curl_easy_setopt(curl, texts[i].option, texts[i].value) !=
		    CURLE_OK)
			return false;
	return true;
}

/* RFC 8460 5.4: accepted is what went out whole and was answered with 2xx. */
static enum sts_rc
perform(CURL *curl, size_t len, const size_t *got, const char *why,
    struct sts_err *err)
{
	CURLcode code = curl_easy_perform(curl);
	char shown[160];
	curl_off_t sent = 0;
	long status = 0;

	(void)curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(curl, CURLINFO_SIZE_UPLOAD_T, &sent);
	if (code == CURLE_WRITE_ERROR && *got > ANSWER_MAX)
		code = CURLE_OK; /* it was we who had heard enough */
	if (status >= 300)
		return sts_fail(err, STS_TEMPFAIL, 0, "status %ld", status);
	if (code != CURLE_OK)
		return sts_fail(err, STS_TEMPFAIL, 0, "%s",
		    sts_escape(shown, sizeof shown,
			str_of(
			    why[0] != '\0' ? why : curl_easy_strerror(code))));
	if (status < 200 || sent != (curl_off_t)len)
		return sts_fail(err, STS_TEMPFAIL, 0, "no answer to all of it");
	return STS_OK;
}

enum sts_rc
post_send(const struct rua *to, const struct tls_ca *ca,
    const struct sts_conf *conf, const struct sts_addr *addr, size_t naddr,
    const void *body, size_t len, struct sts_err *err)
{
	static bool ready;
	CURL *curl = NULL;
	struct curl_slist *resolve = resolve_list(to, addr, naddr);
	struct curl_slist *head = curl_slist_append(NULL,
	    "Content-Type: application/tlsrpt+gzip"); /* 5.4 */
	char why[CURL_ERROR_SIZE] = "";
	enum sts_rc rc = STS_LOCAL;
	size_t got = 0;

	ready = ready || curl_global_init(CURL_GLOBAL_ALL) == CURLE_OK;
	if (ready)
		curl = curl_easy_init();
	if (curl == NULL || resolve == NULL || head == NULL ||
	    !set_numbers(curl, len) || !set_texts(curl, to, ca) ||
	    !set_fence(curl, conf) ||
	    curl_easy_setopt(curl, CURLOPT_RESOLVE, resolve) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, head) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, drop) != CURLE_OK ||
	    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &got) != CURLE_OK)
		sts_fail(err, STS_LOCAL, 0, "libcurl cannot be set up");
	else
		rc = perform(curl, len, &got, why, err);
	curl_slist_free_all(resolve);
	curl_slist_free_all(head);
	curl_easy_cleanup(curl);
	return rc;
}
