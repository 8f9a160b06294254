/* SPDX-License-Identifier: ISC */
/*
 * seccomp(2) by libseccomp: the system calls that are left.  What is on no list
 * is answered as by a kernel that does not know it (ENOSYS), which makes libc
 * fall back to one that is; what only an attacker would call ends the process.
 */
#include "sandbox.h"

#ifdef __linux__

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <seccomp.h>

#include "base/scan.h"

static const int allowed[] = {
	/* the event loop, time and signals */
	SCMP_SYS(epoll_create),
	SCMP_SYS(epoll_create1),
	SCMP_SYS(epoll_ctl),
	SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait),
	SCMP_SYS(epoll_pwait2),
	SCMP_SYS(poll),
	SCMP_SYS(ppoll),
	SCMP_SYS(ppoll_time64),
	SCMP_SYS(eventfd2),
	SCMP_SYS(pipe),
	SCMP_SYS(pipe2),
	SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime),
	SCMP_SYS(clock_gettime),
	SCMP_SYS(clock_gettime64),
	SCMP_SYS(clock_getres),
	SCMP_SYS(clock_nanosleep),
	SCMP_SYS(clock_nanosleep_time64),
	SCMP_SYS(nanosleep),
	SCMP_SYS(gettimeofday),
	SCMP_SYS(time),
	SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn),
	SCMP_SYS(sigreturn),
	SCMP_SYS(sigaltstack),
	SCMP_SYS(restart_syscall),
	/* the process itself */
	SCMP_SYS(brk),
	SCMP_SYS(munmap),
	SCMP_SYS(mremap),
	SCMP_SYS(madvise),
	SCMP_SYS(futex),
	SCMP_SYS(futex_time64),
	SCMP_SYS(sched_yield),
	SCMP_SYS(sched_getaffinity),
	SCMP_SYS(set_robust_list),
	SCMP_SYS(rseq),
	SCMP_SYS(getpid),
	SCMP_SYS(gettid),
	SCMP_SYS(getppid),
	SCMP_SYS(getuid),
	SCMP_SYS(geteuid),
	SCMP_SYS(getgid),
	SCMP_SYS(getegid),
	SCMP_SYS(getresuid),
	SCMP_SYS(getresgid),
	SCMP_SYS(getuid32),
	SCMP_SYS(geteuid32),
	SCMP_SYS(getgid32),
	SCMP_SYS(getegid32),
	SCMP_SYS(getgroups),
	SCMP_SYS(getrandom),
	SCMP_SYS(getrusage),
	SCMP_SYS(getrlimit),
	SCMP_SYS(ugetrlimit),
	SCMP_SYS(setrlimit),
	SCMP_SYS(sysinfo),
	SCMP_SYS(uname),
	SCMP_SYS(exit),
	SCMP_SYS(exit_group),
	/* sockets, but for those that make, name or await one */
	SCMP_SYS(connect),
	SCMP_SYS(recvfrom),
	SCMP_SYS(recvmsg),
	SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt),
	SCMP_SYS(setsockopt),
	SCMP_SYS(shutdown),
	/* descriptors */
	SCMP_SYS(read),
	SCMP_SYS(readv),
	SCMP_SYS(pread64),
	SCMP_SYS(write),
	SCMP_SYS(writev),
	SCMP_SYS(pwrite64),
	SCMP_SYS(close),
	SCMP_SYS(lseek),
	SCMP_SYS(_llseek),
	SCMP_SYS(fsync),
	SCMP_SYS(fdatasync),
	SCMP_SYS(ftruncate),
	SCMP_SYS(ftruncate64),
	SCMP_SYS(fadvise64),
	SCMP_SYS(fadvise64_64),
	/* names; which of them, says landlock */
	SCMP_SYS(access),
	SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2),
	SCMP_SYS(stat),
	SCMP_SYS(stat64),
	SCMP_SYS(lstat),
	SCMP_SYS(lstat64),
	SCMP_SYS(fstat),
	SCMP_SYS(fstat64),
	SCMP_SYS(newfstatat),
	SCMP_SYS(fstatat64),
	SCMP_SYS(statx),
	SCMP_SYS(getdents64),
	SCMP_SYS(readlink),
	SCMP_SYS(readlinkat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(unlinkat),
	SCMP_SYS(renameat),
	SCMP_SYS(renameat2),
	SCMP_SYS(mkdirat),
};

/* Neither we nor our libraries call these: they end the process. */
static const int fatal[] = { SCMP_SYS(execve), SCMP_SYS(execveat),
	SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev), SCMP_SYS(pidfd_getfd), SCMP_SYS(mount),
	SCMP_SYS(umount2), SCMP_SYS(move_mount), SCMP_SYS(open_tree),
	SCMP_SYS(fsopen), SCMP_SYS(fsmount), SCMP_SYS(pivot_root),
	SCMP_SYS(chroot), SCMP_SYS(unshare), SCMP_SYS(setns), SCMP_SYS(bpf),
	SCMP_SYS(perf_event_open), SCMP_SYS(userfaultfd), SCMP_SYS(add_key),
	SCMP_SYS(request_key), SCMP_SYS(keyctl), SCMP_SYS(init_module),
	SCMP_SYS(finit_module), SCMP_SYS(delete_module), SCMP_SYS(kexec_load),
	SCMP_SYS(kexec_file_load), SCMP_SYS(reboot), SCMP_SYS(swapon),
	SCMP_SYS(swapoff), SCMP_SYS(open_by_handle_at), SCMP_SYS(modify_ldt),
	SCMP_SYS(iopl), SCMP_SYS(ioperm), SCMP_SYS(vfork), SCMP_SYS(fork) };

/* --- Arguments ------------------------------------------------------------
 */

/* The kernel looks at 32 bits of an int; the upper half may be anything. */
static struct scmp_arg_cmp
is(unsigned arg, uint64_t value)
{
	return SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, UINT64_C(0xffffffff), value);
}

static struct scmp_arg_cmp
bits(unsigned arg, uint64_t mask, uint64_t value)
{
	return SCMP_CMP64(arg, SCMP_CMP_MASKED_EQ, mask, value);
}

static int
allow_if(scmp_filter_ctx f, int call, unsigned n,
    const struct scmp_arg_cmp *args)
{
	return seccomp_rule_add_array(f, SCMP_ACT_ALLOW, call, n, args);
}

static int
allow_one(scmp_filter_ctx f, int call, struct scmp_arg_cmp arg)
{
	return allow_if(f, call, 1, &arg);
}

/* TCP and UDP over IP: no other families, and no protocol that landlock does
 * not know to be TCP (MPTCP). */
static int
allow_sockets(scmp_filter_ctx f)
{
	static const int families[] = { AF_INET, AF_INET6 };
	static const struct {
		int type, protocol;
	} kinds[] = { { SOCK_STREAM, 0 }, { SOCK_STREAM, IPPROTO_TCP },
		{ SOCK_DGRAM, 0 }, { SOCK_DGRAM, IPPROTO_UDP } };
	const uint64_t type =
	    ~(uint64_t)(SOCK_NONBLOCK | SOCK_CLOEXEC) & UINT64_C(0xffffffff);
	/* if_nametoindex(3) and syslog(3) try this, and do without it. */
	int rc = seccomp_rule_add(f, SCMP_ACT_ERRNO(EACCES), SCMP_SYS(socket),
	    1, is(0, AF_UNIX));

	for (size_t i = 0; i < ARRAY_LEN(families); i++)
		for (size_t j = 0; j < ARRAY_LEN(kinds) && rc == 0; j++) {
			struct scmp_arg_cmp args[] = {
				is(0, (uint64_t)families[i]),
				bits(1, type, (uint64_t)kinds[j].type),
				is(2, (uint64_t)kinds[j].protocol),
			};

			rc = allow_if(f, SCMP_SYS(socket), 3, args);
		}
	/* Of datagrams, an end could send to any socket by its path. */
	if (rc == 0)
		rc = allow_if(f, SCMP_SYS(socketpair), 2,
		    (struct scmp_arg_cmp[]){ is(0, AF_UNIX),
			bits(1, type, SOCK_STREAM) });
	/* TCP Fast Open connects without connect(2). */
	if (rc == 0)
		rc = allow_one(f, SCMP_SYS(sendto), bits(3, MSG_FASTOPEN, 0));
	if (rc == 0)
		rc = allow_one(f, SCMP_SYS(sendmsg), bits(2, MSG_FASTOPEN, 0));
	return rc;
}

static int
allow_values(scmp_filter_ctx f, int call, unsigned arg, const unsigned *value,
    size_t n)
{
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = allow_one(f, call, is(arg, value[i]));
	return rc;
}

static int
allow_controls(scmp_filter_ctx f)
{
	static const unsigned fcntls[] = { F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD,
		F_SETFD, F_GETFL, F_SETFL, F_GETLK, F_SETLK };
	static const unsigned ioctls[] = { FIONREAD, FIONBIO, SIOCGIFINDEX,
		SIOCGIFNAME };
	static const unsigned prctls[] = { PR_SET_NAME, PR_GET_NAME };
	int rc;

	rc = allow_values(f, SCMP_SYS(fcntl), 1, fcntls, ARRAY_LEN(fcntls));
	if (rc == 0)
		rc = allow_values(f, SCMP_SYS(fcntl64), 1, fcntls,
		    ARRAY_LEN(fcntls));
	if (rc == 0)
		rc = allow_values(f, SCMP_SYS(ioctl), 1, ioctls,
		    ARRAY_LEN(ioctls));
	if (rc == 0)
		rc = allow_values(f, SCMP_SYS(prctl), 0, prctls,
		    ARRAY_LEN(prctls));
	return rc;
}

/* Threads; no processes, no namespaces. */
static int
allow_threads(scmp_filter_ctx f)
{
#ifdef __s390__
	const unsigned flags = 1;
#else
	const unsigned flags = 0;
#endif
	const uint64_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS |
	    CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

	return allow_one(f, SCMP_SYS(clone),
	    bits(flags, spaces | CLONE_THREAD, CLONE_THREAD));
}

/* A program that runs as who made it would be a way out for another user. */
enum { SPECIAL = S_ISUID | S_ISGID };

/* Landlock before its version 3 knows nothing of O_TRUNC. */
static int
allow_open(scmp_filter_ctx f)
{
	const uint64_t makes = O_CREAT | (O_TMPFILE & ~O_DIRECTORY);
	const struct scmp_arg_cmp create[] = {
		bits(2, makes | O_TRUNC, O_CREAT),
		bits(3, SPECIAL, 0),
	};
	int rc = allow_one(f, SCMP_SYS(openat), bits(2, makes | O_TRUNC, 0));

	return rc == 0 ? allow_if(f, SCMP_SYS(openat), 2, create) : rc;
}

static int
allow_by_argument(scmp_filter_ctx f)
{
	const struct {
		int call;
		struct scmp_arg_cmp arg;
	} rules[] = {
		/* No new executable memory. */
		{ SCMP_SYS(mmap), bits(2, PROT_EXEC, 0) },
		{ SCMP_SYS(mmap2), bits(2, PROT_EXEC, 0) },
		{ SCMP_SYS(mprotect), bits(2, PROT_EXEC, 0) },
		{ SCMP_SYS(fchmod), bits(1, SPECIAL, 0) },
		/* Times of what is open, not of a name. */
		{ SCMP_SYS(utimensat), bits(1, UINT64_MAX, 0) },
		{ SCMP_SYS(utimensat_time64), bits(1, UINT64_MAX, 0) },
		{ SCMP_SYS(prlimit64), is(0, 0) },
		{ SCMP_SYS(tgkill), is(0, (uint64_t)getpid()) },
	};
	int rc = allow_sockets(f);

	if (rc == 0)
		rc = allow_open(f);
	for (size_t i = 0; i < ARRAY_LEN(rules) && rc == 0; i++)
		rc = allow_one(f, rules[i].call, rules[i].arg);
	if (rc == 0)
		rc = allow_controls(f);
	return rc == 0 ? allow_threads(f) : rc;
}

/* --- All of it ------------------------------------------------------------
 */

static int
add_all(scmp_filter_ctx f, const struct sandbox_plan *p)
{
	int rc =
	    seccomp_attr_set(f, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);

	/* A binary tree of the numbers, not a list; libseccomp 2.5. */
	(void)seccomp_attr_set(f, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	for (size_t i = 0; i < ARRAY_LEN(allowed) && rc == 0; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, allowed[i], 0);
	for (size_t i = 0; i < ARRAY_LEN(fatal) && rc == 0 && !p->strict; i++)
		rc = seccomp_rule_add(f, SCMP_ACT_KILL_PROCESS, fatal[i], 0);
	/* mtasts-report waits for sort(1) and its mailers. */
	if (rc == 0 && p->spool == SANDBOX_SPOOL_ALL)
		rc = seccomp_rule_add(f, SCMP_ACT_ALLOW, SCMP_SYS(wait4), 0);
	return rc == 0 ? allow_by_argument(f) : rc;
}

bool
sandbox_seccomp(const struct sandbox_plan *p, char why[SANDBOX_WHY])
{
	scmp_filter_ctx f = seccomp_init(
	    p->strict ? SCMP_ACT_KILL_PROCESS : SCMP_ACT_ERRNO(ENOSYS));
	int rc = f == NULL ? -ENOMEM : add_all(f, p);

	if (rc == 0)
		rc = seccomp_load(f);
	seccomp_release(f);
	if (rc != 0)
		sandbox_lacks(why, "seccomp: %s", strerror(-rc));
	return rc == 0;
}

#endif
