/*
 * SQLite's lexical rules, byte for byte, for all who read its SQL. The tokenizer classifies and never decides what
 * a word means; that a word is a keyword depends on where it stands, which is the parser's business.
 */
#include "config.h"

#include <string.h>

#include "token.h"

static bool is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r' && c != '\v');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_hex(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

/* SQLite takes every byte from 0x80 on as a letter. */
static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
	       (unsigned char)c >= 0x80;
}

static bool is_word_byte(char c)
{
	return is_letter(c) || is_digit(c) || c == '$';
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static const char *skip_line_comment(const char *p, const char *end)
{
	while (p < end && *p != '\n')
		p++;
	return p;
}

/* A comment that is never closed reaches to the end, as in SQLite. */
static const char *skip_block_comment(const char *p, const char *end)
{
	for (p += 2; p < end; p++) {
		if (p[0] == '*' && end - p > 1 && p[1] == '/')
			return p + 2;
	}
	return end;
}

static const char *skip_blank(const char *p, const char *end)
{
	while (p < end) {
		if (is_space(*p))
			p++;
		else if (end - p > 1 && p[0] == '-' && p[1] == '-')
			p = skip_line_comment(p, end);
		else if (end - p > 1 && p[0] == '/' && p[1] == '*')
			p = skip_block_comment(p, end);
		else
			break;
	}
	return p;
}

/* The end of a quoted text that opens at P, or NULL: it is not closed. */
static const char *quoted(const char *p, const char *end)
{
	char close = *p == '[' ? ']' : *p;

	for (p++; p < end; p++) {
		if (*p != close)
			continue;
		if (close != ']' && end - p > 1 && p[1] == close)
			p++;
		else
			return p + 1;
	}
	return NULL;
}

static const char *digits(const char *p, const char *end)
{
	while (p < end && is_digit(*p))
		p++;
	return p;
}

static const char *exponent(const char *p, const char *end)
{
	const char *q = p + 1;

	if (p == end || lower(*p) != 'e')
		return p;
	if (q < end && (*q == '+' || *q == '-'))
		q++;
	return q < end && is_digit(*q) ? digits(q, end) : p;
}

static const char *number(const char *p, const char *end)
{
	if (end - p > 2 && p[0] == '0' && lower(p[1]) == 'x' && is_hex(p[2])) {
		for (p += 2; p < end && is_hex(*p); p++)
			;
		return p;
	}
	p = digits(p, end);
	if (p < end && *p == '.')
		p = digits(p + 1, end);
	return exponent(p, end);
}

/* The longest operator that begins at P; 0: none does. */
static size_t operator_length(const char *p, const char *end)
{
	static const char *const operators[] = {
		"->>", "->", "||", "<<", ">>", "<=", ">=", "<>", "==", "!=", "(", ")", ",",
		";",   ".",  "+",  "-",	 "*",  "/",  "%",  "&",	 "|",  "~",  "<", ">", "=",
	};
	size_t i, n;

	for (i = 0; i < sizeof(operators) / sizeof(*operators); i++) {
		n = strlen(operators[i]);
		if ((size_t)(end - p) >= n && memcmp(p, operators[i], n) == 0)
			return n;
	}
	return 0;
}

static struct token make(enum token_kind kind, const char *at, const char *end)
{
	struct token t = { kind, at, (size_t)(end - at) };

	return t;
}

static struct token make_quoted(enum token_kind kind, const char *at, const char *open,
				const char *end)
{
	const char *close = quoted(open, end);

	return close ? make(kind, at, close) : make(TOKEN_BAD, at, end);
}

static struct token make_word(const char *p, const char *end)
{
	const char *q = p;

	while (q < end && is_word_byte(*q))
		q++;
	return make(TOKEN_WORD, p, q);
}

static struct token make_parameter(const char *p, const char *end)
{
	const char *q = p + 1;

	while (q < end && is_word_byte(*q))
		q++;
	return make(*p == '?' || q > p + 1 ? TOKEN_PARAMETER : TOKEN_BAD, p, q);
}

static struct token make_operator(const char *p, const char *end)
{
	size_t n = operator_length(p, end);

	return n > 0 ? make(TOKEN_OPERATOR, p, p + n) : make(TOKEN_BAD, p, p + 1);
}

static struct token scan(const char *p, const char *end)
{
	if (p == end)
		return make(TOKEN_END, p, p);
	if (end - p > 1 && lower(*p) == 'x' && p[1] == '\'')
		return make_quoted(TOKEN_BLOB, p, p + 1, end);
	if (is_letter(*p))
		return make_word(p, end);
	if (is_digit(*p) || (*p == '.' && end - p > 1 && is_digit(p[1])))
		return make(TOKEN_NUMBER, p, number(p, end));
	switch (*p) {
	case '\'':
		return make_quoted(TOKEN_STRING, p, p, end);
	case '"':
	case '`':
	case '[':
		return make_quoted(TOKEN_NAME, p, p, end);
	case '?':
	case ':':
	case '@':
	case '$':
	case '#':
		return make_parameter(p, end);
	default:
		return make_operator(p, end);
	}
}

struct token_cursor token_start(const char *sql, size_t size)
{
	const char *nul = size > 0 ? memchr(sql, 0, size) : NULL;
	struct token_cursor c = { sql, nul ? nul : sql + size };

	return c;
}

struct token token_next(struct token_cursor *cursor)
{
	struct token t = scan(skip_blank(cursor->at, cursor->end), cursor->end);

	cursor->at = t.at + t.length;
	return t;
}

struct token token_peek(const struct token_cursor *cursor)
{
	return scan(skip_blank(cursor->at, cursor->end), cursor->end);
}

static bool same_text(const char *at, size_t length, const char *word)
{
	size_t i;

	for (i = 0; i < length; i++) {
		if (!word[i] || lower(at[i]) != lower(word[i]))
			return false;
	}
	return !word[length];
}

bool token_is_word(const struct token *t, const char *word)
{
	return t->kind == TOKEN_WORD && same_text(t->at, t->length, word);
}

bool token_is(const struct token *t, const char *operator_text)
{
	return t->kind == TOKEN_OPERATOR && t->length == strlen(operator_text) &&
	       memcmp(t->at, operator_text, t->length) == 0;
}

bool token_is_name(const struct token *t)
{
	return t->kind == TOKEN_WORD || t->kind == TOKEN_NAME || t->kind == TOKEN_STRING;
}

/* One byte of a name; *I is moved past it and past the second of a doubled quote. */
static char name_byte(const struct token *t, size_t *i)
{
	char c = t->at[(*i)++];

	if (t->kind != TOKEN_WORD && *t->at != '[' && c == *t->at)
		(*i)++;
	return c;
}

size_t token_name(const struct token *t, char *buf, size_t size)
{
	size_t quote = t->kind == TOKEN_WORD ? 0 : 1;
	size_t i = quote, n = 0;

	while (i + quote < t->length) {
		char c = name_byte(t, &i);

		if (n + 1 < size)
			buf[n] = c;
		n++;
	}
	if (size > 0)
		buf[n < size ? n : size - 1] = 0;
	return n;
}

bool token_names(const struct token *t, const char *name)
{
	size_t quote = t->kind == TOKEN_WORD ? 0 : 1;
	size_t i = quote;

	if (!token_is_name(t))
		return false;
	while (i + quote < t->length) {
		if (!*name || lower(name_byte(t, &i)) != lower(*name))
			return false;
		name++;
	}
	return !*name;
}
