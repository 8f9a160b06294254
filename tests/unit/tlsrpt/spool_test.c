/* SPDX-License-Identifier: ISC */
/* The spool on a real directory: many writers, full disks, what is planted. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "plant.h"
#include "row.h"
#include "tlsrpt/spool_dir.h"
#include <mtasts/session.h>

#define OWNER 65534                 /* used when the test runs as root */
#define TODAY ((int64_t)1795478400) /* 2026-11-24 00:00 */

static char dir[] = "/tmp/mtasts-spool.XXXXXX";
static struct sts_spool *spool;
static struct sts_err err;
static size_t write_only; /* bytes that the disk takes; 0: all */
static int write_error;

/* The disk of the tests below. */
ssize_t
write(int fd, const void *p, size_t n)
{
	if (write_error != 0) {
		errno = write_error;
		return -1;
	}
	if (write_only > 0 && n > write_only)
		n = write_only;
	return syscall(SYS_write, fd, p, n);
}

static struct sts_session
failure(const char *helo)
{
	return (struct sts_session){
		.time = TODAY,
		.domain = LIT("example.com"),
		.type = STS_TYPE_STS,
		.mode = STS_MODE_ENFORCE,
		.id = LIT("1"),
		.result = STS_STARTTLS_NOT_SUPPORTED,
		.mx_host = LIT("mx.example.com"),
		.mx_helo = { helo, strlen(helo) },
	};
}

static const char *
path_of(const char *name)
{
	static char path[sizeof dir + 64];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

static int
open_dir(void)
{
	if (geteuid() == 0 && chown(dir, OWNER, OWNER) == -1)
		return -1;
	return sts_spool_open(&spool, dir, STS_SPOOL_DAY_MAX, &err) == STS_OK
	    ? 0
	    : -1;
}

static int
set_up(void **state)
{
	(void)state;
	memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
	write_only = 0;
	write_error = 0;
	if (mkdtemp(dir) == NULL || chmod(dir, 0750) == -1)
		return -1;
	return open_dir();
}

static int
tear_down(void **state)
{
	char command[sizeof dir + 16];

	(void)state;
	sts_spool_close(spool);
	snprintf(command, sizeof command, "rm -rf %s", dir);
	return system(command);
}

static enum sts_rc
add(const char *helo, int64_t now)
{
	struct sts_session s = failure(helo);

	return sts_spool_add(spool, &s, now, &err);
}

/* Lines of the day that are sessions; *odd, those that are none. */
static unsigned
count(int64_t day, unsigned *odd)
{
	struct sts_day *d;
	struct sts_session s;
	uint64_t at;
	unsigned n = 0;
	size_t len;
	char *line;

	*odd = 0;
	if (sts_day_open(spool, day, &d, &err) != STS_OK)
		return 0;
	while (sts_day_next(d, &line, &len, &at, &err) == STS_OK)
		if (sts_session_decode(&s, line, len))
			n++;
		else
			++*odd;
	sts_day_close(d);
	return n;
}

static uint64_t
lost(void)
{
	uint64_t n;

	return sts_spool_lost(spool, &n, &err) == STS_OK ? n : 999999;
}

/* --- Days ----------------------------------------------------------------- */

static const struct {
	int64_t day;
	const char *name;
} names[] = {
	{ 0, "1970-01-01" },
	{ 951782400, "2000-02-29" },
	{ 951868800, "2000-03-01" },
	{ 1709164800, "2024-02-29" },
	{ 1735603200, "2024-12-31" },
	{ 1735689600, "2025-01-01" },
	{ TODAY, "2026-11-24" },
	{ 4107456000, "2100-02-28" },
	{ 4107542400, "2100-03-01" },
	{ 253402214400, "9999-12-31" },
};

static const char *const no_names[] = { "", ".", "~lost", "2026-11-24~",
	"2026-11-2", "2026-11-240", "2026-13-01", "2026-00-01", "2026-11-00",
	"2026-11-31", "2026-02-29", "2100-02-29", "1969-12-31", "0000-01-01",
	"2026/11/24", "+026-11-24", "2026-11- 1" };

static void
test_names(void **state)
{
	char name[STS_DAY_NAME];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		ROW(sts_day_name(name, names[i].day) &&
			strcmp(name, names[i].name) == 0,
		    "begin of %s: %s", names[i].name, name);
		ROW(sts_day_name(name, names[i].day + STS_DAY - 1) &&
			strcmp(name, names[i].name) == 0,
		    "end of %s: %s", names[i].name, name);
		ROW(sts_day_of(names[i].name) == names[i].day, "%s read",
		    names[i].name);
	}
	for (int64_t t = 0; t < 253402300800; t += STS_DAY * 11)
		ROW(sts_day_name(name, t) && sts_day_of(name) == t, "%s", name);
	for (size_t i = 0; i < ARRAY_LEN(no_names); i++)
		ROW(sts_day_of(no_names[i]) == -1, "\"%s\"", no_names[i]);
	ROW(!sts_day_name(name, -1), "before 1970");
	ROW(!sts_day_name(name, 253402300800), "after 9999");
	ROW(!sts_day_name(name, INT64_MAX), "at no time");
	rows_done();
}

/* --- Writing -------------------------------------------------------------- */

static void
test_add(void **state)
{
	struct sts_session bad = failure("");
	struct stat st;
	unsigned odd;

	(void)state;
	umask(0); /* as in Exim */
	ROW(add("a", TODAY) == STS_OK, "%s", err.text);
	umask(077);
	ROW(add("b", TODAY + STS_DAY - 1) == STS_OK, "%s", err.text);
	ROW(add("c", TODAY + STS_DAY) == STS_OK, "%s", err.text);
	umask(022);
	ROW(count(TODAY, &odd) == 2 && odd == 0, "4.1: two on one UTC day");
	ROW(count(TODAY + STS_DAY, &odd) == 1 && odd == 0, "one on the next");
	for (size_t i = 0; i < 3; i++) {
		const char *p = path_of(i == 0 ? "2026-11-24"
			: i == 1               ? "2026-11-25"
					       : "~lost");

		ROW(stat(p, &st) == 0 && (st.st_mode & 07777) == 0640,
		    "%s is 0640 whatever the umask", p);
		ROW(geteuid() != 0 ||
			(st.st_uid == OWNER && st.st_gid == OWNER),
		    "root writes as the owner");
	}
	ROW(geteuid() == getuid() && getegid() == getgid(), "ids are back");
	bad.domain.len = 0;
	ROW(sts_spool_add(spool, &bad, TODAY, &err) == STS_USAGE, "no session");
	ROW(add("", -1) == STS_USAGE, "no time");
	ROW(lost() == 0, "nothing is lost");
	rows_done();
}

/* To a file that would do. */
static void
plant_own_link(const char *path)
{
	char to[sizeof dir + 64];

	snprintf(to, sizeof to, "%s", path_of("2000-01-01"));
	plant_empty(to);
	if (geteuid() == 0)
		(void)!chown(to, OWNER, OWNER);
	(void)!symlink(to, path);
}

static void
test_planted(void **state)
{
	plant_fn *const plants[] = { PLANTS, plant_own_link };
	char day[sizeof dir + 64], other[sizeof dir + 64];
	struct stat st;
	unsigned odd;

	(void)state;
	snprintf(day, sizeof day, "%s", path_of("2026-11-24"));
	ROW(lost() == 0, "makes the counter");
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		bool file =
		    plants[i] == plant_garbage || plants[i] == plant_empty;

		plants[i](day);
		if (geteuid() == 0)
			(void)!lchown(day, OWNER, OWNER);
		ROW((add("a", TODAY) == STS_OK) == file, "plant %zu: %s", i,
		    err.text);
		ROW(lost() == (file ? 0 : 1), "plant %zu is counted", i);
		if (file)
			ROW(count(TODAY, &odd) == 1, "behind plant %zu", i);
		ROW(plants[i] == plant_directory ||
			sts_spool_remove(spool, TODAY, &err) == STS_OK,
		    "plant %zu goes", i);
		(void)rmdir(day);
	}
	if (geteuid() == 0) {
		plant_empty(day);
		ROW(add("a", TODAY) == STS_LOCAL && lost() == 1,
		    "another's file");
		(void)chmod(day, 0666);
		ROW(add("a", TODAY) == STS_LOCAL && lost() == 1,
		    "another's file that may be written to");
		/* A second name of it, as an owner could make one of a file
		 * of root's on the same disk. */
		snprintf(other, sizeof other, "%s", path_of("2000-01-02"));
		(void)!rename(day, other);
		(void)!link(other, day);
		ROW(add("a", TODAY) == STS_LOCAL && lost() == 1,
		    "a link to another's file");
		ROW(stat(other, &st) == 0 && st.st_size == 0, "is not touched");
	}
	rows_done();
}

static void
test_planted_counter(void **state)
{
	plant_fn *const plants[] = { PLANTS };
	char path[sizeof dir + 64];
	uint64_t n;

	(void)state;
	snprintf(path, sizeof path, "%s", path_of("~lost"));
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		plants[i](path);
		if (geteuid() == 0)
			(void)!lchown(path, OWNER, OWNER);
		ROW(add("a", TODAY) == STS_OK, "plant %zu: %s", i, err.text);
		write_error = ENOSPC;
		ROW(add("a", TODAY) == STS_LOCAL &&
			strstr(err.text, "not even counted") != NULL,
		    "plant %zu counts: %s", i, err.text);
		write_error = 0;
		ROW(sts_spool_lost(spool, &n, &err) == STS_LOCAL && n == 0,
		    "plant %zu is read", i);
		if (unlink(path) == -1)
			(void)rmdir(path);
	}
	rows_done();
}

/* --- Full disks ----------------------------------------------------------- */

static void
test_torn(void **state)
{
	unsigned odd, good = 0;
	uint64_t n = 0;

	(void)state;
	assert_int_equal(add("first", TODAY), STS_OK);
	for (size_t len = 1; len < 60; len += 4) {
		write_only = len;
		ROW(add("torn", TODAY) == STS_LOCAL, "%zu bytes are enough",
		    len);
		write_only = 0;
		n++;
		good += add("whole", TODAY) == STS_OK;
	}
	write_error = EDQUOT;
	ROW(add("none", TODAY) == STS_LOCAL, "over quota");
	write_error = 0;
	ROW(count(TODAY, &odd) == good + 1 && odd == n,
	    "each whole line is read: %u of %u, %u torn", count(TODAY, &odd),
	    good + 1, odd);
	ROW(lost() == n + 1, "and each torn one counted");
	ROW(lost() == 0, "once");
	rows_done();
}

/* A disk of our own: needs no root where users may have namespaces. */
static bool
small_disk(void)
{
	char map[64], options[64];
	uid_t uid = geteuid();
	gid_t gid = getegid();
	int fd;

	if (uid != 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWNS) == -1)
			return false;
		snprintf(map, sizeof map, "%u %u 1", uid, uid);
		fd = open("/proc/self/uid_map", O_WRONLY);
		if (fd == -1 || write(fd, map, strlen(map)) == -1)
			return false;
		close(fd);
	} else if (unshare(CLONE_NEWNS) == -1)
		return false;
	snprintf(options, sizeof options, "size=64k,mode=750");
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	    mount("spool", dir, "tmpfs", 0, options) == 0 &&
	    (uid == 0 || chown(dir, uid, gid) == 0);
}

/* In a child, which reports by its status. */
static int
fill(void)
{
	unsigned good = 0, bad = 0, odd, n;
	int fd;

	if (!small_disk())
		return 77;
	sts_spool_close(spool);
	if (open_dir() == -1)
		return 2;
	fd = open(path_of("filler"), O_CREAT | O_WRONLY, 0600);
	if (fd == -1 || ftruncate(fd, 8192) == -1 ||
	    posix_fallocate(fd, 0, 8192) != 0)
		return 3;
	close(fd);
	for (unsigned i = 0; i < 2000; i++)
		if (add("some words that take room", TODAY) == STS_OK)
			good++;
		else
			bad++;
	if (good < 100 || bad < 100)
		return 4;
	if (unlink(path_of("filler")) == -1)
		return 5;
	good += add("after it", TODAY) == STS_OK;
	n = count(TODAY, &odd);
	if (n != good || odd > 1)
		return 6;
	return lost() == bad ? 0 : 7;
}

static void
test_full(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0)
		_exit(fill());
	(void)waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		skip();
	ROW(status == 0, "step %d", WEXITSTATUS(status));
	rows_done();
}

static void
test_limits(void **state)
{
	struct rlimit r = { 1000, 1000 };
	unsigned odd, good = 0;
	int status;
	pid_t pid;

	(void)state;
	sts_spool_close(spool);
	assert_int_equal(sts_spool_open(&spool, dir, 500, &err), STS_OK);
	for (unsigned i = 0; i < 10; i++)
		good += add("a", TODAY) == STS_OK;
	ROW(good > 2 && good < 8 && count(TODAY, &odd) == good && odd == 0,
	    "%u in 500 bytes", good);
	ROW(lost() == 10 - good, "the others are counted");
	ROW(add("a", TODAY + STS_DAY) == STS_OK, "the next day has room");
	sts_spool_close(spool);
	assert_int_equal(open_dir(), 0);
	/* SIGXFSZ would be the end of the host. */
	if ((pid = fork()) == 0) {
		(void)setrlimit(RLIMIT_FSIZE, &r);
		for (unsigned i = 0; i < 20; i++)
			good = add("a", TODAY + 9 * STS_DAY) == STS_LOCAL;
		_exit((int)good);
	}
	(void)waitpid(pid, &status, 0);
	ROW(WIFEXITED(status) && WEXITSTATUS(status) == 1 &&
		count(TODAY + 9 * STS_DAY, &odd) > 2 && odd == 0,
	    "RLIMIT_FSIZE: status %x", (unsigned)status);
	rows_done();
}

/* --- Many at once --------------------------------------------------------- */

enum { WRITERS = 8, EACH = 500 };

static void
test_writers(void **state)
{
	static char der[STS_SESSION_DER_MAX];
	struct sts_session s = failure("mx.example.com");
	unsigned odd, bad = 0, n;
	pid_t pid[WRITERS], doomed;
	int status;

	(void)state;
	memset(der, 0x5a, sizeof der);
	for (size_t i = 0; i < WRITERS; i++)
		if ((pid[i] = fork()) == 0) {
			for (unsigned k = 0; k < EACH; k++) {
				s.der =
				    (struct sts_str){ der, (k % 7) * 1000 + i };
				bad += sts_spool_add(spool, &s, TODAY, NULL) !=
				    STS_OK;
			}
			_exit(bad != 0);
		}
	for (unsigned i = 0; i < 20; i++) {
		if ((doomed = fork()) == 0)
			for (;;)
				(void)add("killed", TODAY + STS_DAY);
		usleep(2000);
		(void)kill(doomed, SIGKILL);
		(void)waitpid(doomed, NULL, 0);
	}
	for (size_t i = 0; i < WRITERS; i++) {
		(void)waitpid(pid[i], &status, 0);
		bad += status != 0;
	}
	n = count(TODAY, &odd);
	ROW(bad == 0 && n == WRITERS * EACH && odd == 0,
	    "%u lines, %u torn, %u writers failed", n, odd, bad);
	n = count(TODAY + STS_DAY, &odd);
	ROW(n > 0 && odd <= 20, "killed: %u lines, %u torn", n, odd);
	rows_done();
}

/* Root and the owner at the same time, as in Exim. */
static void
test_both(void **state)
{
	unsigned odd, n;
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	if ((pid = fork()) == 0) {
		if (setgid(OWNER) == -1 || setuid(OWNER) == -1)
			_exit(1);
		for (unsigned i = 0; i < EACH; i++)
			if (add("owner", TODAY) != STS_OK)
				_exit(1);
		_exit(0);
	}
	for (unsigned i = 0; i < EACH; i++)
		status |= add("root", TODAY) != STS_OK;
	ROW(status == 0, "root: %s", err.text);
	(void)waitpid(pid, &status, 0);
	ROW(status == 0, "the owner");
	n = count(TODAY, &odd);
	ROW(n == 2 * EACH && odd == 0, "%u lines, %u torn", n, odd);
	rows_done();
}

static void
test_lost(void **state)
{
	struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	pid_t pid[WRITERS];
	uint64_t n = 0;
	int fd, status, pipes[2];
	char c;

	(void)state;
	ROW(lost() == 0, "nothing");
	write_error = ENOSPC;
	for (size_t i = 0; i < WRITERS; i++)
		if ((pid[i] = fork()) == 0) {
			for (unsigned k = 0; k < EACH; k++)
				(void)add("lost", TODAY);
			_exit(0);
		}
	write_error = 0;
	for (unsigned k = 0; k < 50; k++)
		n += lost(); /* while they count */
	for (size_t i = 0; i < WRITERS; i++)
		(void)waitpid(pid[i], &status, 0);
	n += lost();
	ROW(n == WRITERS * EACH, "%llu are counted", (unsigned long long)n);
	/* Somebody has the whole file and keeps it. */
	assert_int_equal(pipe(pipes), 0);
	if ((pid[0] = fork()) == 0) {
		fd = open(path_of("~lost"), O_RDWR);
		(void)fcntl(fd, F_SETLKW, &all);
		(void)!write(pipes[1], "x", 1);
		for (;;)
			(void)pause();
	}
	assert_int_equal(read(pipes[0], &c, 1), 1);
	write_error = ENOSPC;
	ROW(add("a", TODAY) == STS_LOCAL &&
		strstr(err.text, "not even counted") != NULL,
	    "waits for nobody");
	write_error = 0;
	ROW(lost() == 0, "neither does who reads");
	(void)kill(pid[0], SIGKILL);
	(void)waitpid(pid[0], NULL, 0);
	close(pipes[0]);
	close(pipes[1]);
	rows_done();
}

/* --- Reading -------------------------------------------------------------- */

static void
put(const char *name, const char *text, size_t len)
{
	int fd = open(path_of(name), O_CREAT | O_WRONLY | O_APPEND, 0640);

	(void)!write(fd, text, len);
	if (geteuid() == 0)
		(void)!fchown(fd, OWNER, OWNER);
	close(fd);
}

static bool
line_is(struct sts_day *d, const char *want, uint64_t want_at)
{
	uint64_t at;
	size_t len;
	char *line;

	return sts_day_next(d, &line, &len, &at, &err) == STS_OK &&
	    str_is((struct sts_str){ line, len }, want) && at == want_at;
}

static void
test_lines(void **state)
{
	static char big[300000], edge[STS_SESSION_LINE_MAX];
	struct sts_day *d;
	uint64_t at;
	size_t len;
	char *line;

	(void)state;
	ROW(sts_day_open(spool, TODAY, &d, &err) == STS_ABSENT && d == NULL,
	    "no such day");
	memset(big, 'b', sizeof big);
	memset(edge, 'e', sizeof edge);
	put("2026-11-24", "\n\none\n\ntwo\0\n", 12);
	put("2026-11-24", big, sizeof big);
	put("2026-11-24", "\nthree\n", 7);
	put("2026-11-24", edge, sizeof edge - 1);
	put("2026-11-24", "\n", 1);
	put("2026-11-24", edge, sizeof edge);
	put("2026-11-24", "\nlast", 5);
	assert_int_equal(sts_day_open(spool, TODAY, &d, &err), STS_OK);
	for (unsigned i = 0; i < 2; i++) {
		ROW(line_is(d, "one", 2), "empty lines are passed over");
		ROW(sts_day_next(d, &line, &len, &at, &err) == STS_OK &&
			len == 4 && line[3] == '\0' && at == 7,
		    "NUL ends no line");
		ROW(line_is(d, "", 12), "one too long is nothing");
		ROW(line_is(d, "three", 12 + 300000 + 1), "and ends");
		ROW(sts_day_next(d, &line, &len, &at, &err) == STS_OK &&
			len == sizeof edge - 1,
		    "the longest");
		ROW(line_is(d, "", at + sizeof edge), "one byte more");
		ROW(line_is(d, "last", at + 2 * sizeof edge + 1),
		    "no line feed at the end");
		ROW(sts_day_next(d, &line, &len, &at, &err) == STS_ABSENT,
		    "the end");
		sts_day_seek(d, 0); /* and all of it again */
	}
	sts_day_seek(d, 12 + 300000 + 1);
	ROW(line_is(d, "three", 12 + 300000 + 1), "in the middle");
	sts_day_seek(d, 1 << 30);
	ROW(sts_day_next(d, &line, &len, &at, &err) == STS_ABSENT,
	    "behind the end");
	sts_day_close(d);
	rows_done();
}

static void
test_days(void **state)
{
	int64_t day[3];
	size_t n;

	(void)state;
	put("2026-11-24", "", 0);
	put("2026-11-22", "", 0);
	put("2026-11-23", "", 0);
	put("2026-11-31", "", 0);
	put("~lost", "", 0);
	ROW(sts_spool_days(spool, TODAY + STS_SPOOL_GRACE, day, 3, &n, &err) ==
		    STS_OK &&
		n == 2 && day[0] == TODAY - 2 * STS_DAY &&
		day[1] == TODAY - STS_DAY,
	    "those that are over, in their order");
	ROW(sts_spool_days(spool, TODAY + STS_SPOOL_GRACE - 1, day, 3, &n,
		&err) == STS_OK &&
		n == 1,
	    "who writes at midnight has some time");
	ROW(sts_spool_days(spool, TODAY + 9 * STS_DAY, day, 2, &n, &err) ==
		    STS_OK &&
		n == 2 && day[1] == TODAY - STS_DAY,
	    "the oldest, where there are too many");
	ROW(sts_spool_days(spool, TODAY + 9 * STS_DAY, day, 0, &n, &err) ==
		    STS_OK &&
		n == 0,
	    "none");
	ROW(sts_spool_remove(spool, TODAY - STS_DAY, &err) == STS_OK &&
		sts_spool_days(spool, TODAY + 9 * STS_DAY, day, 3, &n, &err) ==
		    STS_OK &&
		n == 2 && day[1] == TODAY,
	    "removed");
	ROW(sts_spool_remove(spool, TODAY - STS_DAY, &err) == STS_OK,
	    "removing nothing is fine");
	rows_done();
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		TEST(test_add),
		TEST(test_planted),
		TEST(test_planted_counter),
		TEST(test_torn),
		TEST(test_full),
		TEST(test_limits),
		TEST(test_writers),
		TEST(test_both),
		TEST(test_lost),
		TEST(test_lines),
		TEST(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
