/* SPDX-License-Identifier: ISC */
/* What a context holds; for the files that make up sts_query() and friends. */
#ifndef STS_QUERY_QUERY_H
#define STS_QUERY_QUERY_H

#include <sys/types.h>

#include "cache/cache.h"
#include "conf/conf.h"
#include "tlsrpt/spool.h"
#include <mtasts/mx.h>
#include <mtasts/session.h>
#include <mtasts/sts.h>

enum {
	STS_WAIT_MAX = 30000,   /* ms that may be waited for a message */
	STS_WAIT_KNOWN = 15000, /* ms of it for domains with an old answer */
	STS_WAIT_LEAST = 1000,  /* ms; less is not worth a worker */
	STS_WAIT_GRACE = 2000,  /* ms a worker may be late */
	STS_REFRESH_STALE = 60, /* s after which nobody is thought to look */
	STS_START_GAP = 1000,   /* ms between two starts for a refresh */
	STS_LAST_SPAN = 60,     /* s that an answer is thought to be the one
				 * that a session was held to */
	STS_MX_TURN = 10        /* s that hosts of one preference keep their
				 * order: the envelopes of a message go one way */
};

/* The last answer about a domain that came from the cache or the network. */
struct sts_last {
	char domain[STS_NAME_SIZE]; /* "": none yet */
	char id[STS_ID_SIZE];
	bool applies; /* STS_POLICY */
	enum sts_mode mode;
	int64_t when;
};

/* A host that was offered for a domain, and when: next_mx.c. */
struct sts_recent_offer {
	uint64_t hash;
	int64_t when; /* ms */
};

struct sts_ctx {
	struct sts_conf *conf;
	const char *path;        /* of the configuration; NULL: the default */
	struct sts_store *store; /* NULL until first needed */
	struct sts_spool *spool; /* the same */
	bool no_spool;           /* it could not be opened */
	bool other_spool;        /* it is not the one of the beginning */
	unsigned waited;         /* ms, for the message in hand */
	struct sts_last last;
	int64_t began; /* when the query in hand began */
	struct {
		int fd;          /* -1: none */
		uint64_t inode;  /* of fd: the host may have closed it */
		pid_t pid;       /* whose child it would be */
		int64_t started; /* ms, for a refresh; 0: never */
		struct sts_worker_reader *reader; /* NULL until first needed */
	} worker;
	char said[STS_NOTE_SIZE];  /* by the worker, of the domain in hand */
	uint32_t random;           /* 0: not chosen yet */
	struct sts_recent *recent; /* NULL until a question that never waits */
	struct sts_loaded loaded;  /* the entry in hand */
	struct sts_recent_offer recent_offer[64];
};

/* STS_LOCAL: less is asked for than before, and perhaps by mistake. */
enum sts_rc sts_config_guard(struct sts_store *, const struct sts_conf *,
    const char *path, struct sts_err *err);

/* The store, opened when first needed. */
enum sts_rc sts_ctx_store(struct sts_ctx *, struct sts_err *err);

/*
 * Ask a worker about a domain and wait for it: *next as sts_decide() would
 * say it, with the entry in ctx->worker.reader and a sentence in ctx->said.
 */
struct sts_facts;
struct sts_next;
struct sts_worker_reader;
enum sts_rc sts_ask(struct sts_ctx *, const char *domain, unsigned flags,
    const struct sts_facts *, struct sts_next *next, struct sts_err *err);

/* ms of the message in hand that may be waited for the domain. */
unsigned sts_wait_left(const struct sts_ctx *, const struct sts_facts *);

/* The spool of now, opened when first needed. */
enum sts_rc sts_ctx_spool(struct sts_ctx *, struct sts_err *err);

/* What of an answer sts_record_session() wants to know. */
void sts_last_take(struct sts_last *, const struct sts_answer *);

/*
 * STS_OK: *s is all there is to record of a session, and lends from seen, name
 * and policy.  Else as sts_record_session().
 */
struct sts_session;
enum sts_rc sts_ctx_session(struct sts_ctx *,
    const struct sts_session_report *seen, char name[STS_NAME_SIZE],
    struct sts_last *policy, struct sts_session *s, struct sts_err *err);

/*
 * Start a worker; *fd as sts_spawn_start() has it.  how: "--serve", or
 * "--brief", which ends when it has had nothing to do for a second.
 */
enum sts_rc sts_worker_start(struct sts_ctx *, const char *how, int *fd,
    struct sts_err *err);

/*
 * Have the domain looked at while nobody waits: its policy, and with
 * REFRESH_MX its MX set.
 */
void sts_request_refresh(struct sts_ctx *, enum sts_mark, const char *domain,
    int64_t now);

/* What the worker of the context has been asked for, it still does. */
void sts_worker_close(struct sts_ctx *);

#endif
