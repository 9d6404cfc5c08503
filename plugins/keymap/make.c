/*
 * One UUID of one key: version 5 of RFC 9562, SHA-1 over the namespace and a text that names the table and the key; or
 * the MD5 of the text alone, as PostgreSQL's md5(text)::uuid. Nothing is looked up, so a reference becomes what
 * the key it refers to becomes, in any table, run and worker.
 */
#include "config.h"

#include "keymap.h"
#include "value.h"

static void absorb(struct keymap_hash *h, const void *bytes, size_t size)
{
	if (h->method == KEYMAP_MD5)
		md5_update(&h->of.md5, size, bytes);
	else
		sha1_update(&h->of.sha1, size, bytes);
}

static void finish(struct keymap_hash *h, uint8_t ret[KEYMAP_UUID])
{
	absorb(h, h->after, h->after_size);
	if (h->method == KEYMAP_MD5) {
		md5_digest(&h->of.md5, KEYMAP_UUID, ret);
		return;
	}
	sha1_digest(&h->of.sha1, KEYMAP_UUID, ret);
	ret[6] = (ret[6] & 0x0f) | 0x50;
	ret[8] = (ret[8] & 0x3f) | 0x80;
}

/* A part of `text`, with the name for each {table} in it. */
static char *spelled(struct arena *arena, const char *part, size_t size, const char *table)
{
	static const char place[] = "{table}";
	struct etl_text text = { 0 };
	char *ret;

	for (size_t i = 0; i < size;) {
		if (strncmp(part + i, place, sizeof(place) - 1) == 0) {
			etl_text_add(&text, table);
			i += sizeof(place) - 1;
		} else {
			etl_text_add_bytes(&text, part + i++, 1);
		}
	}
	ret = text.failed ? NULL : etl_arena_copy(arena, text.at ? text.at : "");
	etl_text_free(&text);
	return ret;
}

bool keymap_hash_begin(struct keymap_hash *h, const struct etl_instance *self, const char *table,
		       struct arena *arena)
{
	const char *before = spelled(arena, self->before, self->before_size, table);

	h->method = self->method;
	h->after = spelled(arena, self->after, strlen(self->after), table);
	if (!before || !h->after)
		return false;
	h->after_size = strlen(h->after);
	if (h->method == KEYMAP_MD5) {
		md5_init(&h->of.md5);
	} else {
		sha1_init(&h->of.sha1);
		absorb(h, self->namespace, KEYMAP_UUID);
	}
	absorb(h, before, strlen(before));
	return true;
}

/* Behind a backslash, so that ("a:b", "c") and ("a", "b:c") are two texts. */
static void add_escaped(struct etl_text *text, const uint8_t *bytes, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i < size; i++) {
		if (bytes[i] != ':' && bytes[i] != '\\')
			continue;
		etl_text_add_bytes(text, bytes + from, i - from);
		etl_text_add(text, "\\");
		from = i;
	}
	etl_text_add_bytes(text, bytes + from, size - from);
}

/* The same text for the same key, whatever the type of its column: in SPELLED, or the value's own bytes. */
static const char *read_value(struct value *v, char spelled[SPELL_MAX + 1], const struct etl_column_view *view, int64_t row)
{
	if (!etl_value_read(v, view, row))
		return "type";
	switch (v->form) {
	case FORM_TEXT:
		return !v->trusted && etl_utf8_valid(v->bytes, (size_t)v->size) != (size_t)v->size ? "invalid_utf8" : NULL;
	case FORM_INT:
	case FORM_DECIMAL:
	case FORM_DATE:
	case FORM_UUID:
		v->size = (int64_t)etl_value_spell(spelled, v);
		v->bytes = (const uint8_t *)spelled;
		return NULL;
	default:
		return "type";
	}
}

const char *keymap_spell(const struct keymap_made *made, const struct etl_column_view *const *views, int64_t row,
			 struct etl_text *text, size_t *ret_bad)
{
	char spelled[SPELL_MAX + 1];
	struct value v;

	for (size_t i = 0; i < made->count; i++) {
		const char *code = read_value(&v, spelled, views[i], row);

		if (code) {
			*ret_bad = i;
			return code;
		}
		if (i > 0)
			etl_text_add(text, ":");
		if (made->count > 1)
			add_escaped(text, v.bytes, (size_t)v.size);
		else
			etl_text_add_bytes(text, v.bytes, (size_t)v.size);
	}
	return NULL;
}

void keymap_make_of(const struct keymap_made *made, const char *text, size_t size, uint8_t ret[KEYMAP_UUID])
{
	struct keymap_hash h = made->hash;

	absorb(&h, text, size);
	finish(&h, ret);
}

const char *keymap_make(const struct keymap_made *made, const struct etl_column_view *const *views,
			int64_t row, uint8_t ret[KEYMAP_UUID], size_t *ret_bad)
{
	struct etl_text text = { 0 };
	char spelled[SPELL_MAX + 1];
	struct value v;
	const char *code;

	/* One column, as most are, is hashed where it stands. */
	if (made->count == 1) {
		*ret_bad = 0;
		code = read_value(&v, spelled, views[0], row);
		if (!code)
			keymap_make_of(made, (const char *)v.bytes, (size_t)v.size, ret);
		return code;
	}
	code = keymap_spell(made, views, row, &text, ret_bad);
	if (!code && text.failed)
		code = "no_memory";
	if (!code)
		keymap_make_of(made, text.at ? text.at : "", text.length, ret);
	etl_text_free(&text);
	return code;
}
