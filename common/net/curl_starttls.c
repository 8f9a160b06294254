/* SPDX-License-Identifier: ISC */
/*
 * EHLO, STARTTLS, EHLO, QUIT: is the certificate of an MX host one that RFC
 * 8461 4.2 asks for?  No mail is sent, and nothing that is said is kept.
 */
#include "curl_starttls.h"

#include <stdio.h>

/* TLS is up and verified, or it was aborted; QUIT is the one command left. */
static int
connected(void *arg, char *remote, char *local, int rport, int lport)
{
	struct http_transfer *easy = arg;
	int rc = http_transfer_connected(arg, remote, local, rport, lport);

	easy->met = rc == CURL_PREREQFUNC_OK;
	return rc;
}

/*
 * A line of an answer.  That to QUIT ends it: libcurl would say QUIT itself
 * and wait for the answer, and the loop with it.
 */
static size_t
take_line(char *p, size_t size, size_t n, void *arg)
{
	struct http_transfer *easy = arg;
	size_t len = size * n;

	(void)p;
	if (len > HTTP_SMTP_HEARD - easy->heard)
		easy->too_big = true;
	else
		easy->heard += len;
	return easy->too_big || easy->met ? 0 : len;
}

CURL *
http_smtp_new(void)
{
	CURL *curl = http_transfer_new();

	if (curl == NULL)
		return NULL;
	if (curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "smtp") == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_USE_SSL, (long)CURLUSESSL_ALL) ==
		CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, "QUIT") == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_NOBODY, 1L) == CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_PREREQFUNCTION, connected) ==
		CURLE_OK &&
	    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_line) ==
		CURLE_OK)
		return curl;
	curl_easy_cleanup(curl);
	return NULL;
}

CURLcode
http_smtp_aim(struct http_transfer *easy, const char *ehlo,
    const struct sts_addr *addr, long timeout_ms)
{
	char url[2 * STS_NAME_SIZE + 40];

	(void)snprintf(url, sizeof url, "smtp://%s:25/%s", easy->host, ehlo);
	return http_transfer_aim_at(easy, url, 25, addr, 1, timeout_ms);
}
