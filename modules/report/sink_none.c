/* SPDX-License-Identifier: ISC */
/* Built without libtlsrpt: the configuration does not let anyone come here. */
#include "base/err.h"
#include "sink.h"

enum sts_rc
sink_open(struct sink **out, const char *path, struct sts_err *err)
{
	(void)path;
	*out = NULL;
	return sts_fail(err, STS_LOCAL, 0, "built without libtlsrpt");
}

void
sink_close(struct sink *s)
{
	(void)s;
}

enum sts_rc
sink_send(struct sink *s, const struct sink_session *session,
    struct sts_err *err)
{
	(void)s;
	(void)session;
	return sts_fail(err, STS_LOCAL, 0, "built without libtlsrpt");
}
