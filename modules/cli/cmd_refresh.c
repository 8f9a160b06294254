/* SPDX-License-Identifier: ISC */
/*
 * mtasts cache refresh: fetch now, and say what changed.  mtasts refresh: fetch
 * what is due.
 */
#include <string.h>
#include <time.h>

#include "cli.h"
#include <mtasts/cache_admin.h>

enum { CHANGES = 5 };

static bool
same_mx(const struct sts_policy *a, const struct sts_policy *b)
{
	size_t n = a != NULL ? sts_policy_mx_count(a) : 0;

	if (n != (b != NULL ? sts_policy_mx_count(b) : 0))
		return false;
	for (size_t i = 0; i < n; i++)
		if (strcmp(sts_policy_mx(a, i), sts_policy_mx(b, i)) != 0)
			return false;
	return true;
}

static bool
same_text(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

static uint32_t
age(const struct sts_policy *pol)
{
	return pol != NULL ? sts_policy_max_age(pol) : 0;
}

/* The names of what differs; returns how many. */
static size_t
compare(const char *what[CHANGES], const struct sts_answer *old,
    const struct sts_answer *new)
{
	size_t n = 0;

	if (old->verdict != new->verdict)
		what[n++] = "verdict";
	if (!same_text(old->id, new->id))
		what[n++] = "id";
	if (!same_text(cli_answer_mode(old), cli_answer_mode(new)))
		what[n++] = "mode";
	if (!same_mx(old->policy, new->policy))
		what[n++] = "mx";
	if (age(old->policy) != age(new->policy))
		what[n++] = "max_age";
	return n;
}

/* Did the network bring a policy since then? */
static bool
refreshed(const struct sts_answer *old, const struct sts_answer *new,
    int64_t began)
{
	return new->policy != NULL &&
	    (new->fetched >= began || new->fetched != old->fetched);
}

/* Times are whole seconds: what is fetched now must be seen to be newer. */
static int64_t
next_second(const struct sts_answer *old)
{
	struct timespec pause = { 0, 50000000 };
	int64_t now = (int64_t)time(NULL);

	while (old->fetched == now) {
		nanosleep(&pause, NULL);
		now = (int64_t)time(NULL);
	}
	return now;
}

static json_t *
to_json(const char *domain, const struct sts_answer *old,
    const struct sts_answer *new, bool news)
{
	const char *what[CHANGES];
	size_t n = compare(what, old, new);
	json_t *list = json_array(), *j;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(what[i]));
	j = cli_answer_json(domain, new);
	if (j == NULL || list == NULL ||
	    json_object_set_new(j, "refreshed", json_boolean(news)) != 0 ||
	    json_object_set_new(j, "changed", list) != 0 ||
	    json_object_set_new(j, "before", cli_answer_json(domain, old)) !=
		0) {
		json_decref(j);
		return NULL;
	}
	return j;
}

static void
change(const struct cli *cli, const char *key, const char *old, const char *new)
{
	char line[128];

	if (same_text(old, new))
		return;
	snprintf(line, sizeof line, "%s %s -> %s", key,
	    old != NULL && *old != '\0' ? old : "none",
	    new != NULL &&*new != '\0' ? new : "none");
	cli_field(cli, "changed", line);
}

static void
print(const struct cli *cli, const struct cli_name *name,
    const struct sts_answer *old, const struct sts_answer *new, bool news)
{
	const char *what[CHANGES];

	cli_name_print(cli, name);
	printf(": %s, %s\n", news ? "refreshed" : "not refreshed",
	    compare(what, old, new) > 0 ? "changed" : "nothing changed");
	change(cli, "verdict", cli_verdict_name(old->verdict),
	    cli_verdict_name(new->verdict));
	change(cli, "mode", cli_answer_mode(old), cli_answer_mode(new));
	change(cli, "id", old->id, new->id);
	if (!same_mx(old->policy, new->policy))
		cli_field(cli, "changed", "mx");
	if (age(old->policy) != age(new->policy))
		cli_field(cli, "changed", "max_age");
	cli_answer_print(cli, new);
}

int
cli_refresh_one(const struct cli *cli, struct sts_ctx *ctx,
    const struct cli_name *name, struct sts_err *err)
{
	struct sts_answer *old = NULL, *new = NULL;
	struct cli_progress bar;
	enum sts_rc rc;
	int64_t began;
	int status = CLI_FAULT;
	bool news;

	/* What the cache says now; broken or not there is no obstacle. */
	if (sts_query(ctx, name->ascii, STS_OFFLINE, &old, err) != STS_OK)
		goto out;
	began = next_second(old);
	cli_progress_start(&bar, cli, name->ascii);
	rc = sts_query(ctx, name->ascii, STS_FRESH | STS_REFETCH, &new, err);
	cli_progress_stop(&bar);
	if (rc != STS_OK)
		goto out;
	err->rc = STS_OK;
	/* An old policy that still holds is good, but no news. */
	news = refreshed(old, new, began);
	status = news ? cli_verdict_exit(new->verdict) : CLI_NO;
	if ((cli->opts & CLI_JSON) == 0)
		print(cli, name, old, new, news);
	else
		status = cli_json_line(cli_name_json(name,
					   to_json(cli_shown(name->ascii), old,
					       new, news)),
		    status);
out:
	sts_answer_free(old);
	sts_answer_free(new);
	return status;
}

/* --- Those that are due -------------------------------------------------- */

static bool
one_done(void *arg, const struct sts_refreshed *r)
{
	struct cli *cli = arg;

	if ((cli->opts & CLI_JSON) != 0)
		cli_json_line(json_pack("{s:s,s:b,s:o,s:o}", "domain",
				  cli_shown(r->domain), "refreshed",
				  (int)r->fetched, "expires",
				  cli_json_time(r->expires), "why",
				  cli_json_text(r->fetched ? NULL : r->why)),
		    CLI_OK);
	else if (!r->fetched) {
		cli_progress_count(cli, 0, 0);
		printf("%s: not refreshed: %s\n", cli_shown(r->domain), r->why);
	}
	cli_progress_count(cli, r->n, r->of);
	return cli_flush(cli); /* false: nobody reads */
}

static void
print_sum(const struct cli *cli, struct sts_ctx *ctx,
    const struct sts_refresh_sum *sum)
{
	if ((cli->opts & CLI_JSON) != 0) {
		cli_json_line(cli_outbound_json(json_pack("{s:I,s:I,s:I,s:I}",
						    "refreshed",
						    (json_int_t)sum->fetched,
						    "failed",
						    (json_int_t)sum->failed,
						    "left",
						    (json_int_t)sum->left,
						    "removed",
						    (json_int_t)sum->removed),
				  ctx),
		    CLI_OK);
		return;
	}
	printf("%zu refreshed, %zu not refreshed, %zu left for the next run, "
	       "%zu removed\n",
	    sum->fetched, sum->failed, sum->left, sum->removed);
	cli_outbound_print(cli, ctx);
}

int
cli_refresh(struct cli *cli, int argc, char **argv)
{
	struct sts_err err = { 0 };
	struct sts_refresh_sum sum;
	struct sts_ctx *ctx;
	enum sts_rc rc;

	if (argc != 0)
		return cli_usage(cli->cmd,
		    "refresh: unexpected '%s'; for one domain: mtasts cache "
		    "refresh",
		    cli_shown(argv[0]));
	if (sts_open(&ctx, cli->conf, &err) != STS_OK)
		return cli_fault("%s", err.text);
	rc = sts_cache_refresh(ctx, one_done, cli, &sum, &err);
	cli_progress_count(cli, 0, 0);
	if (rc == STS_ABSENT) {
		fprintf(stderr, "mtasts: %s\n", err.text);
		sts_close(ctx);
		return CLI_NO;
	}
	print_sum(cli, ctx, &sum);
	sts_close(ctx);
	if (rc != STS_OK)
		return cli_fault("%s", err.text);
	return sum.failed + sum.left == 0 ? CLI_OK : CLI_NO;
}
