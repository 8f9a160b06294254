/* SPDX-License-Identifier: ISC */
/*
 * Each row is tried twice: in a child outside of the sandbox, for a trial that
 * never works would prove nothing, and inside.  What it works on was made
 * before: files, sockets and a process of the same user, so that the sandbox
 * is all that stands between.
 */
#include "self_test.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/scan.h"

#ifdef __linux__

#include <dirent.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/xattr.h>

enum { SCENE_PATH = 64, INSIDE_PATH = 300, MAX_TRIALS = 80 };

enum { SAID = 99 }; /* exit status: it has told what is amiss */

/* What there is to be had. */
struct scene {
	char dir[SCENE_PATH]; /* ours, outside of all that the process needs */
	char inside[INSIDE_PATH];
	pid_t victim;
	unsigned short port; /* on loopback, somebody listens */
	int stream;          /* an AF_UNIX socket, connected to nobody */
};

enum outcome { UNTRIED, REFUSED, ALLOWED, KILLED };

struct self_test {
	struct scene scene;
	unsigned next; /* the trial under way, or to come */
	int abi;       /* of landlock, in force; -1: nobody got there */
	enum outcome inside[MAX_TRIALS], outside[MAX_TRIALS];
	char why[SANDBOX_WHY]; /* what is not in force */
};

/* --- Helpers --------------------------------------------------------------
 */

static const char *
in(const struct scene *s, const char *name)
{
	static char path[SCENE_PATH + 20];

	snprintf(path, sizeof path, "%s/%s", s->dir, name);
	return path;
}

static const char *
in_inside(const struct scene *s, const char *name)
{
	static char path[INSIDE_PATH + 20];

	snprintf(path, sizeof path, "%s/%s", s->inside, name);
	return path;
}

static bool
opens(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
	return fd != -1;
}

static bool
reads_dir(const char *path)
{
	DIR *d = opendir(path);

	if (d != NULL)
		closedir(d);
	return d != NULL;
}

static struct sockaddr_in
loopback(unsigned short port)
{
	return (struct sockaddr_in){ .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
}

static struct sockaddr_un
unix_address(const struct scene *s, bool is_abstract, socklen_t *len)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	snprintf(to.sun_path + is_abstract, sizeof to.sun_path - 1, "%s/socket",
	    s->dir);
	*len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
	    is_abstract + strlen(to.sun_path + is_abstract) + !is_abstract);
	return to;
}

/* --- Trials: true: it could ------------------------------------------------
 */

static bool
read_exim_queue(const struct scene *s)
{
	(void)s;
	return reads_dir("/var/spool/exim4/input") ||
	    reads_dir("/var/spool/exim/input") || reads_dir("/var/spool/smtpd");
}

static bool
read_dir(const struct scene *s)
{
	return reads_dir(s->dir);
}

static bool
read_file(const struct scene *s)
{
	return opens(in(s, "file"), O_RDONLY);
}

static bool
read_passwd(const struct scene *s)
{
	(void)s;
	return opens("/etc/passwd", O_RDONLY);
}

static bool
read_shadow(const struct scene *s)
{
	(void)s;
	return opens("/etc/shadow", O_RDONLY);
}

static bool
read_process(const struct scene *s)
{
	char path[40];

	snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)s->victim);
	return opens(path, O_RDONLY);
}

static bool
write_file(const struct scene *s)
{
	return opens(in(s, "file"), O_WRONLY);
}

static bool
create(const struct scene *s)
{
	return opens(in(s, "new"), O_WRONLY | O_CREAT);
}

static bool
make_dir(const struct scene *s)
{
	return mkdirat(AT_FDCWD, in(s, "dir"), 0700) == 0;
}

static bool
make_link(const struct scene *s)
{
	return symlinkat("x", AT_FDCWD, in(s, "link")) == 0;
}

static bool
remove_file(const struct scene *s)
{
	return unlinkat(AT_FDCWD, in(s, "doomed"), 0) == 0;
}

static bool
rename_file(const struct scene *s)
{
	char to[SCENE_PATH + 20];

	snprintf(to, sizeof to, "%s", in(s, "renamed"));
	return renameat(AT_FDCWD, in(s, "file2"), AT_FDCWD, to) == 0;
}

static bool
fetch_file(const struct scene *s)
{
	const char *to = in_inside(s, "~test");
	bool done =
	    syscall(SYS_linkat, AT_FDCWD, in(s, "file"), AT_FDCWD, to, 0) == 0;

	(void)unlinkat(AT_FDCWD, to, 0);
	return done;
}

static bool
truncate_name(const struct scene *s)
{
	return truncate(in(s, "file"), 0) == 0;
}

static bool
truncate_by_open(const struct scene *s)
{
	return opens(in(s, "file"), O_RDONLY | O_TRUNC);
}

static bool
truncate_inside(const struct scene *s)
{
	return truncate(in_inside(s, "~file"), 0) == 0;
}

static bool
truncate_inside_by_open(const struct scene *s)
{
	return opens(in_inside(s, "~file"), O_RDONLY | O_TRUNC);
}

static bool
change_mode(const struct scene *s)
{
	return fchmodat(AT_FDCWD, in(s, "file"), 0600, 0) == 0 ||
	    chmod(in(s, "file"), 0600) == 0;
}

static bool
change_owner(const struct scene *s)
{
	return fchownat(AT_FDCWD, in(s, "file"), geteuid(), (gid_t)-1, 0) == 0;
}

static bool
change_times(const struct scene *s)
{
	return utimensat(AT_FDCWD, in(s, "file"), NULL, 0) == 0;
}

static bool
set_attribute(const struct scene *s)
{
	return setxattr(in(s, "file"), "user.mtasts", "x", 1, 0) == 0;
}

static bool
watch_dir(const struct scene *s)
{
	long fd = syscall(SYS_inotify_init1, 0);

	return fd != -1 &&
	    syscall(SYS_inotify_add_watch, fd, s->dir, 0x100) != -1;
}

static bool
kill_process(const struct scene *s)
{
	return kill(s->victim, SIGWINCH) == 0;
}

static bool
kill_thread(const struct scene *s)
{
	return syscall(SYS_tgkill, s->victim, s->victim, SIGWINCH) == 0;
}

static bool
kill_by_pidfd(const struct scene *s)
{
	return syscall(434 /* pidfd_open */, s->victim, 0) != -1;
}

static bool
change_limits(const struct scene *s)
{
	struct rlimit r;

	return prlimit(s->victim, RLIMIT_CORE, NULL, &r) == 0;
}

static bool
connect_unix(const struct scene *s)
{
	socklen_t len;
	struct sockaddr_un to = unix_address(s, false, &len);
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	return fd != -1 && connect(fd, (struct sockaddr *)&to, len) == 0;
}

/* An end of such a pair can send to any datagram socket, by its path. */
static bool
make_datagram_pair(const struct scene *s)
{
	int fd[2];

	(void)s;
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0;
}

/* With a socket that was there before, it is for landlock to refuse. */
static bool
connect_abstract(const struct scene *s)
{
	socklen_t len;
	struct sockaddr_un to = unix_address(s, true, &len);

	return connect(s->stream, (struct sockaddr *)&to, len) == 0;
}

static bool
open_netlink(const struct scene *s)
{
	(void)s;
	return socket(AF_NETLINK, SOCK_RAW, 0) != -1;
}

static bool
open_packet(const struct scene *s)
{
	(void)s;
	return socket(AF_PACKET, SOCK_DGRAM, 0) != -1;
}

static bool
open_multipath(const struct scene *s)
{
	(void)s;
	return socket(AF_INET, SOCK_STREAM, 262 /* IPPROTO_MPTCP */) != -1;
}

static bool
connect_tcp(const struct scene *s)
{
	struct sockaddr_in to = loopback(s->port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd != -1 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0;
}

static bool
connect_fast(const struct scene *s)
{
	struct sockaddr_in to = loopback(s->port);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	return fd != -1 &&
	    sendto(fd, "x", 1, MSG_FASTOPEN | MSG_NOSIGNAL,
		(struct sockaddr *)&to, sizeof to) != -1;
}

static bool
bind_port(int type)
{
	struct sockaddr_in at = loopback(0);
	int fd = socket(AF_INET, type, 0);

	return fd != -1 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0;
}

static bool
bind_tcp(const struct scene *s)
{
	(void)s;
	return bind_port(SOCK_STREAM);
}

static bool
bind_udp(const struct scene *s)
{
	(void)s;
	return bind_port(SOCK_DGRAM);
}

static bool
listen_tcp(const struct scene *s)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)s;
	return fd != -1 && listen(fd, 1) == 0;
}

static bool
clone_namespace(const struct scene *s)
{
	long pid = syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0);

	(void)s;
	if (pid == 0)
		_exit(0);
	return pid != -1;
}

static bool
unshare_user(const struct scene *s)
{
	(void)s;
	return syscall(SYS_unshare, CLONE_NEWUSER) == 0;
}

static bool
fork_process(const struct scene *s)
{
	long pid = syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

	(void)s;
	if (pid == 0)
		_exit(0);
	return pid != -1;
}

static bool
fork_clone3(const struct scene *s)
{
	uint64_t args[8] = { 0 };
	long pid;

	(void)s;
	args[4] = SIGCHLD;
	pid = syscall(435 /* clone3 */, args, sizeof args);
	if (pid == 0)
		_exit(0);
	return pid != -1;
}

static bool
run_program(const struct scene *s)
{
	char path[] = "/bin/true";
	char *argv[] = { path, NULL };

	(void)s;
	execve(path, argv, argv + 1);
	return false;
}

static bool
use_io_uring(const struct scene *s)
{
	char params[128] = { 0 };

	(void)s;
	return syscall(425 /* io_uring_setup */, 1, params) != -1;
}

static bool
use_memfd(const struct scene *s)
{
	(void)s;
	return syscall(SYS_memfd_create, "x", 0) != -1;
}

static void *
map(int prot)
{
	return mmap(NULL, 4096, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static bool
map_writable_code(const struct scene *s)
{
	(void)s;
	return map(PROT_READ | PROT_WRITE | PROT_EXEC) != MAP_FAILED;
}

static bool
make_code(const struct scene *s)
{
	void *p = map(PROT_READ | PROT_WRITE);

	(void)s;
	return p != MAP_FAILED && mprotect(p, 4096, PROT_READ | PROT_EXEC) == 0;
}

static bool
map_code(const struct scene *s)
{
	int fd = open(in_inside(s, "~file"), O_RDONLY | O_CLOEXEC);

	return fd != -1 &&
	    mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0) !=
	    MAP_FAILED;
}

static bool
share_memory(const struct scene *s)
{
	int id = shmget(IPC_PRIVATE, 4096, 0600);

	(void)s;
	if (id != -1)
		(void)shmctl(id, IPC_RMID, NULL);
	return id != -1;
}

static bool
share_messages(const struct scene *s)
{
	int id = msgget(IPC_PRIVATE, 0600);

	(void)s;
	if (id != -1)
		(void)msgctl(id, IPC_RMID, NULL);
	return id != -1;
}

static bool
share_semaphores(const struct scene *s)
{
	int id = semget(IPC_PRIVATE, 1, 0600);

	(void)s;
	if (id != -1)
		(void)semctl(id, 0, IPC_RMID);
	return id != -1;
}

static bool
trace_process(const struct scene *s)
{
	if (ptrace(PTRACE_ATTACH, s->victim, NULL, NULL) == -1)
		return false;
	(void)waitpid(s->victim, NULL, __WALL);
	(void)ptrace(PTRACE_DETACH, s->victim, NULL, NULL);
	return true;
}

static bool
read_memory(const struct scene *s)
{
	char byte;
	/* The same address there: it was forked from this process. */
	struct iovec here = { &byte, 1 }, there = { (void *)(uintptr_t)s, 1 };

	return process_vm_readv(s->victim, &here, 1, &there, 1, 0) == 1;
}

static bool
mount_dir(const struct scene *s)
{
	return syscall(SYS_mount, "none", s->dir, "tmpfs", 0, NULL) == 0;
}

static bool
change_root(const struct scene *s)
{
	return chroot(s->dir) == 0;
}

static bool
load_bpf(const struct scene *s)
{
	char attr[64] = { 1, 0, 0, 0, 4, 0, 0, 0, 4, 0, 0, 0, 1 };

	(void)s;
	return syscall(SYS_bpf, 0 /* BPF_MAP_CREATE */, attr, sizeof attr) !=
	    -1;
}

static bool
add_key(const struct scene *s)
{
	(void)s;
	return syscall(SYS_add_key, "user", "mtasts", "x", 1, -2) != -1;
}

static bool
use_keyring(const struct scene *s)
{
	(void)s;
	return syscall(SYS_keyctl, 0, -2, 1) != -1;
}

static bool
use_perf(const struct scene *s)
{
	struct {
		uint32_t type, size;
		char rest[104];
	} attr = { 1, 112, { 0 } };

	(void)s;
	return syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0) != -1;
}

static bool
use_userfaultfd(const struct scene *s)
{
	(void)s;
	return syscall(SYS_userfaultfd, 1 /* UFFD_USER_MODE_ONLY */) != -1;
}

static bool
open_by_handle(const struct scene *s)
{
	char handle[136] = { 0 };

	(void)s;
	return syscall(SYS_open_by_handle_at, AT_FDCWD, handle, 0) != -1 ||
	    (errno != EPERM && errno != ENOSYS);
}

static bool
change_personality(const struct scene *s)
{
	(void)s;
	return syscall(SYS_personality, 0xffffffff) != -1;
}

static bool
be_dumpable(const struct scene *s)
{
	(void)s;
	return prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) == 0;
}

static bool
use_device(const struct scene *s)
{
	char c = 'x';

	(void)s;
	return ioctl(STDIN_FILENO, 0x5412 /* TIOCSTI */, &c) == 0 ||
	    errno == ENOTTY;
}

/* A sanitizer needs address space without end, and has no limit. */
#ifndef __SANITIZE_ADDRESS__
static bool
use_all_memory(const struct scene *s)
{
	(void)s;
	return mmap(NULL, (size_t)1 << 40, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		   0) != MAP_FAILED;
}
#endif

static const struct trial {
	const char *what;
	bool (*could)(const struct scene *);
	int abi; /* of landlock, that refuses it; 0: seccomp or a limit does */
} trials[] = {
	{ "read the queue of the mail server", read_exim_queue, 1 },
	{ "list a directory elsewhere", read_dir, 1 },
	{ "read a file elsewhere", read_file, 1 },
	{ "read /etc/passwd", read_passwd, 1 },
	{ "read /etc/shadow", read_shadow, 1 },
	{ "read /proc of another process", read_process, 1 },
	{ "write to a file elsewhere", write_file, 1 },
	{ "make a file elsewhere", create, 1 },
	{ "make a directory elsewhere", make_dir, 1 },
	{ "make a symbolic link elsewhere", make_link, 1 },
	{ "remove a file elsewhere", remove_file, 1 },
	{ "rename a file elsewhere", rename_file, 1 },
	{ "link a file into its own directory", fetch_file, 0 },
	{ "truncate(2) elsewhere", truncate_name, 0 },
	{ "truncate(2) in its own directory", truncate_inside, 0 },
	{ "open(2) O_TRUNC elsewhere", truncate_by_open, 0 },
	{ "open(2) O_TRUNC in its own directory", truncate_inside_by_open, 0 },
	{ "chmod(2)", change_mode, 0 },
	{ "chown(2)", change_owner, 0 },
	{ "utimensat(2)", change_times, 0 },
	{ "setxattr(2)", set_attribute, 0 },
	{ "inotify(7)", watch_dir, 0 },
	{ "kill(2) of another process", kill_process, 0 },
	{ "tgkill(2) of another process", kill_thread, 0 },
	{ "pidfd_open(2)", kill_by_pidfd, 0 },
	{ "limits of another process", change_limits, 0 },
	{ "connect to a socket of this host", connect_unix, 0 },
	{ "pair of AF_UNIX datagram sockets", make_datagram_pair, 0 },
	{ "connect to an abstract socket", connect_abstract, 6 },
	{ "AF_NETLINK socket", open_netlink, 0 },
	{ "AF_PACKET socket", open_packet, 0 },
	{ "MPTCP socket", open_multipath, 0 },
	{ "connect to another TCP port", connect_tcp, 4 },
	{ "TCP Fast Open", connect_fast, 0 },
	{ "bind a TCP port", bind_tcp, 0 },
	{ "bind a UDP port", bind_udp, 0 },
	{ "listen(2)", listen_tcp, 0 },
	{ "clone(2) CLONE_NEWUSER", clone_namespace, 0 },
	{ "unshare(2)", unshare_user, 0 },
	{ "fork(2)", fork_process, 0 },
	{ "clone3(2)", fork_clone3, 0 },
	{ "run a program", run_program, 0 },
	{ "io_uring", use_io_uring, 0 },
	{ "memfd_create(2)", use_memfd, 0 },
	{ "memory for code that is written", map_writable_code, 0 },
	{ "memory that becomes code", make_code, 0 },
	{ "code out of a file", map_code, 0 },
	{ "System V shared memory", share_memory, 0 },
	{ "System V messages", share_messages, 0 },
	{ "System V semaphores", share_semaphores, 0 },
	{ "ptrace(2)", trace_process, 0 },
	{ "process_vm_readv(2)", read_memory, 0 },
	{ "mount(2)", mount_dir, 0 },
	{ "chroot(2)", change_root, 0 },
	{ "bpf(2)", load_bpf, 0 },
	{ "add_key(2)", add_key, 0 },
	{ "keyctl(2)", use_keyring, 0 },
	{ "perf_event_open(2)", use_perf, 0 },
	{ "userfaultfd(2)", use_userfaultfd, 0 },
	{ "open_by_handle_at(2)", open_by_handle, 0 },
	{ "personality(2)", change_personality, 0 },
	{ "PR_SET_DUMPABLE", be_dumpable, 0 },
	{ "ioctl(2) of a terminal", use_device, 0 },
#ifndef __SANITIZE_ADDRESS__
	{ "all memory", use_all_memory, 0 },
#endif
};

/* --- The scene ------------------------------------------------------------
 */

static bool
make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	bool done = fd != -1 && write(fd, "x", 1) == 1;

	if (fd != -1)
		close(fd);
	return done;
}

static void
remove_files(const struct scene *s)
{
	static const char *const names[] = { "file", "file2", "doomed",
		"renamed", "new", "link", "~file" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		(void)unlink(in(s, names[i]));
	(void)rmdir(in(s, "dir"));
}

/* As before each trial: another may have removed or made them. */
static bool
make_files(struct scene *s)
{
	remove_files(s);
	s->stream = socket(AF_UNIX, SOCK_STREAM, 0);
	return make_file(in(s, "file")) && make_file(in(s, "file2")) &&
	    make_file(in(s, "doomed")) && make_file(in(s, "~file"));
}

static bool
listen_at(int family, const void *at, socklen_t len, unsigned short *port)
{
	struct sockaddr_in got = { 0 };
	socklen_t n = sizeof got;
	int fd = socket(family, SOCK_STREAM, 0);

	if (fd == -1 || bind(fd, at, len) == -1 || listen(fd, 128) == -1)
		return false;
	if (port != NULL && getsockname(fd, (struct sockaddr *)&got, &n) == 0)
		*port = ntohs(got.sin_port);
	return true; /* open until the program ends */
}

static bool
set_scene(struct scene *s)
{
	struct sockaddr_in tcp = loopback(0);
	struct sockaddr_un local;
	socklen_t len;
	pid_t pid;

	snprintf(s->dir, sizeof s->dir, "/tmp/mtasts-sandbox.XXXXXX");
	if (mkdtemp(s->dir) == NULL || !make_files(s) ||
	    !listen_at(AF_INET, &tcp, sizeof tcp, &s->port))
		return false;
	local = unix_address(s, false, &len);
	if (!listen_at(AF_UNIX, &local, len, NULL))
		return false;
	local = unix_address(s, true, &len);
	if (!listen_at(AF_UNIX, &local, len, NULL))
		return false;
	if ((pid = fork()) == 0)
		for (;;)
			pause();
	s->victim = pid; /* not in the child: this memory is shared */
	return pid != -1;
}

/* --- The trials -----------------------------------------------------------
 */

/* One that runs a program does not come back. */
static enum outcome
try_outside(struct self_test *t, unsigned i)
{
	int status = -1;
	pid_t pid;

	(void)make_files(&t->scene);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		memcpy(t->scene.inside, t->scene.dir, sizeof t->scene.dir);
		_exit(!trials[i].could(&t->scene));
	}
	close(t->scene.stream);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return UNTRIED;
	return status == 0 ? ALLOWED : REFUSED;
}

void
self_test_try(struct self_test *t, const struct sandbox *box,
    const char *inside)
{
	snprintf(t->scene.inside, sizeof t->scene.inside, "%s", inside);
	snprintf(t->why, sizeof t->why, "%s", box->why);
	t->abi = box->abi;
	if (!make_file(in_inside(&t->scene, "~file"))) {
		printf("cannot write to %s: %s; to be run as its owner\n",
		    inside, strerror(errno));
		fflush(stdout);
		_exit(SAID);
	}
	for (; t->next < ARRAY_LEN(trials); t->next++)
		t->inside[t->next] =
		    trials[t->next].could(&t->scene) ? ALLOWED : REFUSED;
	(void)unlinkat(AT_FDCWD, in_inside(&t->scene, "~file"), 0);
	_exit(0);
}

/* A process of its own, in the sandbox; false: it has told what is amiss. */
static bool
run_inside(struct self_test *t, self_test_fn *fn, void *arg, bool first)
{
	const char *amiss;
	int status = 0;
	pid_t pid;

	(void)make_files(&t->scene);
	fflush(stdout);
	if ((pid = fork()) == 0) {
		amiss = fn(arg, t, first);
		printf("%s\n", amiss);
		fflush(stdout);
		_exit(SAID);
	}
	close(t->scene.stream);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == SAID)
		return false;
	if (t->next >= ARRAY_LEN(trials))
		return true;
	if (t->abi == -1 || (WIFEXITED(status) && WEXITSTATUS(status) != 0)) {
		printf("the process ended before the trials did (status %#x)\n",
		    (unsigned)status);
		return false;
	}
	t->inside[t->next++] = WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS
	    ? KILLED
	    : ALLOWED;
	return true;
}

/* False: it should have been refused. */
static bool
print_result(const struct self_test *t, unsigned i)
{
	static const char *const words[] = { "not tried", "refused", "ALLOWED",
		"refused (the process ended)" };
	const struct trial *trial = &trials[i];
	bool old = t->inside[i] == ALLOWED && t->abi < trial->abi;
	const char *note = "";

	if (t->inside[i] != ALLOWED && t->outside[i] != ALLOWED)
		note = ", as without the sandbox";
	if (old)
		printf("%-42s allowed: landlock of this kernel (ABI %d) "
		       "cannot refuse it, ABI %d can\n",
		    trial->what, t->abi, trial->abi);
	else
		printf("%-42s %s%s\n", trial->what, words[t->inside[i]], note);
	return old || t->inside[i] == REFUSED || t->inside[i] == KILLED;
}

static int
sum_up(const struct self_test *t)
{
	unsigned bad = 0, i;

	printf("landlock: ABI %d in force\n", t->abi);
	if (t->why[0] != '\0')
		printf("not in force: %s\n", t->why);
	for (i = 0; i < ARRAY_LEN(trials); i++)
		bad += !print_result(t, i);
	printf("%u tried, %u allowed that should be refused\n", i, bad);
	return bad > 0;
}

int
self_test(self_test_fn *fn, void *arg)
{
	struct self_test *t = mmap(NULL, sizeof *t, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	bool going = t != MAP_FAILED, first = true;
	int status = 3;

	if (!going)
		printf("out of memory\n");
	else {
		t->abi = -1;
		going = set_scene(&t->scene);
		if (!going)
			printf("cannot make the files to be tried in /tmp: "
			       "%s\n",
			    strerror(errno));
		for (unsigned i = 0; going && i < ARRAY_LEN(trials); i++)
			t->outside[i] = try_outside(t, i);
		for (; going && t->next < ARRAY_LEN(trials); first = false)
			going = run_inside(t, fn, arg, first);
		if (going)
			status = sum_up(t);
		if (t->scene.victim > 0)
			(void)kill(t->scene.victim, SIGKILL);
		remove_files(&t->scene);
		(void)unlink(in(&t->scene, "socket"));
		(void)rmdir(t->scene.dir);
	}
	return status;
}

_Static_assert(ARRAY_LEN(trials) <= MAX_TRIALS, "more room for results");

#else

int
self_test(self_test_fn *fn, void *arg)
{
	(void)fn;
	(void)arg;
	printf(
	    "not in force: there is no test of the sandbox of this system\n");
	return 3;
}

void
self_test_try(struct self_test *t, const struct sandbox *box,
    const char *inside)
{
	(void)t;
	(void)box;
	(void)inside;
	_exit(2);
}

#endif
