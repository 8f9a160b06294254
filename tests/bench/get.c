/* SPDX-License-Identifier: ISC */
/*
 * get CA: one GET after the other of https://HOST/.well-known/mta-sts.txt,
 * "HOST ADDRESS" a line on stdin, a fresh handle each, with the settings that
 * the worker uses.  CA is a file or a directory, with OpenSSL one store for all
 * GETs.  The least that a fetch can cost with the libcurl it is linked with.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <curl/curl.h>
#ifdef SHARED_STORE
#include <openssl/ssl.h>
#endif

static size_t
take(char *p, size_t size, size_t n, void *arg)
{
	size_t *sum = arg;

	(void)p;
	*sum += size * n;
	return size * n;
}

#ifdef SHARED_STORE

static CURLcode
lend(CURL *c, void *ctx, void *arg)
{
	(void)c;
	SSL_CTX_set1_cert_store(ctx, arg);
	return CURLE_OK;
}

static void
trust(CURL *c, const char *ca, bool dir)
{
	static X509_STORE *store;

	if (store == NULL) {
		store = X509_STORE_new();
		if (dir)
			X509_STORE_load_path(store, ca);
		else
			X509_STORE_load_file(store, ca);
	}
	curl_easy_setopt(c, CURLOPT_CAINFO, NULL);
	curl_easy_setopt(c, CURLOPT_CAPATH, NULL);
	curl_easy_setopt(c, CURLOPT_SSL_CTX_FUNCTION, lend);
	curl_easy_setopt(c, CURLOPT_SSL_CTX_DATA, store);
}

#else

static void
trust(CURL *c, const char *ca, bool dir)
{
	curl_easy_setopt(c, CURLOPT_CAINFO, dir ? NULL : ca);
	curl_easy_setopt(c, CURLOPT_CAPATH, dir ? ca : NULL);
}

#endif

static void
set_up(CURL *c, const char *ca)
{
	struct stat st;
	bool dir = stat(ca, &st) == 0 && S_ISDIR(st.st_mode);

	curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(c, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	trust(c, ca, dir);
	curl_easy_setopt(c, CURLOPT_PROXY, "");
	curl_easy_setopt(c, CURLOPT_NOPROXY, "*");
	curl_easy_setopt(c, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, 15000L);
	curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(c, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(c, CURLOPT_BUFFERSIZE, 16384L);
	curl_easy_setopt(c, CURLOPT_SSL_SESSIONID_CACHE, 0L);
	curl_easy_setopt(c, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(c, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(c, CURLOPT_USERAGENT, "mtasts");
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
}

static CURLcode
get(const char *ca, const char *host, const char *addr)
{
	struct curl_slist *resolve;
	CURL *c = curl_easy_init();
	char url[400], entry[400];
	CURLcode rc;
	size_t sum = 0;
	long status = 0;

	snprintf(url, sizeof url, "https://%s/.well-known/mta-sts.txt", host);
	snprintf(entry, sizeof entry, "%s:443:%s", host, addr);
	resolve = curl_slist_append(NULL, entry);
	set_up(c, ca);
	curl_easy_setopt(c, CURLOPT_URL, url);
	curl_easy_setopt(c, CURLOPT_RESOLVE, resolve);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, &sum);
	rc = curl_easy_perform(c);
	curl_easy_getinfo(c, CURLINFO_RESPONSE_CODE, &status);
	if (rc != CURLE_OK || status != 200 || sum == 0)
		fprintf(stderr, "get: %s: %s, status %ld\n", host,
		    curl_easy_strerror(rc), status);
	curl_easy_cleanup(c);
	curl_slist_free_all(resolve);
	return status == 200 ? rc : CURLE_HTTP_RETURNED_ERROR;
}

int
main(int argc, char *argv[])
{
	char line[300], *addr;

	if (argc != 2 || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 2;
	while (fgets(line, sizeof line, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		if ((addr = strchr(line, ' ')) == NULL)
			return 2;
		*addr++ = '\0';
		if (get(argv[1], line, addr) != CURLE_OK)
			return 1;
	}
	curl_global_cleanup();
	return 0;
}
