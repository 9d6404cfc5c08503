/* See conflicts.h. What is known of a job, and what follows from it for a row. */
#include "config.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "conflicts-parts.h"
#include "kept-chunks.h"
#include "log.h"
#include "retry.h"

#define SET_SHARE  16	/* of memory_limit */
#define WORDS_MOST 200 /* bytes of what is said of tables */

/* ---- May this table have it? ------------------------------------------------------------------ */

static int fail(const struct job *job, const char *column, struct etl_error *err, const char *why)
{
	error_at(err, job_name(job), column, NULL);
	return error_set(err, ETL_USAGE, "%s: conflicts of \"%s\": %s", job->rule->origin.text ? job->rule->origin.text : "tables",
			 job_source_name(job), why);
}

static bool is_moment(int32_t type)
{
	return type == ETL_DATE || type == ETL_TIMESTAMP || type == ETL_INSTANT || type == ETL_TEXT || type == ETL_ANY;
}

static bool is_number(int32_t type)
{
	return type == ETL_INT16 || type == ETL_INT32 || type == ETL_INT64;
}

/* By its name in the target, or as it came out of the transforms. */
static int64_t find_column(const struct job *job, const char *name)
{
	int64_t at = etl_schema_find(&job->rows, name), from = etl_schema_find(&job->before_cast, name);

	for (size_t i = 0; at < 0 && from >= 0 && i < job->cast_count; i++)
		if (job->cast[i].from == from)
			at = (int64_t)i;
	return at;
}

static int find_newest(const struct job *job, struct conflicts *c, struct etl_error *err)
{
	const struct conflict_rule *rule = c->rule;
	int32_t type;

	c->newest = -1;
	if (rule->policy != CONFLICTS_NEWEST)
		return 0;
	if (!rule->newest)
		return fail(job, NULL, err, "\"newest\" wants the column that says when a row was changed; write newest = \"COLUMN\"");
	c->newest = find_column(job, rule->newest);
	if (c->newest < 0)
		return fail(job, rule->newest, err, "the column of `newest` does not come to the target");
	type = etl_type_of(job->rows.children[c->newest]).type;
	if (!is_moment(type) && !is_number(type))
		return fail(job, rule->newest, err, "the column of `newest` is neither a date nor a time nor an integer");
	if (job->stays && job->stays[c->newest])
		return fail(job, rule->newest, err, "the column of `newest` cannot stay as it is in the target");
	c->skew = is_moment(type) ? rule->skew * 1000 : 0;
	return 0;
}

/* What the hashes of its rows hang on. */
static uint64_t columns_of(const struct job *job)
{
	uint64_t hash = 1;

	for (int64_t i = 0; i < job->rows.n_children; i++) {
		struct etl_type_info type = etl_type_of(job->rows.children[i]);
		const char *name = job->rows.children[i]->name;
		const int64_t say[] = { type.type, type.precision, type.scale, job->respelt && job->respelt[i] };

		if (job->stays && job->stays[i])
			continue;
		hash = XXH3_64bits_withSeed(name, strlen(name), hash);
		hash = XXH3_64bits_withSeed(say, sizeof(say), hash);
	}
	return XXH3_64bits_withSeed(job->key, job->key_count * sizeof(*job->key), hash);
}

static char *name_of(const struct job *job)
{
	struct etl_text name = { 0 };

	if (job->schema)
		etl_text_addf(&name, "%s.", job->schema);
	etl_text_add(&name, job->target->name);
	return etl_text_take(&name);
}

static struct conflicts *conflicts_new(const struct job *job)
{
	struct conflicts *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	pthread_mutex_init(&c->mutex, NULL);
	c->rule = &job->rule->conflicts;
	c->newest = -1;
	c->columns = columns_of(job);
	c->name = name_of(job);
	c->spool = conflict_spool_new();
	if (c->name && c->spool)
		return c;
	conflicts_free(c);
	return NULL;
}

int conflicts_check(const struct jobs_setup *setup, struct job *job, struct etl_error *err)
{
	const struct conflict_rule *rule = &job->rule->conflicts;
	const struct plugin *target = setup->target->plugin;
	bool keeps = rule->policy != CONFLICTS_SOURCE || rule->hashes;

	if (!target->can_keep && (keeps || job->stays))
		return fail(job, NULL, err, job->stays ? "this target writes every column of a row; remove conflicts of its columns" :
							 "this target keeps no hashes of rows; write conflicts = \"source\", and remove row_hashes");
	if (!keeps)
		return 0;
	if (job->rule->cursor && setup->pipeline->sweep)
		return fail(job, job->rule->cursor, err, "a `sweep` looks at a part of the rows, and they at all; write sweep_every = N in its place");
	if (job->key_count == 0)
		return fail(job, NULL, err, "it has no key to know its rows by; write key = [ … ]");
	if (!target->has_source)
		return fail(job, NULL, err, "this target does not read back what it holds");
	job->conflicts = conflicts_new(job);
	return job->conflicts ? find_newest(job, job->conflicts, err) : error_memory(err);
}

void conflicts_free(struct conflicts *c)
{
	if (!c)
		return;
	changes_set_free(c->last);
	changes_set_free(c->parked);
	conflict_spool_free(c->spool);
	pthread_mutex_destroy(&c->mutex);
	free(c->counts);
	free(c->refused);
	free(c->name);
	free(c);
}

/* ---- What is kept ------------------------------------------------------------------------------ */

static struct changes_set *new_set(const struct flow_setup *f)
{
	struct changes_set *set = changes_set_new((size_t)f->pipeline->memory_limit / SET_SHARE);

	if (set)
		changes_set_plain(set);
	return set;
}

static int add_hashes(struct conflicts *c, const struct kept_piece *piece, struct changes_set *to, struct etl_error *err)
{
	struct chunk_pair pairs[CHUNK_MOST];
	uint64_t columns;
	size_t count;
	int rc = 0;

	if (!chunk_read(piece, &columns, pairs, &count) || (count > 0 && columns != c->columns)) {
		c->others = true;
		return 0;
	}
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = changes_set_add(to, pairs[i].key, pairs[i].row, err);
	return rc;
}

static int add_parked(const struct kept_piece *piece, struct changes_set *to, struct etl_error *err)
{
	uint64_t source, target, choice;

	if (!parked_get(piece, &source, &target, &choice))
		return 0;
	return changes_set_add(to, kept_hash(piece->number), parked_mark(source, target, choice), err);
}

static int read_kind(const struct flow_setup *f, struct job *job, const char *kind, struct changes_set **ret,
		     struct etl_error *err)
{
	const struct etl_keep keep = { .pipeline = f->pipeline->name, .kind = kind, .table = job->conflicts->name };
	bool hashes = strcmp(kind, KEPT_HASHES) == 0;
	struct changes_set *set = new_set(f);
	struct kept_reader *reader = NULL;
	struct kept_piece piece;
	int rc = set ? kept_open(&f->pipeline->target, &f->limits, &keep, &reader, err) : error_memory(err);

	while (rc == 0 && (rc = kept_next(reader, &piece, err)) > 0)
		rc = hashes ? add_hashes(job->conflicts, &piece, set, err) : add_parked(&piece, set, err);
	kept_close(reader);
	return changes_set_close(set, rc, ret, err);
}

/* On a job that is looked at again what was parked was met already. */
int conflicts_open(const struct flow_setup *f, struct job *job, struct etl_error *err)
{
	struct conflicts *c = job->conflicts;
	int rc = 0;

	c->others = false;
	if (!c->last)
		rc = read_kind(f, job, KEPT_HASHES, &c->last, err);
	if (rc == 0 && !c->parked)
		rc = read_kind(f, job, KEPT_PARKED, &c->parked, err);
	if (rc == 0 && c->others)
		log_line(ETL_LOG_WARN,
			 "table \"%s\": its columns are others than those of the hashes that were kept, so which end changed a row that "
			 "differs is not known",
			 job_name(job));
	return rc;
}

void conflicts_close(struct job *job)
{
	changes_set_free(job->conflicts->last);
	job->conflicts->last = NULL;
}

int conflicts_any_parked(const struct flow_setup *f, struct job *job, bool *ret, struct etl_error *err)
{
	const struct etl_keep keep = { .pipeline = f->pipeline->name, .kind = KEPT_PARKED, .table = job->conflicts->name };
	struct kept_reader *reader = NULL;
	struct kept_piece piece;
	int rc = kept_open(&f->pipeline->target, &f->limits, &keep, &reader, err);

	if (rc == 0)
		rc = kept_next(reader, &piece, err);
	kept_close(reader);
	*ret = rc > 0;
	return rc < 0 ? rc : 0;
}

/* ---- Notes ------------------------------------------------------------------------------------- */

/* The mutex is held. */
static bool has_counts(struct conflicts *c, uint64_t split)
{
	struct conflict_counts *at;

	if (split < c->count_room)
		return true;
	at = realloc(c->counts, (size_t)(split + 1) * sizeof(*at));
	if (!at)
		return false;
	memset(at + c->count_room, 0, ((size_t)split + 1 - c->count_room) * sizeof(*at));
	c->counts = at;
	c->count_room = (size_t)split + 1;
	return true;
}

bool conflicts_begin_split(struct job *job, uint64_t split)
{
	struct conflicts *c = job->conflicts;
	bool ok;

	pthread_mutex_lock(&c->mutex);
	ok = has_counts(c, split);
	if (ok)
		c->counts[split] = (struct conflict_counts){ 0 };
	pthread_mutex_unlock(&c->mutex);
	return ok && conflict_spool_begin(c->spool, split);
}

void conflict_count(struct conflicts *c, uint64_t split, const struct conflict_counts *more)
{
	struct conflict_counts *to;

	pthread_mutex_lock(&c->mutex);
	to = &c->counts[split];
	to->for_source += more->for_source;
	to->for_target += more->for_target;
	to->parked += more->parked;
	to->again += more->again;
	to->stays += more->stays;
	pthread_mutex_unlock(&c->mutex);
}

struct conflict_counts conflicts_counts(const struct job *job)
{
	const struct conflicts *c = job->conflicts;
	struct conflict_counts sum = { 0 };

	for (size_t i = 0; c && i < c->count_room; i++) {
		sum.for_source += c->counts[i].for_source;
		sum.for_target += c->counts[i].for_target;
		sum.parked += c->counts[i].parked;
		sum.again += c->counts[i].again;
		sum.stays += c->counts[i].stays;
	}
	return sum;
}

bool conflicts_refused(struct job *job, uint64_t key)
{
	struct conflicts *c = job->conflicts;
	bool ok = true;

	pthread_mutex_lock(&c->mutex);
	if (c->refused_count == c->refused_room) {
		size_t room = c->refused_room ? 2 * c->refused_room : 64;
		uint64_t *at = realloc(c->refused, room * sizeof(*at));

		ok = at != NULL;
		if (ok) {
			c->refused = at;
			c->refused_room = room;
		}
	}
	if (ok)
		c->refused[c->refused_count++] = key;
	pthread_mutex_unlock(&c->mutex);
	return ok;
}

int conflicts_meet(struct job *job, uint64_t key, struct etl_error *err)
{
	enum changes_found found;
	int rc = changes_set_meet(job->conflicts->last, key, 0, 0, &found, err);

	return rc < 0 ? rc : changes_set_meet(job->conflicts->parked, key, 0, 0, &found, err);
}

/* ---- A row ------------------------------------------------------------------------------------- */

void parked_put(uint8_t ret[PARKED_BYTES], uint64_t source, uint64_t target, uint64_t choice)
{
	const uint64_t values[3] = { source, target, choice };

	for (size_t i = 0; i < PARKED_BYTES; i++)
		ret[i] = (uint8_t)(values[i / 8] >> i % 8 * 8);
}

bool parked_get(const struct kept_piece *piece, uint64_t *ret_source, uint64_t *ret_target, uint64_t *ret_choice)
{
	const uint8_t *at = piece->bytes;
	uint64_t values[3] = { 0 };

	if (!at || piece->size != PARKED_BYTES)
		return false;
	for (size_t i = 0; i < PARKED_BYTES; i++)
		values[i / 8] |= (uint64_t)at[i] << i % 8 * 8;
	*ret_source = values[0];
	*ret_target = values[1];
	*ret_choice = values[2];
	return true;
}

uint64_t parked_mark(uint64_t source, uint64_t target, uint64_t choice)
{
	const uint64_t values[3] = { source, target, choice };

	return XXH3_64bits(values, sizeof(values));
}

int conflict_find(const struct changes_set *set, uint64_t key, uint64_t *ret, struct etl_error *err)
{
	uint64_t row = 0;
	bool found;
	int rc = changes_set_find(set, key, &found, &row, err);

	*ret = rc == 0 && found ? conflict_hash(row) : 0;
	return rc;
}

static enum conflict_verdict by_policy(const struct conflicts *c, const struct conflict_ends *e)
{
	switch (c->rule->policy) {
	case CONFLICTS_TARGET:
		return VERDICT_SETTLED;
	case CONFLICTS_NEWEST:
		return e->source && e->target ? VERDICT_NEWEST : VERDICT_PARKS;
	case CONFLICTS_PARK:
		return VERDICT_PARKS;
	default:
		return VERDICT_OVERRIDES;
	}
}

/* The source has the last word in everything: only what both changed is worth a word. */
static enum conflict_verdict for_source(const struct conflict_ends *e)
{
	bool both = e->last && e->last != e->target && e->last != e->source;

	return both ? VERDICT_OVERRIDES : VERDICT_GOES;
}

int conflict_judge(const struct conflicts *c, uint64_t key, const struct conflict_ends *e, enum conflict_verdict *ret,
		   struct etl_error *err)
{
	uint64_t mark = 0;
	bool parked = false;
	int rc;

	*ret = VERDICT_SAME;
	if (e->source == e->target)
		return 0;
	*ret = for_source(e);
	if (c->rule->policy == CONFLICTS_SOURCE)
		return 0;
	*ret = VERDICT_GOES;
	if (e->last == e->target)
		return 0;
	*ret = VERDICT_STAYS;
	if (e->last == e->source)
		return 0;
	rc = changes_set_find(c->parked, key, &parked, &mark, err);
	if (rc == 0 && parked && mark == parked_mark(e->source, e->target, CHOICE_SOURCE))
		*ret = VERDICT_OVERRIDES;
	else if (rc == 0 && parked && mark == parked_mark(e->source, e->target, CHOICE_TARGET))
		*ret = VERDICT_SETTLED;
	else
		*ret = by_policy(c, e);
	return rc;
}

int conflict_park(struct conflicts *c, uint64_t key, const struct conflict_ends *e, bool *ret_new, bool *ret_same,
		  struct etl_error *err)
{
	enum changes_found found;
	int rc = changes_set_meet(c->parked, key, parked_mark(e->source, e->target, CHOICE_NONE), 0, &found, err);

	*ret_new = found == CHANGES_NONE;
	*ret_same = found == CHANGES_SAME;
	return rc;
}

/* ---- What is said ------------------------------------------------------------------------------ */

static void add_count(struct etl_text *to, uint64_t rows, const char *words, size_t *said)
{
	if (rows)
		etl_text_addf(to, "%s%" PRIu64 " %s", (*said)++ ? ", " : "", rows, words);
}

void conflicts_words(const struct jobs *jobs, struct etl_text *to)
{
	bool parked = false;
	size_t more = 0;

	for (size_t i = 0; i < jobs->count; i++) {
		struct conflict_counts n = conflicts_counts(jobs->at[i]);
		size_t said = 0;

		if (!n.for_source && !n.for_target && !n.parked && !n.again && !n.stays)
			continue;
		more += to->length > WORDS_MOST;
		parked |= n.parked || n.again;
		if (to->length > WORDS_MOST)
			continue;
		etl_text_addf(to, "%s%s: ", to->length ? "; " : "", job_name(jobs->at[i]));
		add_count(to, n.parked, "parked", &said);
		add_count(to, n.again, "still parked", &said);
		add_count(to, n.for_source, "decided for the source", &said);
		add_count(to, n.for_target, "decided for the target", &said);
		add_count(to, n.stays, "changed in the target alone, and left", &said);
	}
	if (more)
		etl_text_addf(to, "; and %zu more table%s, which --summary has", more, more == 1 ? "" : "s");
	if (parked)
		etl_text_add(to, "; `etlrun conflicts list` shows what is parked");
}
