/* SPDX-License-Identifier: ISC */
#include "https_post.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <curl/curl.h>

#include "base/err.h"
#include "net/ca_store.h"
#include "net/curl_loop.h"
#include "net/gate.h"
#include "net/sockaddr.h"

enum {
	POST_MS = 30000,
	CONNECT_MS = 10000, /* TLS included; SYN goes out four times */
	ANSWER_MAX = 65536,
	FORGET_ADDR = 30
};

struct posts {
	const struct sts_conf *conf;
	struct curl_loop *loop;
	struct ca_store ca;
};

struct post {
	struct curl_run run; /* first: curl_loop gives it back */
	struct posts *posts;
	post_done *done;
	void *arg;
	struct curl_slist *resolve, *head;
	size_t len, answer_len;
	struct sts_addr tried[POST_ADDR_MAX];
	size_t ntried;
	const char *local; /* a fault of this host; NULL: none */
	char why[CURL_ERROR_SIZE];
};

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
 * gate_refuses() has passed the addresses of the name, but what counts is where
 * the connection goes: libcurl has ways of its own to read an address out of a
 * URL.
 */
static curl_socket_t
open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *to)
{
	struct post *post = arg;
	struct sts_addr addr;
	int fd;

	if (purpose != CURLSOCKTYPE_IPCXN || !sockaddr_addr(&addr, &to->addr) ||
	    gate_refuses(post->posts->conf, GATE_POST, &addr,
		sockaddr_port(&to->addr)) != NULL)
		return CURL_SOCKET_BAD;
	fd = socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
	if (fd == -1 && errno != EAFNOSUPPORT)
		post->local = "cannot create a socket on this host";
	else if (fd != -1 && post->ntried < POST_ADDR_MAX)
		post->tried[post->ntried++] = addr;
	return fd == -1 ? CURL_SOCKET_BAD : fd;
}

/* The body of the answer is not used; up to ANSWER_MAX of it is read. */
static size_t
discard(char *p, size_t size, size_t n, void *arg)
{
	struct post *post = arg;

	(void)p;
	post->answer_len += size * n;
	return post->answer_len > ANSWER_MAX ? 0 : size * n;
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
		{ CURLOPT_FRESH_CONNECT, 1 },
		{ CURLOPT_FORBID_REUSE, 1 },
		{ CURLOPT_SSL_SESSIONID_CACHE, 0 },
		{ CURLOPT_BUFFERSIZE, 16384 },
		{ CURLOPT_UPLOAD_BUFFERSIZE, 16384 },
		{ CURLOPT_DNS_CACHE_TIMEOUT, FORGET_ADDR },
		{ CURLOPT_TIMEOUT_MS, POST_MS },
		{ CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS },
	};

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		if (curl_easy_setopt(curl, numbers[i].option,
			numbers[i].value) != CURLE_OK)
			return false;
	return true;
}

static bool
set_texts(CURL *curl, const struct rua *to)
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
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		if (curl_easy_setopt(curl, texts[i].option, texts[i].value) !=
		    CURLE_OK)
			return false;
	return true;
}

static bool
set_callbacks(CURL *curl, struct post *post)
{
	return curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION,
		   open_socket) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, post) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, discard) ==
	    CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_WRITEDATA, post) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, post->why) == CURLE_OK;
}

static struct curl_slist *
header(void)
{
	struct curl_slist *list, *longer;

	list = curl_slist_append(NULL,
	    "Content-Type: application/tlsrpt+gzip"); /* RFC 8460 5.4 */
	/* Do not wait for "100 Continue" before a large report. */
	longer = list == NULL ? NULL : curl_slist_append(list, "Expect:");
	if (longer == NULL)
		curl_slist_free_all(list);
	return longer;
}

static void
free_post(struct post *post)
{
	curl_loop_remove(post->posts->loop, &post->run);
	curl_easy_cleanup(post->run.curl);
	curl_slist_free_all(post->resolve);
	curl_slist_free_all(post->head);
	free(post);
}

static void
set_why(struct post_answer *a, const struct post *post, long status,
    CURLcode code)
{
	if (status != 0 && (status < 200 || status >= 300))
		(void)snprintf(a->why, sizeof a->why, "status %ld", status);
	else if (post->local != NULL)
		(void)snprintf(a->why, sizeof a->why, "%s", post->local);
	else if (code == CURLE_OK)
		(void)snprintf(a->why, sizeof a->why,
		    "the server answered before it had all of the report");
	else
		sts_escape(a->why, sizeof a->why,
		    str_of(post->why[0] != '\0' ? post->why
						: curl_easy_strerror(code)));
}

static void
ended(struct curl_run *run, CURLcode code)
{
	struct post *post = (struct post *)run;
	struct post_answer a = { .fate = POST_AGAIN };
	curl_off_t sent = 0, connected = 0;
	long status = 0;

	(void)curl_easy_getinfo(run->curl, CURLINFO_RESPONSE_CODE, &status);
	(void)curl_easy_getinfo(run->curl, CURLINFO_SIZE_UPLOAD_T, &sent);
	(void)curl_easy_getinfo(run->curl, CURLINFO_CONNECT_TIME_T, &connected);
	if (code == CURLE_WRITE_ERROR && post->answer_len > ANSWER_MAX)
		code = CURLE_OK; /* we stopped reading the answer */
	a.fate =
	    post_fate(status, sent == (curl_off_t)post->len, code == CURLE_OK);
	a.silent = status == 0 && post->local == NULL;
	if (a.silent && connected == 0) {
		memcpy(a.dead, post->tried, sizeof a.dead);
		a.ndead = post->ntried;
	}
	if (a.fate != POST_TAKEN)
		set_why(&a, post, status, code);
	post->done(post->arg, &a);
	free_post(post);
}

bool
post_start(struct posts *posts, const struct rua *to,
    const struct sts_addr *addr, size_t naddr, const void *body, size_t len,
    post_done *done, void *arg)
{
	struct post *post = calloc(1, sizeof *post);
	CURL *curl;

	if (post == NULL)
		return false;
	*post = (struct post){ .posts = posts,
		.done = done,
		.arg = arg,
		.len = len,
		.resolve = resolve_list(to, addr, naddr),
		.head = header() };
	post->run = (struct curl_run){ .curl = curl = curl_easy_init(),
		.ended = ended,
		.choosing = naddr > 1 };
	if (curl != NULL && post->resolve != NULL && post->head != NULL &&
	    ca_store_load(&posts->ca) == STS_OK && set_numbers(curl, len) &&
	    set_texts(curl, to) && set_callbacks(curl, post) &&
	    ca_store_apply(&posts->ca, curl) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_RESOLVE, post->resolve) ==
		CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, post->head) ==
		CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
	    curl_loop_add(posts->loop, &post->run))
		return true;
	free_post(post);
	return false;
}

struct posts *
posts_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_err *err)
{
	struct posts *posts = calloc(1, sizeof *posts);

	if (posts == NULL ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(posts);
		(void)sts_fail(err, STS_NOMEM, 0, "libcurl cannot start");
		return NULL;
	}
	posts->conf = conf;
	posts->ca.conf = conf;
	if (ca_store_load(&posts->ca) != STS_OK)
		(void)sts_fail(err, STS_LOCAL, 0, "%s", posts->ca.err.text);
	else if ((posts->loop = curl_loop_new(base)) == NULL)
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
	else
		return posts;
	posts_free(posts);
	return NULL;
}

void
posts_free(struct posts *posts)
{
	if (posts == NULL)
		return;
	curl_loop_free(posts->loop);
	ca_store_clear(&posts->ca);
	curl_global_cleanup();
	free(posts);
}
