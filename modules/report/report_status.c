/* SPDX-License-Identifier: ISC */
/* mtasts report --status: what is in the outbox. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "outbox.h"
#include "program.h"

struct status {
	uint64_t n[DEST_STATES];
	char oldest[REPORT_DAY_TEXT]; /* "": nothing waits */
	int64_t next;
};

static void
count(void *arg, struct report_state *state)
{
	struct status *s = arg;
	const struct destination *g;

	for (size_t i = 0; i < state->n; i++) {
		g = &state->dest[i];
		s->n[g->state]++;
		if (g->state != DEST_WAITS)
			continue;
		if (s->oldest[0] == '\0' || strcmp(state->day, s->oldest) < 0)
			memcpy(s->oldest, state->day, sizeof s->oldest);
		if (s->next == 0 || g->next < s->next)
			s->next = g->next;
	}
}

/* RFC 3339 */
static const char *
time_text(char out[24], int64_t at)
{
	time_t t = (time_t)at;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(out, 24, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		out[0] = '\0';
	return out;
}

/* Nothing of it comes from outside, so nothing has to be escaped. */
static bool
print_json(const struct status *s)
{
	char at[24];

	for (enum destination_state i = 0; i < DEST_STATES; i++)
		printf("%s\"%s\": %" PRIu64, i == 0 ? "{" : ", ",
		    destination_state_word(i), s->n[i]);
	if (s->oldest[0] != '\0')
		printf(", \"oldest-waiting\": \"%s\", \"next-try\": \"%s\"",
		    s->oldest, time_text(at, s->next));
	puts("}");
	return !ferror(stdout);
}

static bool
print_lines(const struct status *s)
{
	char at[24];

	for (enum destination_state i = 0; i < DEST_STATES; i++)
		printf("%s: %" PRIu64 "\n", destination_state_word(i), s->n[i]);
	if (s->oldest[0] != '\0')
		printf("oldest-waiting: %s\nnext-try: %s\n", s->oldest,
		    time_text(at, s->next));
	return !ferror(stdout);
}

bool
print_status(struct outbox *o, bool json)
{
	struct status s = { .next = 0 };
	struct sts_err err;

	if (outbox_each(o, count, &s, &err) != STS_OK) {
		fprintf(stderr, "mtasts report: %s\n", err.text);
		return false;
	}
	return json ? print_json(&s) : print_lines(&s);
}
