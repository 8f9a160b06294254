/* SPDX-License-Identifier: ISC */
/*
 * The configuration of a process that must outlive its faults: read again
 * when it changed, looked at once a second at most, and complained of once.
 */
#ifndef OPENSMTPD_HOST_CONFIG_H
#define OPENSMTPD_HOST_CONFIG_H

#include <mtasts/sts.h>

struct complaint {
	int64_t when; /* ms */
	char text[240];
};

struct config {
	const char *path; /* NULL: the default */
	struct sts_ctx *ctx;
	struct sts_err err; /* where ctx is NULL */
	unsigned reads;     /* how often one was read */
	int64_t looked;     /* ms; 0: never */
	struct complaint said;
};

enum config_when {
	CONFIG_SOON,
	CONFIG_NOW,
	CONFIG_AGAIN /* read in any case */
};

/* NULL: there is none to be had, and err says why. */
struct sts_ctx *config_get(struct config *, enum config_when);

/*
 * Of a fault of this host, and what to do when it is gone, to the mail log,
 * unless it was the last thing said; at most once a second.
 */
void complain(struct complaint *, const char *text);

int64_t now_ms(void);  /* never jumps */
int64_t wall_ms(void); /* since 1970, the same for all processes */

#endif
