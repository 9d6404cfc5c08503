/*
 * A source whose tables are what the pipeline says (ETL_FROM_SHAPES): a folder of text files, a row a line, values behind
 * "|". Also one that proposes a pipeline, and that says which rows it left out and which values it changed by its own
 * policies. A fixture of tests/e2e/from.test and its neighbours.
 */
#define _GNU_SOURCE                     /* getline, scandir */

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#define COLUMNS_MOST 16

struct etl_instance {
	const struct etl_host *host;
	const struct etl_conf *conf;
	const char *path;
	size_t planned;                 /* tables of the view, which the stamp is about */
};

/* ---- What there is ---- */

/* A table while it is described; names are borrowed from the options or from the arena of the file's first line. */
struct shape {
	struct etl_column columns[COLUMNS_MOST];
	struct etl_foreign_key keys[COLUMNS_MOST];
	const char *key_columns[COLUMNS_MOST], *parent_columns[COLUMNS_MOST];
	const char *primary;
	struct etl_table table;
};

static void add_column(struct shape *s, const char *name, bool number)
{
	struct etl_column *c = &s->columns[s->table.column_count++];

	c->name = name;
	c->declared = number ? "integer" : "text";
	c->type = number ? ETL_INT64 : ETL_TEXT;
	c->flags = ETL_TYPED;
}

static void begin_shape(struct shape *s, const char *name)
{
	memset(s, 0, sizeof(*s));
	s->table = (struct etl_table){ .kind = ETL_TABLE, .name = name, .rows = ETL_UNKNOWN, .bytes = ETL_UNKNOWN,
				       .columns = s->columns, .column_size = sizeof(s->columns[0]),
				       .foreign_keys = s->keys, .foreign_key_size = sizeof(s->keys[0]) };
}

/* `refers`: pairs of a column and the table whose column of that name it refers to. */
static void add_keys(struct shape *s, const struct etl_host *host, const struct etl_conf *from)
{
	size_t n = host->list(from, "refers") / 2;

	for (size_t i = 0; i < n && i < COLUMNS_MOST; i++) {
		s->key_columns[i] = s->parent_columns[i] = host->item(from, "refers", 2 * i);
		s->keys[i] = (struct etl_foreign_key){ .columns = &s->key_columns[i], .column_count = 1,
						       .parent = host->item(from, "refers", 2 * i + 1),
						       .parent_columns = &s->parent_columns[i] };
	}
	s->table.foreign_key_count = n < COLUMNS_MOST ? n : COLUMNS_MOST;
}

/* As `from` says; the first column is a number and the key. */
static int describe_from(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			 struct etl_error *err)
{
	const struct etl_host *host = self->host;
	size_t n = host->list(dataset->options, "columns");
	struct shape s;

	if (!n || n > COLUMNS_MOST)
		return host->fail(err, ETL_USAGE, NULL, 0, "table \"%s\": `from` wants 1 to %d columns", dataset->table,
				  COLUMNS_MOST);
	begin_shape(&s, dataset->table);
	for (size_t i = 0; i < n; i++)
		add_column(&s, host->item(dataset->options, "columns", i), i == 0);
	s.primary = s.columns[0].name;
	s.table.primary = (struct etl_key){ .columns = &s.primary, .column_count = 1 };
	add_keys(&s, host, dataset->options);
	return sink->emit(sink, &s.table);
}

static int is_sheet(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return length > 4 && strcmp(entry->d_name + length - 4, ".txt") == 0;
}

/* Calls EACH with a file's name, less its ending, and how many values its first line has. */
static int each_sheet(struct etl_instance *self, int (*each)(void *data, const char *name, size_t columns), void *data,
		      struct etl_error *err)
{
	struct dirent **entries = NULL;
	int n = scandir(self->path, &entries, is_sheet, alphasort), rc = ETL_OK;

	if (n < 0)
		return self->host->fail(err, ETL_FATAL, NULL, errno, "%s cannot be listed: %s", self->path, strerror(errno));
	for (int i = 0; i < n; i++) {
		char path[4096], name[256];
		size_t columns = 1;
		FILE *file;

		snprintf(path, sizeof(path), "%s/%s", self->path, entries[i]->d_name);
		file = rc == ETL_OK ? fopen(path, "r") : NULL;
		for (int c; file && (c = fgetc(file)) != EOF && c != '\n';)
			columns += c == '|';
		if (file)
			fclose(file);
		snprintf(name, sizeof(name), "%.*s", (int)strlen(entries[i]->d_name) - 4, entries[i]->d_name);
		if (rc == ETL_OK)
			rc = each(data, name, columns < COLUMNS_MOST ? columns : COLUMNS_MOST);
		free(entries[i]);
	}
	free(entries);
	return rc;
}

static const char *const inferred[COLUMNS_MOST] = { "c1", "c2",  "c3",  "c4",  "c5",  "c6",  "c7",  "c8",
						    "c9", "c10", "c11", "c12", "c13", "c14", "c15", "c16" };

static int emit_inferred(void *data, const char *name, size_t columns)
{
	struct etl_table_sink *sink = data;
	struct shape s;

	begin_shape(&s, name);
	for (size_t i = 0; i < columns; i++)
		add_column(&s, inferred[i], false);
	return sink->emit(sink, &s.table);
}

static int sheets_describe(struct etl_instance *self, const struct etl_dataset *dataset, struct etl_table_sink *sink,
			   struct etl_error *err)
{
	if (dataset && (dataset->query || dataset->where))
		return self->host->fail(err, ETL_USAGE, NULL, 0, "sheets knows neither query nor where");
	if (dataset && self->host->given(dataset->options, "columns"))
		return describe_from(self, dataset, sink, err);
	if (dataset)
		return ETL_OK;
	if (!self->host->flag(self->conf, "lists"))
		return self->host->fail(err, ETL_FATAL, NULL, 0, "the files were to be listed");
	return each_sheet(self, emit_inferred, sink, err);
}

/* ---- Rows ---- */

struct reading {
	struct etl_producer producer;
	const struct etl_host *host;
	struct etl_context *context;
	struct etl_error *err;
	const struct etl_conf *from;
	FILE *file;
	int64_t limit, row;
	int64_t places[COLUMNS_MOST];   /* of each wanted column among the values of a line */
	size_t wanted;
	char *line, *next;              /* `next` was looked at already */
	size_t room, next_room;
	bool has_next;
};

static bool take_line(struct reading *r)
{
	ssize_t size;

	if (r->has_next) {
		char *line = r->line;
		size_t room = r->room;

		r->line = r->next, r->room = r->next_room;
		r->next = line, r->next_room = room;
		r->has_next = false;
		return true;
	}
	size = getline(&r->line, &r->room, r->file);
	if (size > 0 && r->line[size - 1] == '\n')
		r->line[size - 1] = '\0';
	return size > 0;
}

/* Lines that begin with `skip` are left out; of lines that follow one another with one key the last stays. */
static bool is_left_out(struct reading *r)
{
	const char *skip = r->host->str(r->from, "skip");
	size_t key = strcspn(r->line, "|");
	char *line;
	size_t room;

	if (skip && strncmp(r->line, skip, strlen(skip)) == 0) {
		r->host->count(r->context, ETL_COUNT_FILTERED, 1);
		return true;
	}
	if (!r->host->flag(r->from, "last_wins"))
		return false;
	line = r->line, room = r->room;
	r->line = r->next, r->room = r->next_room;
	r->has_next = take_line(r);
	r->next = r->line, r->next_room = r->room;
	r->line = line, r->room = room;
	if (!r->has_next || strncmp(r->line, r->next, key + 1) != 0)
		return false;
	r->host->count(r->context, ETL_COUNT_MERGED, 1);
	return true;
}

/* What `empty` says is no value. */
static const char *put_value(struct reading *r, struct etl_column_builder *to, const char *at, size_t size)
{
	const char *empty = r->host->str(r->from, "empty");

	if (empty && strlen(empty) == size && strncmp(at, empty, size) == 0) {
		r->host->noted(r->context, "empty_as_null", "values read as NULL", 1);
		etl_put_null(to);
		return NULL;
	}
	return etl_convert_text(to, at, size);
}

static int put_line(struct reading *r, struct etl_builder *builder)
{
	struct etl_reject reject = { .raw = r->line, .ordinal = r->row, .reason = "the value does not fit its column" };
	int64_t before = etl_builder_rows(builder);

	for (size_t i = 0; i < r->wanted && !reject.code; i++) {
		const char *at = r->line;

		for (int64_t n = 0; n < r->places[i]; n++)
			at += strcspn(at, "|") + (at[strcspn(at, "|")] == '|');
		reject.code = put_value(r, &builder->columns[i], at, strcspn(at, "|"));
	}
	if (!reject.code)
		return ETL_OK;
	etl_builder_truncate(builder, before);
	return r->host->reject(r->context, &reject);
}

static int fill(struct etl_producer *producer, struct etl_builder *builder)
{
	struct reading *r = (struct reading *)producer;

	while (!etl_builder_full(builder, r->host)) {
		if ((r->limit > 0 && r->row >= r->limit) || !take_line(r))
			return ETL_FILL_END;
		if (is_left_out(r))
			continue;
		if (put_line(r, builder) < 0)
			return ETL_FAILED;
		r->row++;
	}
	return ETL_FILL_MORE;
}

static void stop(struct etl_producer *producer)
{
	struct reading *r = (struct reading *)producer;

	fclose(r->file);
	free(r->line);
	free(r->next);
	free(r);
}

/* The columns of `from`, or those that were inferred. */
static int64_t place_of(struct reading *r, const char *name)
{
	size_t n = r->host->list(r->from, "columns");

	for (size_t i = 0; i < n; i++)
		if (strcmp(r->host->item(r->from, "columns", i), name) == 0)
			return (int64_t)i;
	for (size_t i = 0; n == 0 && i < COLUMNS_MOST; i++)
		if (strcmp(inferred[i], name) == 0)
			return (int64_t)i;
	return 0;
}

static int sheets_read(struct etl_instance *self, const struct etl_read *read, const struct etl_split *split,
		       struct ArrowArrayStream *stream, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const char *name = host->str(read->dataset.options, "file");
	char path[4096];
	struct reading *r = calloc(1, sizeof(*r));

	(void)split;
	snprintf(path, sizeof(path), "%s/%s%s", self->path, name ? name : read->dataset.table, name ? "" : ".txt");
	if (!r)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory to read %s", path);
	*r = (struct reading){ .producer = { fill, stop }, .host = host, .context = read->context, .err = err,
			       .from = read->dataset.options, .limit = read->limit, .file = fopen(path, "r") };
	if (!r->file) {
		int saved = errno;

		free(r);
		return host->fail(err, ETL_FATAL, NULL, saved, "%s cannot be opened: %s", path, strerror(saved));
	}
	for (; r->wanted < (size_t)read->want->n_children && r->wanted < COLUMNS_MOST; r->wanted++)
		r->places[r->wanted] = place_of(r, read->want->children[r->wanted]->name);
	if (etl_stream_open(stream, host, read->want, &r->producer))
		return ETL_OK;
	stop(&r->producer);
	return host->fail(err, ETL_MEMORY, NULL, 0, "no memory to read %s", path);
}

/* ---- A whole pipeline ---- */

static int emit_proposal(void *data, const char *name, size_t columns)
{
	struct etl_proposal_sink *sink = data;
	struct etl_proposal proposal = { .name = name };
	struct etl_text keys = { .at = NULL }, unsure = { .at = NULL };
	int rc;

	etl_text_add(&keys, "from = { file = ");
	etl_text_add_config(&keys, name);
	keys.length--;                  /* the closing quote: the ending goes before it */
	etl_text_add(&keys, ".txt\"; columns = [ ");
	for (size_t i = 0; i < columns; i++)
		etl_text_addf(&keys, "%s\"%s\"", i ? ", " : "", inferred[i]);
	etl_text_add(&keys, " ]; }; key = [ \"c1\" ];");
	etl_text_addf(&unsure, "%zu columns by its first line\nwhether c1 is the key was not looked at", columns);
	proposal.keys = keys.at;
	proposal.unsure = unsure.at;
	rc = keys.failed || unsure.failed ? ETL_FAILED : sink->emit(sink, &proposal);
	etl_text_free(&keys);
	etl_text_free(&unsure);
	return rc;
}

static int sheets_propose(struct etl_instance *self, struct etl_proposal_sink *sink, struct etl_error *err)
{
	struct etl_proposal broken = { .name = "broken", .keys = "from = {" };

	if (self->host->flag(self->conf, "broken"))
		return sink->emit(sink, &broken);
	return each_sheet(self, emit_proposal, sink, err);
}

/* ---- One view: whoever says that it stands still, in `stamp`, is believed ---- */

static int sheets_pin(struct etl_instance *self, struct etl_token *ret, struct etl_error *err)
{
	(void)self, (void)err;
	snprintf(ret->text, sizeof(ret->text), "pinned");
	return ETL_OK;
}

static int sheets_join(struct etl_instance *self, const struct etl_token *token, struct etl_error *err)
{
	(void)self, (void)token, (void)err;
	return ETL_OK;
}

static int sheets_stamp(struct etl_instance *self, struct etl_token *ret, struct etl_error *err)
{
	const char *stamp = self->host->str(self->conf, "stamp");

	(void)err;
	snprintf(ret->text, sizeof(ret->text), stamp ? "%s of %zu" : "none", stamp, self->planned);
	return ETL_OK;
}

static int sheets_plan(struct etl_instance *self, const struct etl_read *read, int64_t wanted,
		       struct etl_split_sink *sink, struct etl_error *err)
{
	const struct etl_split everything = { .rows = ETL_UNKNOWN };

	(void)read, (void)wanted, (void)err;
	self->planned++;
	return sink->emit(sink, &everything);
}

static int sheets_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
		       struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	const char *uri = host->str(conf, "uri");

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
	*self = (struct etl_instance){ host, conf, uri ? uri + strlen("sheets:") : host->str(conf, "path"), 0 };
	*ret = self;
	return ETL_OK;
}

static void sheets_close(struct etl_instance *self) { free(self); }

static const struct etl_option options[] = {
	{ .name = "path", .kind = ETL_OPT_PATH, .help = "The folder." },
	{ .name = "uri", .kind = ETL_OPT_URI, .flags = ETL_OPT_LOCAL, .help = "sheets:FOLDER." },
	{ .name = "lists", .kind = ETL_OPT_FLAG, .default_text = "true", .help = "Whether its files may be listed." },
	{ .name = "stamp", .kind = ETL_OPT_TEXT, .help = "By what its content is known." },
	{ .name = "broken", .kind = ETL_OPT_FLAG, .default_text = "false", .help = "What it proposes is none." },
	{ .name = "file", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .help = "The file." },
	{ .name = "columns", .kind = ETL_OPT_LIST, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .help = "Its columns." },
	{ .name = "refers", .kind = ETL_OPT_PAIRS, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .help = "( ( COLUMN, TABLE ) )" },
	{ .name = "skip", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .help = "How lines that are none begin." },
	{ .name = "empty", .kind = ETL_OPT_TEXT, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .help = "What is no value." },
	{ .name = "last_wins", .kind = ETL_OPT_FLAG, .flags = ETL_OPT_PER_TABLE | ETL_OPT_SOURCE, .default_text = "false",
	  .help = "Of lines with one key the last stays." },
	{ .name = NULL },
};
static const struct etl_store store = { .size = sizeof(store), .flags = ETL_FROM_SHAPES | ETL_FILES,
					.describe = sheets_describe };
static const struct etl_source source = { .size = sizeof(source), .read = sheets_read, .pin = sheets_pin,
					   .join = sheets_join, .stamp = sheets_stamp, .plan = sheets_plan,
					   .propose = sheets_propose };
static const struct etl_plugin sheets = {
	ETL_ABI, 0, sizeof(sheets), sizeof(options[0]), "sheets", "1.0", "lines of files as the pipeline calls them",
	"0BSD", NULL, options, sheets_open, sheets_close, NULL, &store, &source, NULL, NULL, NULL, NULL,
};

ETL_PLUGIN(sheets, sheets)
