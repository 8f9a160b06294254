/* SPDX-License-Identifier: ISC */
/* The bytes of worker_protocol.h, and one line for people and programs. */
#include "write_answer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void
write_all(const char *p, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(STS_PIPE_FD, p, len);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return;
		p += n;
		len -= (size_t)n;
	}
}

static void
write_frame(enum sts_frame type, const char *p, size_t len)
{
	char head[STS_FRAME_HEAD + 1];

	snprintf(head, sizeof head, "%c%08x", (char)type, (unsigned)len);
	write_all(head, STS_FRAME_HEAD);
	write_all(p, len);
}

void
write_stage(enum sts_stage stage)
{
	char c = (char)stage;

	write_all(&c, 1);
}

void
write_fault(const char *text)
{
	write_frame(STS_FRAME_FAULT, text, strlen(text));
}

/* The form of an entry for what was decided, whether or not it was stored. */
static size_t
encode(char *buf, const char *domain, const struct lookup_result *r,
    bool *is_link)
{
	struct sts_entry e = *r->entry;

	/* What was decided, not what is kept: that may be an old policy. */
	if (r->use == STS_USE_REMOTE)
		e.kind = STS_ENTRY_UNASKED;
	else if (r->use == STS_USE_NONE && e.kind == STS_ENTRY_ABSENT)
		e.kind = STS_ENTRY_NONE;
	return sts_entry_encode(buf, &e, domain, is_link);
}

void
write_entry(const char *domain, const struct lookup_result *r)
{
	bool is_link;
	size_t len;
	char *buf;

	if (r->use == STS_USE_LOCAL) {
		write_fault(r->fault);
		return;
	}
	if ((buf = malloc(STS_ENTRY_MAX + 1)) == NULL) {
		write_fault("worker: out of memory");
		return;
	}
	if (r->note[0] != '\0')
		write_frame(STS_FRAME_NOTE, r->note, strlen(r->note));
	len = encode(buf, domain, r, &is_link);
	if (len == 0)
		write_fault("worker: an entry that cannot be written");
	else
		write_frame(is_link ? STS_FRAME_LINK : STS_FRAME_FILE, buf,
		    len);
	free(buf);
}

bool
write_line(const char *domain, const struct lookup_result *r)
{
	static const char *const kinds[] = {
		[STS_USE_NONE] = "none",
		[STS_USE_ENTRY] = "policy",
		[STS_USE_REMOTE] = "unknown",
		[STS_USE_NOT_YET] = "unknown",
		[STS_USE_LOCAL] = "fault",
	};
	const struct sts_entry *e = r->entry;
	const char *kind = kinds[r->use], *mode = "-";
	struct sts_policy *pol = NULL;

	if (r->use == STS_USE_NONE && e->kind == STS_ENTRY_NO_FETCH)
		kind = "no-policy";
	if (r->use == STS_USE_ENTRY &&
	    sts_policy_parse(&pol, e->body.p, e->body.len, NULL, NULL, NULL) ==
		STS_OK)
		mode = sts_mode_name(sts_policy_mode(pol));
	printf("%s %s %s %s %" PRId64 " %s%s%s\n", domain, kind, mode,
	    e->id[0] == '\0' ? "-" : e->id, e->until,
	    r->fault[0] != '\0' ? r->fault : sts_reason_name(e->why),
	    r->note[0] == '\0' ? "" : ": ", r->note);
	sts_policy_free(pol);
	return fflush(stdout) == 0;
}
