/* SPDX-License-Identifier: ISC */
/* The public suffix list, by libpsl. */
#include "registrable_domain.h"

#include <string.h>

#include <libpsl.h>

const char *
registrable_domain(const char *domain)
{
	const psl_ctx_t *list = psl_builtin();
	const char *dot;

	while ((dot = strchr(domain, '.')) != NULL &&
	    !psl_is_public_suffix2(list, dot + 1, PSL_TYPE_ICANN))
		domain = dot + 1;
	return domain;
}
