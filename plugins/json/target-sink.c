/*
 * The bytes of one file that is written: JSON comes in pieces without white space, and leaves as it came or set out for people.
 */
#include "config.h"

#include <string.h>

#include "target-sink.h"

static int flush(struct json_sink *s)
{
	int rc = s->used ? files_output_write(s->output, s->buffer, s->used, s->err) : ETL_OK;

	s->used = 0;
	return rc;
}

static int add(struct json_sink *s, const char *text, size_t size)
{
	while (size > 0) {
		size_t room = sizeof(s->buffer) - s->used, take = size < room ? size : room;

		memcpy(s->buffer + s->used, text, take);
		s->used += take;
		text += take;
		size -= take;
		if (s->used == sizeof(s->buffer) && flush(s))
			return ETL_FAILED;
	}
	return ETL_OK;
}

static int new_line(struct json_sink *s)
{
	static const char spaces[] = "                                ";
	size_t left = (size_t)s->indent * s->level;
	int rc = add(s, "\n", 1);

	for (; !rc && left > 0; left -= left < sizeof(spaces) - 1 ? left : sizeof(spaces) - 1)
		rc = add(s, spaces, left < sizeof(spaces) - 1 ? left : sizeof(spaces) - 1);
	return rc;
}

/* One letter that is in no string. */
static int set_out(struct json_sink *s, char c)
{
	bool close = c == '}' || c == ']', open = c == '{' || c == '[';
	int rc = ETL_OK;

	s->level -= close;
	if (s->opened != close)         /* something in it, or its end behind something; not of an empty one */
		rc = s->opened || close ? new_line(s) : ETL_OK;
	s->opened = open;
	s->level += open;
	if (!rc)
		rc = add(s, c == ':' ? ": " : &c, c == ':' ? 2 : 1);
	return !rc && c == ',' ? new_line(s) : rc;
}

/* SIZE of the bytes at TEXT up to the end of the string that they are in, or all. */
static size_t string_size(struct json_sink *s, const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (s->escaped)
			s->escaped = false;
		else if (text[i] == '\\')
			s->escaped = true;
		else if (text[i] == '"') {
			s->string = false;
			return i + 1;
		}
	}
	return i;
}

int json_sink_put(struct json_sink *s, const char *text, size_t size)
{
	int rc = ETL_OK;

	if (!s->indent)
		return add(s, text, size);
	for (size_t i = 0; !rc && i < size;) {
		if (s->string) {
			size_t take = string_size(s, text + i, size - i);

			rc = add(s, text + i, take);
			i += take;
			continue;
		}
		s->string = text[i] == '"';
		rc = set_out(s, text[i++]);
	}
	return rc;
}

int json_sink_break(struct json_sink *s)
{
	return s->indent ? ETL_OK : add(s, "\n", 1);
}

int json_sink_open(struct json_sink *s, struct etl_instance *inst, const char *name, const char *run, int64_t indent,
		   struct etl_error *err)
{
	s->err = err;
	s->indent = indent;
	s->level = 0;
	s->used = 0;
	s->string = s->escaped = s->opened = false;
	return files_output_open(inst->files, name, run, false, &s->output, err);
}

int json_sink_finish(struct json_sink *s, bool last_line)
{
	struct files_output *output = s->output;
	int rc = last_line ? add(s, "\n", 1) : ETL_OK;

	if (!rc)
		rc = flush(s);
	s->output = NULL;
	if (!rc)
		return files_output_finish(output, NULL, s->err);
	files_output_close(output);
	return rc;
}

void json_sink_give_up(struct json_sink *s)
{
	files_output_close(s->output);
	s->output = NULL;
}
