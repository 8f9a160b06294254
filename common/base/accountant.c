/* SPDX-License-Identifier: ISC */
#include "accountant.h"

#include <stdlib.h>

bool
sts_accountant_init(struct sts_accountant *a, size_t max)
{
	*a = (struct sts_accountant){ .max = max };
	a->row = calloc(max * STS_ACCOUNT_KEYS, sizeof *a->row);
	return a->row != NULL;
}

void
sts_accountant_clear(struct sts_accountant *a)
{
	free(a->row);
	*a = (struct sts_accountant){ 0 };
}

static struct sts_account *
find(const struct sts_accountant *a, uint64_t key)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->row[i].key == key)
			return &a->row[i];
	return NULL;
}

bool
sts_accountant_may(const struct sts_accountant *a,
    const struct sts_account_keys *keys)
{
	size_t left = a->max - a->taken;
	const struct sts_account *row;

	if (left == 0)
		return false;
	for (size_t i = 0; i < STS_ACCOUNT_KEYS; i++)
		if (keys->key[i] != 0 &&
		    (row = find(a, keys->key[i])) != NULL && row->taken >= left)
			return false;
	return true;
}

void
sts_accountant_take(struct sts_accountant *a,
    const struct sts_account_keys *keys)
{
	struct sts_account *row;

	a->taken++;
	for (size_t i = 0; i < STS_ACCOUNT_KEYS; i++) {
		if (keys->key[i] == 0)
			continue;
		if ((row = find(a, keys->key[i])) == NULL) {
			row = &a->row[a->n++];
			row->key = keys->key[i];
		}
		row->taken++;
	}
}

void
sts_accountant_give_back(struct sts_accountant *a,
    const struct sts_account_keys *keys)
{
	struct sts_account *row;

	a->taken--;
	for (size_t i = 0; i < STS_ACCOUNT_KEYS; i++)
		if (keys->key[i] != 0 &&
		    (row = find(a, keys->key[i])) != NULL &&
		    --row->taken == 0) {
			*row = a->row[--a->n];
			a->row[a->n] = (struct sts_account){ 0 };
		}
}
