/*
 * From rows to parts of documents. A place in a document is a key whose bytes sort as the document is written: the file, then for
 * each container on the way its number and, of an element or a named member, which one it is. Elements that several rows are in
 * (and those that rows of another table are) are known again by their values.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "target.h"

struct key {
	char at[JSON_PATH_SEGMENTS * 2 * JSON_KEY_STEP + JSON_KEY_FILE];
	size_t size;
	uint64_t id;            /* of the last node */
};

struct going {
	struct target_plan *plan;
	struct stage *stage;
	struct load_plan *load;
	struct etl_error *err;
	sqlite3_stmt *find_file, *add_file, *find_node, *add_node, *add_name, *add_piece, *rows;
	struct cell *cells;
	struct names names;
	struct etl_text body;
	struct key *keys;       /* of each step of the way */
	char *file;             /* the last row's */
	uint64_t file_id;
	uint64_t node_count, piece_count;
};

static int no_memory(struct going *g)
{
	return g->plan->inst->host->fail(g->err, ETL_MEMORY, NULL, 0, "no memory to place the rows of \"%s\"",
					 g->load->load->table->name);
}

static const struct cell *cell_of(const struct going *g, const struct placing *p)
{
	return &g->cells[p - g->load->columns];
}

static int refuse_row(struct going *g, const struct placing *p, const char *what)
{
	const char *table = g->load->load->table->name;

	g->plan->inst->host->at(g->err, table, p->name, NULL);
	return g->plan->inst->host->fail(g->err, ETL_DATA, NULL, 0, "table \"%s\": a row has no place: \"%s\" %s", table,
					 p->name, what);
}

/* ---- Which file ----------------------------------------------------------------------------------------------------- */

static int file_name(struct going *g, char **ret)
{
	const struct document *d = g->load->document;
	const char *values[JSON_NAMES_MAX] = { NULL }, *why = "";
	char *texts[JSON_NAMES_MAX] = { NULL };
	size_t count = d->capture_count < JSON_NAMES_MAX ? d->capture_count : JSON_NAMES_MAX;
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < count; i++) {
		const struct cell *c = cell_of(g, g->load->captures[i]);

		if (c->kind == CELL_NULL)
			rc = refuse_row(g, g->load->captures[i], "is NULL, and the file's name needs it");
		else if (memchr(c->text, '\0', c->size))
			rc = refuse_row(g, g->load->captures[i], "has a NUL in it, and no file's name can");
		else
			texts[i] = strndup(c->text, c->size);
		values[i] = texts[i];
		if (!rc && !texts[i])
			rc = no_memory(g);
	}
	if (!rc) {
		*ret = files_pattern_name(d->files, values, &why);
		if (!*ret)
			rc = refuse_row(g, g->load->captures[0], why);
	}
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	return rc;
}

static int find_file(struct going *g, const char *name, uint64_t *ret)
{
	int64_t number = g->load->document - g->plan->documents;

	sqlite3_bind_text(g->find_file, 1, name, -1, SQLITE_STATIC);
	if (sqlite3_step(g->find_file) == SQLITE_ROW) {
		*ret = (uint64_t)sqlite3_column_int64(g->find_file, 0);
		if (sqlite3_column_int64(g->find_file, 1) != number) {
			sqlite3_reset(g->find_file);
			return g->plan->inst->host->fail(g->err, ETL_USAGE, NULL, 0,
							 "the tables of files = \"%s\" and those of another pattern both "
							 "write %s; write the same pattern for them",
							 g->load->document->text, name);
		}
		sqlite3_reset(g->find_file);
		return ETL_OK;
	}
	sqlite3_reset(g->find_file);
	sqlite3_bind_int64(g->add_file, 1, number);
	sqlite3_bind_text(g->add_file, 2, name, -1, SQLITE_STATIC);
	if (json_stage_step(g->stage, g->add_file, g->err))
		return ETL_FAILED;
	*ret = (uint64_t)sqlite3_last_insert_rowid(json_stage_db(g->stage));
	return ETL_OK;
}

static void forget_nodes(struct going *g)
{
	for (size_t i = 0; i <= g->load->depth; i++)
		g->load->way[i].has_last = false;
}

static int enter_file(struct going *g)
{
	char *name = NULL;
	int rc = g->load->document->files && g->load->document->capture_count ? file_name(g, &name) : ETL_OK;

	if (!rc && !name) {
		/* Of a pattern without names there is one file, which was found before. */
		if (g->file)
			return ETL_OK;
		name = g->load->document->files ? files_pattern_name(g->load->document->files, NULL, &(const char *){ "" }) :
						  strdup("");
		rc = name ? ETL_OK : no_memory(g);
	}
	if (!rc && g->file && strcmp(name, g->file) == 0) {
		free(name);
		return ETL_OK;
	}
	if (!rc)
		rc = find_file(g, name, &g->file_id);
	if (rc) {
		free(name);
		return rc;
	}
	forget_nodes(g);
	free(g->file);
	g->file = name;
	g->keys[0].size = 0;
	for (size_t i = 0; i < JSON_KEY_FILE; i++)
		g->keys[0].at[g->keys[0].size++] = (char)(g->file_id >> 8 * (JSON_KEY_FILE - 1 - i));
	g->keys[0].id = g->file_id;
	return ETL_OK;
}

/* ---- Which node ------------------------------------------------------------------------------------------------------- */

static void add_number(struct key *k, uint64_t v, size_t bytes)
{
	while (bytes-- > 0)
		k->at[k->size++] = (char)(v >> 8 * bytes);
}

/* ORDER is among elements that say it; then in the order in which they came. */
static void add_step(struct key *k, const struct place *place, uint32_t order, uint64_t id)
{
	k->at[k->size++] = (char)place->number;
	if (place->step == STEP_NAME)
		return;
	add_number(k, order, 4);
	add_number(k, id, 6);
	k->id = id;
}

static void hash_cell(XXH3_state_t *state, const struct cell *c)
{
	uint64_t size = c->kind == CELL_NULL ? UINT64_MAX : c->size;

	XXH3_128bits_update(state, &size, sizeof(size));
	if (c->kind != CELL_NULL)
		XXH3_128bits_update(state, c->text, c->size);
}

static void identify(const struct going *g, const struct key *parent, const struct place *place, size_t set,
		     const struct placing *const *values, size_t count, uint8_t ret[16])
{
	XXH3_state_t state;
	XXH128_canonical_t canonical;
	uint64_t head[4] = { parent->id, (uint64_t)(g->load->document - g->plan->documents), place->serial, set };

	XXH3_128bits_reset(&state);
	XXH3_128bits_update(&state, head, sizeof(head));
	/* Below names the parent's id is that of what is above them. */
	XXH3_128bits_update(&state, parent->at, parent->size);
	for (size_t i = 0; i < count; i++)
		hash_cell(&state, cell_of(g, values[i]));
	XXH128_canonicalFromHash(&canonical, XXH3_128bits_digest(&state));
	memcpy(ret, canonical.digest, 16);
}

/* *ret_new: there was none. */
static int find_node(struct going *g, const uint8_t identity[16], uint64_t *id, uint32_t *order, bool *ret_new)
{
	int rc;

	sqlite3_bind_blob(g->find_node, 1, identity, 16, SQLITE_STATIC);
	*ret_new = sqlite3_step(g->find_node) != SQLITE_ROW;
	if (!*ret_new) {
		*id = (uint64_t)sqlite3_column_int64(g->find_node, 0);
		*order = (uint32_t)sqlite3_column_int64(g->find_node, 1);
	}
	sqlite3_reset(g->find_node);
	if (!*ret_new)
		return ETL_OK;
	*id = ++g->node_count;
	sqlite3_bind_blob(g->add_node, 1, identity, 16, SQLITE_STATIC);
	sqlite3_bind_int64(g->add_node, 2, (sqlite3_int64)*id);
	sqlite3_bind_int64(g->add_node, 3, *order);
	rc = json_stage_step(g->stage, g->add_node, g->err);
	return rc;
}

static int name_node(struct going *g, uint64_t id, const struct cell *c)
{
	sqlite3_bind_int64(g->add_name, 1, (sqlite3_int64)id);
	sqlite3_bind_text64(g->add_name, 2, c->text, c->size, SQLITE_STATIC, SQLITE_UTF8);
	return json_stage_step(g->stage, g->add_name, g->err);
}

static bool is_cell(const char *name, const struct cell *c)
{
	return name && strlen(name) == c->size && memcmp(name, c->text, c->size) == 0;
}

/* A container or a column of any table has this name in the object already. */
static bool is_taken(const struct going *g, const struct place *in, const struct cell *c)
{
	for (size_t i = 0; i < in->child_count; i++) {
		if (in->children[i]->step == STEP_NAME && is_cell(in->children[i]->name, c))
			return true;
	}
	for (size_t i = 0; i < g->plan->load_count; i++) {
		const struct load_plan *lp = &g->plan->loads[i];

		for (size_t j = 0; j < lp->site_count; j++) {
			const struct spot *top = &lp->sites[j].top;

			for (size_t n = 0; lp->sites[j].place == in && n < top->child_count; n++) {
				if (is_cell(top->children[n]->name, c))
					return true;
			}
		}
	}
	return false;
}

/* W, or NULL, remembers: rows of one name follow each other. */
static int enter_named(struct going *g, const struct place *place, const struct placing *capture, struct way_step *w,
		       struct key *k)
{
	const struct cell *c = cell_of(g, capture);
	uint8_t identity[16];
	uint32_t order = 0;
	uint64_t id = 0;
	bool new;
	int rc;

	if (c->kind == CELL_NULL)
		return refuse_row(g, capture, "is NULL, and it is the name of a member");
	identify(g, k, place, 0, &capture, 1, identity);
	if (w && w->has_last && memcmp(identity, w->last, 16) == 0) {
		add_step(k, place, w->order, w->id);
		return ETL_OK;
	}
	rc = find_node(g, identity, &id, &order, &new);
	if (!rc && new && is_taken(g, place->parent, c))
		rc = refuse_row(g, capture, "names a member that another column or table writes");
	if (!rc && new)
		rc = name_node(g, id, c);
	if (!rc)
		add_step(k, place, order, id);
	if (w) {
		memcpy(w->last, identity, 16);
		w->has_last = !rc;
		w->id = id;
		w->order = order;
	}
	return rc;
}

/* The element that a row is in: one for equal values. */
static int enter_group(struct going *g, struct way_step *w, struct key *k)
{
	uint8_t identity[16];
	uint32_t order = UINT32_MAX;
	bool new;
	int rc = ETL_OK;

	identify(g, k, w->place, w->set + 1, w->group, w->group_count, identity);
	if (!w->has_last || memcmp(identity, w->last, 16) != 0) {
		w->order = order;
		rc = find_node(g, identity, &w->id, &w->order, &new);
		memcpy(w->last, identity, 16);
		w->has_last = !rc;
	}
	if (!rc)
		add_step(k, w->place, w->order, w->id);
	return rc;
}

static uint32_t order_of(const struct going *g)
{
	const struct cell *c = g->load->order ? cell_of(g, g->load->order) : NULL;
	char digits[24];

	if (!c || c->kind == CELL_NULL || c->size >= sizeof(digits))
		return 0;
	memcpy(digits, c->text, c->size);
	digits[c->size] = '\0';
	return (uint32_t)strtoul(digits, NULL, 10);
}

/* The row's own element is a new one, and is told to those who will know it by its values. */
static int enter_own(struct going *g, struct way_step *w, struct key *k)
{
	uint64_t id = ++g->node_count;
	uint32_t order = order_of(g);
	struct key parent = *k;
	uint8_t identity[16];
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < w->place->set_count; i++) {
		size_t count = 0;

		for (const char *at = w->place->sets[i]; *at; at++)
			count += *at == '\x1e';
		identify(g, &parent, w->place, i + 1, w->sets[i], count, identity);
		sqlite3_bind_blob(g->add_node, 1, identity, 16, SQLITE_STATIC);
		sqlite3_bind_int64(g->add_node, 2, (sqlite3_int64)id);
		sqlite3_bind_int64(g->add_node, 3, order);
		rc = json_stage_step(g->stage, g->add_node, g->err);
	}
	add_step(k, w->place, order, id);
	return rc;
}

static int walk(struct going *g)
{
	int rc = ETL_OK;

	for (size_t i = 1; !rc && i <= g->load->depth; i++) {
		struct way_step *w = &g->load->way[i];
		struct key *k = &g->keys[i];

		memcpy(k->at, g->keys[i - 1].at, g->keys[i - 1].size);
		k->size = g->keys[i - 1].size;
		k->id = g->keys[i - 1].id;
		if (w->place->step == STEP_NAME)
			add_step(k, w->place, 0, 0);
		else if (w->place->step == STEP_CAPTURE)
			rc = enter_named(g, w->place, w->capture, w, k);
		else
			rc = i < g->load->depth ? enter_group(g, w, k) : enter_own(g, w, k);
	}
	return rc;
}

/* ---- What the row says -------------------------------------------------------------------------------------------------- */

static int add_piece(struct going *g, const struct key *k, bool row, const char *body, size_t size)
{
	sqlite3_bind_blob(g->add_piece, 1, k->at, (int)k->size, SQLITE_STATIC);
	sqlite3_bind_int64(g->add_piece, 2, (sqlite3_int64)++g->piece_count);
	sqlite3_bind_int64(g->add_piece, 3, g->load - g->plan->loads);
	sqlite3_bind_int(g->add_piece, 4, row);
	sqlite3_bind_text64(g->add_piece, 5, body, size, SQLITE_STATIC, SQLITE_UTF8);
	return json_stage_step(g->stage, g->add_piece, g->err);
}

static bool same_as_last(struct site *s, const struct key *k, const struct etl_text *body)
{
	if (s->last_key.length == k->size && s->last_body.length == body->length && s->last_key.at &&
	    memcmp(s->last_key.at, k->at, k->size) == 0 && memcmp(s->last_body.at, body->at, body->length) == 0)
		return true;
	s->last_key.length = s->last_body.length = 0;
	etl_text_add_bytes(&s->last_key, k->at, k->size);
	etl_text_add_bytes(&s->last_body, body->at, body->length);
	return false;
}

static int say(struct going *g, struct site *s, bool row)
{
	struct key k = g->keys[s->anchor];
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < s->more_count; i++) {
		if (s->more[i]->step == STEP_NAME)
			add_step(&k, s->more[i], 0, 0);
		else
			rc = enter_named(g, s->more[i], json_plan_capture(g->load, s->more[i]->name), NULL, &k);
	}
	if (rc)
		return rc;
	g->body.length = 0;
	if (json_spot_write(&s->top, row, g->load, g->cells, &g->names, &g->body) == SPOT_ABSENT) {
		if (!row)
			return ETL_OK;
		etl_text_add(&g->body, "{}");
	}
	if (g->body.failed)
		return no_memory(g);
	if (!row && same_as_last(s, &k, &g->body))
		return ETL_OK;
	return add_piece(g, &k, row, g->body.at, g->body.length);
}

static void set_names(struct going *g)
{
	names_init(&g->names);
	for (size_t i = 0; i < g->load->document->capture_count; i++) {
		const struct cell *c = cell_of(g, g->load->captures[i]);

		names_set(&g->names, g->load->document->captures[i], c->text, c->size);
	}
	for (size_t i = 1; i <= g->load->depth; i++) {
		const struct way_step *w = &g->load->way[i];

		if (w->capture)
			names_set(&g->names, w->place->name, cell_of(g, w->capture)->text, cell_of(g, w->capture)->size);
	}
}

static int place_row(struct going *g)
{
	int rc = enter_file(g);

	if (!rc)
		rc = walk(g);
	if (!rc)
		set_names(g);
	for (size_t i = 0; !rc && i < g->load->site_count; i++)
		rc = say(g, &g->load->sites[i], i == 0);
	return rc;
}

/* ---- All rows ------------------------------------------------------------------------------------------------------------ */

/* A file of one name is there with no rows too: an empty array, an object with nothing in it. */
static int place_nothing(struct going *g)
{
	size_t names = 0;
	struct key *k = &g->keys[0];
	const struct place *at;
	int rc;

	if (g->load->document->capture_count || g->load->depth == 0)
		return ETL_OK;
	rc = enter_file(g);
	while (!rc && names < g->load->depth && g->load->way[names + 1].place->step == STEP_NAME)
		add_step(k, g->load->way[++names].place, 0, 0);
	at = g->load->way[names].place;
	if (rc || at->kind == PLACE_LEAF)
		return rc;
	return add_piece(g, k, false, at->kind == PLACE_OBJECT ? "{}" : "[]", 2);
}

static int place_load(struct going *g)
{
	const char *name = g->load->load->table->name;
	uint64_t count = 0;
	int rc = ETL_OK, code = SQLITE_DONE;

	free(g->file);
	g->file = NULL;
	free(g->keys);
	free(g->cells);
	g->keys = calloc(g->load->depth + 1, sizeof(*g->keys));
	g->cells = calloc(g->load->column_count + 1, sizeof(*g->cells));
	if (!g->keys || !g->cells)
		return no_memory(g);
	sqlite3_bind_text(g->rows, 1, name, -1, SQLITE_STATIC);
	while (!rc && (code = sqlite3_step(g->rows)) == SQLITE_ROW) {
		if (++count % 4096 == 0 && g->plan->inst->host->canceled(g->plan->inst->host))
			rc = ETL_CANCELED;
		else if (!json_cells_read(g->cells, g->load->column_count, sqlite3_column_blob(g->rows, 0),
					  (size_t)sqlite3_column_bytes(g->rows, 0)))
			rc = g->plan->inst->host->fail(g->err, ETL_BUG, NULL, 0, "a staged row of \"%s\" is damaged", name);
		else
			rc = place_row(g);
	}
	if (!rc && code != SQLITE_DONE)
		rc = json_stage_fail(g->stage, g->err);
	sqlite3_reset(g->rows);
	return rc || count ? rc : place_nothing(g);
}

static int prepare(struct going *g)
{
	struct {
		sqlite3_stmt **statement;
		const char *sql;
	} all[] = { { &g->find_file, "SELECT id, document FROM file WHERE name = ?1" },
		    { &g->add_file, "INSERT INTO file (document, name) VALUES (?1, ?2)" },
		    { &g->find_node, "SELECT id, place FROM node WHERE identity = ?1" },
		    /* Of several rows with the values by which others know them the first is meant. */
		    { &g->add_node, "INSERT OR IGNORE INTO node VALUES (?1, ?2, ?3)" },
		    { &g->add_name, "INSERT INTO name VALUES (?1, ?2)" },
		    { &g->add_piece, "INSERT INTO piece VALUES (?1, ?2, ?3, ?4, ?5)" },
		    { &g->rows, "SELECT body FROM staged WHERE load = ?1 ORDER BY part, n" } };
	int rc = ETL_OK;

	for (size_t i = 0; !rc && i < sizeof(all) / sizeof(*all); i++)
		rc = json_stage_prepare(g->stage, all[i].sql, all[i].statement, g->err);
	return rc;
}

static void finish(struct going *g)
{
	sqlite3_finalize(g->find_file);
	sqlite3_finalize(g->add_file);
	sqlite3_finalize(g->find_node);
	sqlite3_finalize(g->add_node);
	sqlite3_finalize(g->add_name);
	sqlite3_finalize(g->add_piece);
	sqlite3_finalize(g->rows);
	etl_text_free(&g->body);
	free(g->file);
	free(g->keys);
	free(g->cells);
}

/* Elements are there before what is in them: tables whose rows are higher up come first. */
int json_way_all(struct target_plan *plan, struct stage *stage, struct etl_error *err)
{
	struct going g = { .plan = plan, .stage = stage, .err = err };
	size_t deepest = 0;
	int rc;

	g.load = plan->loads;
	rc = json_stage_sql(stage, "BEGIN; DELETE FROM file; DELETE FROM node; DELETE FROM name; DELETE FROM piece; "
				   "DELETE FROM stale",
			    err);
	if (!rc)
		rc = prepare(&g);
	for (size_t i = 0; i < plan->load_count; i++)
		deepest = plan->loads[i].depth > deepest ? plan->loads[i].depth : deepest;
	for (size_t depth = 0; !rc && depth <= deepest; depth++) {
		for (size_t i = 0; !rc && i < plan->load_count; i++) {
			g.load = &plan->loads[i];
			if (g.load->depth == depth)
				rc = place_load(&g);
		}
	}
	finish(&g);
	if (!rc)
		return json_stage_sql(stage, "COMMIT", err);
	sqlite3_exec(json_stage_db(stage), "ROLLBACK", NULL, NULL, NULL);
	return rc;
}
