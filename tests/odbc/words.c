/* Texts of the recorder: UTF-16 and UTF-8, fields of a script's rows, values as the record shows them. */
#include "config.h"

#include "recorder.h"

#define SHOWN 400 /* bytes of a value that are written down whole */

/* A NUL in two bytes, of which no text ends. */
static size_t put(char *to, uint32_t c)
{
	if (c > 0 && c < 0x80) {
		to[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		to[0] = (char)(0xc0 | c >> 6);
		to[1] = (char)(0x80 | (c & 0x3f));
		return 2;
	}
	if (c < 0x10000) {
		to[0] = (char)(0xe0 | c >> 12);
		to[1] = (char)(0x80 | (c >> 6 & 0x3f));
		to[2] = (char)(0x80 | (c & 0x3f));
		return 3;
	}
	to[0] = (char)(0xf0 | c >> 18);
	to[1] = (char)(0x80 | (c >> 12 & 0x3f));
	to[2] = (char)(0x80 | (c >> 6 & 0x3f));
	to[3] = (char)(0x80 | (c & 0x3f));
	return 4;
}

char *narrow(const SQLWCHAR *wide, SQLINTEGER units, bool *ret_half)
{
	size_t count = 0, used = 0;
	char *text;

	if (units == SQL_NTS)
		while (wide[count])
			count++;
	else
		count = (size_t)units;
	text = malloc(count * 3 + 1);
	*ret_half = false;
	for (size_t i = 0; i < count; i++) {
		uint32_t c = wide[i];

		if (c >= 0xd800 && c < 0xdc00 && i + 1 < count && wide[i + 1] >= 0xdc00 && wide[i + 1] < 0xe000)
			c = 0x10000 + ((c - 0xd800) << 10) + (wide[++i] - 0xdc00u);
		else if (c >= 0xd800 && c < 0xe000)
			*ret_half = true;
		used += put(text + used, c);
	}
	text[used] = '\0';
	return text;
}

size_t widen(const char *text, SQLWCHAR *to, size_t room)
{
	const unsigned char *p = (const unsigned char *)text;
	size_t units = 0;

	while (*p) {
		int more = *p >= 0xf0 ? 3 : *p >= 0xe0 ? 2 : *p >= 0xc0 ? 1 : 0;
		uint32_t c = more == 3 ? *p & 7u : more == 2 ? *p & 15u : more == 1 ? *p & 31u : *p;

		for (p++; more-- > 0; p++)
			c = c << 6 | (*p & 0x3fu);
		if (c >= 0x10000 && units + 2 < room) {
			to[units] = (SQLWCHAR)(0xd800 + ((c - 0x10000) >> 10));
			to[units + 1] = (SQLWCHAR)(0xdc00 + ((c - 0x10000) & 0x3ff));
		} else if (c < 0x10000 && units + 1 < room) {
			to[units] = (SQLWCHAR)c;
		}
		units += c >= 0x10000 ? 2 : 1;
	}
	if (room)
		to[units < room ? units : room - 1] = 0;
	return units;
}

char *join(const char *format, ...)
{
	va_list args;
	char *text;
	int size;

	va_start(args, format);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	text = malloc((size_t)size + 1);
	va_start(args, format);
	vsnprintf(text, (size_t)size + 1, format, args);
	va_end(args);
	return text;
}

static char *repeat(const char *word, size_t size, long times)
{
	char *text = malloc(size * (size_t)times + 1);

	for (long i = 0; i < times; i++)
		memcpy(text + (size_t)i * size, word, size);
	text[size * (size_t)times] = '\0';
	return text;
}

char *field(const char *row, size_t column, bool *ret_null)
{
	size_t size;
	char *end;

	while (column-- > 0 && *row) {
		row += strcspn(row, "|");
		row += *row == '|';
	}
	size = strcspn(row, "|");
	*ret_null = size == 4 && strncmp(row, "NULL", 4) == 0;
	if (*row == '*') {
		long times = strtol(row + 1, &end, 10);

		return repeat(end + 1, size - (size_t)(end + 1 - row), times);
	}
	return strndup(row, size);
}

void add_line(struct line ***end, const char *text)
{
	struct line *l = calloc(1, sizeof(*l));

	l->text = strdup(text);
	**end = l;
	*end = &l->next;
}

void free_lines(struct line *l)
{
	while (l) {
		struct line *next = l->next;

		free(l->text);
		free(l);
		l = next;
	}
}

char *shown(const char *bytes, size_t size, bool binary)
{
	size_t most = size > SHOWN ? 16 : size;
	char *text = malloc(most * 4 + 64), *to = text;

	if (binary)
		to += sprintf(to, "0x");
	for (size_t i = 0; i < most; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (binary)
			to += sprintf(to, "%02x", c);
		else if (c == 0xc0 && i + 1 < most)
			to += sprintf(to, "\\x%02x", (unsigned char)bytes[++i] & 0x3f);
		else if (c < 0x20 || c == '|')
			to += sprintf(to, "\\x%02x", c);
		else
			*to++ = (char)c;
	}
	*to = '\0';
	if (most < size)
		sprintf(to, "...[%zu bytes]", size);
	return text;
}
