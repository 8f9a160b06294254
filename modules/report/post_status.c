/* SPDX-License-Identifier: ISC */
#include "post_status.h"

#include "base/scan.h"

/*
 * RFC 9110 15: a client treats a status that it does not know as the first of
 * its class; so 4xx is final as 400 is, 5xx is not, and neither is 3xx, which
 * is not followed.  These are the others.
 */
static const struct {
	long status;
	enum post_fate fate;
} others[] = {
	{ 301, POST_REFUSED }, /* RFC 9110 15.4.2 for good; not followed */
	{ 308, POST_REFUSED }, /* RFC 9110 15.4.9 the same */
	{ 404, POST_AGAIN },   /* RFC 9110 15.5.5 perhaps not for good */
	{ 408, POST_AGAIN },   /* RFC 9110 15.5.9 may be repeated */
	{ 409, POST_AGAIN },   /* RFC 9110 15.5.10 depends on what is there */
	{ 421, POST_AGAIN },   /* RFC 9110 15.5.20 on the connection */
	{ 423, POST_AGAIN },   /* RFC 4918 11.3 locked, for now */
	{ 425, POST_AGAIN },   /* RFC 8470 5.2 too early */
	{ 429, POST_AGAIN },   /* RFC 6585 4 too many */
	{ 501, POST_REFUSED }, /* RFC 9110 15.6.2 no POST there at all */
	{ 505, POST_REFUSED }, /* RFC 9110 15.6.6 nor HTTP/1.1 */
};

enum post_fate
post_fate(long status, bool whole, bool complete)
{
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		if (others[i].status == status)
			return others[i].fate;
	if (status >= 400 && status < 500)
		return POST_REFUSED;
	if (status >= 300)
		return POST_AGAIN;
	if (!whole)
		return POST_AGAIN;
	return status >= 200 && complete ? POST_TAKEN : POST_UNKNOWN;
}
