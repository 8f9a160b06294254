/* SPDX-License-Identifier: ISC */
#include "event_args.h"

#include <string.h>

/* One that is too long is left out: cut, it would be another. */
static void
take(char out[EXIM_WORD], const char *p, size_t len)
{
	if (len < EXIM_WORD) {
		memcpy(out, p, len);
		out[len] = '\0';
	}
}

static bool
is(const char *p, size_t len, const char *key)
{
	return strlen(key) == len && memcmp(p, key, len) == 0;
}

static void
take_word(struct exim_event_args *s, const char *word, size_t len)
{
	const char *eq = memchr(word, '=', len);
	char value[EXIM_WORD] = "";
	size_t key;

	if (eq == NULL) {
		take(s->mode, word, len);
		return;
	}
	key = (size_t)(eq - word);
	take(value, eq + 1, len - key - 1);
	if (is(word, key, "tls"))
		memcpy(s->tls, value, sizeof value);
	else if (is(word, key, "from"))
		memcpy(s->from, value, sizeof value);
	else if (is(word, key, "to"))
		memcpy(s->to, value, sizeof value);
	else if (is(word, key, "cv"))
		s->verified = strcmp(value, "1") == 0;
	else if (is(word, key, "dane"))
		s->dane = strcmp(value, "yes") == 0;
	else if (is(word, key, "errno"))
		s->error = strcmp(value, "-37") == 0 ? EXIM_TLS_FAILURE
		    : strcmp(value, "-38") == 0      ? EXIM_TLS_REQUIRED
						     : EXIM_ANY_ERROR;
	else if (is(word, key, "verify"))
		s->trial |= len > key + 1;
	else if (is(word, key, "id")) /* of the message; none: no delivery */
		s->trial |= len == key + 1;
	else if (is(word, key, "avoid"))
		s->avoid = len > key + 1;
}

void
exim_event_args_parse(struct exim_event_args *s, const char *text)
{
	static const char sender[] = "sender=";
	size_t len;

	*s = (struct exim_event_args){ 0 };
	for (; text != NULL && *text != '\0'; text += len) {
		text += strspn(text, " ");
		if (strncmp(text, sender, sizeof sender - 1) == 0) {
			s->sender = text + sizeof sender - 1;
			return;
		}
		len = strcspn(text, " ");
		if (len > 0)
			take_word(s, text, len);
	}
}

/* --- Base64, RFC 4648 4, strict: no blanks, padding at the end only ------- */

static int
digit_value(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long
exim_base64(unsigned char *out, const char *s)
{
	unsigned bits = 0, n = 0, pad = 0;
	long len = 0;
	int v;

	for (; *s != '\0' && *s != '='; s++) {
		if ((v = digit_value(*s)) == -1)
			return -1;
		bits = (bits << 6 | (unsigned)v) & 0xffffff;
		n++;
		if (n % 4 != 1)
			out[len++] =
			    (unsigned char)(bits >> (n % 4 == 2          ? 4
							    : n % 4 == 3 ? 2
									 : 0));
	}
	for (; *s == '='; s++)
		pad++;
	return *s == '\0' && n % 4 != 1 && pad == (4 - n % 4) % 4 ? len : -1;
}
