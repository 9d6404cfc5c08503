/*
 * Values of other files, for the file whose rows are read. One that cannot be read, or has no such value, is a flaw of the rows
 * that need it: it is told as theirs, with its own place.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "open.h"

#define CHUNK ((size_t)256 << 10)

static int no_memory(const struct open_file *f)
{
	return f->inst->host->fail(f->err, ETL_MEMORY, NULL, 0, "json: no memory to read %s", f->entry->name);
}

static bool same_captures(const struct open_file *f, const struct json_let *let, const struct files_entry *entry)
{
	const char *const *names;
	size_t count = files_pattern_captures(let->file, &names);

	for (size_t i = 0; i < count; i++) {
		size_t size;
		const char *text = f->names.get.get(&f->names.get, names[i], &size);

		if (!text || strlen(entry->captures[i]) != size || memcmp(text, entry->captures[i], size) != 0)
			return false;
	}
	return true;
}

/* ---- The file --------------------------------------------------------------------------------------------------- */

struct whole {
	char *text;
	size_t size;
};

/* All of a file, at most max_row bytes of it. */
static int read_whole(struct open_file *f, const struct files_entry *entry, struct whole *ret, struct json_split_flaw *flaw)
{
	size_t limit = f->inst->max_record, got = 0;
	struct json_input *input = NULL;
	bool last = false;
	int rc = json_input_open(f->inst, entry, &f->changes, &input, f->err);

	if (!rc && f->inst->skip_broken)
		json_input_be_quiet(input);
	while (!rc && !last && ret->size < limit) {
		char *more = realloc(ret->text, ret->size + CHUNK + JSON_PADDING);

		if (!more) {
			rc = no_memory(f);
			break;
		}
		ret->text = more;
		rc = json_input_read(input, ret->text + ret->size, CHUNK, &got, &last, f->err);
		ret->size += rc ? 0 : got;
	}
	if (rc && input && f->inst->skip_broken && json_input_damage(input)) {
		*flaw = (struct json_split_flaw){ .code = "damaged" };
		snprintf(flaw->reason, sizeof(flaw->reason), "%s.", json_input_damage(input));
		rc = OPEN_FILE_FLAW;
	} else if (!rc && !last) {
		*flaw = (struct json_split_flaw){ .code = "too_large", .reason = "It is larger than max_row." };
		rc = OPEN_FILE_FLAW;
	}
	json_input_close(input);
	return rc;
}

/* Into TREE; its text is kept by the work of F. */
static int parse_whole(struct open_file *f, const struct whole *whole, struct json_tree *tree, struct json_split_flaw *flaw)
{
	size_t mark = whole->size >= 3 && memcmp(whole->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	char *kept = json_pool_take(&f->work.pool, whole->size + JSON_PADDING);
	struct json_record record = { .size = whole->size - mark, .line = 1, .column = 1 };
	struct json_flaw what;

	if (!kept)
		return no_memory(f);
	memcpy(kept, whole->text, whole->size);
	record.text = kept + mark;
	if (json_tree_read(tree, record.text, record.size, &what) == 0)
		return ETL_OK;
	if (strcmp(what.code, "no_memory") == 0)
		return no_memory(f);
	*flaw = (struct json_split_flaw){ .code = what.code, .offset = mark + what.at };
	json_record_place(&record, what.at, &flaw->line, &flaw->column);
	snprintf(flaw->reason, sizeof(flaw->reason), "%s", what.reason);
	return OPEN_FILE_FLAW;
}

static int load_whole(struct open_file *f, const struct files_entry *entry, struct json_tree *tree, struct json_split_flaw *flaw)
{
	struct whole whole = { 0 };
	int rc = read_whole(f, entry, &whole, flaw);

	if (!rc)
		rc = parse_whole(f, &whole, tree, flaw);
	free(whole.text);
	return rc;
}

/* ---- The value -------------------------------------------------------------------------------------------------- */

static int keep_let(struct open_file *f, struct let_value *value, const struct json_value *v)
{
	free(value->text);
	value->text = NULL;
	if (v->state != VALUE_TEXT && v->state != VALUE_NUMBER)
		return ETL_OK;
	value->text = malloc(v->size + 1);
	if (!value->text)
		return no_memory(f);
	memcpy(value->text, v->text, v->size);
	value->text[v->size] = '\0';
	value->size = v->size;
	return ETL_OK;
}

/* Its value hangs on the file whose rows are read, not only on the one that is looked into. */
static bool is_per_file(const struct json_let *let)
{
	for (size_t i = 0; i < let->take_count; i++)
		if (let->takes[i].start == START_FILE || let->takes[i].start == START_ID || strchr(let->takes[i].text, '{'))
			return true;
	return let->fallback && strchr(let->fallback, '{');
}

static size_t find_entry(const struct open_file *f, const struct json_let *let, const struct let_value *value)
{
	size_t i = 0;

	while (i < value->list.count && !same_captures(f, let, &value->list.at[i]))
		i++;
	return i;
}

/* Of the file that TREE is, or of none. */
static int take_let(struct open_file *f, struct let_value *value, const struct json_tree *tree, struct json_split_flaw *flaw)
{
	const struct json_let *let = value->let;
	struct row row = { .names = &f->names, .file = f->entry->name, .file_name = json_file_name(f->inst, f->entry), .tree = tree };
	struct json_value v = { .state = VALUE_ABSENT };
	const char *code = json_row_take(&row, let->takes, tree ? let->take_count : 0, let->fallback, &f->work, &v);

	if (!code)
		return keep_let(f, value, &v);
	if (strcmp(code, "no_memory") == 0)
		return no_memory(f);
	*flaw = (struct json_split_flaw){ .code = code, .reason = "The value that is looked up is none that a name could stand for." };
	return OPEN_FILE_FLAW;
}

static int find_let(struct open_file *f, struct let_value *value, struct json_split_flaw *flaw)
{
	const struct json_let *let = value->let;
	struct json_tree *tree = NULL;
	struct changes now, none = { { 0 } };
	int rc = value->listed ? ETL_OK : files_list(f->inst->files, let->file, &value->list, f->err);
	size_t i;

	if (rc)
		return rc;
	value->listed = true;
	i = find_entry(f, let, value);
	if (value->known && i == value->entry && i < value->list.count && !is_per_file(let))
		return ETL_OK;
	value->entry = i;
	value->known = false;
	if (i < value->list.count) {
		tree = json_tree_new(&f->inst->limits);
		rc = tree ? load_whole(f, &value->list.at[i], tree, flaw) : no_memory(f);
	}
	if (!rc)
		rc = take_let(f, value, tree, flaw);
	value->known = !rc;
	if (!rc && tree) {
		now = json_changes_of(tree);
		json_changes_add(&f->changes, &now, &none);
	}
	json_tree_free(tree);
	return rc;
}

int open_file_lets(struct open_file *f, struct json_split_flaw *flaw)
{
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < f->table->let_count; i++) {
		struct let_value *value = &f->lets[i];

		rc = find_let(f, value, flaw);
		if (!rc)
			names_set(&f->names, value->let->name, value->text, value->size);
		else if (rc == OPEN_FILE_FLAW)
			f->blamed = value;
	}
	return rc;
}
