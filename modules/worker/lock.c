/* SPDX-License-Identifier: ISC */
/* F_SETLK on the byte that a domain's name hashes to. */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "hash.h"

/* Two domains that share a byte only wait for each other. */
static struct flock
byte_of(const char *domain, short type)
{
	return (struct flock){
		.l_type = type,
		.l_whence = SEEK_SET,
		.l_start = (off_t)(sts_hash(str_of(domain)) >> 2),
		.l_len = 1,
	};
}

bool
lock_try(int fd, const char *domain)
{
	struct flock fl = byte_of(domain, F_WRLCK);

	if (fd == -1 || fcntl(fd, F_SETLK, &fl) == 0)
		return true;
	return errno != EAGAIN && errno != EACCES;
}

void
lock_release(int fd, const char *domain)
{
	struct flock fl = byte_of(domain, F_UNLCK);

	if (fd != -1)
		(void)fcntl(fd, F_SETLK, &fl);
}
