/* SPDX-License-Identifier: ISC */
#include "shares.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/siphash.h"
#include "spool_dir.h"

#define MAGIC "mtasts-shares1\n"

struct header {
	char magic[sizeof MAGIC];
	uint64_t key[4];
	uint32_t certs; /* bytes of all certificates */
	uint32_t full;  /* it was logged that the day's file is full */
};

/* Set in a counter of bytes: it was logged that its limit is reached. */
#define LOGGED 0x80000000u

enum {
	SLOTS = 4096,
	HASHES = 2,
	SLOT = 2 * sizeof(uint32_t), /* lines, certificates */
	FILE_MAX = sizeof(struct header) + HASHES * SLOTS * SLOT,
	BLOCK = 4096
};

/* Of a day's file, or of half of it. */
enum {
	OWNER_PART = 32,
	PARENT_PART = 8,
	CERTS_PART = 4,          /* of all certificates of a day */
	CERTS_OWNER = 64 * 8192, /* bytes of certificates of an owner */
	CERTS_PARENT = 4 * CERTS_OWNER
};

/* --- The file ---------------------------------------------------------------
 */

static bool
read_header(struct sts_shares *s)
{
	struct header h;

	if (pread(s->fd, &h, sizeof h, 0) != (ssize_t)sizeof h ||
	    memcmp(h.magic, MAGIC, sizeof h.magic) != 0)
		return false;
	memcpy(s->key, h.key, sizeof s->key);
	return true;
}

/*
 * Into an empty file.  Of several processes one has the lock and does it; the
 * others go without for this session.
 */
static bool
write_header(struct sts_shares *s)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	struct header h = { .magic = MAGIC };

	if (fcntl(s->fd, F_SETLK, &lock) == -1)
		return false;
	if (read_header(s))
		return true;
	if (getrandom(h.key, sizeof h.key, GRND_NONBLOCK) != sizeof h.key ||
	    pwrite(s->fd, &h, sizeof h, 0) != (ssize_t)sizeof h)
		return false;
	(void)fchmod(s->fd, 0640); /* whatever the umask */
	memcpy(s->key, h.key, sizeof s->key);
	return true;
}

bool
sts_shares_open(struct sts_shares *out, const struct sts_spool *s,
    const char *day, bool make)
{
	char name[STS_DAY_NAME + sizeof STS_SPOOL_SHARES];
	struct stat st;

	snprintf(name, sizeof name, "%s" STS_SPOOL_SHARES, day);
	if (make && sts_spool_size_limit(FILE_MAX) < FILE_MAX)
		return false;
	out->max = s->max;
	out->fd =
	    sts_spool_file(s, name, make ? O_RDWR | O_CREAT : O_RDONLY, &st);
	if (out->fd == -1)
		return false;
	if (read_header(out) ||
	    (make && st.st_size < (off_t)sizeof(struct header) &&
		write_header(out)))
		return true;
	sts_shares_close(out);
	return false;
}

void
sts_shares_close(struct sts_shares *s)
{
	close(s->fd);
}

/* --- Counting ---------------------------------------------------------------
 */

/* The counters of an owner, and their limit. */
struct count {
	off_t at[HASHES];
	uint32_t was[HASHES];
	uint64_t limit;
};

static struct count
count_of(const struct sts_shares *s, struct sts_str who, bool certs,
    uint64_t limit)
{
	struct count c = { .limit = limit };

	for (unsigned i = 0; i < HASHES; i++)
		c.at[i] = (off_t)(sizeof(struct header) +
		    (i * SLOTS + sts_siphash(s->key + 2 * i, who) % SLOTS) *
			SLOT +
		    (certs ? sizeof(uint32_t) : 0));
	return c;
}

/* What is behind the end of the file is 0. */
static bool
read_count(const struct sts_shares *s, struct count *c)
{
	for (unsigned i = 0; i < HASHES; i++) {
		ssize_t n =
		    pread(s->fd, &c->was[i], sizeof c->was[i], c->at[i]);

		if (n == 0)
			c->was[i] = 0;
		else if (n != (ssize_t)sizeof c->was[i])
			return false;
	}
	return true;
}

static uint32_t
used(const struct count *c)
{
	uint32_t a = c->was[0] & ~LOGGED, b = c->was[1] & ~LOGGED;

	return a < b ? a : b;
}

/* Raise the counters to n and set the flag; a higher one stays. */
static bool
raise_count(const struct sts_shares *s, const struct count *c, uint32_t n,
    uint32_t flag)
{
	for (unsigned i = 0; i < HASHES; i++) {
		uint32_t was = c->was[i] & ~LOGGED;
		uint32_t is = (n > was ? n : was) | flag | (c->was[i] & LOGGED);

		if (is != c->was[i] &&
		    pwrite(s->fd, &is, sizeof is, c->at[i]) !=
			(ssize_t)sizeof is)
			return false;
	}
	return true;
}

/* Charge bytes to each of the counts, or to none where one is at its limit. */
static enum sts_share_answer
charge(struct sts_shares *s, struct count *c, size_t n, uint64_t bytes)
{
	for (size_t i = 0; i < n; i++) {
		if (!read_count(s, &c[i]))
			return STS_SHARE_UNKNOWN;
		if (used(&c[i]) + bytes <= c[i].limit)
			continue;
		if ((c[i].was[0] & c[i].was[1] & LOGGED) != 0)
			return STS_SHARE_REFUSED_AGAIN;
		return raise_count(s, &c[i], 0, LOGGED) ? STS_SHARE_REFUSED
							: STS_SHARE_UNKNOWN;
	}
	for (size_t i = 0; i < n; i++)
		if (!raise_count(s, &c[i], used(&c[i]) + (uint32_t)bytes, 0))
			return STS_SHARE_UNKNOWN;
	return STS_SHARE_CHARGED;
}

/* The last two labels, or one. */
static struct sts_str
parent_of(struct sts_str owner)
{
	const char *end = owner.p + owner.len, *p = end;

	for (unsigned dots = 0; p > owner.p; p--)
		if (p[-1] == '.' && ++dots == 2)
			break;
	return (struct sts_str){ p, (size_t)(end - p) };
}

enum sts_share_answer
sts_shares_line(struct sts_shares *s, struct sts_str domain, size_t bytes)
{
	struct sts_str owner = sts_domain_owner(domain);
	struct sts_str parent = parent_of(owner);
	struct count c[] = {
		count_of(s, owner, false, s->max / 2 / OWNER_PART),
		count_of(s, parent, false, s->max / 2 / PARENT_PART),
	};

	return charge(s, c, parent.len == owner.len ? 1 : 2, bytes);
}

/* One counter, for both hashes. */
static struct count
count_at(size_t offset, uint64_t limit)
{
	return (struct count){
		.at = { (off_t)offset, (off_t)offset },
		.limit = limit,
	};
}

enum sts_share_answer
sts_shares_cert(struct sts_shares *s, struct sts_str domain, size_t bytes)
{
	struct sts_str owner = sts_domain_owner(domain);
	struct sts_str parent = parent_of(owner);
	struct count c[] = {
		count_at(offsetof(struct header, certs), s->max / CERTS_PART),
		count_of(s, owner, true, CERTS_OWNER),
		count_of(s, parent, true, CERTS_PARENT),
	};

	bytes = (bytes + BLOCK - 1) / BLOCK * BLOCK;
	return charge(s, c, parent.len == owner.len ? 2 : 3, bytes);
}

enum sts_share_answer
sts_shares_full(struct sts_shares *s)
{
	struct count c = count_at(offsetof(struct header, full), 0);

	return charge(s, &c, 1, 1);
}
