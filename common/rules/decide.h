/* SPDX-License-Identifier: ISC */
/*
 * The decision, RFC 8461 3.3 and 5: from what is known, what to do next.
 *
 * One pure function, called again with each thing learnt: by an adapter with
 * the cached entry alone, by the worker with the answer to the TXT question,
 * then with the outcome of the GET.
 */
#ifndef STS_RULES_DECIDE_H
#define STS_RULES_DECIDE_H

#include <stdbool.h>
#include <stdint.h>

#include "entry.h"
#include <mtasts/sts.h>

/* What the question for the TXT record brought. */
enum sts_txt_lookup {
	STS_TXT_NOT_ASKED, /* not asked */
	STS_TXT_TEMPFAIL,  /* could not ask */
	STS_TXT_NONE,      /* asked: there is none */
	STS_TXT_INVALID,   /* asked: several, or broken: none, RFC 8461 3.1 */
	STS_TXT_FOUND
};

/* What the GET brought. */
enum sts_fetch_outcome {
	STS_FETCH_NOT_TRIED, /* not tried */
	STS_FETCH_POLICY,
	STS_FETCH_FAILED, /* failed, for whatever reason of the remote's */
	STS_FETCH_LOCAL   /* our own fault: proves nothing about the remote */
};

enum {
	STS_BACKOFF_MIN = 30, /* s; doubled at each failure */
	STS_BACKOFF_MAX = 600,
	STS_BACKOFF_FORGET = 3600, /* a failure older than this starts anew */
	STS_FETCH_RETRY_MIN = 300, /* per failed id, RFC 8461 3.3 */
	STS_MARK_GAP = 300,        /* between two looks for a failure mark */
	STS_REFETCH_MAX = 86400,   /* a GET a day, RFC 8461 3.3 and 10.2 */
	STS_NONE_MIN = 60,         /* bounds of a negative TTL */
	STS_NONE_MAX = 3600,
	STS_OUTCOME_MAX = 86400, /* s that a look counts for who cannot wait */
	STS_DELIVERY_MAX = 60,   /* and for who has just waited for it */
	STS_CLOCK_SLACK = 300    /* a time this far ahead is a clock's fault */
};

struct sts_facts {
	int64_t now;
	const struct sts_entry *cached; /* kind ABSENT where there is none */
	unsigned recheck;               /* s, of the configuration */
	int64_t marked;     /* when a delivery failed under the policy; or 0 */
	int64_t answered;   /* when last was looked because of that; or 0 */
	bool must_look;     /* STS_FRESH */
	bool must_fetch;    /* STS_REFETCH */
	bool no_time;       /* nobody may wait for an answer any more */
	bool resolver_down; /* it answered nothing a moment ago */
	bool nonblocking; /* nobody waits: whatever is due is looked at later */
	bool offline;     /* nobody looks, either */
	enum sts_txt_lookup txt;
	enum sts_reason txt_why; /* where txt is not FOUND */
	uint32_t ttl;            /* of that answer, s */
	const char *id;          /* where txt is FOUND */
	enum sts_fetch_outcome fetch;
	enum sts_reason fetch_why; /* where fetch is FAILED */
	uint32_t max_age;          /* where fetch is POLICY */
	struct sts_str body;       /* where fetch is POLICY */
};

enum sts_act {
	STS_ACT_ANSWER,
	STS_ACT_ANSWER_THEN_ASK, /* answer; look in the background */
	STS_ACT_ASK_TXT,         /* ask for the TXT record first */
	STS_ACT_FETCH            /* GET the policy first */
};

enum sts_use {
	STS_USE_NONE,  /* there is no policy */
	STS_USE_ENTRY, /* the policy of sts_next.entry */
	/* Not known: */
	STS_USE_REMOTE,  /* dns_failure of the configuration decides */
	STS_USE_NOT_YET, /* cold of the configuration decides */
	STS_USE_LOCAL    /* a fault of this host: defer */
};

enum sts_keep {
	STS_KEEP_NOTHING, /* leave the cache as it is */
	STS_KEEP_ENTRY    /* store sts_next.entry */
};

struct sts_next {
	enum sts_act act;
	enum sts_use use; /* where act is ANSWER or ANSWER_THEN_ASK */
	enum sts_keep keep;
	struct sts_entry entry; /* body borrowed from the facts */
};

struct sts_next sts_decide(const struct sts_facts *);

/*
 * For who cannot wait for a look, or waited in vain: what applies, or what the
 * last look of this day had found.  So mail never waits for ever because each
 * attempt runs out of time.
 */
struct sts_next sts_decide_unanswered(const struct sts_facts *);

/* Should there have been another GET of the cached policy by now? */
bool sts_decide_fetch_due(const struct sts_facts *);

/* Has t, unless 0, been within the last span?  Ahead of the clock it is not. */
bool sts_within(int64_t now, int64_t t, int64_t span);

/* What the configuration says of a domain. */
enum sts_domain_mode {
	STS_DOMAIN_FOLLOW, /* what the domain publishes */
	STS_DOMAIN_OFF,
	STS_DOMAIN_TESTING, /* a published enforce becomes testing */
	STS_DOMAIN_ENFORCE  /* testing becomes enforce; no policy defers */
};

/*
 * What that makes of a published mode.  "testing" never lowers what the
 * administrator set, and enforce without a policy to enforce defers.
 */
enum sts_verdict sts_override(enum sts_domain_mode, enum sts_verdict published,
    enum sts_mode *mode);

#endif
