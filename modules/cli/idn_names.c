/* SPDX-License-Identifier: ISC */
/* Domains as people type them: U-labels become A-labels (RFC 8461 3.2). */
#include <string.h>

#include <idn2.h>

#include "cli.h"

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s > 0x7f)
			return false;
	return true;
}

static bool
refuse(struct sts_err *err, const char *why)
{
	err->rc = STS_USAGE;
	err->line = 0;
	snprintf(err->text, sizeof err->text, "%s", why);
	return false;
}

bool
cli_name_take(struct cli_name *name, const char *arg, struct sts_err *err)
{
	int rc;

	*name = (struct cli_name){ arg, NULL, NULL };
	if (*arg == '\0')
		return refuse(err, "empty domain");
	if (strchr(arg, '@') != NULL)
		return refuse(err, "a mail address: give its domain alone");
	if (is_ascii(arg))
		return true;
	/* Whatever the locale says: an argument in UTF-8, or none at all. */
	rc = idn2_to_ascii_8z(arg, &name->alabel,
	    IDN2_NONTRANSITIONAL | IDN2_NFC_INPUT);
	if (rc == IDN2_OK)
		rc = idn2_to_unicode_8z8z(name->alabel, &name->ulabel, 0);
	if (rc != IDN2_OK) {
		cli_name_free(name);
		return refuse(err, idn2_strerror(rc));
	}
	name->ascii = name->alabel;
	return true;
}

void
cli_name_free(struct cli_name *name)
{
	idn2_free(name->alabel);
	idn2_free(name->ulabel);
	*name = (struct cli_name){ 0 };
}

json_t *
cli_name_json(const struct cli_name *name, json_t *object)
{
	if (object != NULL && name->ulabel != NULL &&
	    json_object_set_new(object, "unicode", json_string(name->ulabel)) !=
		0) {
		json_decref(object);
		return NULL;
	}
	return object;
}

void
cli_name_print(const struct cli *cli, const struct cli_name *name)
{
	cli_tinted(cli, CLI_BOLD, cli_shown(name->ascii));
	if (name->ulabel != NULL)
		printf(" (%s)", name->ulabel);
}
