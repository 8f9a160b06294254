/* SPDX-License-Identifier: ISC */
#include "base/accountant.h"
#include "row.h"

static const struct sts_account_keys nobody;

static struct sts_account_keys
keys(uint64_t a, uint64_t b)
{
	return (struct sts_account_keys){ { a, b } };
}

/* As many places as they get, of so many tries. */
static size_t
flood(struct sts_accountant *a, struct sts_account_keys k, size_t tries)
{
	size_t n = 0;

	for (size_t i = 0; i < tries && sts_accountant_may(a, &k); i++, n++)
		sts_accountant_take(a, &k);
	return n;
}

static void
give_back(struct sts_accountant *a, struct sts_account_keys k, size_t n)
{
	while (n-- > 0)
		sts_accountant_give_back(a, &k);
}

static void
test_shares(void **state)
{
	struct sts_accountant a;
	size_t n;

	(void)state;
	assert_true(sts_accountant_init(&a, 64));
	ROW((n = flood(&a, keys(1, 0), 300)) == 32, "the first has %zu", n);
	ROW((n = flood(&a, keys(2, 0), 300)) == 16, "the second has %zu", n);
	ROW((n = flood(&a, keys(3, 0), 5)) == 5, "one that needs less %zu", n);
	ROW((n = flood(&a, nobody, 300)) == 11, "without a key %zu", n);
	ROW(!sts_accountant_may(&a, &nobody), "all are taken");
	give_back(&a, keys(1, 0), 30);
	ROW((n = flood(&a, keys(1, 0), 300)) == 14, "it has again: %zu", n);
	sts_accountant_clear(&a);
	rows_done();
}

/* Many owners on one address, or one owner on many: either key binds. */
static void
test_two_keys(void **state)
{
	struct sts_accountant a;
	struct sts_account_keys k;
	size_t n = 0;

	(void)state;
	assert_true(sts_accountant_init(&a, 64));
	for (uint64_t owner = 1; owner <= 300; owner++) {
		k = keys(owner, 1000);
		n += flood(&a, k, 1);
	}
	ROW(n == 32, "300 owners on one address: %zu", n);
	k = keys(301, 1001);
	ROW(sts_accountant_may(&a, &k), "another address");
	k = keys(301, 1000);
	ROW(!sts_accountant_may(&a, &k), "another owner on that address");
	ROW(a.n == 33, "%zu keys", a.n);
	for (uint64_t owner = 1; owner <= 32; owner++)
		give_back(&a, keys(owner, 1000), 1);
	ROW(a.n == 0 && a.taken == 0, "%zu keys, %zu places left", a.n,
	    a.taken);
	sts_accountant_clear(&a);
	rows_done();
}

/* Whatever is taken and given back, the sums are right. */
static void
test_sums(void **state)
{
	static struct sts_account_keys held[64];
	struct sts_accountant a;
	uint64_t random = 1;
	size_t n = 0, wrong = 0, sum;

	(void)state;
	assert_true(sts_accountant_init(&a, ARRAY_LEN(held)));
	for (int i = 0; i < 100000; i++) {
		struct sts_account_keys k;

		random = random * 6364136223846793005u + 1442695040888963407u;
		k = keys(random >> 60, 100 + (random >> 56) % 16);
		if ((random >> 40) % 3 == 0 && n > 0) {
			n--;
			sts_accountant_give_back(&a, &held[n]);
		} else if (sts_accountant_may(&a, &k)) {
			sts_accountant_take(&a, &k);
			held[n++] = k;
		}
		sum = 0;
		for (size_t j = 0; j < a.n; j++)
			sum += a.row[j].key >= 100 ? a.row[j].taken : 0;
		wrong += a.taken != n || sum != n || a.n > 2 * n;
	}
	ROW(wrong == 0, "%zu times", wrong);
	sts_accountant_clear(&a);
	rows_done();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shares),
		cmocka_unit_test(test_two_keys),
		cmocka_unit_test(test_sums),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
