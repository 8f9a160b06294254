/* SPDX-License-Identifier: ISC */
/* Who counts as one owner. */
#include "net/registrable_domain.h"
#include "row.h"

static void
owners(void **state)
{
	static const struct {
		const char *domain, *owner;
	} domains[] = {
		{ "example.com", "example.com" },
		{ "a.b.c.example.com", "example.com" },
		{ "example.co.uk", "example.co.uk" },
		{ "mail.example.co.uk", "example.co.uk" },
		/* a suffix, and one that is in no list */
		{ "com", "com" },
		{ "co.uk", "co.uk" },
		{ "a.b.test", "b.test" },
		/* wildcard and exception of the list */
		{ "a.b.c.kobe.jp", "b.c.kobe.jp" },
		{ "a.city.kobe.jp", "city.kobe.jp" },
		/* names for nothing */
		{ "one.github.io", "github.io" },
		{ "two.duckdns.org", "duckdns.org" },
		/* A-labels: a suffix, and a name below another */
		{ "a.b.xn--p1ai", "b.xn--p1ai" },
		{ "a.xn--bcher-kva.example.org", "example.org" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(domains); i++)
		ROW(strcmp(registrable_domain(domains[i].domain),
			domains[i].owner) == 0,
		    "%s belongs to %s, not to %s", domains[i].domain,
		    domains[i].owner, registrable_domain(domains[i].domain));
	rows_done();
}

/* A stranger chooses how many labels a name has. */
static void
many_labels(void **state)
{
	char name[254];

	(void)state;
	for (size_t i = 0; i < sizeof name - 1; i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[sizeof name - 1] = '\0';
	ROW(strcmp(registrable_domain(name), "a.a") == 0, "127 labels: %s",
	    registrable_domain(name));
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owners),
		cmocka_unit_test(many_labels),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
