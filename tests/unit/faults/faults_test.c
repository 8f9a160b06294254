/* SPDX-License-Identifier: ISC */
/*
 * "Could not find out" is never "there is none": one question of each adapter
 * about a domain with an enforce policy, with every system call and allocation
 * that it takes made to fail in turn.  The answer is that policy, or that mail
 * has to wait; and once the fault is gone, the next one is right.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cache/entry_files.h"
#include "fail_calls.h"
#include "fixture.h"
#include "query/worker_protocol.h"
#include "row.h"
#include "table_answer.h"

#define DOMAIN "one.example"
#define HOST "mx1.one.example"
#define BODY "version: STSv1\nmode: enforce\nmx: " HOST "\nmax_age: 86400\n"
#define LIST "sts=enforce id=1 ignore=\"! ^(?i)mx1\\\\.one\\\\.example$ : *\""

enum { DAY = 86400, HANGS = 30 /* s */ };

int mtasts_policy(unsigned char **yield, int argc, unsigned char *argv[]);
int mtasts_event(unsigned char **yield, int argc, unsigned char *argv[]);
int filter_main(int argc, char *argv[]);

/* --- What is known beforehand --------------------------------------------- */

enum { UNKNOWN, LIVE, DUE, FAILED, EXPIRED, STATES };
static const struct {
	const char *name;
	int64_t age,
	    lasts;   /* s since it was fetched, and of max_age; 0: none */
	bool failed; /* a delivery did, under the policy */
} states[] = {
	[UNKNOWN] = { "nothing is known", 0, 0, false },
	[LIVE] = { "a policy", 60, DAY, false },
	[DUE] = { "a policy, a look is due", 2 * 3600, DAY, false },
	[FAILED] = { "a policy that failed", 2 * 3600, DAY, true },
	[EXPIRED] = { "an expired policy", 2 * DAY, DAY, false },
};

static struct sts_store *store;

static void
empty(const char *dir, const char *spared)
{
	char path[600];
	struct dirent *e;
	DIR *d = opendir(dir);

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] == '.' || strcmp(e->d_name, spared) == 0)
			continue;
		if (unlink(path) == -1 && errno == EISDIR) {
			empty(path, "");
			(void)rmdir(path);
		}
	}
	if (d != NULL)
		closedir(d);
}

static struct sts_entry
policy_of(int64_t age, int64_t lasts)
{
	struct sts_entry e = { .kind = STS_ENTRY_POLICY,
		.id = "1",
		.fetched = time(NULL) - age,
		.body = LIT(BODY) };

	e.checked = e.fetched;
	e.until = e.fetched + lasts;
	return e;
}

static bool
put_hosts(void)
{
	static struct sts_mx_set set;

	set.kind = STS_MX_HOSTS;
	set.asked = time(NULL) - 60;
	set.until = set.asked + DAY;
	set.n = 1;
	snprintf(set.host[0].name, sizeof set.host[0].name, HOST);
	set.host[0].naddr = 1;
	set.host[0].addr[0].bytes[0] = 192;
	return sts_store_put_mx(store, DOMAIN, &set, NULL) == STS_OK;
}

/* As the store writes it, once: it waits for the disk each time. */
static void
make_state(int state)
{
	struct sts_entry e = policy_of(states[state].age, states[state].lasts);
	char command[300];

	empty(in_top("cache"), "~key");
	if (states[state].lasts != 0) {
		assert_int_equal(sts_store_put(store, DOMAIN, &e, NULL),
		    STS_OK);
		assert_true(put_hosts());
	}
	if (states[state].failed)
		assert_int_equal(sts_store_mark(store, STS_MARK_FAILED, DOMAIN,
				     NULL),
		    STS_OK);
	snprintf(command, sizeof command, "cd %s && cp -a cache state%d", top,
	    state);
	assert_int_equal(system(command), 0);
}

static bool
copy(int from, int to, const char *name)
{
	static char text[STS_ENTRY_MAX];
	int in = openat(from, name, O_RDONLY), out;
	ssize_t n = read(in, text, sizeof text);

	out = openat(to, name, O_WRONLY | O_CREAT | O_EXCL, 0640);
	if (n < 0 || out == -1 || write(out, text, (size_t)n) != n)
		return false;
	close(in);
	return (geteuid() != 0 || fchown(out, OWNER, OWNER) == 0) &&
	    close(out) == 0;
}

static void
put_state(int state)
{
	char from[100], to[100];
	unsigned part = sts_store_dir_of(store, DOMAIN);
	struct dirent *e;
	int into;
	DIR *d;

	empty(in_top("cache"), "~key");
	empty(in_top("spool"), "");
	if (states[state].lasts == 0)
		return;
	snprintf(from, sizeof from, "state%d/%02x", state, part);
	snprintf(to, sizeof to, "cache/%02x", part);
	assert_true(own(in_top(to)));
	into = open(in_top(to), O_RDONLY | O_DIRECTORY);
	d = opendir(in_top(from));
	assert_true(d != NULL && into != -1);
	while ((e = readdir(d)) != NULL)
		if (e->d_name[0] != '.')
			assert_true(copy(dirfd(d), into, e->d_name));
	closedir(d);
	close(into);
}

/* --- The worker ----------------------------------------------------------- */

/*
 * This program itself, under the worker's name.  It stores what is learnt for
 * who asks for hosts, too; the others have what it says.
 */
static int
work(const char *path)
{
	static char answer[STS_ANSWER_MAX], entry[STS_ENTRY_MAX + 1];
	struct sts_entry e = policy_of(0, DAY);
	struct sts_question q;
	size_t len, head;
	char line[300];
	bool is_link;

	snprintf(top, sizeof top, "%.*s", (int)(strrchr(path, '/') - path),
	    path);
	len = sts_entry_encode(entry, &e, DOMAIN, &is_link);
	head = sts_answer_encode(answer, DOMAIN, STS_USE_ENTRY, len, "");
	memcpy(answer + head, entry, len);
	fputs(STS_WORKER_VERSION, stdout);
	fflush(stdout);
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if (!sts_question_decode(&q, str_of(line)) ||
		    q.kind != STS_QUESTION_ASK)
			continue;
		if ((q.flags & STS_QUESTION_MX) != 0 &&
		    sts_store_open(&store, in_top("cache"), NULL) == STS_OK) {
			(void)sts_store_put(store, DOMAIN, &e, NULL);
			(void)put_hosts();
			sts_store_close(store);
		}
		fwrite(answer, head + len, 1, stdout);
		fflush(stdout);
	}
	return 0;
}

static bool
make_workers(void)
{
	char command[300];

	snprintf(command, sizeof command,
	    "cd %s && cp /proc/%d/exe mtasts-fetch-openssl && "
	    "cp mtasts-fetch-openssl mtasts-fetch-gnutls",
	    top, (int)getpid());
	return system(command) == 0;
}

/* --- One question --------------------------------------------------------- */

enum { ANSWERS = 12 };
struct answer {
	int code; /* of Exim, or enum table_found */
	char text[400];
};

/* Written by the process that asks. */
static struct said {
	struct answer faulty[ANSWERS], then[ANSWERS];
} * said;

struct subject {
	const char *name;
	/* NULL: nothing fails. */
	void (*ask)(const struct fail_plan *, struct answer *);
	/* What is wrong with them, or NULL. */
	const char *(*judge)(int state, bool faulty, const struct answer *);
	size_t errors; /* how many reasons each call has */
	bool again;    /* the same process is asked again, without a fault */
	bool looks;    /* it looks for itself, where one is due */
};

static void
ask_exim(const struct fail_plan *plan, struct answer *a)
{
	static char domain[] = DOMAIN, id[] = "1vPAaa-0000000001X-0Aaa",
		    nobody[] = "", yes[] = "R", event[] = "tls:cert",
		    leaf[] = "0", host[] = HOST, seen[] = "enforce cv=1 id=1",
		    certificate[] = "MAA=", conf[200],
		    connect[] = "tcp:connect", defer[] = "msg:host:defer",
		    why[] = "TLS session",
		    failed[] = "enforce errno=-37 id=1 from=192.0.2.1 "
			       "to=198.51.100.7";
	union {
		char *in[7];
		unsigned char *out[7];
	} policy = { .in = { domain, conf, nobody, id } },
	  verify = { .in = { domain, conf, nobody, id, yes } },
	  cert = { .in = { event, leaf, domain, host, seen, certificate,
		       conf } },
	  begins = { .in = { connect, nobody, domain, host, failed, nobody,
			 conf } },
	  session = { .in = { defer, why, domain, host, failed, certificate,
			  conf } };
	unsigned char *yield = NULL;

	snprintf(conf, sizeof conf, "%s/conf", top);
	if (plan != NULL)
		fail_begin(plan);
	a[0].code = mtasts_policy(&yield, 4, policy.out);
	snprintf(a[0].text, sizeof a[0].text, "%s", (char *)yield);
	a[1].code = mtasts_policy(&yield, 5, verify.out);
	snprintf(a[1].text, sizeof a[1].text, "%s", (char *)yield);
	a[2].code = mtasts_event(&yield, 7, cert.out);
	snprintf(a[2].text, sizeof a[2].text, "%s", (char *)yield);
	(void)mtasts_event(&yield, 7, begins.out);
	a[3].code = mtasts_event(&yield, 7, session.out);
	fail_end();
	snprintf(a[3].text, sizeof a[3].text, "%s", (char *)yield);
}

static const char *
judge_exim(int state, bool faulty, const struct answer *a)
{
	static const char defers[] = "mtasts: ", waits[] = "sts=wait ";
	bool enforced = a[0].code == 0 && strcmp(a[0].text, LIST) == 0;

	(void)state;
	if (!enforced &&
	    (!faulty ||
		(a[0].code == 1 ? strncmp(a[0].text, defers, 8) != 0
				: strncmp(a[0].text, waits, 9) != 0)))
		return a[0].text;
	enforced = strcmp(a[1].text, LIST) == 0;
	if ((!enforced && strncmp(a[1].text, waits, 9) != 0 &&
		(!faulty || strncmp(a[1].text, defers, 8) != 0)))
		return a[1].text;
	/* A certificate without a name is not let through, either. */
	if (a[2].text[0] == '\0')
		return "the certificate passes";
	/* Of a session that cannot be recorded a fault may be told. */
	return faulty || a[3].text[0] == '\0' ? NULL : a[3].text;
}

static void
ask_table(const struct fail_plan *plan, struct answer *out)
{
	static const struct {
		enum table_service service;
		struct sts_str key;
		bool waits;
	} t[] = {
		{ TABLE_DOMAIN, LIT(DOMAIN), false },
		{ TABLE_DOMAIN, LIT(DOMAIN), true },
		{ TABLE_MAILADDR, LIT("u@" DOMAIN), true },
		{ TABLE_RELAYHOST, LIT(DOMAIN), false },
	};
	static struct config config;
	static struct forbidden forbidden;
	static char conf[200];
	struct table_request r = { .op = TABLE_CHECK };
	struct table_answer a;

	snprintf(conf, sizeof conf, "%s/conf", top);
	config.path = conf;
	config.looked = 0; /* it is looked at again, as after a second */
	if (plan != NULL)
		fail_begin(plan);
	for (size_t i = 0; i < ARRAY_LEN(t); i++) {
		r.service = t[i].service;
		r.key = t[i].key;
		answer(&a, &r, &config, &forbidden, t[i].waits);
		out[i].code = (int)a.found;
		snprintf(out[i].text, sizeof out[i].text, "%s", a.text);
	}
	fail_end();
}

static const char *
judge_table(int state, bool faulty, const struct answer *a)
{
	static const char url[] = "smtp+tls://" HOST;
	bool known = state != UNKNOWN && state != EXPIRED;

	if (!faulty && a[0].code != (known ? TABLE_FOUND : TABLE_ERROR))
		return "domain, after the fault";
	if (!faulty && a[1].code != (known ? TABLE_NOT_FOUND : TABLE_FOUND))
		return "domain of those that wait, after the fault";
	if (!faulty && known && a[3].code != TABLE_FOUND)
		return "relayhost, after the fault";
	if (a[0].code == TABLE_NOT_FOUND)
		return "domain: not found";
	if (a[1].code == TABLE_NOT_FOUND && !known)
		return "domain of those that wait: not found";
	if (a[2].code == TABLE_FOUND ||
	    (a[2].code == TABLE_NOT_FOUND && !known))
		return "the guard lets it pass";
	if (a[3].code == TABLE_NOT_FOUND ||
	    (a[3].code == TABLE_FOUND && strcmp(a[3].text, url) != 0))
		return "relayhost";
	for (int i = 0; i < 4; i++)
		if (a[i].code == TABLE_ERROR && a[i].text[0] == '\0')
			return "an error without a text";
	return NULL;
}

/* --- The filter: a process that must live on ------------------------------ */

#define RCPT "filter|0.7|1|smtp-in|rcpt-to|s|"
#define OUT "report|0.7|1|smtp-out|"
#define BEGINS(id)                                                             \
	OUT "link-connect|" id "|p|pass|10.9.0.1:48890|192.0.0.0:25\n" OUT     \
	    "protocol-client|" id "|EHLO sender.test\n" OUT                    \
	    "protocol-server|" id "|250 STARTTLS\n" OUT "protocol-client|" id  \
	    "|STARTTLS\n" OUT "protocol-server|" id "|220 go\n"

static const char hello[] =
    "config|smtpd-version|7.6.0-portable\nconfig|protocol|0.7\n"
    "config|subsystem|smtp-in\nconfig|subsystem|smtp-out\nconfig|ready\n";
/* One session that worked, and one in which TLS failed. */
static const char sessions[] = BEGINS("o1") OUT
    "protocol-client|o1|EHLO sender.test\n" OUT
    "link-tls|o1|TLSv1.3:X:256\n" OUT
    "protocol-client|o1|MAIL FROM:<a@sender.test>\n" OUT
    "protocol-client|o1|RCPT TO:<u@" DOMAIN ">\n" OUT
    "link-disconnect|o1\n" BEGINS("o2") OUT "link-disconnect|o2\n";

static struct sts_str
read_until(int fd, char *buf, size_t size, const char *end)
{
	struct pollfd p = { fd, POLLIN, 0 };
	size_t len = 0;
	ssize_t n;

	buf[0] = '\0';
	while (strstr(buf, end) == NULL && len < size - 1 &&
	    poll(&p, 1, HANGS * 1000) == 1 &&
	    (n = read(fd, buf + len, size - 1 - len)) > 0) {
		len += (size_t)n;
		buf[len] = '\0';
	}
	return (struct sts_str){ buf, len };
}

/* May the recipient pass: do the tables know what smtpd will ask them next? */
static bool
tables_know(void)
{
	struct answer a[ANSWERS];

	ask_table(NULL, a);
	return a[0].code == TABLE_FOUND && a[1].code == TABLE_NOT_FOUND;
}

/* What it says to one recipient: "proceed", "reject|451 ...", or nothing. */
static void
ask_rcpt(int fd, const char *token, struct answer *a)
{
	char line[100], buf[2000], *p;
	int n = snprintf(line, sizeof line, RCPT "%s|u@" DOMAIN "\n", token);

	(void)!write(fd, line, (size_t)n);
	n = snprintf(line, sizeof line, "filter-result|s|%s|", token);
	(void)read_until(fd, buf, sizeof buf, line);
	if ((p = strstr(buf, line)) == NULL)
		return;
	p += n;
	a->code = strncmp(p, "proceed\n", 8) != 0 ? 1 : tables_know() ? 2 : 3;
	snprintf(a->text, sizeof a->text, "%.*s", (int)strcspn(p, "\n"), p);
}

/* The filter is this process, and who asks it a child. */
static void
ask_filter(const struct fail_plan *plan, struct answer *a)
{
	static char name[] = "filter-mtasts", c[] = "-c", conf[200];
	char *argv[] = { name, c, conf, NULL }, buf[2000];
	int sv[2];

	snprintf(conf, sizeof conf, "%s/conf", top);
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, sv) == -1)
		_exit(99);
	if (fork() == 0) {
		close(sv[1]);
		(void)!write(sv[0], hello, sizeof hello - 1);
		(void)read_until(sv[0], buf, sizeof buf, "register|ready\n");
		ask_rcpt(sv[0], "t1", &a[0]);
		(void)!write(sv[0], sessions, sizeof sessions - 1);
		ask_rcpt(sv[0], "t2", &a[1]);
		_exit(0);
	}
	dup2(sv[1], STDIN_FILENO);
	dup2(sv[1], STDOUT_FILENO);
	close(sv[0]);
	close(sv[1]);
	optind = 1;
	fail_begin(plan);
	(void)filter_main(3, argv);
	fail_end();
}

static const char *
judge_filter(int state, bool faulty, const struct answer *a)
{
	static const char later[] = "reject|451 4.7.0 mta-sts: " DOMAIN ": ";

	(void)state;
	for (int i = 0; i < 2; i++) {
		if (a[i].code == 0)
			return "no answer";
		if (a[i].code == 3)
			return "lets pass what the tables do not know";
		if (a[i].code == 1 &&
		    (!faulty || strncmp(a[i].text, later, strlen(later)) != 0))
			return a[i].text;
	}
	return NULL;
}

/* --- All of them ---------------------------------------------------------- */

static const int errors[] = { EIO, ENOMEM, ENOSPC, EMFILE, EACCES, EINTR };

static const struct subject subjects[] = {
	{ "exim", ask_exim, judge_exim, ARRAY_LEN(errors), true, true },
	{ "table", ask_table, judge_table, 2, true, false },
	{ "filter", ask_filter, judge_filter, 1, false, false },
};

/* Its status; a process that hangs is killed. */
static int
wait_for(pid_t pid)
{
	int status = -1;

	for (int n = 0; n < HANGS * 2000; n++) {
		if (pid == -1 || waitpid(pid, &status, WNOHANG) == pid)
			return status;
		usleep(500);
	}
	kill(pid, SIGKILL);
	(void)waitpid(pid, &status, 0);
	return status;
}

/* In a process of its own; what is wrong, or NULL. */
static const char *
run(const struct subject *s, int state, const struct fail_plan *plan)
{
	static char crash[40];
	bool faulty = plan->call != 0;
	const char *wrong;
	int status;
	pid_t pid;

	put_state(state);
	memset(said, 0, sizeof *said);
	if ((pid = fork()) == 0) {
		(void)signal(SIGPIPE, SIG_IGN);
		s->ask(plan, said->faulty);
		if (s->again)
			s->ask(NULL, said->then);
		_exit(0);
	}
	status = wait_for(pid);
	while (waitpid(-1, NULL, 0) > 0)
		; /* workers that have lost their host */
	if (status != 0) {
		snprintf(crash, sizeof crash, "ended with status %x", status);
		return crash;
	}
	wrong = s->judge(state, faulty, said->faulty);
	if (wrong == NULL && s->again)
		wrong = s->judge(state, false, said->then);
	return wrong;
}

/* Has a system call failed, that could have done so for another reason? */
static bool
other_reasons(void)
{
	const char *n = fail_name();

	return n[0] != '\0' && strstr(n, "alloc") == NULL &&
	    strcmp(n, "strdup") != 0;
}

static long stride = 1; /* of the calls that fail */

static void
each_call(const struct subject *s, int state, struct fail_plan plan, long calls)
{
	const char *wrong;

	for (plan.call = 1; plan.call <= calls; plan.call += stride)
		for (size_t e = 0; e < s->errors; e++) {
			plan.error = errors[e];
			wrong = run(s, state, &plan);
			ROW(wrong == NULL,
			    "%s, %s: %s, call %ld of process %u, %s%s: %s",
			    s->name, states[state].name, fail_name(), plan.call,
			    plan.process, strerror(plan.error),
			    plan.how == FAIL_ONCE ? "" : " from then on",
			    wrong == NULL ? "" : wrong);
			/* One of a lasting fault is enough. */
			if (!other_reasons() || plan.how != FAIL_ONCE)
				break;
		}
}

/* The session that failed, with its certificate. */
static bool
recorded(void)
{
	char pattern[300];
	glob_t found;
	bool all;

	snprintf(pattern, sizeof pattern, "%s/2*~certs/[!~]*", in_top("spool"));
	all = glob(pattern, 0, NULL, &found) == 0;
	if (all)
		globfree(&found);
	return all;
}

static void
each_state(const struct subject *s)
{
	long calls[FAIL_PROCESSES];
	struct fail_plan plan = { .call = 0 };
	const char *wrong;

	for (int state = 0; state < STATES; state++) {
		if (!s->looks && (state == DUE || state == FAILED))
			continue;
		plan = (struct fail_plan){ .call = 0 };
		wrong = run(s, state, &plan);
		ROW(wrong == NULL, "%s, %s: %s", s->name, states[state].name,
		    wrong == NULL ? "" : wrong);
		ROW(s->ask != ask_exim || recorded(),
		    "%s, %s: the session is in no report", s->name,
		    states[state].name);
		for (unsigned p = 0; p < FAIL_PROCESSES; p++)
			calls[p] = fail_calls(p);
		print_message("%s, %s: %ld calls, %ld and %ld of a worker's "
			      "birth\n",
		    s->name, states[state].name, calls[0], calls[1], calls[2]);
		for (plan.process = 0; plan.process < FAIL_PROCESSES;
		     plan.process++)
			each_call(s, state, plan, calls[plan.process]);
		plan.process = 0;
		plan.how = FAIL_FROM_THEN_ON;
		each_call(s, state, plan, calls[0]);
	}
	rows_done();
}

static void
test_exim(void **state)
{
	(void)state;
	each_state(&subjects[0]);
}

static void
test_table(void **state)
{
	(void)state;
	each_state(&subjects[1]);
}

static void
test_filter(void **state)
{
	(void)state;
	each_state(&subjects[2]);
}

static int
set_up(void **state)
{
	char text[600];

	/* Who loses his parent becomes ours. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) == -1)
		return -1;
	said = mmap(NULL, sizeof *said, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (said == MAP_FAILED || !fail_init() || make_top(state) != 0 ||
	    !own(in_top("cache")) || !own(in_top("spool")))
		return -1;
	snprintf(text, sizeof text,
	    "cache_dir = %s/cache\nworker_dir = %s\nfetch_timeout = 5s\n"
	    "[report]\ncontact = r@x.example\nspool_dir = %s/spool\n",
	    top, top, top);
	if (!write_text(top, "conf", 0644, text) ||
	    sts_store_open(&store, in_top("cache"), NULL) != STS_OK ||
	    !make_workers())
		return -1;
	for (int i = 0; i < STATES; i++)
		make_state(i);
	return 0;
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exim),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_filter),
	};

	uint64_t n;

	if (strstr(argv[0], "/mtasts-fetch-") != NULL)
		return work(argv[0]);
	if (argc > 1 && str_u64(str_of(argv[1]), 1000, &n) && n > 0)
		stride = (long)n;
	else if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, set_up, wipe_top);
}
