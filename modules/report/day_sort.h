/* SPDX-License-Identifier: ISC */
/*
 * The lines of a day in the order of their domains, those of one domain in the
 * order of the day: by sort(1), in bounded memory.
 *
 *	day_sort_start()
 *	each line of the day: day_sort_put()
 *	while (day_sort_next() == STS_OK)
 *		...
 *	day_sort_close()
 */
#ifndef REPORT_DAY_SORT_H
#define REPORT_DAY_SORT_H

#include <stddef.h>
#include <stdint.h>

#include <mtasts/sts.h>

struct day_sort;

/*
 * spool: its directory, where a day of that many bytes needs as much room once
 * more.  STS_LOCAL: there is not enough, or no sort(1).
 */
enum sts_rc day_sort_start(struct day_sort **out, const char *spool,
    uint64_t size, struct sts_err *err);

/* A line without its newline.  STS_LOCAL. */
enum sts_rc day_sort_put(struct day_sort *, const char *line, size_t len,
    struct sts_err *err);

/*
 * The next one, without its newline; lent, and may be written to, until the
 * next call.  STS_ABSENT: they were all there.  STS_LOCAL: they were not, and
 * those after the last one, of its domain too, are missing.
 */
enum sts_rc day_sort_next(struct day_sort *, char **line, size_t *len,
    struct sts_err *err);

void day_sort_close(struct day_sort *); /* NULL is fine */

#endif
