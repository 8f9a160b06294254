/* SPDX-License-Identifier: ISC */
/* libcurl's multi interface on libevent: transfers that share one loop. */
#ifndef STS_NET_CURL_LOOP_H
#define STS_NET_CURL_LOOP_H

#include <stdbool.h>
#include <sys/queue.h>

#include <curl/curl.h>

struct event_base;
struct curl_loop;
struct curl_run;

/* From the loop; may add and remove any transfer. */
typedef void curl_ended(struct curl_run *, CURLcode);

/* A transfer under way: part of whatever the owner keeps of it. */
struct curl_run {
	TAILQ_ENTRY(curl_run) next;
	CURL *curl;
	curl_ended *ended; /* not called after curl_loop_remove() */
	bool choosing;     /* it may go to one of several addresses */
	bool added;
};

struct curl_loop *curl_loop_new(struct event_base *); /* NULL: no memory */
/* All transfers have been removed; NULL is fine. */
void curl_loop_free(struct curl_loop *);

/* All set but next and added; uses CURLOPT_PRIVATE.  False: no memory. */
bool curl_loop_add(struct curl_loop *, struct curl_run *);
void curl_loop_remove(struct curl_loop *, struct curl_run *);

#endif
