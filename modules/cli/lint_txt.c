/* SPDX-License-Identifier: ISC */
/*
 * mtasts lint txt, lint tlsrpt: the TXT records of one name, as a JSON array of
 * arrays of strings.  {"base64":"..."} stands for bytes that JSON cannot carry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cmd_lint.h"
#include <mtasts/session.h>

enum { TXT_BYTES = 1 << 20 };

/* "QUJD" -> "ABC" into to, which has room; false: not base64 (RFC 4648 4). */
static bool
unbase64(char *to, size_t *len, const char *p, size_t n)
{
	static const char set[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				  "abcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t pad = 0;
	unsigned long v = 0;
	const char *at;

	if (n % 4 != 0)
		return false;
	while (pad < 2 && n > 0 && p[n - 1] == '=') {
		n--;
		pad++;
	}
	for (size_t i = 0; i < n; i++) {
		if (p[i] == '\0' || (at = strchr(set, p[i])) == NULL)
			return false;
		v = v << 6 | (unsigned long)(at - set);
		if (i % 4 != 0)
			to[(*len)++] = (char)(v >> (6 - i % 4 * 2) & 0xff);
		v &= 0xffff;
	}
	return true;
}

/* Appends one string of a record. */
static bool
add_string(char *to, size_t *len, const json_t *j)
{
	const json_t *b;

	if (json_is_string(j)) {
		memcpy(to + *len, json_string_value(j), json_string_length(j));
		*len += json_string_length(j);
		return true;
	}
	b = json_object_get(j, "base64");
	return json_object_size(j) == 1 && json_is_string(b) &&
	    unbase64(to, len, json_string_value(b), json_string_length(b));
}

/*
 * The records, their strings joined (RFC 8461 3.1), in room, which has as many
 * bytes as the JSON text had: no string is longer than its text.
 */
static bool
join(struct sts_str *rec, char *room, const json_t *root, const char **why)
{
	size_t at = 0, start;
	const json_t *j;

	for (size_t i = 0; i < json_array_size(root); i++) {
		j = json_array_get(root, i);
		start = at;
		if (!json_is_array(j)) {
			*why = "a record is not an array of strings";
			return false;
		}
		for (size_t k = 0; k < json_array_size(j); k++)
			if (!add_string(room, &at, json_array_get(j, k))) {
				*why = "a string is neither text nor "
				       "{\"base64\":\"...\"}";
				return false;
			}
		rec[i] = (struct sts_str){ room + start, at - start };
	}
	return true;
}

static int
txt_result(struct remarks *r, const struct sts_txt *rec)
{
	int rc;

	if ((r->cli->opts & CLI_JSON) != 0)
		return cli_json_line(json_pack("{s:b,s:o,s:o}", "usable",
					 rec != NULL, "id",
					 cli_json_text(rec ? rec->id : NULL),
					 "problems", r->list),
		    rec != NULL ? CLI_OK : CLI_NO);
	rc = remarks_verdict(r, rec != NULL,
	    rec != NULL ? "usable" : "not usable");
	if (rec != NULL)
		printf(", id %s", rec->id);
	putchar('\n');
	return rc;
}

static int
check_sts(const struct cli *cli, const struct sts_str *txt, size_t n)
{
	struct sts_txt rec;
	struct sts_err err = { 0 };
	struct remarks r;
	enum sts_rc rc;

	if (!remarks_init(&r, cli, "txt"))
		return remarks_lost(&r);
	rc = sts_txt_select(&rec, txt, n, remarks_take, &r, &err);
	if (rc == STS_NOMEM || r.lost)
		return remarks_lost(&r);
	if (rc != STS_OK)
		remarks_err(&r, &err, rc == STS_ABSENT ? "absent" : "record");
	return txt_result(&r, rc == STS_OK ? &rec : NULL);
}

static int
tlsrpt_result(struct remarks *r, const struct sts_tlsrpt *t, bool usable)
{
	json_t *rua = NULL;
	int rc;

	if ((r->cli->opts & CLI_JSON) != 0) {
		rua = json_array();
		for (size_t i = 0; i < t->n; i++)
			json_array_append_new(rua,
			    json_stringn(t->rua[i].p, t->rua[i].len));
		return cli_json_line(json_pack("{s:b,s:o,s:o}", "usable",
					 usable, "rua", rua, "problems",
					 r->list),
		    usable ? CLI_OK : CLI_NO);
	}
	rc = remarks_verdict(r, usable, usable ? "usable" : "not usable");
	for (size_t i = 0; i < t->n; i++)
		printf(", %.*s", (int)t->rua[i].len, t->rua[i].p);
	putchar('\n');
	return rc;
}

static int
check_tlsrpt(const struct cli *cli, const struct sts_str *txt, size_t n)
{
	struct sts_tlsrpt out;
	struct sts_err err = { 0 };
	struct remarks r;
	enum sts_rc rc;

	if (!remarks_init(&r, cli, "tlsrpt"))
		return remarks_lost(&r);
	rc = sts_tlsrpt_select(&out, txt, n, remarks_take, &r, &err);
	if (rc == STS_NOMEM || r.lost)
		return remarks_lost(&r);
	if (rc != STS_OK)
		remarks_err(&r, &err, rc == STS_ABSENT ? "absent" : "record");
	return tlsrpt_result(&r, &out, rc == STS_OK);
}

static int
lint(struct cli *cli, int argc, char **argv,
    int (*check)(const struct cli *, const struct sts_str *, size_t))
{
	struct sts_str *rec = NULL;
	char *text = NULL, *room = NULL;
	const char *why = "not an array";
	json_t *root = NULL;
	json_error_t je;
	size_t len, n;
	int status;

	if (argc != 0)
		return cli_usage(cli->cmd, "unexpected '%s'",
		    cli_shown(argv[0]));
	if (!cli_read(&text, &len, "-", TXT_BYTES))
		return cli_fault("standard input: %s", strerror(errno));
	if (len > TXT_BYTES) {
		status = cli_usage(cli->cmd, "input of more than %d bytes",
		    TXT_BYTES);
		goto out;
	}
	root =
	    json_loadb(text, len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &je);
	if (root == NULL) {
		status = cli_usage(cli->cmd, "input is not JSON: line %d: %s",
		    je.line, cli_shown(je.text));
		goto out;
	}
	n = json_array_size(root);
	rec = calloc(n + 1, sizeof *rec);
	room = malloc(len + 1);
	if (rec == NULL || room == NULL)
		status = cli_fault("out of memory");
	else if (!json_is_array(root) || !join(rec, room, root, &why))
		status = cli_usage(cli->cmd, "input: %s", why);
	else
		status = check(cli, rec, n);
out:
	json_decref(root);
	free(rec);
	free(room);
	free(text);
	return status;
}

int
cli_lint_txt(struct cli *cli, int argc, char **argv)
{
	return lint(cli, argc, argv, check_sts);
}

int
cli_lint_tlsrpt(struct cli *cli, int argc, char **argv)
{
	return lint(cli, argc, argv, check_tlsrpt);
}
