/* SPDX-License-Identifier: ISC */
#include "gate.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "sockaddr.h"

/* The kernel sends from an address of ours to that address alone. */
bool
gate_is_own(const struct sts_addr *addr)
{
	struct sockaddr_storage to;
	socklen_t len = sockaddr_of(&to, addr, 25);
	struct sts_addr from;
	bool own = false;
	int fd;

	if (sts_addr_loopback(addr))
		return true;
	fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return errno != EAFNOSUPPORT;
	if (connect(fd, (struct sockaddr *)&to, len) == 0)
		own = getsockname(fd, (struct sockaddr *)&to, &len) != 0 ||
		    !sockaddr_addr(&from, (struct sockaddr *)&to) ||
		    memcmp(from.bytes, addr->bytes, sizeof from.bytes) == 0;
	close(fd);
	return own;
}

/* Where nobody outside of the site can have a collector of reports. */
static bool
is_closed(const struct sts_addr *a)
{
	static const struct sts_net closed[] = {
		{ { false, { 0 } }, 8 },
		{ { false, { 10 } }, 8 },
		{ { false, { 100, 64 } }, 10 },
		{ { false, { 127 } }, 8 },
		{ { false, { 169, 254 } }, 16 },
		{ { false, { 172, 16 } }, 12 },
		{ { false, { 192, 168 } }, 16 },
		{ { false, { 224 } }, 3 },
		{ { true, { 0 } }, 127 }, /* :: and ::1 */
		/* RFC 8215: translated in ways that only the site knows */
		{ { true, { 0, 0x64, 0xff, 0x9b, 0, 1 } }, 48 },
		{ { true, { 0xfc } }, 7 },
		{ { true, { 0xfe, 0x80 } }, 9 },
		{ { true, { 0xff } }, 8 },
	};

	return sts_addr_in(a, closed, ARRAY_LEN(closed));
}

/* Why the kernel would not send there; 0: it would. */
static int
send_errno(const struct sts_addr *addr)
{
	struct sockaddr_storage to;
	socklen_t len = sockaddr_of(&to, addr, 443);
	int fd = socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int error = 0;

	if (fd == -1) /* a lack of sockets says nothing about the way */
		return errno == EAFNOSUPPORT ? errno : 0;
	if (connect(fd, (struct sockaddr *)&to, len) == -1)
		error = errno;
	close(fd);
	return error;
}

const char *
gate_no_route(const struct sts_addr *addr, size_t n)
{
	/* a.root-servers.net, as good as any */
	static const struct sts_addr far[2] = {
		{ false, { 198, 41, 0, 4 } },
		{ true, { 0x20, 1, 5, 3, 0xba, 0x3e, [13] = 2, [15] = 0x30 } },
	};
	bool way[2];

	for (size_t i = 0; i < n; i++)
		if (send_errno(&addr[i]) == 0)
			return NULL;
	way[0] = send_errno(&far[0]) == 0;
	way[1] = send_errno(&far[1]) == 0;
	for (size_t i = 0; i < n; i++)
		if (!is_closed(&addr[i]) &&
		    (way[addr[i].v6] || !way[!addr[i].v6]))
			return strerror(send_errno(&addr[i]));
	return NULL;
}

const char *
gate_refuses(const struct sts_conf *conf, enum gate_use use,
    const struct sts_addr *addr, unsigned port)
{
	struct sts_addr inner = *addr;

	if (sts_addr_in(addr, conf->deny, conf->ndeny))
		return "refused by deny_networks";
	if (port != (use == GATE_PROBE ? 25U : 443U))
		return "another port than that of its service";
	if (use == GATE_POLICY)
		return NULL;
	if (use == GATE_POST && is_closed(addr))
		return "not an address of the public Internet";
	(void)sts_addr_inner(addr, &inner);
	if (gate_is_own(addr) || gate_is_own(&inner))
		return "an address of this machine";
	return NULL;
}
