/* SPDX-License-Identifier: ISC */
/* Questions to the DNS by getdns in stub mode, asynchronous on libevent. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/stat.h>
#include <unistd.h>

#include <event2/event.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/fd_io.h"
#include "dns.h"
#include "question.h"
#include "resolv_conf.h"

enum {
	/*
	 * How long an address of one family waits for the other: nameservers
	 * that never answer AAAA are common enough.
	 */
	OTHER_FAMILY_MS = 500,
	RESOLV_MAX = 65536,
	RESOLV_LOOK_MS = 1000 /* between two looks whether it changed */
};

struct ask {
	TAILQ_ENTRY(ask) next;
	struct dns *dns;
	char name[STS_NAME_SIZE];
	dns_done *done;
	void *arg;
	bool soa; /* dns_probe(): no records to hand out */
	size_t n, left;
	struct dns_question q[2];
};
TAILQ_HEAD(asks, ask);

struct dns {
	struct dns_pool pool;
	struct asks asks;
	struct stat resolv; /* of the resolv.conf that was read */
	int64_t looked;     /* when it was last looked at, sts_now_ms() */
};

static void renew_servers(struct dns *);

static bool
is_none(enum dns_why why)
{
	return why == DNS_WHY_NXDOMAIN || why == DNS_WHY_NODATA;
}

static enum dns_outcome
outcome(enum dns_why why)
{
	if (why == DNS_WHY_OK)
		return DNS_FOUND;
	return is_none(why) ? DNS_NONE : DNS_TEMPFAIL;
}

/*
 * A and AAAA as one: found if either is, none only if both say so.  b->why is
 * the failure to tell where a has none.
 */
static enum dns_why
both(const struct dns_found *a, const struct dns_found *b)
{
	if (a->why == DNS_WHY_OK || b->why == DNS_WHY_OK)
		return DNS_WHY_OK;
	if (!is_none(a->why))
		return a->why;
	if (!is_none(b->why) || a->why == b->why)
		return b->why;
	return DNS_WHY_NODATA;
}

/* The addresses of both into the first; false: no memory. */
static bool
join(struct dns_found *a, struct dns_found *b)
{
	struct sts_addr *all = NULL;
	enum dns_why why = both(a, b);

	if (a->n + b->n > 0) {
		if ((all = calloc(a->n + b->n, sizeof *all)) == NULL)
			return false;
		for (size_t i = 0; i < a->n; i++)
			all[i] = a->addr[i];
		for (size_t i = 0; i < b->n; i++)
			all[a->n + i] = b->addr[i];
	}
	/* Each counts only if it says what both together say. */
	if (outcome(a->why) != outcome(why) ||
	    (outcome(b->why) == outcome(why) && b->ttl < a->ttl))
		a->ttl = b->ttl;
	free(a->addr);
	a->addr = all;
	a->n += b->n;
	a->why = why;
	return true;
}

static void
free_ask(struct ask *ask)
{
	TAILQ_REMOVE(&ask->dns->asks, ask, next);
	for (size_t i = 0; i < ask->n; i++)
		dns_question_clear(&ask->q[i]);
	free(ask);
}

static void
deliver(struct ask *ask)
{
	struct dns_found *found = &ask->q[0].found;
	struct dns_answer answer;

	if (ask->n == 2 && !join(found, &ask->q[1].found))
		found->why = DNS_WHY_LOCAL;
	answer = (struct dns_answer){ .outcome = outcome(found->why),
		.why = found->why };
	for (size_t i = 0; i < ask->n; i++) {
		if (ask->q[i].waited > answer.waited)
			answer.waited = ask->q[i].waited;
		if (answer.outcome == DNS_NONE && ask->q[i].found.no_soa)
			answer.no_soa = true;
	}
	if (answer.outcome != DNS_TEMPFAIL)
		answer.ttl = found->ttl;
	if (answer.outcome == DNS_FOUND && !ask->soa) {
		answer.n = found->n;
		answer.txt = found->txt;
		answer.addr = found->addr;
		answer.mx = found->mx;
	}
	ask->done(ask->arg, &answer);
	free_ask(ask);
}

/* One of the questions has its answer. */
static void
answered(struct dns_question *q)
{
	struct ask *ask = q->arg;

	if (--ask->left == 0)
		deliver(ask);
	else if (q->found.why == DNS_WHY_OK)
		for (size_t i = 0; i < ask->n; i++)
			dns_question_hurry(&ask->q[i], OTHER_FAMILY_MS);
}

static void
add_question(struct ask *ask, unsigned type)
{
	struct dns_question *q = &ask->q[ask->n++];

	ask->left++;
	q->done = answered;
	q->arg = ask;
	q->text = ask->name;
	q->type = type;
}

static void
start(struct ask *ask, unsigned timeout_ms)
{
	for (size_t i = 0; i < ask->n; i++)
		dns_question_ask(&ask->q[i], &ask->dns->pool, timeout_ms);
}

static struct ask *
new_ask(struct dns *dns, const char *name, dns_done *done, void *arg)
{
	struct ask *ask = calloc(1, sizeof *ask);
	size_t len = strlen(name);

	if (ask == NULL)
		return NULL;
	ask->dns = dns;
	ask->done = done;
	ask->arg = arg;
	/* A name that does not fit stays empty, and that cannot be asked. */
	if (len < sizeof ask->name)
		memcpy(ask->name, name, len + 1);
	TAILQ_INSERT_TAIL(&dns->asks, ask, next);
	return ask;
}

bool
dns_ask(struct dns *dns, enum dns_type type, const char *name,
    unsigned timeout_ms, dns_done *done, void *arg)
{
	struct ask *ask = new_ask(dns, name, done, arg);

	if (ask == NULL)
		return false;
	renew_servers(dns);
	switch (type) {
	case DNS_TXT:
		add_question(ask, DNS_RR_TXT);
		break;
	case DNS_MX:
		add_question(ask, DNS_RR_MX);
		break;
	case DNS_TLSA:
		add_question(ask, DNS_RR_TLSA);
		break;
	case DNS_ADDRESS:
		add_question(ask, DNS_RR_A);
		add_question(ask, DNS_RR_AAAA);
		break;
	}
	start(ask, timeout_ms);
	return true;
}

bool
dns_probe(struct dns *dns, unsigned timeout_ms, dns_done *done, void *arg)
{
	struct ask *ask = new_ask(dns, ".", done, arg);

	if (ask == NULL)
		return false;
	ask->soa = true;
	add_question(ask, DNS_RR_SOA);
	start(ask, timeout_ms);
	return true;
}

/* --- All of it --------------------------------------------------------- */

static const char resolv_path[] = "/etc/resolv.conf";

/* The system's nameservers; a missing file means the local one, as in libc. */
static enum sts_rc
read_resolv_conf(struct sts_server out[STS_SERVERS_MAX], size_t *nout,
    struct stat *st, struct sts_err *err)
{
	char *text = malloc(RESOLV_MAX);
	size_t len = 0;
	int fd, error = 0;

	if (text == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	memset(st, 0, sizeof *st);
	fd = open(resolv_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd == -1 && errno != ENOENT) {
		free(text);
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", resolv_path,
		    strerror(errno));
	}
	if (fd != -1) {
		(void)fstat(fd, st);
		if (!sts_read_all(fd, text, RESOLV_MAX, &len))
			error = errno;
		close(fd);
	}
	*nout = sts_resolv_parse(out, (struct sts_str){ text, len });
	free(text);
	if (error != 0)
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", resolv_path,
		    strerror(error));
	return STS_OK;
}

static bool
same_file(const struct stat *a, const struct stat *b)
{
	return a->st_ino == b->st_ino && a->st_dev == b->st_dev &&
	    a->st_size == b->st_size &&
	    a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	    a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* A worker is kept for days, and resolv.conf follows the network. */
static void
renew_servers(struct dns *dns)
{
	struct sts_server server[STS_SERVERS_MAX];
	int64_t now = sts_now_ms();
	struct stat st = { 0 };
	size_t n;

	if (dns->pool.conf->nserver > 0 || now - dns->looked < RESOLV_LOOK_MS)
		return;
	dns->looked = now;
	if (stat(resolv_path, &st) == -1 && errno != ENOENT)
		return;
	if (!same_file(&st, &dns->resolv) &&
	    read_resolv_conf(server, &n, &dns->resolv, NULL) == STS_OK)
		dns_pool_servers(&dns->pool, server, n);
}

struct dns *
dns_new(struct event_base *base, const struct sts_conf *conf,
    dns_remark *remark, struct sts_err *err)
{
	struct dns *dns = calloc(1, sizeof *dns);
	struct sts_server server[STS_SERVERS_MAX];
	size_t n = conf->nserver;

	if (dns == NULL) {
		(void)sts_fail(err, STS_NOMEM, 0, "out of memory");
		return NULL;
	}
	TAILQ_INIT(&dns->asks);
	if (dns_pool_init(&dns->pool, base, conf, remark, err) != STS_OK ||
	    (n == 0 &&
		read_resolv_conf(server, &n, &dns->resolv, err) != STS_OK)) {
		dns_free(dns);
		return NULL;
	}
	dns_pool_servers(&dns->pool, conf->nserver > 0 ? conf->server : server,
	    n);
	dns->looked = sts_now_ms();
	/* getdns sends without MSG_NOSIGNAL. */
	(void)signal(SIGPIPE, SIG_IGN);
	return dns;
}

void
dns_free(struct dns *dns)
{
	struct ask *ask;

	if (dns == NULL)
		return;
	while ((ask = TAILQ_FIRST(&dns->asks)) != NULL)
		free_ask(ask);
	dns_pool_clear(&dns->pool);
	free(dns);
}
