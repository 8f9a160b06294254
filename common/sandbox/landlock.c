/* SPDX-License-Identifier: ISC */
/*
 * landlock(7): which files and TCP ports there are.  Its headers may be older
 * than the kernel, so what is newer than version 1 is defined here.
 */
#include "sandbox.h"

#ifdef __linux__

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/scan.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444 /* the same on all architectures */
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

/* include/uapi/linux/landlock.h, by the version that brought each. */
enum {
	EXECUTE = 1 << 0,
	WRITE_FILE = 1 << 1,
	READ_FILE = 1 << 2,
	READ_DIR = 1 << 3,
	REMOVE_DIR = 1 << 4,
	REMOVE_FILE = 1 << 5,
	MAKE_DIR = 1 << 7,
	MAKE_REG = 1 << 8,
	MAKE_SYM = 1 << 12,
	FS_1 = (1 << 13) - 1,
	REFER = 1 << 13,     /* 2 */
	TRUNCATE = 1 << 14,  /* 3 */
	IOCTL_DEV = 1 << 15, /* 5 */

	BIND_TCP = 1 << 0,    /* 4 */
	CONNECT_TCP = 1 << 1, /* 4 */

	SCOPE_ABSTRACT_UNIX_SOCKET = 1 << 0, /* 6 */
	SCOPE_SIGNAL = 1 << 1,               /* 6 */

	GET_VERSION = 1,
	RULE_PATH_BENEATH = 1,
	RULE_NET_PORT = 2,
	ABI_KNOWN = 7
};

struct ruleset {
	uint64_t fs, net, scope;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

struct net_port {
	uint64_t allowed, port;
};

enum {
	READ = READ_FILE | READ_DIR,
	/* Links and directories of the cache; ftruncate(2) of a count. */
	CACHE = READ | WRITE_FILE | REMOVE_FILE | MAKE_DIR | MAKE_REG |
	    MAKE_SYM | TRUNCATE,
	SPOOL_APPEND = READ_FILE | WRITE_FILE | MAKE_REG,
	SPOOL_ALL = READ | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR |
	    MAKE_REG | TRUNCATE,
	OF_FILES = READ_FILE | WRITE_FILE | TRUNCATE
};

/* A ruleset that is being made. */
struct rules {
	int fd;
	uint64_t handled; /* file access rights; a rule may grant no other */
	char *why;        /* of struct sandbox */
	bool failed;      /* why has the first failure */
};

/* Only the first: there may be one for each file of the CA store. */
static void
fault(struct rules *r, const char *what)
{
	if (!r->failed)
		sandbox_lacks(r->why, "landlock: %s: %s", what,
		    strerror(errno));
	r->failed = true;
}

/* No rule for what is not there.  sandbox_outdated() sees most of it come. */
static void
permit(struct rules *r, const char *path, uint64_t access)
{
	int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_beneath beneath;
	struct stat st;

	if (fd == -1) {
		if (errno != ENOENT && errno != ENOTDIR)
			fault(r, path);
		return;
	}
	beneath = (struct path_beneath){ access & r->handled, fd };
	if (fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode))
		beneath.allowed &= OF_FILES;
	if (syscall(SYS_landlock_add_rule, r->fd, RULE_PATH_BENEATH, &beneath,
		0) == -1)
		fault(r, path);
	close(fd);
}

static void
permit_port(struct rules *r, unsigned port)
{
	struct net_port rule = { CONNECT_TCP, port };

	if (syscall(SYS_landlock_add_rule, r->fd, RULE_NET_PORT, &rule, 0) ==
	    -1)
		fault(r, "ports");
}

/* --- What is read ---------------------------------------------------------
 */

/*
 * Files of such a directory are replaced by rename(2), so the rule is better
 * about the directory.  No secret is kept in any of these.
 */
static bool
is_public(const char *dir)
{
	static const char *const dirs[] = { "/usr/share", "/usr/local/share",
		"/usr/lib", "/etc/ssl/certs", "/etc/pki/ca-trust",
		"/etc/ca-certificates", "/var/lib/ca-certificates",
		"/run/systemd/resolve", "/run/NetworkManager",
		"/run/resolvconf" };
	size_t len;

	for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
		len = strlen(dirs[i]);
		if (strncmp(dir, dirs[i], len) == 0 &&
		    (dir[len] == '\0' || dir[len] == '/'))
			return true;
	}
	return false;
}

static void
permit_file(struct rules *r, const char *path)
{
	char full[PATH_MAX];
	char *slash;

	if (realpath(path, full) == NULL) {
		if (errno != ENOENT)
			fault(r, path);
		return;
	}
	if ((slash = strrchr(full, '/')) == NULL || slash == full)
		return;
	*slash = '\0';
	if (!is_public(full))
		*slash = '/';
	permit(r, full, READ);
}

/*
 * A directory of certificates is mostly links, so what they lead to is
 * permitted, too: the CA would be unknown otherwise.
 */
static void
permit_links(struct rules *r, const char *path)
{
	char to[PATH_MAX], last[PATH_MAX] = "", *slash;
	DIR *dir = opendir(path);
	struct dirent *d;
	ssize_t n;

	if (dir == NULL)
		return;
	while ((d = readdir(dir)) != NULL) {
		if (d->d_type != DT_LNK && d->d_type != DT_UNKNOWN)
			continue;
		n = readlinkat(dirfd(dir), d->d_name, to, sizeof to - 1);
		if (n <= 0)
			continue;
		to[n] = '\0';
		if ((slash = strrchr(to, '/')) == NULL)
			continue; /* beside it */
		*slash = '\0';
		if (is_public(to)) {
			if (strcmp(to, last) == 0)
				continue;
			snprintf(last, sizeof last, "%s", to);
		}
		n = snprintf(to, sizeof to, "%s/%s", path, d->d_name);
		if (n > 0 && (size_t)n < sizeof to)
			permit_file(r, to);
	}
	closedir(dir);
}

static void
permit_files(struct rules *r, const struct sandbox_plan *p)
{
	if (p->cache_dir != NULL)
		permit(r, p->cache_dir, p->cache_read ? READ : CACHE);
	if (p->spool == SANDBOX_SPOOL_APPEND)
		permit(r, p->spool_dir, SPOOL_APPEND);
	else if (p->spool == SANDBOX_SPOOL_ALL)
		permit(r, p->spool_dir, SPOOL_ALL);
	permit_file(r, "/etc/resolv.conf");
}

static void
permit_ca(struct rules *r, const struct sts_conf *conf)
{
	static const char *const files[] = { SANDBOX_CA_FILES };
	const char *path = conf->ca_path;

	if (conf->ca_file != NULL)
		permit_file(r, conf->ca_file);
	else if (path == NULL) {
		path = SANDBOX_CA_PATH;
		for (size_t i = 0; i < ARRAY_LEN(files); i++)
			permit_file(r, files[i]);
	}
	if (path != NULL) {
		permit(r, path, READ);
		permit_links(r, path);
	}
}

static void
permit_ports(struct rules *r, const struct sts_conf *conf)
{
	static const unsigned ports[] = { 25, 53, 443, 853 };

	for (size_t i = 0; i < ARRAY_LEN(ports); i++)
		permit_port(r, ports[i]);
	for (size_t i = 0; i < conf->nserver; i++)
		if (conf->server[i].port != 0)
			permit_port(r, conf->server[i].port);
}

/* --- All of it ------------------------------------------------------------
 */

static struct ruleset
handled(int abi)
{
	struct ruleset set = { .fs = FS_1 };

	/* Not REFER: renaming to another directory is refused anyway. */
	if (abi >= 3)
		set.fs |= TRUNCATE;
	if (abi >= 5)
		set.fs |= IOCTL_DEV;
	if (abi >= 4)
		set.net = BIND_TCP | CONNECT_TCP;
	if (abi >= 6)
		set.scope = SCOPE_ABSTRACT_UNIX_SOCKET | SCOPE_SIGNAL;
	return set;
}

int
sandbox_landlock(const struct sandbox_plan *p, char why[SANDBOX_WHY])
{
	int abi =
	    (int)syscall(SYS_landlock_create_ruleset, NULL, 0, GET_VERSION);
	struct ruleset set;
	struct rules r = { .why = why };
	size_t size;

	if (abi > p->abi)
		abi = p->abi;
	if (abi > ABI_KNOWN)
		abi = ABI_KNOWN;
	if (abi <= 0) {
		sandbox_lacks(why, "the kernel has no landlock");
		return 0;
	}
	set = handled(abi);
	/* An older kernel knows less of the structure. */
	size = abi >= 6 ? sizeof set
	    : abi >= 4  ? offsetof(struct ruleset, scope)
			: offsetof(struct ruleset, net);
	r.handled = set.fs;
	r.fd = (int)syscall(SYS_landlock_create_ruleset, &set, size, 0);
	if (r.fd == -1) {
		fault(&r, "ruleset");
		return 0;
	}
	permit_files(&r, p);
	permit_ca(&r, p->conf);
	if (abi >= 4)
		permit_ports(&r, p->conf);
	if (syscall(SYS_landlock_restrict_self, r.fd, 0) == -1) {
		fault(&r, "restriction");
		abi = 0;
	}
	close(r.fd);
	return abi;
}

#endif
