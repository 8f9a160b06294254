/* SPDX-License-Identifier: ISC */
/* What the files of the store share: the open directory and its owner. */
#ifndef STS_CACHE_ENTRY_FILES_H
#define STS_CACHE_ENTRY_FILES_H

#include <sys/stat.h>

#include "cache.h"

struct sts_store {
	int fd;
	uid_t uid; /* of the directory's owner */
	gid_t gid;
	unsigned serial; /* tells this process's temporary files apart */
	uint64_t key[2]; /* of a cache, and the link it was read from */
	char key_link[48];
};

#define STS_STORE_KEY "~key"

/* sts_store_open() for a directory of another purpose, named in messages. */
enum sts_rc sts_store_open_as(struct sts_store **out, const char *what,
    const char *dir, struct sts_err *err);

/* The ids of a process while it works as the owner. */
struct sts_ids {
	bool changed;
	gid_t egid;
	int ngroups;
	gid_t groups[64];
};

/* With effective uid 0, become the owner; false: not possible. */
bool sts_store_enter(const struct sts_store *, struct sts_ids *);
void sts_store_leave(const struct sts_ids *);

/* readlinkat(2) in the directory, for root without CAP_DAC_READ_SEARCH, too. */
ssize_t sts_store_readlink(const struct sts_store *, const char *name,
    char *buf, size_t size);

enum { STS_STORE_NAME = STS_NAME_SIZE + 16, STS_STORE_DIRS = 256 };

/* "ab" of a domain. */
unsigned sts_store_dir_of(const struct sts_store *, const char *domain);

/* "ab/example.com" and what follows it: "", or one of those below. */
void sts_store_path(const struct sts_store *, char path[STS_STORE_NAME],
    const char *domain, const char *suffix);

/*
 * What a file takes: blocks of the disk, most have eight of these, and one for
 * what every file has.  A link, of length 0 here, has no more than that.
 */
enum { STS_STORE_UNIT = 512 };
static inline unsigned
sts_store_units(size_t len)
{
	return (unsigned)((len + 4095) / 4096 * 8 + 1);
}
#define STS_STORE_SIZE "~size" /* in each directory: prune.c */

/* What follows the domain in the name of its MX set. */
#define STS_STORE_MX "~mx"
#define STS_STORE_RELAYED "~relayed" /* the same for the mark */
/* And, with a digit behind it, in that of a policy that was: replaced.c. */
#define STS_STORE_REPLACED "~replaced"
enum { STS_STORE_REPLACED_N = 4 };

/* sts_store_get() by path; the caller has the owner's ids. */
enum sts_rc sts_store_read(const struct sts_store *, const char *path,
    const char *domain, struct sts_loaded *, struct sts_err *err);

/*
 * Is what stands at path the very file, in the very state, that the stamp was
 * taken of?  The caller has the owner's ids.
 */
bool sts_store_same(const struct sts_store *, const char *path,
    const struct sts_stamp *);

/* A file's bytes, which the caller owns, and when it was written. */
struct sts_file {
	char *buf; /* of size bytes; NULL: becomes as large as the file */
	size_t size;
	size_t len;
	int64_t used;
	struct sts_stamp stamp;
	bool good; /* false: nothing there, or too large */
};

/* sts_store_read() for any file below the store; the caller has the owner's
 * ids. */
enum sts_rc sts_store_read_file(const struct sts_store *, const char *path,
    struct sts_file *, struct sts_err *err);

/*
 * STS_LOCAL: of another owner, with a second link, or neither file nor link.
 * Nobody but root can have put it there, and what it hides may be a policy.
 */
enum sts_rc sts_store_judge(const struct sts_store *, const char *path,
    const struct stat *, struct sts_err *err);

/* The same for the directory that is named in a path; it may be missing. */
enum sts_rc sts_store_judge_dir(const struct sts_store *, const char *path,
    struct sts_err *err);

/*
 * Replace what is at path, in the part of domain, in one step; 0, or an
 * errno.  is_link: buf, with room for a NUL, becomes the target of a link.
 * The caller has the owner's ids.
 */
int sts_store_replace(struct sts_store *, const char *path, const char *domain,
    char *buf, size_t len, bool is_link);

/*
 * openat(2) with O_CREAT and our usual flags, making the directory where it
 * is missing.
 */
int sts_store_create(const struct sts_store *, const char *path, int flags,
    mode_t mode);

/* The directory that is named in a path of ours; 0, or -1 and errno. */
int sts_store_make_dir(const struct sts_store *, const char *path);

/* 0, or an errno; removing what is not there is fine. */
int sts_store_unlink(const struct sts_store *, const char *path);

#endif
