/*
 * A rejects file of any bytes, as `rejects list` and `rejects replay` read it: each line is read or refused with a
 * sentence that names the file, its row is JSON that can be read value by value, and a line that is read again
 * from its place is the same.
 */
#include "config.h"

#include "../../core/json-read.h"
#include "../../core/reject-file.h"
#include "../../plugins/lib/json.h"
#include "fuzz.h"

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

static const uint8_t *bytes;
static size_t byte_count;

/* The bytes of this round instead of the file; libFuzzer's own files have another mode. */
FILE *__wrap_fopen(const char *path, const char *mode)
{
	return strcmp(mode, "re") == 0 ? fmemopen((void *)(uintptr_t)bytes, byte_count, "r") :
					 __real_fopen(path, mode);
}

static void read_row(const struct reject_line *line)
{
	struct json j = json_start(line->row, line->row_length);
	const char *at;
	size_t size;

	size = json_value(&j, &at);
	FUZZ_HOLDS(!j.bad && size <= line->row_length);
	FUZZ_HOLDS(json_peek(&j) == 0);
}

static void again(struct reject_reader *r, off_t at, const char *text)
{
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;

	FUZZ_HOLDS(reject_reader_at(r, at, &line, &err) >= 0 && line);
	FUZZ_HOLDS(strcmp(reject_reader_text(r), text) == 0);
}

/* The first line only, for the place in the file moves. */
static void twice(const char *run)
{
	struct reject_reader *r = NULL;
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;
	off_t at = 0;
	char *text;

	FUZZ_HOLDS(reject_reader_open("/the/rejects", run, &r, &err) == 0);
	if (reject_reader_next(r, &line, &at, &err) == 1) {
		text = strdup(reject_reader_text(r));
		FUZZ_HOLDS(text && at >= 0 && (size_t)at < byte_count);
		again(r, at, text);
		free(text);
	}
	reject_reader_close(r);
	error_clear(&err);
}

static void all(const char *run)
{
	struct reject_reader *r = NULL;
	const struct reject_line *line = NULL;
	struct etl_error err = ERROR_INIT;
	off_t at = 0;
	int rc;

	FUZZ_HOLDS(reject_reader_open("/the/rejects", run, &r, &err) == 0);
	while ((rc = reject_reader_next(r, &line, &at, &err)) == 1)
		read_row(line);
	if (rc < 0)
		FUZZ_HOLDS(err.klass == ETL_DATA && strstr(err.message, "/the/rejects"));
	reject_reader_close(r);
	error_clear(&err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	bytes = data;
	byte_count = size;
	all("r");
	twice("r");
	return 0;
}
