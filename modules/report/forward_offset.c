/* SPDX-License-Identifier: ISC */
#include "forward_offset.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

#include "base/err.h"
#include "base/scan.h"
#include "report.h"

/* record = 20DIGIT SP name *SP LF */
enum {
	DIGITS = 20,
	NAME = STS_NAME_SIZE - 1,
	RECORD = DIGITS + 1 + NAME + 1,
	RECORDS = 1 + FORWARD_OFFSET_WAITING_MAX,
	FILE_NAME = 32
};

struct forward_offset {
	int fd;
	char day[REPORT_DAY_TEXT];
	struct slot {
		uint64_t offset;
		char name[STS_NAME_SIZE]; /* "": free; of the first: inode */
		bool again;               /* waits since we opened it, too */
	} slot[RECORDS];
};

static bool
is_zero(char c)
{
	return c == '0';
}

static const char *
file_name(char out[FILE_NAME], const char *day)
{
	snprintf(out, FILE_NAME, "~forward-%s", day);
	return out;
}

/* --- Records ------------------------------------------------------------ */

static enum sts_rc
put(const struct forward_offset *r, size_t i, struct sts_err *err)
{
	char text[RECORD + 1];
	ssize_t n;

	snprintf(text, sizeof text, "%020" PRIu64 " %-255s\n",
	    r->slot[i].offset, r->slot[i].name);
	do
		n = pwrite(r->fd, text, RECORD, (off_t)(i * RECORD));
	while (n == -1 && errno == EINTR);
	if (n == RECORD)
		return STS_OK;
	return sts_fail(err, STS_LOCAL, 0,
	    "cannot note in the spool what has been handed over: %s",
	    n == -1 ? strerror(errno) : "disk full");
}

static bool
take(struct slot *s, const char *text)
{
	struct scan in = scan_bytes(text, RECORD);
	struct sts_str number = { text, DIGITS }, name;

	in.p += DIGITS;
	if (!str_u64(number, UINT64_MAX, &s->offset) || !scan_char(&in, ' ') ||
	    text[RECORD - 1] != '\n')
		return false;
	in.end--;
	name = scan_rest(&in);
	while (name.len > 0 && name.p[name.len - 1] == ' ')
		name.len--;
	if (!str_all(name, is_print) || memchr(name.p, ' ', name.len) != NULL)
		return false;
	memcpy(s->name, name.p, name.len);
	s->name[name.len] = '\0';
	return true;
}

/* False: damaged. */
static bool
take_all(struct forward_offset *r, const char *text, size_t len)
{
	bool good = len % RECORD == 0;

	for (size_t i = 0; i < RECORDS && (i + 1) * RECORD <= len; i++)
		if (!take(&r->slot[i], text + i * RECORD)) {
			r->slot[i] = (struct slot){ 0 };
			good = false;
		}
	return good;
}

static enum sts_rc
load(struct forward_offset *r, const struct stat *file, struct sts_err *err)
{
	char inode[24], *text = malloc(RECORD * RECORDS);
	ssize_t n;

	if (text == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	do
		n = pread(r->fd, text, RECORD * RECORDS, 0);
	while (n == -1 && errno == EINTR);
	if (n > 0 && !take_all(r, text, (size_t)n))
		syslog(LOG_WARNING,
		    "%s: the note of what has been handed over is damaged; "
		    "sessions may be handed over again",
		    r->day);
	free(text);
	if (n == -1)
		return sts_fail(err, STS_LOCAL, 0, "cannot read the spool: %s",
		    strerror(errno));
	snprintf(inode, sizeof inode, "%ju", (uintmax_t)file->st_ino);
	if (strcmp(r->slot[0].name, inode) == 0 &&
	    r->slot[0].offset <= (uint64_t)file->st_size)
		return STS_OK;
	memset(r->slot, 0, sizeof r->slot);
	memcpy(r->slot[0].name, inode, strlen(inode) + 1);
	return ftruncate(r->fd, 0) == 0
	    ? STS_OK
	    : sts_fail(err, STS_LOCAL, 0, "cannot change the spool: %s",
		  strerror(errno));
}

/* --- Files -------------------------------------------------------------- */

static enum sts_rc
open_file(struct forward_offset *r, int spool, struct sts_err *err)
{
	char name[FILE_NAME];
	struct stat st;

	r->fd = openat(spool, file_name(name, r->day),
	    O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
	    0600);
	if (r->fd == -1)
		return sts_fail(err, STS_LOCAL, 0,
		    "cannot open %s of the spool: %s", name, strerror(errno));
	if (fstat(r->fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_nlink != 1 || st.st_uid != geteuid())
		return sts_fail(err, STS_LOCAL, 0,
		    "%s of the spool is not a file of ours", name);
	return STS_OK;
}

enum sts_rc
forward_offset_open(struct forward_offset **out, int spool, const char *day,
    const struct stat *file, struct sts_err *err)
{
	struct forward_offset *r = calloc(1, sizeof *r);
	enum sts_rc rc;

	*out = NULL;
	if (r == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	snprintf(r->day, sizeof r->day, "%s", day);
	rc = open_file(r, spool, err);
	if (rc == STS_OK)
		rc = load(r, file, err);
	/* What a full disk could not note later, it cannot now. */
	if (rc == STS_OK)
		rc = put(r, 0, err);
	if (rc == STS_OK)
		*out = r;
	else
		forward_offset_close(r);
	return rc;
}

void
forward_offset_close(struct forward_offset *r)
{
	if (r == NULL)
		return;
	if (r->fd != -1)
		close(r->fd);
	free(r);
}

bool
forward_offset_begun(int spool, const char *day)
{
	char name[FILE_NAME], offset[DIGITS] = "";
	int fd = openat(spool, file_name(name, day),
	    O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	ssize_t n;

	if (fd == -1)
		return false;
	n = read(fd, offset, DIGITS);
	close(fd);
	return n == DIGITS &&
	    !str_all((struct sts_str){ offset, DIGITS }, is_zero);
}

void
forward_offset_forget(int spool, const char *day)
{
	char name[FILE_NAME];

	(void)unlinkat(spool, file_name(name, day), 0);
}

/* --- Asking and noting -------------------------------------------------- */

/* The record of the domain; 0: it has none. */
static size_t
waiting(const struct forward_offset *r, const char *domain)
{
	for (size_t i = 1; i < RECORDS; i++)
		if (strcmp(r->slot[i].name, domain) == 0)
			return i;
	return 0;
}

uint64_t
forward_offset_end(const struct forward_offset *r)
{
	return r->slot[0].offset;
}

uint64_t
forward_offset_from(const struct forward_offset *r)
{
	uint64_t from = r->slot[0].offset;

	for (size_t i = 1; i < RECORDS; i++)
		if (r->slot[i].name[0] != '\0' && r->slot[i].offset < from)
			from = r->slot[i].offset;
	return from;
}

bool
forward_offset_waits(const struct forward_offset *r)
{
	for (size_t i = 1; i < RECORDS; i++)
		if (r->slot[i].name[0] != '\0')
			return true;
	return false;
}

bool
forward_offset_has(const struct forward_offset *r, const char *domain,
    uint64_t offset)
{
	size_t i;

	if (offset >= r->slot[0].offset)
		return false;
	i = waiting(r, domain);
	return i == 0 || offset < r->slot[i].offset;
}

static enum sts_rc
move(struct forward_offset *r, size_t i, uint64_t to, struct sts_err *err)
{
	if (r->slot[i].offset >= to)
		return STS_OK;
	r->slot[i].offset = to;
	return put(r, i, err);
}

enum sts_rc
forward_offset_pass(struct forward_offset *r, const char *domain,
    uint64_t offset, uint64_t next, struct sts_err *err)
{
	size_t i = waiting(r, domain);
	enum sts_rc rc = STS_OK;

	if (i != 0 && !r->slot[i].again && offset >= r->slot[i].offset)
		rc = move(r, i, next, err);
	return rc == STS_OK ? move(r, 0, next, err) : rc;
}

enum sts_rc
forward_offset_wait(struct forward_offset *r, const char *domain,
    uint64_t offset, uint64_t next, struct sts_err *err)
{
	size_t i = waiting(r, domain);
	enum sts_rc rc = STS_OK;

	if (i == 0) {
		if ((i = waiting(r, "")) == 0)
			return STS_ABSENT;
		r->slot[i].offset = offset;
		memcpy(r->slot[i].name, domain, strlen(domain) + 1);
		rc = put(r, i, err);
	}
	r->slot[i].again = true;
	return rc == STS_OK ? move(r, 0, next, err) : rc;
}

enum sts_rc
forward_offset_settle(struct forward_offset *r, uint64_t end,
    struct sts_err *err)
{
	enum sts_rc rc = move(r, 0, end, err);

	for (size_t i = 1; i < RECORDS && rc == STS_OK; i++) {
		if (r->slot[i].name[0] == '\0' || r->slot[i].again)
			continue;
		r->slot[i] = (struct slot){ 0 };
		rc = put(r, i, err);
	}
	return rc;
}
