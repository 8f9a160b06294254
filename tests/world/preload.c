/* SPDX-License-Identifier: ISC */
/*
 * For LD_PRELOAD, in programs of the test world:
 *
 *   MTASTS_FAULT=dns|get|store|stored   a worker ends at that stage: when it
 *             connects to a name server or to a policy host, before it stores,
 *             and when it has stored and not yet answered
 *   "descriptors" or "memory" in the file "fault" beside it     Exim's module,
 *             and nothing else in the process, has none left
 *   seconds in the file "clock" beside it     the time of all programs is so
 *             much later; unlike libfaketime this leaves monotonic clocks,
 * shared memory and file times alone, except those that are set to "now"
 */
#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { DNS = 53, HTTPS = 443 };

static char fault[16];
static time_t later; /* s */

static void
read_word(char word[16], const char *path)
{
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return;
	word[fread(word, 1, 15, f)] = '\0';
	fclose(f);
}

__attribute__((constructor)) static void
begin(void)
{
	const char *word = getenv("MTASTS_FAULT");
	char seconds[16] = "0";

	if (word != NULL)
		snprintf(fault, sizeof fault, "%s", word);
	else
		read_word(fault, "/usr/libexec/mtasts-tests/fault");
	read_word(seconds, "/usr/libexec/mtasts-tests/clock");
	for (word = seconds; *word >= '0' && *word <= '9'; word++)
		later = 10 * later + (*word - '0');
}

/* --- Time ----------------------------------------------------------------- */

int
clock_gettime(clockid_t clock, struct timespec *ts)
{
	int rc = (int)syscall(SYS_clock_gettime, clock, ts);

	if (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)
		ts->tv_sec += later;
	return rc;
}

time_t
time(time_t *t)
{
	struct timespec ts = { 0 };

	clock_gettime(CLOCK_REALTIME, &ts);
	if (t != NULL)
		*t = ts.tv_sec;
	return ts.tv_sec;
}

int
gettimeofday(struct timeval *tv, void *tz)
{
	struct timespec ts = { 0 };

	(void)tz;
	clock_gettime(CLOCK_REALTIME, &ts);
	*tv = (struct timeval){ ts.tv_sec, ts.tv_nsec / 1000 };
	return 0;
}

int
futimens(int fd, const struct timespec times[2])
{
	struct timespec now[2];

	clock_gettime(CLOCK_REALTIME, &now[0]);
	now[1] = now[0];
	return (int)syscall(SYS_utimensat, fd, NULL,
	    times == NULL && later != 0 ? now : times, 0);
}

/* --- A worker ------------------------------------------------------------- */

/* Not by a system call, which the worker might not be allowed. */
static void
end_at(const char *stage)
{
	if (strcmp(fault, stage) == 0)
		__builtin_trap();
}

int
connect(int fd, __CONST_SOCKADDR_ARG address, socklen_t len)
{
	const struct sockaddr *to = address.__sockaddr__;
	struct sockaddr_in in; /* the port of both families is in one place */

	if (len >= sizeof in &&
	    (to->sa_family == AF_INET || to->sa_family == AF_INET6)) {
		memcpy(&in, to, sizeof in);
		if (in.sin_port == htons(DNS))
			end_at("dns");
		if (in.sin_port == htons(HTTPS))
			end_at("get");
	}
	return (int)syscall(SYS_connect, fd, to, len);
}

int
renameat(int fromfd, const char *from, int tofd, const char *to)
{
	int rc;

	end_at("store");
	rc = (int)syscall(SYS_renameat, fromfd, from, tofd, to);
	if (rc == 0)
		end_at("stored");
	return rc;
}

/* --- Exim's module -------------------------------------------------------- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
pid_t __fork(void);

static bool
fails(const char *what, int error, const void *caller)
{
	static const char module[] = "/exim.so";
	Dl_info info;
	size_t len;

	if (strcmp(fault, what) != 0 || dladdr(caller, &info) == 0 ||
	    (len = strlen(info.dli_fname)) < sizeof module ||
	    strcmp(info.dli_fname + len + 1 - sizeof module, module) != 0)
		return false;
	errno = error;
	return true;
}

#define NO_FILE fails("descriptors", EMFILE, __builtin_return_address(0))
#define NO_MEMORY fails("memory", ENOMEM, __builtin_return_address(0))

void *
malloc(size_t n)
{
	return NO_MEMORY ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return NO_MEMORY ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t size)
{
	return NO_MEMORY ? NULL : __libc_realloc(p, size);
}

pid_t
fork(void)
{
	return NO_MEMORY ? -1 : __fork();
}

#define OPEN(name, params, dir)                                                \
	int name params;                                                       \
	int name params                                                        \
	{                                                                      \
		va_list ap;                                                    \
		unsigned mode;                                                 \
		va_start(ap, flags);                                           \
		mode = va_arg(ap, unsigned);                                   \
		va_end(ap);                                                    \
		return NO_FILE                                                 \
		    ? -1                                                       \
		    : (int)syscall(SYS_openat, dir, path, flags, mode);        \
	}
OPEN(open64, (const char *path, int flags, ...), AT_FDCWD)
OPEN(openat64, (int dir, const char *path, int flags, ...), dir)

int
pipe(int fd[2])
{
	return NO_FILE ? -1 : (int)syscall(SYS_pipe2, fd, 0);
}

int
socketpair(int domain, int type, int protocol, int fd[2])
{
	return NO_FILE
	    ? -1
	    : (int)syscall(SYS_socketpair, domain, type, protocol, fd);
}
