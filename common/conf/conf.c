/* SPDX-License-Identifier: ISC */
/*
 * mtasts.conf(5): its lines by inih, its sections and its file here.
 *
 * inih keeps only 50 bytes of a section's name and cuts long lines in two, so
 * the reader that feeds it looks at both first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ini.h>

#include "base/err.h"
#include "base/fd_io.h"
#include "reader.h"

/* --- Sections ----------------------------------------------------------- */

/* What inih skips as blank. */
static bool
is_space(char c)
{
	return is_wsp(c) || c == '\r' || c == '\v' || c == '\f';
}

/* [domain "example.com"], quotes optional. */
static void
take_section(struct sts_load *l, struct scan s)
{
	char name[STS_NAME_SIZE], normal[STS_NAME_SIZE], shown[64];
	struct sts_str w = { s.p, scan_left(&s) };
	struct sts_str inner;

	l->skip = true;
	l->report = false;
	if (!scan_char(&s, '[') || !scan_until(&s, ']', &inner)) {
		sts_conf_problem(l, "bad-section", "a section needs its ]");
		return;
	}
	s.p++;
	while (s.p < s.end && is_space(*s.p))
		s.p++;
	if (s.p < s.end && *s.p != ';' && *s.p != '#') {
		/* inih would drop it without a word */
		sts_conf_problem(l, "bad-section", "text behind the ]");
		return;
	}
	s = scan_str(inner);
	scan_wsp(&s);
	while (s.end > s.p && is_wsp(s.end[-1]))
		s.end--;
	if (str_is((struct sts_str){ s.p, scan_left(&s) }, "report")) {
		l->skip = false;
		l->report = true;
		return;
	}
	if (scan_lit(&s, "domain") && s.p < s.end && is_wsp(*s.p)) {
		scan_wsp(&s);
		if (scan_left(&s) >= 2 && s.p[0] == '"' && s.end[-1] == '"') {
			s.p++;
			s.end--;
		}
		if (scan_left(&s) > 0 && scan_left(&s) < sizeof name) {
			memcpy(name, s.p, scan_left(&s));
			name[scan_left(&s)] = '\0';
			if (sts_domain_normal(normal, name, NULL) == STS_OK) {
				l->skip = !sts_conf_domain_add(l, normal);
				return;
			}
		}
	}
	sts_conf_problem(l, "bad-section",
	    "bad section \"%s\": must be "
	    "[domain \"example.com\"] or [report]",
	    sts_escape(shown, sizeof shown, w));
}

/* --- The file ----------------------------------------------------------- */

static int
take(void *arg, const char *section, const char *name, const char *value)
{
	struct sts_load *l = arg;

	if (l->skip)
		return 1;
	if (l->report)
		sts_conf_report_key(l, name, str_of(value));
	else if (section[0] == '\0' && l->conf->ndomain == 0)
		sts_conf_key(l, name, str_of(value));
	else if (l->conf->ndomain == 0) /* a section that we did not see */
		sts_conf_problem(l, "bad-section", "bad bytes before a [");
	else
		sts_conf_domain_key(l, name, str_of(value));
	return 1;
}

/* fgets(3) for inih, out of memory. */
static char *
read_line(char *buf, int size, void *arg)
{
	struct sts_load *l = arg;
	struct sts_str line;
	struct scan s;

	if (l->in.p == l->in.end)
		return NULL;
	l->line++;
	if (scan_until(&l->in, '\n', &line))
		l->in.p++;
	else
		line = scan_rest(&l->in);
	if (memchr(line.p, '\0', line.len) != NULL) {
		sts_conf_problem(l, "bad-line", "a NUL byte");
		line.len = 0;
	}
	if (line.len + 2 > (size_t)size) {
		sts_conf_problem(l, "long-line", "over %d bytes", size - 2);
		line.len = 0;
	}
	s = scan_str(line);
	if (l->line == 1)
		(void)scan_lit(&s, "\xef\xbb\xbf"); /* as inih does */
	while (s.p < s.end && is_space(*s.p))
		s.p++;
	if (s.p < s.end && *s.p == '[') {
		take_section(l, s);
		line = str_of("[x]"); /* enough for inih, and faster */
	}
	memcpy(buf, line.p, line.len);
	buf[line.len] = '\n';
	buf[line.len + 1] = '\0';
	return buf;
}

static int
by_name(const void *a, const void *b)
{
	const struct sts_domain_conf *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* As those who keep many will have them. */
static bool
sorted(const struct sts_domain_conf *d, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(d[i - 1].name, d[i].name) > 0)
			return false;
	return true;
}

static void
finish(struct sts_load *l, int bad_line)
{
	struct conf_all *all = (struct conf_all *)l->conf;
	struct sts_domain_conf *d = all->domain;

	if (bad_line > 0) {
		l->line = (unsigned)bad_line;
		sts_conf_problem(l, "bad-line", "not a key = value");
	}
	sts_conf_report_end(l);
	l->conf->domain = d;
	if (!sorted(d, l->conf->ndomain))
		qsort(d, l->conf->ndomain, sizeof *d, by_name);
	for (size_t i = 1; i < l->conf->ndomain; i++)
		if (strcmp(d[i - 1].name, d[i].name) == 0) {
			l->line = d[i].line > d[i - 1].line ? d[i].line
							    : d[i - 1].line;
			sts_conf_problem(l, "set-twice",
			    "%.100s has two sections", d[i].name);
		}
}

static void
set_defaults(struct sts_conf *c)
{
	/* Loopback and link-local; no parsing on the way of every mail. */
	static const struct sts_net deny[] = {
		{ { false, { 0 } }, 8 },
		{ { false, { 127 } }, 8 },
		{ { false, { 169, 254 } }, 16 },
		{ { true, { 0 } }, 128 },
		{ { true, { [15] = 1 } }, 128 },
		{ { true, { 0xfe, 0x80 } }, 10 },
	};

	c->enabled = true;
	c->cache_dir = STS_CACHE_DIR;
	c->cache_max = 256;
	c->worker_dir = STS_WORKER_DIR;
	c->fetch_timeout = 15000;
	c->dns_timeout = 5000;
	c->recheck = 3600;
	c->deny = deny;
	c->ndeny = ARRAY_LEN(deny);
	sts_conf_report_defaults(&c->report);
}

static struct sts_conf_file
file_of(const struct stat *st)
{
	return (struct sts_conf_file){ st->st_ino, st->st_size,
		st->st_mtim.tv_sec, st->st_mtim.tv_nsec };
}

const char *
sts_conf_name(const char *path)
{
	return path == NULL ? STS_CONF_PATH : path;
}

bool
sts_conf_stale(const struct sts_conf *conf, const char *path)
{
	struct sts_conf_file now = { 0 };
	struct stat st;

	if (stat(sts_conf_name(path), &st) == 0)
		now = file_of(&st);
	return now.inode != conf->file.inode || now.size != conf->file.size ||
	    now.seconds != conf->file.seconds ||
	    now.nanoseconds != conf->file.nanoseconds;
}

/* *buf is the caller's; NULL and STS_OK for a default file that is missing. */
static enum sts_rc
read_file(const char *path, bool must, char **buf, size_t *len,
    struct sts_conf_file *file, struct sts_err *err)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	int error;

	*buf = NULL;
	*len = 0;
	*file = (struct sts_conf_file){ 0 };
	if (fd == -1) {
		if (errno == ENOENT && !must)
			return STS_OK;
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", path,
		    strerror(errno));
	}
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    st.st_size > STS_CONF_BYTES_MAX) {
		close(fd);
		return sts_fail(err, STS_LOCAL, 0,
		    "%s: not a regular file of at most %d bytes", path,
		    STS_CONF_BYTES_MAX);
	}
	if ((*buf = malloc((size_t)st.st_size + 1)) == NULL) {
		close(fd);
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	error = sts_read_all(fd, *buf, (size_t)st.st_size, len) ? 0 : errno;
	close(fd);
	if (error != 0 || *len != (size_t)st.st_size) {
		free(*buf);
		*buf = NULL;
		return sts_fail(err, STS_LOCAL, 0, "%s: %s", path,
		    error != 0 ? strerror(error)
			       : "it changed while it was read");
	}
	*file = file_of(&st);
	return STS_OK;
}

/* text is taken, whatever comes of it. */
static enum sts_rc
parse(struct sts_conf **out, const char *path, char *text, size_t len,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	struct sts_load l = { .path = path, .fn = fn, .arg = arg, .err = err };
	struct conf_all *all = calloc(1, sizeof *all);

	*out = NULL;
	if (all == NULL) {
		free(text);
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	}
	all->text = text;
	l.conf = &all->conf;
	l.text = text;
	l.in = scan_str((struct sts_str){ text, len });
	set_defaults(l.conf);
	finish(&l, ini_parse_stream(read_line, &l, take, &l));
	if (l.rc != STS_OK) {
		sts_conf_free(&all->conf);
		return l.rc;
	}
	*out = &all->conf;
	return STS_OK;
}

enum sts_rc
sts_conf_parse(struct sts_conf **out, const char *path, struct sts_str text,
    sts_problem_fn *fn, void *arg, struct sts_err *err)
{
	char *copy = malloc(text.len + 1);

	*out = NULL;
	if (copy == NULL)
		return sts_fail(err, STS_NOMEM, 0, "out of memory");
	memcpy(copy, text.p, text.len);
	return parse(out, path, copy, text.len, fn, arg, err);
}

static enum sts_rc
load(struct sts_conf **out, const char *path, sts_problem_fn *fn, void *arg,
    struct sts_err *err)
{
	const char *name = sts_conf_name(path);
	struct sts_conf_file file;
	enum sts_rc rc;
	size_t len;
	char *buf;

	*out = NULL;
	rc = read_file(name, path != NULL, &buf, &len, &file, err);
	if (rc != STS_OK)
		return rc;
	rc = parse(out, name, buf, len, fn, arg, err);
	if (rc == STS_OK)
		(*out)->file = file;
	return rc;
}

enum sts_rc
sts_conf_load(struct sts_conf **out, const char *path, struct sts_err *err)
{
	return load(out, path, NULL, NULL, err);
}

enum sts_rc
sts_conf_check(const char *path, sts_problem_fn *fn, void *arg,
    struct sts_err *err)
{
	struct sts_conf *conf;
	enum sts_rc rc = load(&conf, path, fn, arg, err);

	sts_conf_free(conf);
	return rc;
}

void
sts_conf_free(struct sts_conf *conf)
{
	struct conf_all *all = (struct conf_all *)conf;

	if (all == NULL)
		return;
	free(all->domain);
	free(all->deny);
	free(all->text);
	free(all);
}

const struct sts_domain_conf *
sts_conf_domain(const struct sts_conf *conf, const char *domain)
{
	struct sts_domain_conf want = { .name = domain };

	if (conf->ndomain == 0)
		return NULL;
	return bsearch(&want, conf->domain, conf->ndomain, sizeof want,
	    by_name);
}
