/* SPDX-License-Identifier: ISC */
/*
 * The worker's birth, with a shell in the worker's place that tells over the
 * pipe what it finds around itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "query/host_tls.h"
#include "query/spawn.h"
#include "row.h"

#define NOBODY 65534

static struct sts_worker_answer h;

/* What the script wrote to 3, up to its end; "" and frame 0: nothing. */
static const char *
run(const char *script, unsigned timeout)
{
	static char text[2000];
	char all[1800];
	const char *argv[] = { "/bin/sh", "-c", all, NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	struct sts_err err = { 0 };
	int fd;

	/* The script's output as one frame of type fault. */
	snprintf(all, sizeof all,
	    "out=$( { %s; } 2>&1 ); "
	    "printf '!%%08x%%s' ${#out} \"$out\" >&3",
	    script);
	if (sts_spawn_start(&sp, &fd, &err) != STS_OK) {
		snprintf(text, sizeof text, "%s", err.text);
		return text;
	}
	sts_spawn_read_answer(fd, timeout, &h);
	snprintf(text, sizeof text, "%.*s", h.frame == 0 ? 0 : (int)h.bytes.len,
	    h.bytes.p);
	return text;
}

/* The number that the script wrote; -1: none. */
static int64_t
run_number(const char *script)
{
	uint64_t n;

	return str_u64(str_of(run(script, 5000)), 1 << 30, &n) ? (int64_t)n
							       : -1;
}

static int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void
noisy(int sig)
{
	(void)sig;
}

static void
test_surroundings(void **state)
{
	static const struct {
		const char *what, *script, *want;
	} t[] = {
		{ "environment", "cat /proc/$$/environ | tr -d '\\0'", "" },
		{ "directory", "pwd", "/" },
		{ "umask", "umask", "0077" },
		{ "descriptor 0", "readlink /proc/$$/fd/0", "/dev/null" },
		{ "descriptor 2", "readlink /proc/$$/fd/2", "/dev/null" },
		{ "signals ignored or blocked",
		    "grep -cE 'Sig(Ign|Blk):.0*[1-9a-f]' /proc/$$/status",
		    "0" },
	};
	const char *got;

	(void)state;
	/* A host with odd habits. */
	(void)setenv("LD_PRELOAD", "", 1);
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGUSR1, noisy);
	(void)umask(0);
	(void)dup2(1, 77);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		got = run(t[i].script, 5000);
		ROW(strcmp(got, t[i].want) == 0, "%s: '%s'", t[i].what, got);
	}
	(void)signal(SIGTERM, SIG_DFL);
	ROW(run_number("ls /proc/$$/fd | wc -l") <= 5, /* 0 to 3, and ls's */
	    "descriptors: %s", h.bytes.p);
	ROW(run_number("cut -d' ' -f4 /proc/$$/stat") != getpid(),
	    "the host is its parent");
	ROW(run_number("cut -d' ' -f6 /proc/$$/stat") != getsid(0),
	    "the host's session is its own");
	ROW(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	    "a child was left to the host");
	rows_done();
}

static void
test_privilege(void **state)
{
	(void)state;
	if (geteuid() != 0) {
		print_message("left out: needs root\n");
		return;
	}
	ROW(strcmp(run("id -u; id -g; id -G", 5000), "65534\n65534\n65534") ==
		0,
	    "ids: %s", h.bytes.p);
	ROW(strcmp(run("grep -E '^(Uid|Gid):' /proc/$$/status | "
		       "tr -s '\\t' ' '",
		       5000),
		"Uid: 65534 65534 65534 65534\n"
		"Gid: 65534 65534 65534 65534") == 0,
	    "all four of them");
	ROW(strcmp(run("grep CapEff /proc/$$/status | tr -d '\\t'", 5000),
		"CapEff:0000000000000000") == 0,
	    "capabilities");
	rows_done();
}

/* The deadline holds, whatever the worker does or is interrupted by. */
static void
test_deadline(void **state)
{
	static const char *const slow[] = { "sleep 4",
		"for i in 1 2 3 4 5 6 7 8; do printf s >&3; sleep 0.5; done",
		"printf F0000ffff >&3; sleep 4" };
	struct sigaction sa = { .sa_handler = noisy };
	int64_t took;

	(void)state;
	sigaction(SIGALRM, &sa, NULL);
	for (size_t i = 0; i < ARRAY_LEN(slow); i++) {
		alarm(1);
		took = now_ms();
		(void)run(slow[i], 1500);
		took = now_ms() - took;
		alarm(0);
		ROW(took >= 1400 && took < 3000 && h.frame == 0 && !h.ended,
		    "'%s': %lld ms", slow[i], (long long)took);
	}
	rows_done();
}

static void
test_failures(void **state)
{
	const char *argv[] = { "/nonexistent/worker", NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	int fd;

	(void)state;
	ROW(sts_spawn_start(&sp, &fd, NULL) == STS_OK, "starts");
	sts_spawn_read_answer(fd, 5000, &h);
	ROW(h.frame == STS_FRAME_FAULT && h.bytes.len > 20 &&
		memcmp(h.bytes.p, "cannot start /nonexistent/worker", 32) == 0,
	    "a missing worker says so");
	(void)run("kill -9 $$", 5000);
	ROW(h.frame == 0 && h.ended, "a killed worker is seen at once");
	(void)run("exit 0; }; exit 0; {", 5000);
	ROW(h.frame == 0 && h.ended, "so is one that just ends");
	if (geteuid() == 0) {
		sp.uid = sp.gid = 0;
		(void)sts_spawn_start(&sp, &fd, NULL);
		sts_spawn_read_answer(fd, 5000, &h);
		ROW(h.frame == STS_FRAME_FAULT &&
			memmem(h.bytes.p, h.bytes.len, "dropping", 8) != NULL,
		    "a worker of root's does not start");
	}
	rows_done();
}

/* Exim's output may be a pipe: it must end with Exim, not with the worker. */
static void
test_detached(void **state)
{
	const char *argv[] = { "/bin/sleep", "4", NULL };
	struct sts_spawn sp = { argv, NOBODY, NOBODY };
	int64_t took = now_ms();
	int p[2];
	char c;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(p), 0);
	if ((pid = fork()) == 0) {
		(void)dup2(p[1], 1);
		close(p[0]);
		close(p[1]);
		(void)sts_spawn_start(&sp, NULL, NULL);
		_exit(0);
	}
	close(p[1]);
	ROW(read(p[0], &c, 1) == 0, "end of file");
	took = now_ms() - took;
	ROW(took < 2000, "after %lld ms", (long long)took);
	close(p[0]);
	(void)waitpid(pid, NULL, 0);
	rows_done();
}

static void
test_flavour(void **state)
{
	(void)state;
	/* This program speaks no TLS; Exim's own is asked in tests/world. */
	ROW(sts_flavour_of_host() == STS_FLAVOUR_AUTO, "no TLS here");
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_surroundings),
		cmocka_unit_test(test_privilege),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_detached),
		cmocka_unit_test(test_flavour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
