/* SPDX-License-Identifier: ISC */
/*
 * GETs of policies, and STARTTLS with MX hosts: which run, which wait, and the
 * deadline of each.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "http.h"
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <curl/curl.h>
#include <event2/event.h>
#include <event2/event_struct.h>

#include "base/accountant.h"
#include "base/clock.h"
#include "base/err.h"
#include "curl_loop.h"
#include "curl_starttls.h"
#include "curl_transfer.h"
#include "owner_keys.h"
#include "tls.h"

enum {
	SPARE_MAX = 8 /* handles kept for the next GETs */
};

struct get {
	struct curl_run run; /* first: curl_loop gives it back */
	TAILQ_ENTRY(get) next;
	struct http *http;
	http_done *done;
	void *arg;
	unsigned timeout; /* ms, from the start */
	int64_t queued;   /* when */
	unsigned waited;  /* ms in the queue */
	struct event timer;
	bool running, ended;
	bool smtp; /* not a GET, but STARTTLS */
	char ehlo[STS_NAME_SIZE];
	CURLcode code; /* once ended */
	struct sts_account_keys owner;
	struct http_transfer easy;
	size_t naddr;
	struct sts_addr addr[];
};
TAILQ_HEAD(gets, get);

/* A handle between two GETs. */
struct spare {
	CURL *curl;
	char host[STS_NAME_SIZE]; /* of the last one */
};

struct http {
	struct event_base *base;
	struct ca_store ca;
	struct curl_loop *loop;
	struct sts_accountant running; /* by owner of host and of address */
	struct owner_keys owners;
	unsigned ended;            /* GETs, in all */
	struct gets waiting, open; /* open: running or ended */
	struct spare spare[SPARE_MAX];
	size_t nspare;
};

static void
arm(struct event *timer, int64_t ms)
{
	struct timeval tv = { 0, 0 };

	if (ms > 0) {
		tv.tv_sec = (time_t)(ms / 1000);
		tv.tv_usec = (suseconds_t)(ms % 1000 * 1000);
	}
	(void)evtimer_add(timer, &tv);
}

/* --- One GET ----------------------------------------------------------- */

static bool
get_handle(struct http *http, struct get *get)
{
	struct http_transfer *easy = &get->easy;
	struct spare *spare;

	if (get->smtp || http->nspare == 0) {
		easy->curl = get->smtp ? http_smtp_new() : http_transfer_new();
		return easy->curl != NULL;
	}
	spare = &http->spare[--http->nspare];
	easy->curl = spare->curl;
	memcpy(easy->before, spare->host, sizeof easy->before);
	return true;
}

static void
put_handle(struct http *http, const struct get *get)
{
	const struct http_transfer *easy = &get->easy;
	struct spare *spare = &http->spare[http->nspare];

	if (!get->smtp && http->nspare < SPARE_MAX) {
		spare->curl = easy->curl;
		memcpy(spare->host, easy->host, sizeof spare->host);
		http->nspare++;
	} else
		curl_easy_cleanup(easy->curl);
}

/* The GET has an outcome; done is called from the loop, by its timer. */
static void
end(struct get *get, CURLcode code)
{
	get->ended = true;
	get->code = code;
	arm(&get->timer, 0);
}

static void
ended(struct curl_run *run, CURLcode code)
{
	end((struct get *)run, code);
}

static CURLcode
aim(struct get *get)
{
	if (get->smtp)
		return http_smtp_aim(&get->easy, get->ehlo, get->addr,
		    (long)get->timeout);
	return http_transfer_aim(&get->easy, get->addr, get->naddr,
	    (long)get->timeout);
}

static void
start(struct get *get)
{
	struct http *http = get->http;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	TAILQ_REMOVE(&http->waiting, get, next);
	TAILQ_INSERT_TAIL(&http->open, get, next);
	get->running = true;
	get->waited = (unsigned)(sts_now_ms() - get->queued);
	sts_accountant_take(&http->running, &get->owner);
	if (get->ended)
		return;
	arm(&get->timer, get->timeout);
	if (ca_store_load(&http->ca) != STS_OK) {
		get->easy.local = http->ca.err.text;
		end(get, CURLE_SSL_CACERT_BADFILE);
		return;
	}
	get->easy.ca = &http->ca;
	if (get_handle(http, get))
		code = aim(get);
	get->run = (struct curl_run){ .curl = get->easy.curl,
		.ended = ended,
		.choosing = get->naddr > 1 };
	if (code == CURLE_OK && curl_loop_add(http->loop, &get->run))
		return;
	get->easy.local = "out of memory";
	end(get, code);
}

/* The oldest whose owners have not taken their shares. */
static struct get *
next_in_turn(const struct http *http)
{
	struct get *get;

	TAILQ_FOREACH(get, &http->waiting, next)
	if (sts_accountant_may(&http->running, &get->owner))
		return get;
	return NULL;
}

static void
start_waiting(struct http *http)
{
	struct get *get;

	while ((get = next_in_turn(http)) != NULL)
		start(get);
}

static void
free_get(struct get *get)
{
	struct http *http = get->http;

	evtimer_del(&get->timer);
	if (get->running) {
		TAILQ_REMOVE(&http->open, get, next);
		sts_accountant_give_back(&http->running, &get->owner);
	} else
		TAILQ_REMOVE(&http->waiting, get, next);
	if (get->easy.curl != NULL) {
		curl_loop_remove(http->loop, &get->run);
		put_handle(http, get);
	}
	http_transfer_clear(&get->easy);
	free(get);
}

/*
 * GnuTLS reads the whole CA bundle for each GET; with several in flight the
 * heap falls into pieces and would stay twice as large as ever needed.  What is
 * given back must be got again, so not oftener than all of them end twice.
 */
static void
give_back(struct http *http)
{
#ifdef __GLIBC__
	if (++http->ended % (2 * tls_cap()) == 0)
		(void)malloc_trim(0);
#else
	(void)http;
#endif
}

/* The GET has ended, or its time has. */
static void
tick(evutil_socket_t fd, short what, void *arg)
{
	struct get *get = arg;
	struct http *http = get->http;
	struct sts_reply reply;

	(void)fd;
	(void)what;
	if (!get->ended)
		get->code = CURLE_OPERATION_TIMEDOUT;
	http_transfer_reply(&get->easy, get->code, &reply);
	reply.waited = get->waited;
	get->done(get->arg, &reply);
	free_get(get);
	give_back(http);
	start_waiting(http);
}

/* --- All of it --------------------------------------------------------- */

static enum sts_rc
set_up(struct http *http, struct sts_err *err)
{
	if (ca_store_load(&http->ca) != STS_OK)
		return sts_fail(err, http->ca.err.rc, 0, "%s",
		    http->ca.err.text);
	if (!sts_accountant_init(&http->running, tls_cap()) ||
	    (http->loop = curl_loop_new(http->base)) == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	/* A library without one of the settings shows itself here. */
	if ((http->spare[0].curl = http_transfer_new()) == NULL)
		return sts_fail(err, STS_LOCAL, 0,
		    "libcurl %s lacks a needed feature", curl_version());
	http->nspare = 1;
	return STS_OK;
}

bool
http_init(void)
{
	return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
}

struct http *
http_new(struct event_base *base, const struct sts_conf *conf,
    struct sts_err *err)
{
	struct http *http = calloc(1, sizeof *http);

	if (http == NULL) {
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		(void)sts_fail(err, STS_NOMEM, 0, "libcurl cannot start");
		free(http);
		return NULL;
	}
	http->ca.conf = conf;
	http->base = base;
	owner_keys_init(&http->owners);
	TAILQ_INIT(&http->waiting);
	TAILQ_INIT(&http->open);
	if (set_up(http, err) != STS_OK) {
		http_free(http);
		return NULL;
	}
	/* CURLOPT_NOSIGNAL leaves this to the program. */
	(void)signal(SIGPIPE, SIG_IGN);
	return http;
}

void
http_free(struct http *http)
{
	struct get *get;

	if (http == NULL)
		return;
	while ((get = TAILQ_FIRST(&http->open)) != NULL ||
	    (get = TAILQ_FIRST(&http->waiting)) != NULL)
		free_get(get);
	while (http->nspare > 0)
		curl_easy_cleanup(http->spare[--http->nspare].curl);
	curl_loop_free(http->loop);
	ca_store_clear(&http->ca);
	sts_accountant_clear(&http->running);
	curl_global_cleanup();
	free(http);
}

/* NULL: no memory.  Begins when it is queued. */
static struct get *
new_get(struct http *http, const char *host, const struct sts_addr *addr,
    size_t naddr, unsigned timeout_ms, http_done *done, void *arg)
{
	size_t len = strlen(host);
	struct get *get;

	get = calloc(1, sizeof *get + naddr * sizeof *addr);
	if (get == NULL)
		return NULL;
	get->http = http;
	get->done = done;
	get->arg = arg;
	get->timeout = timeout_ms;
	get->queued = sts_now_ms();
	evtimer_assign(&get->timer, http->base, tick, get);
	if (naddr > 0)
		memcpy(get->addr, addr, naddr * sizeof *addr);
	get->naddr = naddr;
	if (naddr == 0 || len == 0 || len >= sizeof get->easy.host)
		end(get, CURLE_COULDNT_CONNECT); /* nowhere to go */
	else
		memcpy(get->easy.host, host, len + 1);
	get->owner.key[0] = owner_of_name(&http->owners, host);
	if (naddr > 0)
		get->owner.key[1] = owner_of_address(&http->owners, addr);
	return get;
}

static void
queue(struct get *get)
{
	TAILQ_INSERT_TAIL(&get->http->waiting, get, next);
	start_waiting(get->http);
}

bool
http_get(struct http *http, const char *host, const struct sts_addr *addr,
    size_t naddr, unsigned timeout_ms, http_done *done, void *arg)
{
	struct get *get =
	    new_get(http, host, addr, naddr, timeout_ms, done, arg);

	if (get != NULL)
		queue(get);
	return get != NULL;
}

bool
http_starttls(struct http *http, const char *host, const struct sts_addr *addr,
    const char *ehlo, unsigned timeout_ms, http_done *done, void *arg)
{
	struct get *get = new_get(http, host, addr, 1, timeout_ms, done, arg);

	if (get == NULL)
		return false;
	get->smtp = true;
	(void)snprintf(get->ehlo, sizeof get->ehlo, "%s", ehlo);
	queue(get);
	return true;
}
