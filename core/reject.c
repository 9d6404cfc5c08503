/*
 * The spool and the file of refused rows: JSON lines, one file a split while the run goes on, each
 * line led by its ordinal so that both sides of the queue may write in any order.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "batch.h"
#include "reject.h"

#define VALUES_SHOWN 120 /* bytes of a row without a key, in a sentence */
#define SPOOL_NAME     4300 /* bytes: a path, and two numbers */
#define ORDINAL_DIGITS 20   /* before each line of the spool, and a space */

struct rejects {
	const struct pipeline *pipeline;
	char *run, *path, *spool;
	pthread_mutex_t mutex;
	uint64_t count;
	bool spooled; /* the folder is there */
	bool joined;
};

int rejects_open(const struct pipeline *pipeline, const char *run, const char *path,
		 struct rejects **ret, struct etl_error *err)
{
	struct rejects *r = calloc(1, sizeof(*r));

	if (!r)
		return error_memory(err);
	pthread_mutex_init(&r->mutex, NULL);
	r->pipeline = pipeline;
	r->run = strdup(run);
	r->path = strdup(path);
	if (!r->run || !r->path || asprintf(&r->spool, "%s.spool", path) < 0) {
		r->spool = NULL;
		rejects_free(r);
		return error_memory(err);
	}
	*ret = r;
	return 0;
}

static void remove_spool(const struct rejects *r)
{
	DIR *folder = opendir(r->spool);
	const struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (entry->d_name[0] != '.')
			unlinkat(dirfd(folder), entry->d_name, 0);
	if (folder)
		closedir(folder);
	rmdir(r->spool);
}

void rejects_free(struct rejects *r)
{
	if (!r)
		return;
	if (r->spooled)
		remove_spool(r);
	pthread_mutex_destroy(&r->mutex);
	free(r->run);
	free(r->path);
	free(r->spool);
	free(r);
}

uint64_t rejects_count(const struct rejects *r)
{
	return r->count;
}

static bool over_limit(const struct rejects *r)
{
	const struct pipeline *p = r->pipeline;

	return !p->reject_rows || (!p->max_rejects_percent && r->count > (uint64_t)p->max_rejects);
}

int rejects_within(const struct rejects *r, uint64_t read, struct etl_error *err)
{
	const struct pipeline *p = r->pipeline;

	if (r->count == 0)
		return 0;
	if (p->max_rejects_percent &&
	    (double)r->count * 1e6 > (double)read * (double)p->max_rejects)
		return error_set(err, ETL_DATA,
				 "%" PRIu64 " of %" PRIu64
				 " rows were rejected, more than max_rejects = \"%g%%\" "
				 "allows; the rejects file has each with its reason",
				 r->count, read, (double)p->max_rejects / 1e4);
	return 0;
}

/* ---- One reject ---- */

static int64_t ordinal_of(const struct etl_context *c, const struct etl_reject *reject)
{
	int64_t at;

	if (!reject->batch)
		return reject->ordinal;
	if (c->ordinals)
		return c->ordinals[reject->row];
	at = etl_schema_find(reject->schema, ETL_ORDINAL_COLUMN);
	return at < 0 ? reject->ordinal : batch_int64(reject->batch->children[at])[reject->row];
}

/* The key's columns are looked up by their names in whatever shape the batch has. */
static void add_key(const struct etl_context *c, const struct etl_reject *reject,
		    const struct etl_view *view, struct etl_text *text)
{
	const struct etl_table *tables[] = { c->job->target, c->job->source };

	for (size_t t = 0; t < 2; t++) {
		const struct etl_key *key = &tables[t]->primary;
		size_t found = 0;

		for (size_t i = 0; i < key->column_count; i++)
			found += etl_schema_find(reject->schema, key->columns[i]) >= 0;
		if (!found || found < key->column_count)
			continue;
		for (size_t i = 0; i < key->column_count; i++) {
			etl_text_addf(text, "%s%s=", i ? " " : "", key->columns[i]);
			etl_text_add_value(
				text,
				&view->columns[etl_schema_find(reject->schema, key->columns[i])],
				reject->row);
		}
		return;
	}
}

static void add_row(const struct etl_reject *reject, const struct etl_view *view,
		    struct etl_text *line)
{
	bool first = true;

	etl_text_add(line, ",\"row\":");
	if (!view) {
		if (reject->raw && reject->raw[0] == '{')
			etl_text_add(line, reject->raw);
		else if (reject->raw)
			etl_text_add_json(line, reject->raw, strlen(reject->raw));
		else
			etl_text_add(line, "null");
		return;
	}
	etl_text_add(line, "{");
	for (int64_t i = 0; i < reject->schema->n_children; i++) {
		const char *name = reject->schema->children[i]->name;

		if (strncmp(name, "etlrun.", 7) == 0)
			continue;
		if (!first)
			etl_text_add(line, ",");
		first = false;
		etl_text_add_json(line, name, strlen(name));
		etl_text_add(line, ":");
		etl_text_add_json_value(line, &view->columns[i], reject->row);
	}
	etl_text_add(line, "}");
}

static void add_member(struct etl_text *line, const char *name, const char *value)
{
	etl_text_addf(line, ",\"%s\":", name);
	if (value)
		etl_text_add_json(line, value, strlen(value));
	else
		etl_text_add(line, "null");
}

static void make_line(const struct etl_context *c, const struct etl_reject *reject,
		      const struct etl_view *view, const char *key, int64_t ordinal,
		      struct etl_text *line)
{
	etl_text_add(line, "{\"run\":");
	etl_text_add_json(line, c->rejects->run, strlen(c->rejects->run));
	add_member(line, "table", c->job->target->name);
	etl_text_addf(line, ",\"split\":%" PRIu64 ",\"ordinal\":%" PRId64, c->split, ordinal);
	add_member(line, "key", key);
	add_member(line, "column", reject->column);
	add_member(line, "code", reject->code);
	add_member(line, "reason", reject->reason);
	add_row(reject, view, line);
	etl_text_add(line, "}\n");
}

static const char *spool_name(const struct rejects *r, size_t job, uint64_t split, char *buf,
			      size_t size)
{
	snprintf(buf, size, "%s/%zu-%" PRIu64, r->spool, job, split);
	return buf;
}

/* Closes FILE; on failure errno says why. */
static bool put_line(FILE *file, const struct etl_text *line, int64_t ordinal)
{
	bool ok = fprintf(file, "%0*" PRId64 " ", ORDINAL_DIGITS, ordinal) > 0 &&
		  fwrite(line->at, 1, line->length, file) == line->length && fflush(file) == 0;
	int why = errno;

	ok &= fclose(file) == 0;
	if (!ok && why)
		errno = why;
	return ok;
}

static int write_line(const struct etl_context *c, const struct etl_text *line, int64_t ordinal)
{
	struct rejects *r = c->rejects;
	char name[SPOOL_NAME];
	FILE *file;

	if (!r->spooled && mkdir(r->spool, 0700) < 0 && errno != EEXIST)
		return error_set(c->err, ETL_MEMORY, "the rejects folder %s cannot be made: %s",
				 r->spool, strerror(errno));
	r->spooled = true;
	file = fopen(spool_name(r, c->job->index, c->split, name, sizeof(name)), "ae");
	if (!file || !put_line(file, line, ordinal))
		return error_set(c->err, ETL_MEMORY, "the rejects file %s cannot be written: %s",
				 name, strerror(errno));
	return 0;
}

/* Cuts the text to so many bytes, between two characters. */
static void shorten(struct etl_text *text, size_t most)
{
	if (text->failed || text->length <= most)
		return;
	text->length = etl_utf8_valid(text->at, most);
	text->at[text->length] = '\0';
	etl_text_add(text, "…");
}

/* A row without a key is named by its first values: " (the row: a=1, b='x', …)". */
static void add_values(const struct etl_reject *reject, const struct etl_view *view,
		       struct etl_text *to)
{
	bool first = true;

	for (int64_t i = 0; i < reject->schema->n_children && to->length < VALUES_SHOWN; i++) {
		const char *name = reject->schema->children[i]->name;

		if (strncmp(name, "etlrun.", 7) == 0)
			continue;
		etl_text_addf(to, "%s%s=", first ? " (the row: " : ", ", name);
		etl_text_add_value(to, &view->columns[i], reject->row);
		shorten(to, VALUES_SHOWN);
		first = false;
	}
	if (!first)
		etl_text_add(to, ")");
}

/* The first row too many ends the run and is named. */
static int stop(const struct etl_context *c, const struct etl_reject *reject,
		const struct etl_view *view, const char *key)
{
	const struct pipeline *p = c->rejects->pipeline;
	struct etl_text values = { 0 };
	const char *row;
	int rc;

	if (view && (!key || !*key))
		add_values(reject, view, &values);
	row = values.at && !values.failed ? values.at : "";
	/* By its name in the target: several targets may come from one table of the source. */
	error_at(c->err, c->job->target->name, reject->column, key);
	if (!p->reject_rows)
		rc = error_set(
			c->err, ETL_DATA,
			"%s%s; on_error = \"reject\" would keep such rows in a file and go on",
			reject->reason, row);
	else
		rc = error_set(c->err, ETL_DATA,
			       "%s%s; that is reject %" PRIu64
			       ", more than max_rejects = \"%" PRId64 "\" allows",
			       reject->reason, row, c->rejects->count, p->max_rejects);
	etl_text_free(&values);
	return rc;
}

/* A row the target refused is not in what will be published, so it leaves the source side's
 * digest. */
static int take_out(struct etl_context *c, const struct etl_reject *reject)
{
	struct job *job = c->job;
	struct ArrowArray one = { 0 };
	uint64_t key = 0, row = 0;
	int64_t at = reject->row;
	uint64_t *refused;
	bool ok = etl_batch_take(&one, reject->schema, reject->batch, &at, 1) &&
		  canon_batch(c->canon, &one, &key, &row);

	if (ok && job->needs.hash) {
		struct digest digest = { 0 };

		ok = digest_batch(&digest, c->canon, &one, job->needs.ppm, job->needs.seed);
		pthread_mutex_lock(&job->mutex);
		job->digest.total.rows -= digest.total.rows;
		job->digest.total.sum -= digest.total.sum;
		for (size_t i = 0; i < ETL_BUCKETS; i++) {
			job->digest.buckets[i].rows -= digest.buckets[i].rows;
			job->digest.buckets[i].sum -= digest.buckets[i].sum;
		}
		pthread_mutex_unlock(&job->mutex);
	}
	if (one.release)
		one.release(&one);
	if (ok && job->refused_count == job->refused_room) {
		size_t room = job->refused_room ? job->refused_room * 2 : 64;

		refused = realloc(job->refused, room * sizeof(*refused));
		ok = refused != NULL;
		if (ok) {
			job->refused = refused;
			job->refused_room = room;
		}
	}
	if (!ok)
		return error_memory(c->err);
	job->refused[job->refused_count++] = row;
	return 0;
}

static bool remember_gone(struct etl_context *c, int64_t ordinal)
{
	if (c->gone_count == c->gone_room) {
		size_t room = c->gone_room ? c->gone_room * 2 : 16;
		int64_t *gone = realloc(c->gone, room * sizeof(*gone));

		if (!gone)
			return false;
		c->gone = gone;
		c->gone_room = room;
	}
	c->gone[c->gone_count++] = ordinal;
	return true;
}

static int keep(struct etl_context *c, const struct etl_reject *reject, const struct etl_view *view,
		const char *key)
{
	struct rejects *r = c->rejects;
	struct etl_text line = { 0 };
	int64_t ordinal = ordinal_of(c, reject);
	int rc;

	pthread_mutex_lock(&r->mutex);
	r->count++;
	if (over_limit(r)) {
		rc = stop(c, reject, view, key);
	} else {
		make_line(c, reject, view, key, ordinal, &line);
		rc = line.failed ? error_memory(c->err) : write_line(c, &line, ordinal);
		etl_text_free(&line);
	}
	if (rc == 0 && c->side == SIDE_TARGET && reject->batch && c->canon)
		rc = take_out(c, reject);
	pthread_mutex_unlock(&r->mutex);
	return rc;
}

int context_reject(struct etl_context *c, const struct etl_reject *reject)
{
	struct etl_view *view = NULL;
	struct etl_text key = { 0 };
	int rc = 0;

	/* What etl_convert says when memory is short is nothing about the row. */
	if (reject->code && strcmp(reject->code, "no_memory") == 0)
		return error_memory(c->err);
	c->rejected++;
	if (!reject->batch && !remember_gone(c, reject->ordinal))
		return error_memory(c->err);
	if (!c->rejects)
		return 0;
	if (reject->batch && reject->schema) {
		view = etl_view_new(reject->schema);
		if (!view || !etl_view_set(view, reject->batch))
			rc = error_memory(c->err);
		else
			add_key(c, reject, view, &key);
	}
	if (rc == 0)
		rc = key.failed ? error_memory(c->err) :
				 keep(c, reject, view, key.at ? key.at : reject->key);
	etl_text_free(&key);
	etl_view_free(view);
	return rc;
}

void context_count(struct etl_context *c, int32_t what, uint64_t rows)
{
	switch (what) {
	case ETL_COUNT_CREATED:
		c->created += rows;
		break;
	case ETL_COUNT_FILTERED:
		c->filtered += rows;
		break;
	case ETL_COUNT_MERGED:
		c->merged += rows;
		break;
	default:
		break;
	}
}

void context_clear(struct etl_context *c)
{
	free(c->gone);
	c->gone = NULL;
}

/* ---- Joining ---- */

/* Where a line of a spool is: only this is kept in memory, whatever the size of the rows. */
struct place {
	int64_t ordinal;
	off_t at; /* behind the ordinal */
	size_t length;
};

struct places {
	struct place *at;
	size_t count, room;
};

static int compare_places(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	if (x->ordinal != y->ordinal)
		return x->ordinal < y->ordinal ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

static bool add_place(struct places *p, const char *line, off_t at, size_t length)
{
	if (p->count == p->room) {
		size_t room = p->room ? p->room * 2 : 64;
		struct place *more = realloc(p->at, room * sizeof(*more));

		if (!more)
			return false;
		p->at = more;
		p->room = room;
	}
	p->at[p->count++] = (struct place){ strtoll(line, NULL, 10), at + ORDINAL_DIGITS + 1,
					    length - ORDINAL_DIGITS - 1 };
	return true;
}

/* The lines of a spool by their ordinals. A row may be refused for two reasons: both stay. */
static bool find_places(FILE *spool, struct places *p)
{
	char *line = NULL;
	size_t size = 0;
	off_t at = 0;
	ssize_t length;
	bool ok = true;

	while (ok && (length = getline(&line, &size, spool)) > 0) {
		/* A line that a full disk cut short was said when it was written. */
		if (length > ORDINAL_DIGITS + 1 && line[length - 1] == '\n')
			ok = add_place(p, line, at, (size_t)length);
		at += length;
	}
	free(line);
	if (p->count)
		qsort(p->at, p->count, sizeof(*p->at), compare_places);
	return ok && !ferror(spool);
}

static bool copy_line(FILE *spool, const struct place *place, FILE *out)
{
	char buf[8192];
	size_t left = place->length;

	if (ftello(spool) != place->at && fseeko(spool, place->at, SEEK_SET) < 0)
		return false;
	while (left > 0) {
		size_t part = left < sizeof(buf) ? left : sizeof(buf);

		if (fread(buf, 1, part, spool) != part || fwrite(buf, 1, part, out) != part)
			return false;
		left -= part;
	}
	return true;
}

/* One split's lines, in order of their ordinals. */
static bool join_split(FILE *spool, FILE *out)
{
	struct places places = { 0 };
	bool ok = find_places(spool, &places);

	clearerr(spool);
	for (size_t i = 0; i < places.count && ok; i++)
		ok = copy_line(spool, &places.at[i], out);
	free(places.at);
	return ok;
}

static bool join_all(const struct rejects *r, const struct jobs *jobs, FILE *out)
{
	char name[SPOOL_NAME];
	bool ok = true;

	for (size_t i = 0; i < jobs->count && ok; i++) {
		for (size_t k = 0; k < jobs->at[i]->split_count && ok; k++) {
			FILE *spool = fopen(spool_name(r, i, k, name, sizeof(name)), "re");

			ok = spool ? join_split(spool, out) : errno == ENOENT;
			if (spool)
				fclose(spool);
		}
	}
	return ok;
}

int rejects_join(struct rejects *r, const struct jobs *jobs, const char **ret_path,
		 struct etl_error *err)
{
	struct stat at;
	FILE *out;
	int fd, rc;

	*ret_path = r->joined ? r->path : NULL;
	if (!r->spooled || r->joined)
		return 0;
	fd = open(r->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	out = fd < 0 ? NULL : fdopen(fd, "w");
	if (!out)
		return error_set(err, ETL_MEMORY, "the rejects file %s cannot be written: %s",
				 r->path, strerror(errno));
	r->joined = join_all(r, jobs, out) && fflush(out) == 0 && fsync(fd) == 0;
	rc = r->joined ? 0 :
			 error_set(err, ETL_MEMORY, "the rejects file %s cannot be written: %s",
				   r->path, strerror(errno));
	/* Half a list would be taken for the whole. */
	if (rc < 0 && fstat(fd, &at) == 0 && S_ISREG(at.st_mode))
		unlink(r->path);
	fclose(out);
	if (rc == 0)
		*ret_path = r->path;
	return rc;
}
