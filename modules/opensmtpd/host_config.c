/* SPDX-License-Identifier: ISC */
#include "host_config.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>
#include <time.h>

enum { SECOND = 1000 };

int64_t
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec / 1000000 + 1;
}

int64_t
wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * SECOND + ts.tv_nsec / 1000000;
}

void
complain(struct complaint *c, const char *text)
{
	int64_t now = now_ms();

	if (strcmp(c->text, text) == 0 ||
	    (c->when != 0 && now - c->when < SECOND))
		return;
	c->when = now;
	snprintf(c->text, sizeof c->text, "%s", text);
	syslog(LOG_ERR, "%s; once that is mended: smtpctl schedule all", text);
}

static void
read_again(struct config *c)
{
	c->reads++;
	if (sts_reopen(&c->ctx, c->path, &c->err) != STS_OK) {
		c->ctx = NULL;
		complain(&c->said, c->err.text);
		return;
	}
	if (c->said.text[0] != '\0')
		syslog(LOG_NOTICE,
		    "the configuration is in order again; to try mail at once: "
		    "smtpctl schedule all");
	c->said.text[0] = '\0';
}

struct sts_ctx *
config_get(struct config *c, enum config_when when)
{
	int64_t now = now_ms();

	if (when == CONFIG_SOON && c->looked != 0 && now - c->looked < SECOND)
		return c->ctx;
	c->looked = now;
	if (when == CONFIG_AGAIN || c->ctx == NULL || sts_stale(c->ctx))
		read_again(c);
	return c->ctx;
}
