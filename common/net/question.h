/* SPDX-License-Identifier: ISC */
/* One question (name and type) to the nameservers, by way of getdns. */
#ifndef STS_NET_QUESTION_H
#define STS_NET_QUESTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include <event2/event_struct.h>
#include <getdns/getdns.h>

#include "attempts.h"
#include "base/accountant.h"
#include "dns_reply.h"
#include "dns_wire.h"
#include "owner_keys.h"
#include "upstream.h"

enum { DNS_OPEN_MAX = 3 }; /* attempts of one question under way at once */

struct dns_question;
TAILQ_HEAD(dns_questions, dns_question);

/* What all questions share. */
struct dns_pool {
	struct event_base *base;
	const struct sts_conf *conf;
	dns_remark *remark; /* or NULL */
	getdns_dict *plain; /* extensions of a query without EDNS */
	size_t n;
	struct sts_server server[STS_SERVERS_MAX];
	struct dns_peer peer[STS_SERVERS_MAX];
	struct dns_upstream *link[STS_SERVERS_MAX][3]; /* by enum dns_proto */
	struct sts_accountant busy; /* questions, by the owner of the name */
	unsigned own;               /* and those of our own, dns_probe() */
	struct owner_keys owners;
	int64_t heard; /* when any server last answered, sts_now_ms() */
	struct dns_questions waiting;
};

struct dns_try {
	struct dns_question *q;
	struct dns_attempt step;
	struct dns_upstream *link; /* held; NULL: the slot is free */
	int64_t began;
	bool open;  /* getdns has it */
	bool ready; /* found is to be looked at */
	getdns_transaction_t id;
	struct dns_found found;
};

struct dns_question {
	TAILQ_ENTRY(dns_question) next;
	struct dns_pool *pool;
	void (*done)(struct dns_question *); /* from the loop; found is set */
	void *arg;
	const char *text; /* the name; lent */
	struct dns_wire name;
	unsigned type; /* DNS_RR_... */
	struct sts_account_keys owner;
	unsigned timeout;        /* ms, from the end of the queue */
	int64_t asked;           /* when; then: */
	unsigned waited;         /* ms in the queue */
	int64_t deadline, slice; /* ms: of all, of the last attempt */
	enum { DNS_WAITING, DNS_BUSY, DNS_HOPELESS, DNS_DONE } state;
	bool hurried; /* cut short by us: says nothing of the server */
	struct event timer;
	struct dns_attempts plan;
	struct dns_try try[DNS_OPEN_MAX];
	struct dns_try *last; /* NULL: no attempt is left to be made */
	unsigned ntry;
	struct dns_found found;
};

/* All zero; without servers as yet. */
enum sts_rc dns_pool_init(struct dns_pool *, struct event_base *,
    const struct sts_conf *, dns_remark *, struct sts_err *err);

/*
 * The servers from now on.  Questions under way come to their end with what
 * they have; a step of theirs may go to a server that took another's place.
 */
void dns_pool_servers(struct dns_pool *, const struct sts_server *, size_t n);
void dns_pool_clear(struct dns_pool *); /* when all questions are cleared */

/*
 * Ask.  done, text, arg and type are set, the rest is zero; the question stays
 * where it is until dns_question_clear().
 */
void dns_question_ask(struct dns_question *, struct dns_pool *,
    unsigned timeout_ms);

/* Wait no longer than ms from now. */
void dns_question_hurry(struct dns_question *, unsigned ms);
void dns_question_clear(struct dns_question *);

#endif
