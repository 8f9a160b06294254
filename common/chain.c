/* SPDX-License-Identifier: ISC */
/*
 * The table of chain.h.  Pure: what a TLS library found out about a chain in,
 * the answer out; so both libraries are of one opinion.
 */
#include "chain.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "err.h"
#include "scan.h"

__attribute__((format(printf, 3, 4))) static void
answer(struct sts_chain_verdict *out, enum sts_cert cert, const char *fmt, ...)
{
	va_list ap;

	out->cert = cert;
	va_start(ap, fmt);
	if (vsnprintf(out->why, sizeof out->why, fmt, ap) < 0)
		out->why[0] = '\0';
	va_end(ap);
}

void
sts_chain_refuse(struct sts_chain_verdict *out, const char *why)
{
	*out = (struct sts_chain_verdict){ .cert = STS_CERT_OTHER };
	answer(out, STS_CERT_OTHER, "%s", why);
}

/*
 * X.690 10.1: one SEQUENCE with a length as short as can be, and nothing
 * behind it.  OpenSSL by itself takes longer lengths and ignores a tail.
 */
static bool
is_whole(struct sts_str der)
{
	const unsigned char *p = (const unsigned char *)der.p;

	if (der.len < 4 || p[0] != 0x30)
		return false;
	if (p[1] < 0x80)
		return der.len == 2 + (size_t)p[1];
	if (p[1] == 0x81)
		return p[2] >= 0x80 && der.len == 3 + (size_t)p[2];
	return p[1] == 0x82 && p[2] != 0 &&
	    der.len == 4 + ((size_t)p[2] << 8 | p[3]);
}

bool
sts_chain_shape(struct sts_chain_verdict *out, const struct sts_str *der,
    size_t n)
{
	sts_chain_refuse(out, "");
	if (n == 0)
		answer(out, STS_CERT_OTHER, "no certificate");
	else if (n > STS_CHAIN_MAX)
		answer(out, STS_CERT_OTHER, "more than %d certificates",
		    STS_CHAIN_MAX);
	for (size_t i = 0; i < n && out->why[0] == '\0'; i++)
		if (der[i].len > STS_CHAIN_DER_MAX)
			answer(out, STS_CERT_OTHER,
			    "certificate %zu is over %d bytes", i,
			    STS_CHAIN_DER_MAX);
		else if (!is_whole(der[i]))
			answer(out, STS_CERT_OTHER, "certificate %zu is no DER",
			    i);
	return out->why[0] == '\0';
}

/* RFC 3339 date of a time, by the Gregorian calendar of 400 years. */
struct day {
	char text[16];
};

static struct day
day_of(int64_t t)
{
	enum { ERA = 146097, TO_1970 = 719468, SECONDS = 86400 };
	int64_t z = t / SECONDS - (t % SECONDS < 0) + TO_1970, era, doe, yoe;
	int64_t doy, mp, year, month;
	struct day day;

	era = (z >= 0 ? z : z - ERA + 1) / ERA;
	doe = z - era * ERA;
	yoe = (doe - doe / 1460 + doe / 36524 - doe / (ERA - 1)) / 365;
	doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
	mp = (5 * doy + 2) / 153; /* months since March */
	month = mp < 10 ? mp + 3 : mp - 9;
	year = yoe + era * 400 + (month <= 2);
	if (year < 0 || year > 9999)
		return (struct day){ "never" };
	snprintf(day.text, sizeof day.text, "%04u-%02u-%02u", (unsigned)year,
	    (unsigned)month, (unsigned)(doy - (153 * mp + 2) / 5 + 1));
	return day;
}

/* One certificate of the path; true where it is out of its time. */
static bool
out_of_time(struct sts_chain_verdict *out, const struct sts_chain_facts *f,
    size_t i, int64_t when)
{
	char which[32] = "certificate";

	if (i > 0)
		snprintf(which, sizeof which, "issuer %zu", i);
	if (when > f->path[i].not_after) /* RFC 5280 4.1.2.5: inclusive */
		answer(out, STS_CERT_EXPIRED, "%s not valid after %s", which,
		    day_of(f->path[i].not_after).text);
	else if (when < f->path[i].not_before)
		answer(out, STS_CERT_NOT_YET_VALID, "%s not valid before %s",
		    which, day_of(f->path[i].not_before).text);
	else
		return false;
	return true;
}

/* RFC 8461 4.2: DNS-ID only. */
static bool
wrong_name(struct sts_chain_verdict *out, struct sts_str leaf, const char *host)
{
	if (sts_cert_has_dns_id(leaf.p, leaf.len, host))
		return false;
	if (sts_cert_has_dns_id(leaf.p, leaf.len, NULL))
		answer(out, STS_CERT_HOST_MISMATCH,
		    "certificate is for other hosts");
	else
		answer(out, STS_CERT_HOST_MISMATCH,
		    "certificate has no subjectAltName of type dNSName");
	return true;
}

void
sts_chain_weigh(struct sts_chain_verdict *out, const struct sts_chain_facts *f,
    struct sts_str leaf, size_t n, const char *host, int64_t when)
{
	static const char lost[] = "issuer not known";
	bool unknown = f->trust == STS_CHAIN_UNKNOWN;

	*out = (struct sts_chain_verdict){ .incomplete = unknown && n == 1 };
	if (out_of_time(out, f, 0, when))
		return;
	if (f->not_server) { /* RFC 5280 4.2.1.3, 4.2.1.12 */
		answer(out, STS_CERT_NOT_TRUSTED, "not for TLS servers");
		return;
	}
	if (f->trust == STS_CHAIN_BROKEN || (unknown && n > 1)) {
		answer(out, STS_CERT_NOT_TRUSTED, "%s",
		    unknown ? lost : f->why);
		return;
	}
	for (size_t i = 1; i < f->npath; i++)
		if (out_of_time(out, f, i, when))
			return;
	if (wrong_name(out, leaf, host))
		return;
	if (unknown)
		answer(out, STS_CERT_NOT_TRUSTED, "%s, as far as recorded",
		    lost);
	else
		answer(out, STS_CERT_OK, "%s", "");
}
