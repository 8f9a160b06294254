/* SPDX-License-Identifier: ISC */
/*
 * Where cache entries and marks are kept between processes: a directory,
 * owned by the user of the MTA, that any number of processes read and write
 * at once.
 *
 *   DIR/ab/example.com             an entry (ab: keyed hash of the name)
 *   DIR/ab/example.com~failed      a mark about a domain; also ~answered
 *   DIR/ab/example.com~mx          the MX set of a domain, rules/mx_set.h
 *   DIR/ab/example.com~replaced0   a policy that was; also 1 to 3
 *   DIR/ab/~tmp.PID.N              an entry while it is written
 *   DIR/~mx/192.0.2.1~down         marks about an address of an MX host
 *   DIR/~mx/192.0.2.1~HASH~failed  and about one host at that address
 *   DIR/~mx-offers                 what sts_mx_next() told, rules/mx_offers.h
 *   DIR/~...                       marks about the machine, lock file, key
 *
 * "~" cannot stand in a domain name.  A process with effective uid 0 does all
 * of this under the effective ids of the directory's owner: root must not
 * follow what the MTA's user planted.
 */
#ifndef STS_CACHE_CACHE_H
#define STS_CACHE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "rules/entry.h"
#include "rules/mx_set.h"
#include <mtasts/mx.h>
#include <mtasts/sts.h>

struct sts_store;

/* What changes with every change to a file; see recent.h. */
struct sts_stamp {
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec modified, changed;
};

/*
 * One entry and the bytes it points into.  Zeroed before its first use; what
 * it holds is good until the next, and goes by sts_loaded_clear().
 */
struct sts_loaded {
	struct sts_entry entry; /* kind ABSENT: nothing usable there */
	bool broken;            /* something is there, but odd */
	int64_t used;           /* modification time */
	struct sts_stamp stamp; /* of a file, taken before it was read */
	char *buf;              /* NULL: points nowhere */
};

void sts_loaded_clear(struct sts_loaded *); /* zeroed again */

/*
 * STS_LOCAL: missing, unreadable, owned by root, writable by others than its
 * owner, or without the key of what is in it.
 */
enum sts_rc sts_store_open(struct sts_store **out, const char *dir,
    struct sts_err *err);
void sts_store_close(struct sts_store *); /* NULL is fine */

/* Is dir, under which it was opened, gone, or another cache by now? */
bool sts_store_moved(const struct sts_store *, const char *dir);

/*
 * Read the key of the cache again, or make it where that is empty: before work
 * on a domain, by who keeps a store open for long.
 */
enum sts_rc sts_store_key(struct sts_store *, struct sts_err *err);

/* With that key: the same in all processes, and no stranger can predict it. */
uint64_t sts_store_hash(const struct sts_store *, const char *text);

/*
 * STS_OK with entry.kind ABSENT where nothing is there, or a torn file of our
 * own.  STS_LOCAL where it cannot be read, or it or its directory has another
 * owner, type or a second link: "cannot read" is not "there is none".
 */
enum sts_rc sts_store_get(struct sts_store *, const char *domain,
    struct sts_loaded *, struct sts_err *err);

/* Replace in one step.  STS_LOCAL: full disk, not writable ... */
enum sts_rc sts_store_put(struct sts_store *, const char *domain,
    const struct sts_entry *, struct sts_err *err);

enum sts_rc sts_store_remove(struct sts_store *, const char *domain,
    struct sts_err *err);

/* Set the time of last use back: no mail was the reason for the last read. */
void sts_store_set_used(struct sts_store *, const char *domain, int64_t used);

/*
 * A policy that is about to be replaced or removed, for TLS reports: the last
 * four of a domain are kept for three days.
 */
enum sts_rc sts_store_put_replaced(struct sts_store *, const char *domain,
    const struct sts_entry *, struct sts_err *err);

/*
 * The policy with that id: the entry itself, or one that was.  STS_OK with kind
 * STS_ENTRY_ABSENT: there is none.
 */
enum sts_rc sts_store_get_replaced(struct sts_store *, const char *domain,
    const char *id, struct sts_loaded *, struct sts_err *err);

/* The MX set of a domain, UNKNOWN where there is none; as for entries. */
enum sts_rc sts_store_get_mx(struct sts_store *, const char *domain,
    struct sts_mx_set *, struct sts_err *err);
enum sts_rc sts_store_put_mx(struct sts_store *, const char *domain,
    const struct sts_mx_set *, struct sts_err *err);

/* Empty files whose time of modification is the message. */
enum sts_mark {
	STS_MARK_FAILED,     /* a delivery to the domain failed */
	STS_MARK_ANSWERED,   /* somebody looked because of that */
	STS_MARK_REFRESH,    /* a worker was asked to look */
	STS_MARK_REFRESH_MX, /* and for its MX set too */
	STS_MARK_RELAYED,    /* sts_mx_next() was asked, to the day */
	STS_MARK_WARNED, /* the log says that its policy cannot be renewed */
	/* about an MX host at an address, sts_store_mx_name() */
	STS_MARK_MX_FAILED, /* a session failed before TLS or in it */
	/* about an MX address, in the form of sts_addr_text() */
	STS_MARK_MX_PROBED, /* a worker tried to connect */
	STS_MARK_MX_DOWN,   /* and there was no answer */
	STS_MARK_RESOLVER_DOWN,
	STS_MARK_SANDBOX_SAID,  /* the log says what is open */
	STS_MARK_UNREACHED_SAID /* the log says so: sts_store_unreached() */
};

/*
 * The name of a mark about one host at an address.  Several hosts may have the
 * same address, and a certificate may be good for some of their names only.
 * The host is a hash, as a file name has no room for both.
 */
enum { STS_MX_NAME = STS_ADDR_TEXT + 17 };
const char *sts_store_mx_name(const struct sts_store *, char out[STS_MX_NAME],
    const char *host, const char *address);

/* domain (or address) is NULL for the mark about the machine. */
enum sts_rc sts_store_mark(struct sts_store *, enum sts_mark,
    const char *domain, struct sts_err *err);
int64_t sts_store_marked(struct sts_store *, enum sts_mark,
    const char *domain); /* 0: not there, or not to be seen */
/*
 * When a mark was set, 0: it is not there.  STS_LOCAL as for an entry.  The
 * caller has the owner's ids.
 */
enum sts_rc sts_store_look(const struct sts_store *, enum sts_mark,
    const char *domain, int64_t *when, struct sts_err *err);

/* Did every name server stay silent within the last 30 s? */
bool sts_store_resolver_down(struct sts_store *, int64_t now);

/*
 * The policy hosts of how many owners of domains could not be connected to, one
 * after the other and none that could between them; *since: the first failure.
 * It is counted up to STS_UNREACHED_OWNERS, which is enough to suspect the way
 * out of this host.
 */
enum { STS_UNREACHED_OWNERS = 8 };
unsigned sts_store_unreached(struct sts_store *, int64_t now, int64_t *since);
void sts_store_unreached_add(struct sts_store *, const char *owner,
    int64_t now);
void sts_store_reached(struct sts_store *); /* one could: back to zero */

void sts_store_unmark(struct sts_store *, enum sts_mark, const char *domain);

/*
 * Set a mark for which only one of many can be first: true for that one.  A
 * mark older than stale seconds is taken over.
 */
bool sts_store_claim(struct sts_store *, enum sts_mark, const char *domain,
    int64_t now, int64_t stale);

/* The lock file, 0600, for record locks; -1 and errno. The caller's. */
int sts_store_lock_file(struct sts_store *);

/* Its byte for the daily refresh; modules/worker/machine_locks.c has others. */
#define STS_LOCK_REFRESH (UINT64_C(1) << 62)

/* Every entry; loaded is lent for the call; fn returns false to stop. */
typedef bool sts_loaded_fn(void *arg, const char *domain,
    const struct sts_loaded *);
/* STS_LOCAL: some could not be read; the others were told. */
enum sts_rc sts_store_walk(struct sts_store *, sts_loaded_fn *fn, void *arg,
    struct sts_err *err);

/*
 * Remove what was past its use when it was last looked at, a day ago or longer.
 * Over the limit of bytes or entries no policy goes first, then expired ones,
 * then those that came since that look, then the others; of each, the domains
 * of an owner with many before those of one with few, then the least used.
 * STS_LOCAL: a part is not to be had; the others are done.
 */
enum sts_rc sts_store_prune(struct sts_store *, int64_t now, unsigned max_mib,
    size_t *removed, struct sts_err *err);

/* The same for the part that holds domain, where it is due or full. */
void sts_store_tidy(struct sts_store *, const char *domain, int64_t now,
    unsigned max_mib);

#endif
