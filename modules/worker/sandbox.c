/* SPDX-License-Identifier: ISC */
/* Resource limits; landlock(7) and seccomp(2), or pledge(2) and unveil(2). */
#include "sandbox.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef __linux__
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "base/scan.h"
#include "tlsrpt/spool.h"

enum { CPU_S = 30 };

void
sandbox_more_cpu(void)
{
	struct rusage used;
	struct rlimit seconds;

	if (getrusage(RUSAGE_SELF, &used) == -1 ||
	    getrlimit(RLIMIT_CPU, &seconds) == -1)
		return;
	seconds.rlim_cur =
	    (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + CPU_S;
	(void)setrlimit(RLIMIT_CPU, &seconds);
}

static void
limits(bool spools)
{
	const struct rlimit core = { 0, 0 };
	/* Entries have 66 KB, the day of a busy host has more. */
	const rlim_t most = spools ? STS_SPOOL_DAY_MAX : 1 << 20;
	const struct rlimit size = { most, most };
	const struct rlimit files = { 1024, 1024 };

	(void)setrlimit(RLIMIT_CORE, &core);
	(void)setrlimit(RLIMIT_FSIZE, &size);
	(void)setrlimit(RLIMIT_NOFILE, &files);
	sandbox_more_cpu();
}

#if defined(__OpenBSD__)

void
sandbox(const char *cache_dir, const char *spool_dir)
{
	limits(spool_dir != NULL);
	(void)unveil("/", "r");
	(void)unveil(cache_dir, "rwc");
	if (spool_dir != NULL)
		(void)unveil(spool_dir, "rwc");
	(void)pledge("stdio rpath wpath cpath fattr flock inet dns", NULL);
}

#elif defined(__linux__)

/* Whatever changes the file system, or runs a program. */
#define FS_HANDLED                                                             \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |          \
	    LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |   \
	    LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |       \
	    LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |       \
	    LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |     \
	    LANDLOCK_ACCESS_FS_MAKE_SYM)

#define FS_IN_CACHE                                                            \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_FILE |      \
	    LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |        \
	    LANDLOCK_ACCESS_FS_MAKE_SYM)

/* One line more in the spool: files are made there and grow, no more. */
#define FS_IN_SPOOL                                                            \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_MAKE_REG)

static bool
permit(int ruleset, const char *dir, uint64_t access)
{
	struct landlock_path_beneath_attr beneath = {
		.allowed_access = access,
		.parent_fd = open(dir, O_PATH | O_CLOEXEC),
	};
	bool done = beneath.parent_fd != -1 &&
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH,
		&beneath, 0) == 0;

	if (beneath.parent_fd != -1)
		close(beneath.parent_fd);
	return done;
}

static void
landlock(const char *cache_dir, const char *spool_dir)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = FS_HANDLED };
	int ruleset =
	    (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (ruleset == -1)
		return;
	if (permit(ruleset, cache_dir, FS_IN_CACHE)) {
		if (spool_dir != NULL)
			(void)permit(ruleset, spool_dir, FS_IN_SPOOL);
		(void)syscall(SYS_landlock_restrict_self, ruleset, 0);
	}
	close(ruleset);
}

#if defined(__x86_64__)
#define OUR_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define OUR_ARCH AUDIT_ARCH_RISCV64
#endif

#ifdef OUR_ARCH

/* What a worker that was taken over would want, and we never do. */
static const int denied[] = {
	SYS_execve,
	SYS_execveat,
	SYS_ptrace,
	SYS_process_vm_readv,
	SYS_process_vm_writev,
	SYS_mount,
	SYS_umount2,
	SYS_pivot_root,
	SYS_chroot,
	SYS_unshare,
	SYS_setns,
	SYS_bpf,
	SYS_perf_event_open,
	SYS_userfaultfd,
	SYS_add_key,
	SYS_request_key,
	SYS_keyctl,
	SYS_init_module,
	SYS_finit_module,
	SYS_delete_module,
	SYS_kexec_load,
	SYS_reboot,
	SYS_swapon,
	SYS_swapoff,
	SYS_personality,
};

enum { DENIED = ARRAY_LEN(denied) };

static void
seccomp(void)
{
	struct sock_filter code[DENIED + 7];
	struct sock_fprog prog = { 0, code };
	unsigned n = 0;

	/* Another architecture's numbers mean other calls: none of them. */
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, arch));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
	    OUR_ARCH, 0, DENIED + 3);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
	    offsetof(struct seccomp_data, nr));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K,
	    0x40000000, DENIED + 1, 0); /* x32 */
	for (unsigned i = 0; i < DENIED; i++)
		code[n++] =
		    (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
			(unsigned)denied[i], (uint8_t)(DENIED - i), 0);
	code[n++] =
	    (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
	    SECCOMP_RET_ERRNO | EPERM);
	prog.len = (unsigned short)n;
	(void)prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

#else

static void
seccomp(void)
{
}

#endif

void
sandbox(const char *cache_dir, const char *spool_dir)
{
	limits(spool_dir != NULL);
	(void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1)
		return;
	landlock(cache_dir, spool_dir);
	seccomp();
}

#else

void
sandbox(const char *cache_dir, const char *spool_dir)
{
	(void)cache_dir;
	limits(spool_dir != NULL);
}

#endif
