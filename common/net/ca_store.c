/* SPDX-License-Identifier: ISC */
/*
 * The CA store of the GETs.  libcurl reads it anew for each of them; where the
 * TLS library lets it be shared, each CA certificate is read only once.
 */
#include "ca_store.h"

#include <stddef.h>

#include "base/clock.h"
#include "base/scan.h"

enum { LOOK_MS = 60 * 1000 }; /* between two looks whether it changed */

enum sts_rc
ca_store_load(struct ca_store *ca)
{
	struct tls_store *store = NULL;
	int64_t now = sts_now_ms();
	enum sts_rc rc;

	if (ca->looked != 0 && now - ca->looked < LOOK_MS)
		return STS_OK;
	ca->looked = 0;
	rc = tls_find_ca(&ca->ca, ca->conf, &ca->err);
	if (rc == STS_OK)
		rc = tls_store_new(&store, &ca->ca, &ca->err);
	if (rc != STS_OK)
		return rc;
	tls_store_free(ca->store); /* GETs under way keep theirs */
	ca->store = store;
	ca->looked = now;
	return STS_OK;
}

void
ca_store_clear(struct ca_store *ca)
{
	tls_store_free(ca->store);
	ca->store = NULL;
}

/* The settings of a connection are made, its handshake was not begun. */
static CURLcode
lend(CURL *curl, void *ssl_ctx, void *arg)
{
	struct ca_store *ca = arg;

	(void)curl;
	return tls_store_lend(ca->store, ssl_ctx) ? CURLE_OK
						  : CURLE_OUT_OF_MEMORY;
}

CURLcode
ca_store_apply(struct ca_store *ca, CURL *curl)
{
	bool shared = ca->store != NULL;
	CURLcode rc;

	/* An unset file or path is compiled in, so NULL must be set, too. */
	rc =
	    curl_easy_setopt(curl, CURLOPT_CAINFO, shared ? NULL : ca->ca.file);
	if (rc == CURLE_OK)
		rc = curl_easy_setopt(curl, CURLOPT_CAPATH,
		    shared ? NULL : ca->ca.path);
	if (rc == CURLE_OK && shared)
		rc = curl_easy_setopt(curl, CURLOPT_SSL_CTX_FUNCTION, lend);
	if (rc == CURLE_OK && shared)
		rc = curl_easy_setopt(curl, CURLOPT_SSL_CTX_DATA, ca);
	return rc;
}
