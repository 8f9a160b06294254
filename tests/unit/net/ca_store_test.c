/* SPDX-License-Identifier: ISC */
/* The CA store of a kept worker, while its file changes. */
#include <stdlib.h>
#include <unistd.h>

#include "ca_pem.h"
#include "net/ca_store.h"
#include "row.h"

static const struct {
	const char *name;
	const char *text; /* of the file from now on; NULL: there is none */
	bool later;       /* more than a minute after the last look */
	enum sts_rc want;
	bool anew; /* another store than before, where it is shared */
} steps[] = {
	{ "first look", ca_pem, false, STS_OK, true },
	{ "not looked at again at once", "", false, STS_OK, false },
	{ "emptied: our own fault", "", true, STS_LOCAL, false },
	{ "not believed to be good after that", "", false, STS_LOCAL, false },
	{ "repaired: seen at once", ca_pem, false, STS_OK, true },
	{ "gone", NULL, true, STS_LOCAL, false },
	{ "back", ca_pem, false, STS_OK, true },
	{ "a minute later", ca_pem, true, STS_OK, true },
};

static void
put(const char *path, const char *text)
{
	FILE *fp;

	(void)unlink(path);
	if (text == NULL)
		return;
	fp = fopen(path, "w");
	assert_non_null(fp);
	assert_true(fputs(text, fp) >= 0);
	assert_int_equal(fclose(fp), 0);
}

static void
changes(void **state)
{
	char path[] = "/tmp/t-http-ca.XXXXXX";
	int fd = mkstemp(path);
	struct sts_conf conf = { .ca_file = path };
	struct ca_store ca = { .conf = &conf };
	struct tls_store *before = NULL;
	enum sts_rc rc;

	(void)state;
	assert_int_not_equal(fd, -1);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		put(path, steps[i].text);
		if (steps[i].later)
			ca.looked -= 61 * 1000;
		rc = ca_store_load(&ca);
		ROW(rc == steps[i].want, "%s: rc %d, %s", steps[i].name,
		    (int)rc, rc == STS_OK ? "" : ca.err.text);
		ROW(ca.store == NULL || (ca.store != before) == steps[i].anew,
		    "%s: store", steps[i].name);
		before = ca.store;
	}
	ca_store_clear(&ca);
	unlink(path);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes),
	};

	return cmocka_run_group_tests_name("http_ca", tests, NULL, NULL);
}
