/* SPDX-License-Identifier: ISC */
/* mtasts lint: check what is published or configured, without a network. */
#include "cmd_lint.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include <mtasts/cache_admin.h>

/* --- Files and stdin up to a limit, any byte allowed ---------------------- */

static bool
fill(int fd, char *buf, size_t want, size_t *len)
{
	ssize_t n;

	while (*len < want) {
		n = read(fd, buf + *len, want - *len);
		if (n == 0)
			break;
		if (n > 0)
			*len += (size_t)n;
		else if (errno != EINTR)
			return false;
	}
	return true;
}

bool
cli_read(char **out, size_t *len, const char *path, size_t max)
{
	bool std = strcmp(path, "-") == 0, good = false;
	int fd = std ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int saved;

	*out = NULL;
	*len = 0;
	if (fd == -1)
		return false;
	if ((*out = malloc(max + 1)) != NULL)
		good = fill(fd, *out, max + 1, len);
	saved = errno;
	if (!good) {
		free(*out);
		*out = NULL;
	}
	if (!std)
		close(fd);
	errno = saved;
	return good;
}

/* The parser itself refuses more; it must see that there is more. */
enum { POLICY_BYTES = 65536 + 16 };

/* The text without "FILE:LINE: ", which is said apart. */
static const char *
bare(const struct remarks *r, const struct sts_problem *p)
{
	size_t len = strlen(r->file);
	char line[24];

	if (strncmp(p->text, r->file, len) != 0)
		return p->text;
	snprintf(line, sizeof line, ":%u: ", p->line);
	if (strncmp(p->text + len, line, strlen(line)) != 0)
		return p->text;
	return p->text + len + strlen(line);
}

void
remarks_take(void *arg, const struct sts_problem *p)
{
	struct remarks *r = arg;
	json_t *line;

	r->fatal |= p->fatal;
	if ((r->cli->opts & CLI_JSON) != 0) {
		line = p->line != 0 ? json_integer(p->line) : json_null();
		if (json_array_append_new(r->list,
			json_pack("{s:o,s:s,s:s}", "line", line, "code",
			    p->code, "text", bare(r, p))) != 0)
			r->lost = true;
		return;
	}
	fputs(r->file, stdout);
	if (p->line != 0)
		printf(":%u", p->line);
	fputs(": ", stdout);
	cli_tinted(r->cli, p->fatal ? CLI_RED : CLI_YELLOW,
	    p->fatal ? "error" : "warning");
	printf(": %s [%s]\n", bare(r, p), p->code);
}

void
remarks_err(struct remarks *r, const struct sts_err *err, const char *code)
{
	struct sts_problem p = { true, err->line, code, err->text };

	if (!r->fatal)
		remarks_take(r, &p);
}

bool
remarks_init(struct remarks *r, const struct cli *cli, const char *file)
{
	*r = (struct remarks){ .cli = cli, .file = file };
	if ((cli->opts & CLI_JSON) != 0)
		r->list = json_array();
	return (cli->opts & CLI_JSON) == 0 || r->list != NULL;
}

int
remarks_verdict(const struct remarks *r, bool good, const char *word)
{
	printf("%s: ", r->file);
	cli_tinted(r->cli, good ? CLI_GREEN : CLI_RED, word);
	return good ? CLI_OK : CLI_NO;
}

int
remarks_lost(struct remarks *r)
{
	json_decref(r->list);
	return cli_fault("out of memory");
}

static int
policy_result(struct remarks *r, const struct sts_policy *pol)
{
	bool good = pol != NULL;
	int rc;

	if ((r->cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:b,s:o,s:o,s:o,s:o}", "valid",
					 good, "mode",
					 cli_json_text(good
						 ? sts_mode_name(
						       sts_policy_mode(pol))
						 : NULL),
					 "max_age",
					 good ? json_integer(
						    sts_policy_max_age(pol))
					      : json_null(),
					 "mx",
					 good ? cli_answer_mx(pol)
					      : json_null(),
					 "problems", r->list),
		    good ? CLI_OK : CLI_NO);
	rc = remarks_verdict(r, good, good ? "valid" : "not valid");
	if (good)
		printf(", mode %s, max_age %lu, %zu mx",
		    sts_mode_name(sts_policy_mode(pol)),
		    (unsigned long)sts_policy_max_age(pol),
		    sts_policy_mx_count(pol));
	putchar('\n');
	return rc;
}

int
cli_lint_policy(struct cli *cli, int argc, char **argv)
{
	struct sts_policy *pol = NULL;
	struct sts_err err = { 0 };
	struct remarks r;
	enum sts_rc rc;
	size_t len;
	char *body;
	int status;

	if (argc != 1)
		return cli_usage(cli->cmd, "lint policy: give one file, or -");
	if (!cli_read(&body, &len, argv[0], POLICY_BYTES))
		return cli_fault("%s: %s", cli_shown(argv[0]), strerror(errno));
	if (!remarks_init(&r, cli, cli_shown(argv[0]))) {
		status = remarks_lost(&r);
		goto out;
	}
	rc = sts_policy_parse(&pol, body, len, remarks_take, &r, &err);
	if (rc == STS_NOMEM || r.lost) {
		status = remarks_lost(&r);
		goto out;
	}
	if (rc != STS_OK)
		remarks_err(&r, &err, "policy");
	status = policy_result(&r, pol);
out:
	sts_policy_free(pol);
	free(body);
	return status;
}

static const char *
mx_word(const char *host, const char *pattern)
{
	if (!sts_mx_valid(pattern, strlen(pattern)))
		return "not a valid mx value";
	if (!sts_mx_usable(pattern))
		return "valid, but matches nothing: it looks like an address";
	return sts_mx_match(host, pattern) ? "matches" : "does not match";
}

int
cli_lint_mx(struct cli *cli, int argc, char **argv)
{
	bool match = false;

	if (argc < 2)
		return cli_usage(cli->cmd, "lint mx: give a host and patterns");
	for (int i = 1; i < argc; i++) {
		match |= sts_mx_match(argv[0], argv[i]);
		if ((cli->opts & CLI_JSON) == 0)
			printf("%s: %s\n", cli_shown(argv[i]),
			    mx_word(argv[0], argv[i]));
	}
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:b}", "match", match),
		    match ? CLI_OK : CLI_NO);
	printf("%s: ", cli_shown(argv[0]));
	cli_tinted(cli, match ? CLI_GREEN : CLI_RED,
	    match ? "permitted\n" : "not permitted\n");
	return match ? CLI_OK : CLI_NO;
}

int
cli_lint_config(struct cli *cli, int argc, char **argv)
{
	const char *path = argc > 0 ? argv[0] : cli->conf;
	struct sts_err err = { 0 };
	struct remarks r;
	enum sts_rc rc;
	bool good;

	if (argc > 1)
		return cli_usage(cli->cmd, "lint config: one file at most");
	if (!remarks_init(&r, cli, path ? cli_shown(path) : "mtasts.conf"))
		return remarks_lost(&r);
	rc = sts_conf_check(path, remarks_take, &r, &err);
	if (rc == STS_NOMEM || r.lost)
		return remarks_lost(&r);
	if (rc != STS_OK && !r.fatal && err.line == 0) {
		json_decref(r.list);
		return cli_fault("%s", err.text); /* cannot be read */
	}
	if (rc != STS_OK)
		remarks_err(&r, &err, "config");
	good = rc == STS_OK && !r.fatal;
	if ((cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:b,s:o}", "valid", good,
					 "problems", r.list),
		    good ? CLI_OK : CLI_NO);
	remarks_verdict(&r, good, good ? "valid" : "not valid");
	putchar('\n');
	return good ? CLI_OK : CLI_NO;
}
