/* SPDX-License-Identifier: ISC */
/*
 * Which of its directories the cache keeps a domain in: by a hash with a key
 * that is made with the cache, so that nobody chooses his neighbours.
 *
 *   ~key = link to "mtasts-key1:" 32*32( hexadecimal digit )
 *
 * A link is made with its content or not at all, is read by one call, and needs
 * no block of a full disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/err.h"
#include "base/siphash.h"
#include "entry_files.h"
#include "rules/checksum_line.h"

#define MAGIC "mtasts-key1:"
enum { DIGITS = 16, LENGTH = sizeof MAGIC - 1 + 2 * DIGITS };

/* 0, or an errno; EINVAL: not a key of ours. */
static int
read_key(struct sts_store *s)
{
	char text[LENGTH + 1];
	ssize_t n = sts_store_readlink(s, STS_STORE_KEY, text, sizeof text);
	struct scan in = scan_bytes(text, n == LENGTH ? LENGTH : 0);
	uint64_t key[2];

	if (n == -1)
		return errno;
	if (!scan_lit(&in, MAGIC) ||
	    !sts_hex64((struct sts_str){ in.p, DIGITS }, UINT64_MAX, &key[0]) ||
	    !sts_hex64((struct sts_str){ in.p + DIGITS, DIGITS }, UINT64_MAX,
		&key[1]))
		return EINVAL;
	memcpy(s->key, key, sizeof key);
	memcpy(s->key_link, text, LENGTH);
	s->key_link[LENGTH] = '\0';
	return 0;
}

/*
 * Of a new cache, or of one that was emptied while others stored in it: then
 * directories may be left that nothing is found in any more.  Where others do
 * the same one is first, and all read what it made.  Where it cannot be made,
 * nothing can be stored, and nothing is there to be found: any key will do.
 */
static int
make_key(struct sts_store *s)
{
	struct sts_ids ids;
	int error;

	if (getrandom(s->key, sizeof s->key, GRND_NONBLOCK) != sizeof s->key)
		return EAGAIN;
	snprintf(s->key_link, sizeof s->key_link, MAGIC "%016llx%016llx",
	    (unsigned long long)s->key[0], (unsigned long long)s->key[1]);
	if (!sts_store_enter(s, &ids))
		return EPERM;
	(void)!symlinkat(s->key_link, s->fd, STS_STORE_KEY);
	sts_store_leave(&ids);
	error = read_key(s);
	return error == ENOENT ? 0 : error;
}

enum sts_rc
sts_store_key(struct sts_store *s, struct sts_err *err)
{
	int error = read_key(s);

	if (error == ENOENT)
		error = make_key(s);
	if (error == 0)
		return STS_OK;
	if (error != EINVAL)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot read or make the link ~key in the cache: %s",
		    strerror(error));
	return sts_fail(err, STS_LOCAL, 0,
	    "cannot find anything in the cache, its link ~key is not ours: "
	    "put it back, or remove it, which empties the cache");
}

enum sts_rc
sts_store_open(struct sts_store **out, const char *dir, struct sts_err *err)
{
	enum sts_rc rc = sts_store_open_as(out, "cache directory", dir, err);

	if (rc == STS_OK && (rc = sts_store_key(*out, err)) != STS_OK) {
		sts_store_close(*out);
		*out = NULL;
	}
	return rc;
}

uint64_t
sts_store_hash(const struct sts_store *s, const char *text)
{
	return sts_siphash(s->key, str_of(text));
}

unsigned
sts_store_dir_of(const struct sts_store *s, const char *domain)
{
	return (unsigned)(sts_store_hash(s, domain) % STS_STORE_DIRS);
}
