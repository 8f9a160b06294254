/* SPDX-License-Identifier: ISC */
/* MX sets in the store, by the rules for the files of entries. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "entry_files.h"

enum sts_rc
sts_store_get_mx(struct sts_store *s, const char *domain,
    struct sts_mx_set *set, struct sts_err *err)
{
	char path[STS_STORE_NAME], buf[STS_MX_BYTES_MAX];
	struct sts_file f = { .buf = buf, .size = sizeof buf };
	struct sts_ids ids;
	enum sts_rc rc;

	sts_store_path(s, path, domain, STS_STORE_MX);
	if (sts_store_enter(s, &ids)) {
		rc = sts_store_read_file(s, path, &f, err);
		sts_store_leave(&ids);
	} else
		rc = sts_fail(err, STS_LOCAL, 0,
		    "cannot become the owner of the cache");
	/* No set is empty: what was not read is UNKNOWN. */
	(void)sts_mx_decode(set, (struct sts_str){ buf, f.len }, domain);
	return rc;
}

enum sts_rc
sts_store_put_mx(struct sts_store *s, const char *domain,
    const struct sts_mx_set *set, struct sts_err *err)
{
	char path[STS_STORE_NAME], buf[STS_MX_BYTES_MAX];
	size_t len = sts_mx_encode(buf, set, domain);
	struct sts_ids ids;
	int error = EPERM;

	sts_store_path(s, path, domain, STS_STORE_MX);
	if (len == 0)
		error = EINVAL;
	else if (sts_store_enter(s, &ids)) {
		error = sts_store_replace(s, path, domain, buf, len, false);
		sts_store_leave(&ids);
	}
	if (error == 0)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0, "cannot store the MX set %s: %s",
	    path, strerror(error));
}
