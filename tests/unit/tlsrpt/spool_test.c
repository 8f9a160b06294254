/* SPDX-License-Identifier: ISC */
/* The spool on a real directory: many writers, full disks, what is planted. */
#include <dirent.h>
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
	static char path[sizeof dir + 320];

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

static const char *const no_names[] = { "", ".", "~report", "2026-11-24~",
	"2026-11-24~certs", "2026-11-24~shares", "2026-11-2", "2026-11-240",
	"2026-13-01", "2026-00-01", "2026-11-00", "2026-11-31", "2026-02-29",
	"2100-02-29", "1969-12-31", "0000-01-01", "2026/11/24", "+026-11-24",
	"2026-11- 1" };

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
	for (size_t i = 0; i < 2; i++) {
		const char *p = path_of(i == 0 ? "2026-11-24" : "2026-11-25");

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
	rows_done();
}

/* To a file that would do. */
static void
plant_own_link(const char *path)
{
	char to[sizeof dir + 320];

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
	char day[sizeof dir + 320], other[sizeof dir + 320];
	struct stat st;
	unsigned odd;

	(void)state;
	snprintf(day, sizeof day, "%s", path_of("2026-11-24"));
	for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
		bool file =
		    plants[i] == plant_garbage || plants[i] == plant_empty;

		plants[i](day);
		if (geteuid() == 0)
			(void)!lchown(day, OWNER, OWNER);
		ROW((add("a", TODAY) == STS_OK) == file, "plant %zu: %s", i,
		    err.text);
		if (file)
			ROW(count(TODAY, &odd) == 1, "behind plant %zu", i);
		ROW(plants[i] == plant_directory ||
			sts_spool_remove(spool, TODAY, &err) == STS_OK,
		    "plant %zu goes", i);
		(void)rmdir(day);
	}
	if (geteuid() == 0) {
		plant_empty(day);
		ROW(add("a", TODAY) == STS_LOCAL, "another's file");
		(void)chmod(day, 0666);
		ROW(add("a", TODAY) == STS_LOCAL,
		    "another's file that may be written to");
		/* A second name of it, as an owner could make one of a file
		 * of root's on the same disk. */
		snprintf(other, sizeof other, "%s", path_of("2000-01-02"));
		(void)!rename(day, other);
		(void)!link(other, day);
		ROW(add("a", TODAY) == STS_LOCAL, "a link to another's file");
		ROW(stat(other, &st) == 0 && st.st_size == 0, "is not touched");
	}
	rows_done();
}

/* --- Certificates --------------------------------------------------------- */

static char leaf[STS_SESSION_DER_MAX];

static struct sts_session
refused(const char *domain, unsigned number, size_t len)
{
	struct sts_session s = failure("mx.example.com");

	memset(leaf, 0x30, sizeof leaf);
	snprintf(leaf, sizeof leaf, "%u of %s", number, domain);
	s.domain = str_of(domain);
	s.result = STS_CERTIFICATE_REFUSED;
	s.der = (struct sts_str){ leaf, len };
	return s;
}

static enum sts_rc
add_cert(const char *domain, unsigned number, size_t len)
{
	struct sts_session s = refused(domain, number, len);

	return sts_spool_add(spool, &s, TODAY, &err);
}

/* Sessions of the domain; *certs, those whose certificate can be read. */
static unsigned
certs_of(const char *domain, unsigned *certs)
{
	static char kept[STS_SESSION_DER_MAX];
	struct sts_session s;
	struct sts_day *d;
	uint64_t at;
	size_t len;
	unsigned n = 0;
	char *line;

	*certs = 0;
	if (sts_day_open(spool, TODAY, &d, &err) != STS_OK)
		return 0;
	while (sts_day_next(d, &line, &len, &at, &err) == STS_OK) {
		if (!sts_session_decode(&s, line, len) ||
		    !str_is(s.domain, domain))
			continue;
		n++;
		*certs += s.cert.len > 0 &&
		    sts_spool_cert(spool, TODAY, s.cert, kept, &len);
	}
	sts_day_close(d);
	return n;
}

/* How many files there are; the name of one. */
static unsigned
files_in(const char *name, char *one, size_t size)
{
	DIR *d = opendir(path_of(name));
	struct dirent *e;
	unsigned n = 0;

	while (d != NULL && (e = readdir(d)) != NULL)
		if (e->d_name[0] != '.') {
			snprintf(one, size, "%s/%s", name, e->d_name);
			n++;
		}
	if (d != NULL)
		closedir(d);
	return n;
}

static void
test_certs(void **state)
{
	static char back[STS_SESSION_DER_MAX];
	char one[300];
	struct stat st;
	unsigned n;
	size_t len;
	int fd;

	(void)state;
	umask(0); /* as in Exim */
	for (unsigned i = 0; i < 3; i++)
		ROW(add_cert("a.example", 1, 1500) == STS_OK, "%s", err.text);
	umask(022);
	ROW(certs_of("a.example", &n) == 3 && n == 3, "%u of 3 are there", n);
	ROW(files_in("2026-11-24~certs", one, sizeof one) == 1, "stored once");
	ROW(stat(path_of(one), &st) == 0 && (st.st_mode & 07777) == 0640,
	    "0640 whatever the umask");
	ROW(stat(path_of("2026-11-24~shares"), &st) == 0 &&
		(st.st_mode & 07777) == 0640,
	    "so is what counts them");
	ROW(sts_spool_cert(spool, TODAY, str_of(strchr(one, '/') + 1), back,
		&len) &&
		len == 1500 && memcmp(back, leaf, len) == 0,
	    "as it was");
	ROW(!sts_spool_cert(spool, TODAY + STS_DAY,
		str_of(strchr(one, '/') + 1), back, &len),
	    "of another day");
	ROW(!sts_spool_cert(spool, TODAY, str_of("../2026-11-24"), back, &len),
	    "not a name");
	ROW(add_cert("a.example", 2, STS_SESSION_DER_MAX) == STS_OK &&
		certs_of("a.example", &n) == 4 && n == 4,
	    "the largest");
	ROW(add_cert("a.example", 3, STS_SESSION_DER_MAX + 1) == STS_OK &&
		certs_of("a.example", &n) == 5 && n == 4,
	    "a larger one is left out, its session is not");
	ROW(files_in("2026-11-24~certs", one, sizeof one) == 2, "no more");
	ROW((fd = open(path_of(one), O_WRONLY)) != -1 &&
		pwrite(fd, "X", 1, 40) == 1 && close(fd) == 0 &&
		certs_of("a.example", &n) == 5 && n < 4,
	    "one that was changed does not have its name");
	ROW(truncate(path_of(one), 100) == 0 &&
		certs_of("a.example", &n) == 5 && n < 4,
	    "half of one does not, either");
	ROW(sts_spool_remove(spool, TODAY, &err) == STS_OK &&
		files_in(".", one, sizeof one) == 0,
	    "all goes with its day: %s", one);
	rows_done();
}

/* What is in the way of them costs the certificate, never the session. */
static void
test_planted_certs(void **state)
{
	static const char *const beside[] = { "2026-11-24~shares",
		"2026-11-24~certs" };
	plant_fn *const plants[] = { PLANTS };
	char path[sizeof dir + 320];
	unsigned n, k = 0;

	(void)state;
	for (size_t j = 0; j < ARRAY_LEN(beside); j++)
		for (size_t i = 0; i < ARRAY_LEN(plants); i++) {
			snprintf(path, sizeof path, "%s", path_of(beside[j]));
			plants[i](path);
			if (geteuid() == 0)
				(void)!lchown(path, OWNER, OWNER);
			ROW(add_cert("a.example", 1, 99) == STS_OK,
			    "%s, plant %zu: %s", beside[j], i, err.text);
			ROW(certs_of("a.example", &n) == ++k, "is there");
			if (unlink(path) == -1) {
				(void)!system("rm -rf /tmp/mtasts-spool.*/"
					      "2026-11-24~*");
			}
			(void)sts_spool_remove(spool, TODAY + STS_DAY, &err);
		}
	write_only = 50;
	ROW(add_cert("a.example", 1, 99) == STS_LOCAL, "a full disk");
	write_only = 0;
	ROW(certs_of("a.example", &n) == k && n == 0, "nothing of it counts");
	rows_done();
}

/* --- Shares --------------------------------------------------------------- */

static enum sts_rc
add_of(const char *domain)
{
	struct sts_session s = failure("");

	s.domain = str_of(domain);
	return sts_spool_add(spool, &s, TODAY, &err);
}

/* Until it is refused: how many were not; *said, how many faults that was. */
static unsigned
fill_share(const char *domain, unsigned *said)
{
	unsigned n = 0;
	enum sts_rc rc;

	*said = 0;
	while ((rc = add_of(domain)) == STS_OK)
		n++;
	for (unsigned i = 0; i < 1000; i++, rc = add_of(domain))
		*said += rc == STS_LOCAL;
	return n;
}

enum { SMALL = 1 << 20 };

static void
test_shares(void **state)
{
	char name[64];
	unsigned n, said, one, some = 0, whole;
	struct stat st;

	(void)state;
	sts_spool_close(spool);
	assert_int_equal(sts_spool_open(&spool, dir, SMALL, &err), STS_OK);
	n = fill_share("flood.example", &said);
	ROW(stat(path_of("2026-11-24"), &st) == 0 && st.st_size > SMALL / 2 &&
		st.st_size < SMALL / 2 + SMALL / 2 / 32 + 200,
	    "half of the file, and a share: %u lines, %ld bytes", n,
	    (long)st.st_size);
	ROW(said == 1, "B7: it is said once: %u", said);
	ROW(strstr(err.text, "flood.example") != NULL, "of whom: %s", err.text);
	one = fill_share("other.example", &said);
	ROW(one > 150 && one < 260, "another has a share: %u", one);
	ROW(add_of("other.example") == STS_ABSENT &&
		add_of("third.example") == STS_OK,
	    "and a third");
	/* As many owners as he likes, below one name of his. */
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof name, "x%u.abc.de", i);
		some += fill_share(name, &said);
	}
	ROW(some > 3 * one && some < 5 * one,
	    "the last two labels have four shares: %u", some);
	ROW(add_of("third.example") == STS_OK, "the third still has its own");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "many%u.example", i);
		(void)fill_share(name, &said);
	}
	ROW(add_of("last.example") == STS_ABSENT &&
		strstr(err.text, "is full") != NULL,
	    "the end is the end: %s", err.text);
	(void)unlink(path_of("2026-11-24~shares"));
	ROW(add_of("last.example") == STS_LOCAL, "and is said");
	ROW(add_of("last.example") == STS_ABSENT, "once");
	ROW(stat(path_of("2026-11-24"), &st) == 0 && st.st_size <= SMALL,
	    "no more than that");
	whole = count(TODAY, &n);
	ROW(whole > 5000 && n == 0, "%u lines, %u torn", whole, n);
	rows_done();
}

/* Failing sessions of one owner, each with a certificate of 8 KB. */
static void
test_flood(void **state)
{
	unsigned n, bad = 0;

	(void)state;
	for (unsigned i = 0; i < 8600; i++) {
		bad +=
		    add_cert("flood.example", i, STS_SESSION_DER_MAX) != STS_OK;
		if (i % 100 == 0)
			bad += add_cert("quiet.example", i, 2000) != STS_OK;
	}
	ROW(bad == 0, "%u are refused", bad);
	ROW(certs_of("flood.example", &n) == 8600 && n == 64,
	    "64 certificates of one: %u", n);
	ROW(certs_of("quiet.example", &n) == 86 && n == 86,
	    "all of the other: %u", n);
	for (unsigned i = 0; i < 12; i++) {
		char name[64];

		snprintf(name, sizeof name, "x%u.abc.de", i);
		for (unsigned k = 0; k < 100; k++)
			(void)add_cert(name, k, STS_SESSION_DER_MAX);
		bad += certs_of(name, &n) != 100 || n != (i < 4 ? 64 : 0);
	}
	ROW(bad == 0, "of many owners below one name, those of four");
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
	return 0;
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
		TEST(test_certs),
		TEST(test_planted_certs),
		TEST(test_shares),
		TEST(test_flood),
		TEST(test_torn),
		TEST(test_full),
		TEST(test_limits),
		TEST(test_writers),
		TEST(test_both),
		TEST(test_lines),
		TEST(test_days),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
