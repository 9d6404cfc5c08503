/* See noted.h. */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "noted.h"
#include "reject.h"

#define NOTE_NUMBERS ((sizeof(struct note) + sizeof(uint64_t) - 1) / sizeof(uint64_t))

void noted_add(struct noted *n, const char *code, const char *text, uint64_t count)
{
	struct note *at;
	size_t i = 0;

	while (i < n->count && strncmp(n->at[i].code, code, NOTED_CODE - 1) != 0)
		i++;
	if (i == NOTED_CODES)
		i--;
	if (i == n->count) {
		at = realloc(n->at, (n->count + 1) * sizeof(*at));
		if (!at) {
			n->failed = true;
			return;
		}
		n->at = at;
		memset(&at[i], 0, sizeof(*at));
		snprintf(at[i].code, sizeof(at[i].code), "%s", code);
		snprintf(at[i].text, sizeof(at[i].text), "%s", text);
		n->count++;
	}
	n->at[i].count += count;
}

void noted_add_all(struct noted *n, const struct noted *more)
{
	for (size_t i = 0; i < more->count; i++)
		noted_add(n, more->at[i].code, more->at[i].text, more->at[i].count);
	n->failed |= more->failed;
}

void noted_clear(struct noted *n)
{
	free(n->at);
	*n = (struct noted){ 0 };
}

size_t noted_size(const struct noted *n)
{
	return n->count * NOTE_NUMBERS;
}

void noted_pack(const struct noted *n, uint64_t *at)
{
	for (size_t i = 0; i < n->count; i++)
		memcpy(at + i * NOTE_NUMBERS, &n->at[i], sizeof(n->at[i]));
}

bool noted_unpack(struct noted *n, const uint64_t *at, size_t count)
{
	struct note note;

	if (count % NOTE_NUMBERS)
		return false;
	for (size_t i = 0; i < count; i += NOTE_NUMBERS) {
		memcpy(&note, at + i, sizeof(note));
		note.code[NOTED_CODE - 1] = note.text[NOTED_TEXT - 1] = '\0';
		noted_add(n, note.code, note.text, note.count);
	}
	return true;
}

void context_noted(struct etl_context *context, const char *code, const char *text, uint64_t how_many)
{
	while (context->whole)
		context = context->whole;
	if (how_many)
		noted_add(&context->noted, code, text ? text : code, how_many);
}
