/*
 * See reject-file.h. The members are read in the order in which reject-line.c writes them.
 */
#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "json-read.h"
#include "reject-file.h"

struct reject_reader {
	char *path, *run;
	FILE *file;
	char *text;
	size_t size;
	uint64_t number; /* of the line, from 1; 0: not known */
	struct reject_line line;
};

static void clear(struct reject_line *line)
{
	struct etl_text *texts[] = { &line->run,    &line->table, &line->key,
				     &line->column, &line->code,  &line->reason };

	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		etl_text_free(texts[i]);
	*line = (struct reject_line){ 0 };
}

int reject_reader_open(const char *path, const char *run, struct reject_reader **ret,
		       struct etl_error *err)
{
	struct reject_reader *r = calloc(1, sizeof(*r));

	if (r) {
		r->path = strdup(path);
		r->run = strdup(run);
	}
	if (!r || !r->path || !r->run) {
		reject_reader_close(r);
		return error_memory(err);
	}
	r->file = fopen(path, "re");
	if (!r->file) {
		error_set(err, ETL_MEMORY, "the rejects file %s cannot be read: %s%s", path,
			  strerror(errno),
			  errno == ENOENT ? "; put it back, or run the pipeline again" : "");
		reject_reader_close(r);
		return ETL_FAILED;
	}
	*ret = r;
	return 0;
}

void reject_reader_close(struct reject_reader *r)
{
	if (!r)
		return;
	if (r->file)
		fclose(r->file);
	clear(&r->line);
	free(r->text);
	free(r->path);
	free(r->run);
	free(r);
}

const char *reject_reader_text(const struct reject_reader *r)
{
	return r->text;
}

/* ---- One line ---- */

static void read_text(struct json *j, const char *name, struct etl_text *ret)
{
	const char *at;

	json_expect(j, ',');
	json_member(j, name);
	if (json_peek(j) == '"')
		json_string(j, ret);
	else if (json_value(j, &at) != 4 || memcmp(at, "null", 4) != 0)
		j->bad = true;
}

static bool read_number(struct json *j, const char *name, int64_t *ret)
{
	const char *at;
	char digits[32] = "", *end;
	size_t length;

	json_expect(j, ',');
	json_member(j, name);
	length = json_value(j, &at);
	if (length == 4 && memcmp(at, "null", 4) == 0)
		return false;
	j->bad |= length == 0 || length >= sizeof(digits);
	if (j->bad)
		return false;
	memcpy(digits, at, length);
	*ret = strtoll(digits, &end, 10);
	j->bad |= *end != '\0';
	return true;
}

static void parse(struct json *j, struct reject_line *line)
{
	int64_t split = 0;
	const char *at;

	json_expect(j, '{');
	json_member(j, "run");
	json_string(j, &line->run);
	read_text(j, "table", &line->table);
	line->placed = read_number(j, "split", &split);
	line->placed &= read_number(j, "ordinal", &line->ordinal);
	line->split = (uint64_t)split;
	read_text(j, "key", &line->key);
	read_text(j, "column", &line->column);
	read_text(j, "code", &line->code);
	read_text(j, "reason", &line->reason);
	json_expect(j, ',');
	json_member(j, "row");
	line->row_length = json_value(j, &line->row);
	line->masked = json_take(j, ',');
	if (line->masked) {
		json_member(j, "masked");
		json_value(j, &at);
	}
	json_expect(j, '}');
	j->bad |= json_peek(j) != 0 || !line->table.at;
}

static int take_line(struct reject_reader *r, size_t length, struct etl_error *err)
{
	struct json j = json_start(r->text, length);
	struct reject_line *line = &r->line;

	clear(line);
	parse(&j, line);
	if (j.failed || line->run.failed || line->table.failed || line->key.failed || line->column.failed ||
	    line->code.failed || line->reason.failed)
		return error_memory(err);
	if (!j.bad)
		return 0;
	return error_set(
		err, ETL_DATA,
		"%s:%llu: this is no line of a rejects file, or it was cut off; what etlrun wrote "
		"must stay as it is",
		r->path, (unsigned long long)r->number);
}

/* 1: a line stands in r->line, of whatever run. */
static int next_line(struct reject_reader *r, off_t *ret_at, struct etl_error *err)
{
	ssize_t length;

	*ret_at = ftello(r->file);
	errno = 0;
	length = getline(&r->text, &r->size, r->file);
	if (length < 0 && (ferror(r->file) || errno == ENOMEM))
		return error_set(err, ETL_MEMORY, "the rejects file %s cannot be read: %s", r->path,
				 strerror(errno));
	if (length < 0)
		return 0;
	r->number++;
	return take_line(r, (size_t)length, err) < 0 ? ETL_FAILED : 1;
}

int reject_reader_next(struct reject_reader *r, const struct reject_line **ret, off_t *ret_at,
		       struct etl_error *err)
{
	int rc;

	while ((rc = next_line(r, ret_at, err)) > 0)
		if (strcmp(r->line.run.at, r->run) == 0)
			break;
	*ret = &r->line;
	return rc;
}

int reject_reader_at(struct reject_reader *r, off_t at, const struct reject_line **ret,
		     struct etl_error *err)
{
	off_t here;
	int rc;

	r->number = 0;
	if (fseeko(r->file, at, SEEK_SET) < 0)
		return error_set(err, ETL_MEMORY, "the rejects file %s cannot be read: %s", r->path,
				 strerror(errno));
	rc = next_line(r, &here, err);
	if (rc == 0)
		return error_set(err, ETL_MEMORY, "the rejects file %s was cut while it was read",
				 r->path);
	*ret = &r->line;
	return rc < 0 ? rc : 0;
}
