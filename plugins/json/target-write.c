/*
 * Parts of documents in the order of their places become files, one after the other, in one pass: what is open is a stack of
 * containers. Parts of one place, from several tables, are put together; where they say different things of one value the run ends, for
 * one of them would be lost.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "target-sink.h"
#include "target.h"

#define LEVELS (2 * JSON_PATH_SEGMENTS + 2)

struct level {
	const struct place *place;
	size_t key_size;
	uint64_t id;            /* of the element or the named member */
	uint64_t count;         /* what was written in it */
	bool open;              /* a container whose end is still to be written */
};

struct writer {
	struct target_plan *plan;
	struct stage *stage;
	const char *run;
	struct etl_error *err;
	struct json_sink sink;
	sqlite3_stmt *pieces, *file, *name;
	const struct document *document;
	struct etl_text file_name, key, body, other;
	struct level levels[LEVELS];
	size_t depth;           /* of levels that are open */
	int64_t row_load;       /* whose row stands at `key`; -1: none */
};

static const struct etl_host *host_of(const struct writer *w)
{
	return w->plan->inst->host;
}

static int no_memory(struct writer *w)
{
	return host_of(w)->fail(w->err, ETL_MEMORY, NULL, 0, "no memory to write files");
}

static const char *table_of(const struct writer *w, int64_t load)
{
	return w->plan->loads[load].load->table->name;
}

static const char *label(const struct writer *w)
{
	return w->file_name.at && *w->file_name.at ? w->file_name.at : w->plan->inst->path;
}

/* ---- Keys ------------------------------------------------------------------------------------------------------------ */

static uint64_t number_at(const char *key, size_t size)
{
	uint64_t v = 0;

	for (size_t i = 0; i < size; i++)
		v = v << 8 | (unsigned char)key[i];
	return v;
}

/* The levels of a key into TO; returns how many. */
static size_t levels_of(const struct writer *w, const char *key, size_t size, struct level *to)
{
	const struct place *place = w->document->root;
	size_t n = 0, at = JSON_KEY_FILE;

	to[n++] = (struct level){ .place = place, .key_size = at };
	while (at < size && n < LEVELS) {
		place = place->children[(unsigned char)key[at] - 1];
		to[n] = (struct level){ .place = place };
		if (place->step == STEP_NAME) {
			at++;
		} else {
			to[n].id = number_at(key + at + 5, 6);
			at += JSON_KEY_STEP;
		}
		to[n++].key_size = at;
	}
	return n;
}

/* ---- Containers ---------------------------------------------------------------------------------------------------------- */

static int put(struct writer *w, const char *text)
{
	return json_sink_put(&w->sink, text, strlen(text));
}

static int leave_to(struct writer *w, size_t depth)
{
	int rc = ETL_OK;

	while (!rc && w->depth > depth) {
		struct level *l = &w->levels[--w->depth];

		if (!l->open || l->place->kind == PLACE_LINES)
			continue;
		if (w->depth == 0 && l->count)
			rc = json_sink_break(&w->sink);
		if (!rc)
			rc = put(w, l->place->kind == PLACE_OBJECT ? "}" : "]");
	}
	return rc;
}

static int put_name(struct writer *w, const struct level *l)
{
	const char *name = l->place->name;
	size_t size = name ? strlen(name) : 0;
	int rc;

	if (l->place->step == STEP_CAPTURE) {
		sqlite3_bind_int64(w->name, 1, (sqlite3_int64)l->id);
		if (sqlite3_step(w->name) != SQLITE_ROW)
			return json_stage_fail(w->stage, w->err);
		name = (const char *)sqlite3_column_text(w->name, 0);
		size = (size_t)sqlite3_column_bytes(w->name, 0);
	}
	w->other.length = 0;
	etl_text_add_json(&w->other, name, size);
	etl_text_add(&w->other, ":");
	rc = w->other.failed ? no_memory(w) : json_sink_put(&w->sink, w->other.at, w->other.length);
	sqlite3_reset(w->name);
	return rc;
}

/* What stands before a value: the comma, the line, the name. */
static int put_before(struct writer *w, const struct level *l)
{
	struct level *in = w->depth ? &w->levels[w->depth - 1] : NULL;
	int rc = ETL_OK;

	if (!in)
		return ETL_OK;
	if (!in->open)
		return host_of(w)->fail(w->err, ETL_DATA, NULL, 0,
					"%s: a row is within \"%s\", of which another says that it is no container",
					label(w), in->place->name ? in->place->name : "an element");
	if (in->count++ && in->place->kind != PLACE_LINES)
		rc = put(w, ",");
	if (!rc && w->depth == 1 && (in->place->kind != PLACE_LINES || in->count > 1))
		rc = json_sink_break(&w->sink);
	return rc || l->place->step == STEP_EACH ? rc : put_name(w, l);
}

static int open_container(struct writer *w, struct level *l)
{
	l->open = true;
	return l->place->kind == PLACE_LINES ? ETL_OK : put(w, l->place->kind == PLACE_OBJECT ? "{" : "[");
}

static int settle(struct writer *w)
{
	if (!w->body.at || !memchr(w->body.at, JSON_HOLLOW, w->body.length))
		return ETL_OK;
	w->other.length = 0;
	json_text_settle(&w->other, w->body.at, w->body.length);
	w->body.length = 0;
	etl_text_add_bytes(&w->body, w->other.at, w->other.length);
	return w->other.failed || w->body.failed ? no_memory(w) : ETL_OK;
}

/* The value of the place itself, which may have more in it that follows. */
static int put_body(struct writer *w, struct level *l)
{
	int rc = settle(w);
	const char *body = w->body.at ? w->body.at : "";
	size_t size = w->body.length;

	if (rc)
		return rc;
	if (l->place->kind == PLACE_LEAF || (l->place->kind == PLACE_OBJECT ? *body != '{' : *body != '['))
		return json_sink_put(&w->sink, body, size);
	rc = open_container(w, l);
	if (rc || size <= 2)
		return rc;
	l->count = 1;
	if (w->depth == 0)
		rc = json_sink_break(&w->sink);
	return rc ? rc : json_sink_put(&w->sink, body + 1, size - 2);
}

/* ---- Files --------------------------------------------------------------------------------------------------------------- */

static int end_file(struct writer *w)
{
	bool lines = w->depth && w->levels[0].place->kind == PLACE_LINES, any = w->depth && w->levels[0].count > 0;
	int rc;

	if (!w->sink.output)
		return ETL_OK;
	rc = leave_to(w, 0);
	if (!rc)
		return json_sink_finish(&w->sink, !lines || any);
	json_sink_give_up(&w->sink);
	return rc;
}

static int find_file(struct writer *w, const char *key)
{
	int64_t document;

	sqlite3_bind_int64(w->file, 1, (sqlite3_int64)number_at(key, JSON_KEY_FILE));
	if (sqlite3_step(w->file) != SQLITE_ROW)
		return json_stage_fail(w->stage, w->err);
	document = sqlite3_column_int64(w->file, 0);
	w->file_name.length = 0;
	etl_text_add(&w->file_name, (const char *)sqlite3_column_text(w->file, 1));
	sqlite3_reset(w->file);
	w->document = &w->plan->documents[document];
	return w->file_name.failed ? no_memory(w) : ETL_OK;
}

static int begin_file(struct writer *w, const char *key)
{
	int rc = end_file(w);

	if (!rc)
		rc = find_file(w, key);
	if (rc)
		return rc;
	return json_sink_open(&w->sink, w->plan->inst, w->file_name.at ? w->file_name.at : "", w->run,
			      w->document->root->kind == PLACE_LINES ? 0 : w->plan->inst->indent, w->err);
}

/* ---- Parts ------------------------------------------------------------------------------------------------------------------ */

/* All that was said of the place at `key` is in `body`. */
static int put_place(struct writer *w, const char *last, size_t last_size)
{
	struct level levels[LEVELS];
	size_t count, n;
	int rc = ETL_OK;

	if (!w->sink.output || last_size < JSON_KEY_FILE || memcmp(last, w->key.at, JSON_KEY_FILE) != 0) {
		rc = begin_file(w, w->key.at);
		last_size = 0;
	}
	if (rc)
		return rc;
	count = levels_of(w, w->key.at, w->key.length, levels);
	for (n = 0; n < w->depth && n < count && levels[n].key_size <= last_size &&
		    memcmp(w->key.at, last, levels[n].key_size) == 0;)
		n++;
	rc = leave_to(w, n);
	for (; !rc && n < count; n++) {
		struct level *l = &levels[n];

		rc = put_before(w, l);
		if (!rc)
			rc = n + 1 == count ? put_body(w, l) : open_container(w, l);
		w->levels[w->depth++] = *l;
	}
	return rc;
}

static int add_to_body(struct writer *w, int64_t load, const char *body, size_t size)
{
	struct etl_text path = { 0 }, both = { 0 };
	bool merged = json_text_merge(&both, w->body.at, w->body.length, body, size, &path);
	int rc = ETL_OK;

	if (!merged && find_file(w, w->key.at))
		rc = ETL_FAILED;
	else if (!merged)
		rc = host_of(w)->fail(w->err, ETL_DATA, NULL, 0,
				      "%s: two rows say different things of the one value \"%s\" (the second is of table "
				      "\"%s\"); write = \"never\" at one of the columns, or a path of its own",
				      label(w), path.at ? path.at + 1 : "the whole of it", table_of(w, load));
	else if (both.failed)
		rc = no_memory(w);
	etl_text_free(&path);
	if (rc) {
		etl_text_free(&both);
		return rc;
	}
	etl_text_free(&w->body);
	w->body = both;
	return ETL_OK;
}

/* One row of a table at a place: a second one would take its place. */
static int check_row(struct writer *w, int64_t load, bool row, bool same_place)
{
	if (!same_place)
		w->row_load = -1;
	if (!row)
		return ETL_OK;
	if (w->row_load == load && find_file(w, w->key.at))
		return ETL_FAILED;
	if (w->row_load == load)
		return host_of(w)->fail(w->err, ETL_DATA, NULL, 0,
					"%s: two rows of table \"%s\" have the same place there, so one of them would be "
					"lost",
					label(w), table_of(w, load));
	w->row_load = load;
	return ETL_OK;
}

static int take_piece(struct writer *w, struct etl_text *last)
{
	const char *key = sqlite3_column_blob(w->pieces, 0), *body = (const char *)sqlite3_column_text(w->pieces, 3);
	size_t size = (size_t)sqlite3_column_bytes(w->pieces, 0), body_size = (size_t)sqlite3_column_bytes(w->pieces, 3);
	int64_t load = sqlite3_column_int64(w->pieces, 1);
	bool same = w->key.length == size && memcmp(w->key.at, key, size) == 0;
	int rc = ETL_OK;

	if (!same && w->key.length) {
		rc = put_place(w, last->at, last->length);
		last->length = 0;
		etl_text_add_bytes(last, w->key.at, w->key.length);
	}
	if (!rc)
		rc = check_row(w, load, sqlite3_column_int(w->pieces, 2) != 0, same);
	if (!rc && same)
		return add_to_body(w, load, body, body_size);
	w->key.length = w->body.length = 0;
	etl_text_add_bytes(&w->key, key, size);
	etl_text_add_bytes(&w->body, body, body_size);
	return !rc && (w->key.failed || w->body.failed || last->failed) ? no_memory(w) : rc;
}

static int write_pieces(struct writer *w)
{
	struct etl_text last = { 0 };
	uint64_t count = 0;
	int rc = ETL_OK, code = SQLITE_DONE;

	while (!rc && (code = sqlite3_step(w->pieces)) == SQLITE_ROW) {
		rc = take_piece(w, &last);
		if (!rc && ++count % 4096 == 0 && host_of(w)->canceled(host_of(w)))
			rc = ETL_CANCELED;
	}
	if (!rc && code != SQLITE_DONE)
		rc = json_stage_fail(w->stage, w->err);
	if (!rc && w->key.length)
		rc = put_place(w, last.at, last.length);
	if (!rc)
		rc = end_file(w);
	etl_text_free(&last);
	return rc;
}

int json_write_all(struct target_plan *plan, struct stage *stage, const char *run, struct etl_error *err)
{
	struct writer *w = calloc(1, sizeof(*w));
	int rc;

	if (!w)
		return plan->inst->host->fail(err, ETL_MEMORY, NULL, 0, "no memory to write files");
	w->plan = plan;
	w->stage = stage;
	w->run = run;
	w->err = err;
	w->row_load = -1;
	rc = json_stage_prepare(stage, "SELECT place, load, row, body FROM piece ORDER BY place, n", &w->pieces, err);
	if (!rc)
		rc = json_stage_prepare(stage, "SELECT document, name FROM file WHERE id = ?1", &w->file, err);
	if (!rc)
		rc = json_stage_prepare(stage, "SELECT text FROM name WHERE id = ?1", &w->name, err);
	if (!rc)
		rc = write_pieces(w);
	json_sink_give_up(&w->sink);
	sqlite3_finalize(w->pieces);
	sqlite3_finalize(w->file);
	sqlite3_finalize(w->name);
	etl_text_free(&w->file_name);
	etl_text_free(&w->key);
	etl_text_free(&w->body);
	etl_text_free(&w->other);
	free(w);
	return rc;
}
