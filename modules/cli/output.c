/* SPDX-License-Identifier: ISC */
/* Output: escaping, times, JSON lines, complaints. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

enum { SHOWN_SIZE = 300, SHOWN = 4, KEY_WIDTH = 9 };

void
cli_escape(FILE *f, const char *p, size_t len)
{
	char shown[5];

	for (size_t i = 0; i < len; i++)
		fputs(sts_escape(shown, sizeof shown,
			  (struct sts_str){ p + i, 1 }),
		    f);
}

const char *
cli_shown(const char *arg)
{
	static char ring[SHOWN][SHOWN_SIZE];
	static unsigned turn;
	struct sts_str s = { arg, strlen(arg) };

	return sts_escape(ring[turn++ % SHOWN], SHOWN_SIZE, s);
}

void
cli_tinted(const struct cli *cli, enum cli_tint tint, const char *text)
{
	static const char *const codes[] = {
		[CLI_PLAIN] = "0",
		[CLI_BOLD] = "1",
		[CLI_GREEN] = "32",
		[CLI_YELLOW] = "33",
		[CLI_RED] = "31",
	};

	if (cli->colour && tint != CLI_PLAIN)
		printf("\033[%sm%s\033[0m", codes[tint], text);
	else
		fputs(text, stdout);
}

void
cli_field(const struct cli *cli, const char *key, const char *value)
{
	if (cli->aligned)
		printf("  %-*s %s\n", KEY_WIDTH, key, value);
	else
		printf("  %s: %s\n", key, value);
}

const char *
cli_time(char out[CLI_TIME_SIZE], int64_t t)
{
	time_t when = (time_t)t;
	struct tm tm;

	if (t <= 0 || gmtime_r(&when, &tm) == NULL || tm.tm_year > 9999 - 1900)
		return NULL;
	if (strftime(out, CLI_TIME_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return NULL;
	return out;
}

/* "6 d 23 h": the two highest units. */
static void
span(char *out, size_t size, int64_t s)
{
	if (s >= 86400)
		snprintf(out, size, "%lld d %lld h", (long long)(s / 86400),
		    (long long)(s % 86400 / 3600));
	else if (s >= 3600)
		snprintf(out, size, "%lld h %lld min", (long long)(s / 3600),
		    (long long)(s % 3600 / 60));
	else if (s >= 60)
		snprintf(out, size, "%lld min", (long long)(s / 60));
	else
		snprintf(out, size, "%lld s", (long long)s);
}

void
cli_field_time(const struct cli *cli, const char *key, int64_t t)
{
	char stamp[CLI_TIME_SIZE], far[64], line[128];
	int64_t now = (int64_t)time(NULL);

	if (cli_time(stamp, t) == NULL)
		return;
	span(far, sizeof far, t > now ? t - now : now - t);
	if (t > now)
		snprintf(line, sizeof line, "%s (in %s)", stamp, far);
	else
		snprintf(line, sizeof line, "%s (%s ago)", stamp, far);
	cli_field(cli, key, line);
}

json_t *
cli_json_text(const char *text)
{
	if (text == NULL || *text == '\0')
		return json_null();
	return json_string(text);
}

json_t *
cli_json_time(int64_t t)
{
	char stamp[CLI_TIME_SIZE];

	return cli_json_text(cli_time(stamp, t));
}

static json_t *
base64(struct sts_str in)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t n = 0, left;
	unsigned long v;
	char *out;
	json_t *j;

	if (in.len > SIZE_MAX / 2 || (out = malloc(in.len / 3 * 4 + 5)) == NULL)
		return NULL;
	for (size_t i = 0; i < in.len; i += 3) {
		left = in.len - i;
		v = (unsigned long)(unsigned char)in.p[i] << 16;
		if (left > 1)
			v |= (unsigned long)(unsigned char)in.p[i + 1] << 8;
		if (left > 2)
			v |= (unsigned char)in.p[i + 2];
		out[n++] = set[v >> 18];
		out[n++] = set[v >> 12 & 63];
		out[n++] = left > 1 ? set[v >> 6 & 63] : '=';
		out[n++] = left > 2 ? set[v & 63] : '=';
	}
	j = json_pack("{s:s#}", "base64", out, (int)n);
	free(out);
	return j;
}

json_t *
cli_json_bytes(struct sts_str in)
{
	json_t *j = json_stringn(in.p, in.len); /* NULL: not UTF-8 */

	return j != NULL ? j : base64(in);
}

int
cli_json_line(json_t *j, int rc)
{
	if (j == NULL)
		return cli_fault("out of memory");
	/* ASCII only: an unpaired control of a terminal stays an escape. */
	json_dumpf(j, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
	putchar('\n');
	json_decref(j);
	return rc;
}

bool
cli_flush(struct cli *cli)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return true;
	if (cli->lost == 0)
		cli->lost = errno;
	return false;
}

int
cli_fault(const char *fmt, ...)
{
	va_list ap;

	fputs("mtasts: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
	return CLI_FAULT;
}

int
cli_usage(const struct cli_cmd *cmd, const char *fmt, ...)
{
	va_list ap;

	fputs("mtasts: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	if (cmd == NULL)
		fputs("; usage: mtasts [-c FILE] "
		      "query|cache|refresh|report|lint ..., "
		      "see mtasts --help\n",
		    stderr);
	else
		fprintf(stderr, "; usage: mtasts [-c FILE] %s%s%s %s\n",
		    cmd->group, *cmd->name != '\0' ? " " : "", cmd->name,
		    cmd->args);
	return CLI_USAGE;
}

void
cli_help(const struct cli_cmd *cmd)
{
	printf("usage: mtasts [-c FILE] %s%s%s %s\n%s\n", cmd->group,
	    *cmd->name != '\0' ? " " : "", cmd->name, cmd->args, cmd->about);
	if ((cmd->opts & CLI_FRESH) != 0)
		puts("  --fresh     look at the domain's TXT record first");
	if ((cmd->opts & CLI_EXPIRED) != 0)
		puts("  --expired   only what is past its use");
	if ((cmd->opts & CLI_ALL) != 0)
		puts("  --all       everything");
	if ((cmd->opts & CLI_JSON) != 0)
		puts("  --json      one JSON object per line");
	if ((cmd->opts & CLI_OWN) != 0)
		puts(
		    "  --dry-run        say who would get a report, and where\n"
		    "  --print          write reports to standard output\n"
		    "  --day DAY        only that day (UTC); today goes with\n"
		    "                   the two above, which send nothing\n"
		    "  --domain NAME    only that policy domain\n"
		    "  --forward        hand sessions to libtlsrpt's "
		    "collector\n"
		    "  --status         count the reports, by state\n"
		    "  --json           with --status: as a JSON object\n"
		    "  --sandbox-test   try to break out of the sandbox\n"
		    "  --abi N          with --sandbox-test: as if "
		    "landlock(7)\n"
		    "                   were no newer than N\n"
		    "exit status: 0 all is well; 1 nothing was recorded on\n"
		    "  the day, or it is not over; 2 wrong usage; 3 fault of\n"
		    "  this host");
}

/* --- Progress ------------------------------------------------------------- */

/*
 * "asking for example.com, 3 s" while the library waits.  A child draws it:
 * a timer signal would cut short system calls of the library, and a thread
 * would be there when it forks.
 */
enum { QUIET_MS = 400, STEP_MS = 1000 };

static void
put(const char *line, int len)
{
	if (len > 0 && write(STDERR_FILENO, line, (size_t)len) == -1)
		_exit(0);
}

void
cli_progress_count(const struct cli *cli, size_t n, size_t of)
{
	static time_t last;
	char line[64];
	time_t now = time(NULL);

	if (!cli->progress || (n < of && now == last))
		return;
	last = now;
	put(line,
	    n == of ? snprintf(line, sizeof line, "\r\033[K")
		    : snprintf(line, sizeof line, "\r\033[K%zu of %zu", n, of));
}

_Noreturn static void
draw(int fd, const char *domain)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char line[128];
	int n = 0;

	while (poll(&p, 1, n == 0 ? QUIET_MS : STEP_MS) == 0) {
		put(line,
		    snprintf(line, sizeof line, "\r\033[K%.60s: asking, %d s",
			cli_shown(domain), n));
		n++;
	}
	if (n > 0)
		put("\r\033[K", 4);
	_exit(0);
}

void
cli_progress_start(struct cli_progress *bar, const struct cli *cli,
    const char *domain)
{
	int fd[2];
	pid_t pid;

	*bar = (struct cli_progress){ -1, -1 };
	if (!cli->progress || pipe(fd) == -1)
		return;
	if (fcntl(fd[1], F_SETFD, FD_CLOEXEC) == -1 || (pid = fork()) == -1) {
		close(fd[0]);
		close(fd[1]);
		return;
	}
	if (pid == 0) {
		close(fd[1]);
		draw(fd[0], domain);
	}
	close(fd[0]);
	*bar = (struct cli_progress){ fd[1], (long)pid };
}

void
cli_progress_stop(struct cli_progress *bar)
{
	if (bar->fd == -1)
		return;
	close(bar->fd);
	while (waitpid((pid_t)bar->pid, NULL, 0) == -1 && errno == EINTR)
		continue;
}
