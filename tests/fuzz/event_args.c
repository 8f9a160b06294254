/* SPDX-License-Identifier: ISC */
#include "event_args.h"

#include "must.h"

static const char digits[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/* RFC 4648 4. */
static void
encode(char *to, const unsigned char *from, size_t len)
{
	for (size_t i = 0; i < len; i += 3) {
		unsigned left = len - i > 2 ? 3 : (unsigned)(len - i);
		unsigned v = (unsigned)from[i] << 16 |
		    (left > 1 ? (unsigned)from[i + 1] << 8 : 0) |
		    (left > 2 ? from[i + 2] : 0u);

		*to++ = digits[v >> 18];
		*to++ = digits[v >> 12 & 63];
		*to++ = left > 1 ? digits[v >> 6 & 63] : '=';
		*to++ = left > 2 ? digits[v & 63] : '=';
	}
	*to = '\0';
}

/* What is written comes back. */
static void
bytes(const uint8_t *data, size_t len)
{
	char *text = malloc(len * 2 + 8);
	unsigned char *out;

	MUST(text != NULL);
	encode(text, data, len);
	MUST((out = malloc(strlen(text) + 1)) != NULL);
	MUST(exim_base64(out, text) == (long)len);
	MUST(memcmp(out, data, len) == 0);
	free(text);
	free(out);
}

/* What is taken is what would be written, but for bits that padding hides. */
static void
base64(const char *text, size_t len)
{
	unsigned char *out = malloc(len + 1);
	char *again = malloc(len + 8);
	long n;

	MUST(out != NULL && again != NULL);
	if ((n = exim_base64(out, text)) != -1) {
		MUST(n >= 0 && len % 4 == 0 && (size_t)n <= len / 4 * 3);
		encode(again, out, (size_t)n);
		MUST(strlen(again) == len);
		for (size_t i = 0; i + 3 < len; i++)
			MUST(again[i] == text[i]);
	}
	free(again);
	free(out);
}

/* A word of the text, whole, behind its key. */
static void
is_word(const char *text, const char *key, const char *value)
{
	char word[EXIM_WORD + 8];
	size_t n = (size_t)snprintf(word, sizeof word, "%s%s", key, value);
	const char *at = text;

	MUST(memchr(value, '\0', EXIM_WORD) != NULL);
	MUST(strchr(value, ' ') == NULL);
	if (value[0] == '\0')
		return;
	while ((at = strstr(at, word)) != NULL &&
	    ((at > text && at[-1] != ' ') || (at[n] != ' ' && at[n] != '\0')))
		at++;
	MUST(at != NULL);
}

static void
arguments(const char *text)
{
	static const char sender[] = "sender=";
	struct exim_event_args s;

	exim_event_args_parse(&s, text);
	is_word(text, "", s.mode);
	is_word(text, "tls=", s.tls);
	is_word(text, "from=", s.from);
	is_word(text, "to=", s.to);
	MUST(strchr(s.mode, '=') == NULL);
	MUST(!s.verified || strstr(text, "cv=1") != NULL);
	MUST(!s.dane || strstr(text, "dane=yes") != NULL);
	MUST(s.error != EXIM_TLS_FAILURE || strstr(text, "errno=-37") != NULL);
	MUST(s.error != EXIM_TLS_REQUIRED || strstr(text, "errno=-38") != NULL);
	MUST((s.sender != NULL) ==
	    (strncmp(text, sender, strlen(sender)) == 0 ||
		strstr(text, " sender=") != NULL));
	if (s.sender == NULL)
		return;
	MUST(strncmp(s.sender - strlen(sender), sender, strlen(sender)) == 0);
	MUST(s.sender + strlen(s.sender) == text + strlen(text));
	/* The first, so that an address may hold the word, too. */
	MUST(strstr(text, " sender=") == NULL ||
	    strstr(text, " sender=") + strlen(" sender=") >= s.sender);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *text = malloc(len + 1);

	MUST(text != NULL);
	memcpy(text, data, len);
	text[len] = '\0';
	arguments(text);
	base64(text, strlen(text));
	bytes(data, len);
	free(text);
	return 0;
}
