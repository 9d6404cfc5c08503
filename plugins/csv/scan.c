/*
 * The scan, a state machine that stops at any byte and goes on there when more have come. It jumps: from separator to separator in
 * plain fields, from quote to quote in quoted ones.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "scan.h"

#define FIRST_ROOM (1 << 18) /* bytes */
#define HEAD_ROOM  4096	     /* bytes of a record too large that are shown */

enum state {
	BEGIN, /* of a record */
	FIELD, /* the beginning of a field */
	PLAIN,
	QUOTED,
	CLOSED, /* behind the closing quote */
	COMMENT
};

enum outcome {
	AGAIN, /* in another state, or further on */
	NEED,  /* more bytes; never at the end */
	DONE,
	PASSED, /* a comment */
	FLAWED,
	ENDED
};

struct csv_scan {
	struct csv_rules rules;
	struct csv_bytes *bytes;
	char *buf;
	size_t room, end;     /* bytes in it: `start` .. `end` are this record and what follows */
	size_t start;	      /* the record begins here */
	size_t at;	      /* looked at up to here, from start */
	uint64_t base;	      /* offset in the stream of buf[0] */
	uint64_t line;	      /* of the record */
	uint64_t lines;	      /* line ends within it so far */
	size_t next;	      /* where the next record begins, from start */
	bool ended;
	bool stops[256];      /* bytes that end a plain field */
	enum state state;
	struct csv_field field;
	struct csv_field *fields;
	size_t field_room, count;
	const char *flaw;
	size_t flaw_at;
	/* A record too large to be kept: its beginning, and where its second line begins. */
	bool large;
	uint64_t large_offset, large_line, second_line;
	bool has_second;
	char head[HEAD_ROOM];
	size_t head_size;
};

struct csv_scan *csv_scan_new(const struct csv_rules *rules, struct csv_bytes *bytes)
{
	struct csv_scan *s = calloc(1, sizeof(*s));

	if (s) {
		s->room = rules->room ? rules->room : FIRST_ROOM;
		s->buf = malloc(s->room);
	}
	if (!s || !s->buf) {
		free(s);
		return NULL;
	}
	s->rules = *rules;
	s->bytes = bytes;
	s->stops[(unsigned char)rules->separator] = true;
	s->stops['\n'] = true;
	csv_scan_reset(s, 0);
	return s;
}

void csv_scan_free(struct csv_scan *s)
{
	if (!s)
		return;
	free(s->fields);
	free(s->buf);
	free(s);
}

void csv_scan_reset(struct csv_scan *s, uint64_t offset)
{
	s->start = s->end = s->at = s->next = 0;
	s->base = offset;
	s->line = 1;
	s->lines = 0;
	s->ended = s->large = false;
	s->state = BEGIN;
}

void csv_scan_limit(struct csv_scan *s, size_t max_fields)
{
	s->rules.max_fields = max_fields;
}

/* ---- Bytes ---------------------------------------------------------------------------------------------------------- */

/* What is behind us goes away. */
static void compact(struct csv_scan *s)
{
	if (s->start == 0)
		return;
	memmove(s->buf, s->buf + s->start, s->end - s->start);
	s->base += s->start;
	s->end -= s->start;
	s->start = 0;
}

static bool grow(struct csv_scan *s)
{
	size_t room = s->room * 2;
	char *buf = realloc(s->buf, room);

	if (!buf)
		return false;
	s->buf = buf;
	s->room = room;
	return true;
}

static int fill(struct csv_scan *s)
{
	size_t n = 0;
	int rc;

	compact(s);
	if (s->end == s->room && !grow(s))
		return CSV_NO_MEMORY;
	rc = s->bytes->read(s->bytes, s->buf + s->end, s->room - s->end, &n);
	if (rc)
		return rc;
	s->end += n;
	s->ended = n == 0;
	return 0;
}

/* ---- Fields ------------------------------------------------------------------------------------------------------------ */

static bool is_blank(const struct csv_scan *s, char c)
{
	return (c == ' ' || c == '\t') && c != s->rules.separator;
}

/* False: no memory. */
static bool keep_field(struct csv_scan *s)
{
	struct csv_field *fields;
	size_t room;

	if (s->count < s->rules.max_fields && !s->large) {
		if (s->count == s->field_room) {
			room = s->field_room ? s->field_room * 2 : 32;
			fields = realloc(s->fields, room * sizeof(*fields));
			if (!fields)
				return false;
			s->fields = fields;
			s->field_room = room;
		}
		s->fields[s->count] = s->field;
	}
	s->count++;
	return true;
}

/* A plain field ends at TO. */
static bool end_plain(struct csv_scan *s, const char *text, size_t to)
{
	struct csv_field *f = &s->field;

	while (s->rules.trim && to > f->at && is_blank(s, text[to - 1]))
		to--;
	f->size = to - f->at;
	return keep_field(s);
}

static enum outcome flaw(struct csv_scan *s, const char *code, size_t at)
{
	s->flaw = code;
	s->flaw_at = at;
	return FLAWED;
}

static enum outcome no_memory(struct csv_scan *s)
{
	s->flaw = NULL;
	return FLAWED;
}

static void count_lines(struct csv_scan *s, const char *from, const char *to)
{
	for (; (from = memchr(from, '\n', (size_t)(to - from))) != NULL; from++)
		s->lines++;
}

/* ---- States: each looks at TEXT[s->at] .. TEXT[SIZE - 1] ------------------------------------------------------------- */

static enum outcome begin_field(struct csv_scan *s, const char *text, size_t size)
{
	while (s->rules.trim && s->at < size && is_blank(s, text[s->at]))
		s->at++;
	if (s->at == size && !s->ended)
		return NEED;
	s->field = (struct csv_field){ .at = s->at };
	s->state = PLAIN;
	if (s->rules.quote && s->at < size && text[s->at] == s->rules.quote) {
		s->at++;
		s->field = (struct csv_field){ .at = s->at, .quoted = true };
		s->state = QUOTED;
	}
	return AGAIN;
}

static enum outcome plain(struct csv_scan *s, const char *text, size_t size)
{
	size_t at = s->at, to;

	while (at < size && !s->stops[(unsigned char)text[at]])
		at++;
	s->at = at;
	if (at == size && !s->ended)
		return NEED;
	to = at;
	if (at < size && text[at] == '\n' && to > s->field.at && text[to - 1] == '\r')
		to--;
	if (!end_plain(s, text, to))
		return no_memory(s);
	s->at = s->next = at + (at < size);
	if (at == size || text[at] == '\n')
		return DONE;
	s->state = FIELD;
	return AGAIN;
}

static enum outcome quoted(struct csv_scan *s, const char *text, size_t size)
{
	const char *from = text + s->at, *quote = memchr(from, s->rules.quote, size - s->at);
	size_t at = quote ? (size_t)(quote - text) : size;

	if (!quote) {
		count_lines(s, from, text + size);
		s->at = size;
		return s->ended ? flaw(s, "unterminated_quote", s->field.at - 1) : NEED;
	}
	count_lines(s, from, quote);
	if (at + 1 == size && !s->ended) {
		s->at = at;
		return NEED;
	}
	if (at + 1 < size && text[at + 1] == s->rules.quote) {
		s->field.doubled = true;
		s->at = at + 2;
		return AGAIN;
	}
	s->field.size = at - s->field.at;
	s->at = at + 1;
	s->state = CLOSED;
	return AGAIN;
}

static enum outcome closed(struct csv_scan *s, const char *text, size_t size)
{
	size_t at;

	while (s->rules.trim && s->at < size && is_blank(s, text[s->at]))
		s->at++;
	at = s->at;
	if ((at == size || (text[at] == '\r' && at + 1 == size)) && !s->ended)
		return NEED;
	if (at < size && text[at] == '\r' && (at + 1 == size || text[at + 1] == '\n'))
		at++;
	if (at < size && text[at] != s->rules.separator && text[at] != '\n')
		return flaw(s, "bad_quote", at);
	if (!keep_field(s))
		return no_memory(s);
	s->at = s->next = at + (at < size);
	if (at == size || text[at] == '\n')
		return DONE;
	s->state = FIELD;
	return AGAIN;
}

static enum outcome comment(struct csv_scan *s, const char *text, size_t size)
{
	const char *end = memchr(text + s->at, '\n', size - s->at);

	s->at = end ? (size_t)(end - text) + 1 : size;
	if (!end && !s->ended)
		return NEED;
	s->next = s->at;
	return PASSED;
}

static enum outcome step(struct csv_scan *s)
{
	const char *text = s->buf + s->start;
	size_t size = s->end - s->start;

	switch (s->state) {
	case BEGIN:
		if (size == 0)
			return s->ended ? ENDED : NEED;
		s->count = 0;
		s->state = s->rules.comment && text[0] == s->rules.comment ? COMMENT : FIELD;
		return AGAIN;
	case FIELD:
		return begin_field(s, text, size);
	case PLAIN:
		return plain(s, text, size);
	case QUOTED:
		return quoted(s, text, size);
	case CLOSED:
		return closed(s, text, size);
	case COMMENT:
		return comment(s, text, size);
	}
	return ENDED;
}

/* ---- Records that are too large ------------------------------------------------------------------------------------------ */

static void note_second_line(struct csv_scan *s)
{
	const char *text = s->buf + s->start;
	const char *end = memchr(text, '\n', s->at);

	if (s->has_second || !end)
		return;
	s->has_second = true;
	s->second_line = s->base + s->start + (uint64_t)(end - text) + 1;
}

/* What was looked at of it is not kept. */
static void drop_large(struct csv_scan *s)
{
	if (!s->large) {
		s->large = true;
		s->has_second = false;
		s->large_offset = s->base + s->start;
		s->head_size = s->at < HEAD_ROOM ? s->at : HEAD_ROOM;
		memcpy(s->head, s->buf + s->start, s->head_size);
	}
	note_second_line(s);
	s->start += s->at;
	s->field.at = 0;
	s->at = 0;
}

/* ---- One record ------------------------------------------------------------------------------------------------------------- */

static int run(struct csv_scan *s, enum outcome *ret)
{
	int rc;

	for (;;) {
		*ret = step(s);
		if (*ret != AGAIN && *ret != NEED)
			return 0;
		if (*ret == AGAIN)
			continue;
		if (s->at > s->rules.max_record)
			drop_large(s);
		rc = fill(s);
		if (rc)
			return rc;
	}
}

/* Until the end of the record's first line is there, so far as a record may be long. */
static int fill_line(struct csv_scan *s)
{
	size_t looked = 0;
	int rc = 0;

	while (!rc && !s->ended && s->end - s->start <= s->rules.max_record &&
	       !memchr(s->buf + s->start + looked, '\n', s->end - s->start - looked)) {
		looked = s->end - s->start;
		rc = fill(s);
	}
	return rc;
}


/* Line and column of a byte of the record. */
static void place_flaw(const struct csv_scan *s, struct csv_record *r)
{
	const char *text = s->buf + s->start, *at = text + r->flaw_at, *from = text, *end;

	r->flaw_line = r->line;
	while ((end = memchr(from, '\n', (size_t)(at - from))) != NULL) {
		r->flaw_line++;
		from = end + 1;
	}
	r->flaw_column = (uint64_t)(at - from) + 1;
}

static void begin_next(struct csv_scan *s, uint64_t lines)
{
	s->start += s->next;
	s->line += lines;
	s->lines = 0;
	s->at = s->next = 0;
	s->state = BEGIN;
	s->large = false;
}

/* Quotes that go wrong: the first line is what is lost, and the text goes on behind it. */
static int give_flawed(struct csv_scan *s, struct csv_record *r)
{
	int rc = fill_line(s);
	const char *end;

	if (rc)
		return rc;
	*r = (struct csv_record){ .text = s->buf + s->start,
				  .size = s->end - s->start,
				  .line = s->line,
				  .offset = s->base + s->start,
				  .flaw = s->flaw,
				  .flaw_at = s->flaw_at };
	place_flaw(s, r);
	end = memchr(r->text, '\n', r->size);
	s->next = end ? (size_t)(end - r->text) + 1 : r->size;
	if (end)
		r->size = (size_t)(end - r->text);
	if (end && r->size > 0 && end[-1] == '\r')
		r->size--;
	begin_next(s, end || s->ended);
	/* What is still to come of a line without end is passed over like a comment. */
	if (!end && !s->ended)
		s->state = COMMENT;
	return CSV_RECORD;
}

static int give_large(struct csv_scan *s, enum outcome outcome, struct csv_record *r)
{
	int rc = 0;

	*r = (struct csv_record){ .line = s->line,
				  .offset = s->large_offset,
				  .text = s->head,
				  .size = s->head_size,
				  .flaw = outcome == FLAWED ? s->flaw : "max_row",
				  .flaw_line = s->line,
				  .flaw_column = 1 };
	note_second_line(s);
	if (outcome == FLAWED && s->has_second) {
		if (r->size >= s->second_line - s->large_offset)
			r->size = (size_t)(s->second_line - s->large_offset) - 1;
		rc = s->bytes->seek(s->bytes, s->second_line);
		s->start = s->end = s->next = 0;
		s->base = s->second_line;
		s->ended = false;
		begin_next(s, 1);
		return rc ? rc : CSV_RECORD;
	}
	if (outcome == FLAWED)
		s->next = s->end - s->start;
	begin_next(s, s->lines + 1);
	return CSV_RECORD;
}

int csv_scan_next(struct csv_scan *s, struct csv_record *r)
{
	enum outcome outcome;
	int rc;

	for (;;) {
		rc = run(s, &outcome);
		if (rc)
			return rc;
		if (outcome == ENDED)
			return CSV_END;
		if (outcome != PASSED)
			break;
		begin_next(s, 1);
	}
	if (outcome == FLAWED && !s->flaw)
		return CSV_NO_MEMORY;
	if (s->large || s->next > s->rules.max_record + 2) {
		if (!s->large) {
			s->large_offset = s->base + s->start;
			s->head_size = s->next < HEAD_ROOM ? s->next : HEAD_ROOM;
			memcpy(s->head, s->buf + s->start, s->head_size);
			s->has_second = false;
		}
		return give_large(s, outcome, r);
	}
	if (outcome == FLAWED)
		return give_flawed(s, r);
	*r = (struct csv_record){ .text = s->buf + s->start,
				  .fields = s->fields,
				  .count = s->count,
				  .line = s->line,
				  .offset = s->base + s->start };
	r->size = s->next;
	if (r->size > 0 && r->text[r->size - 1] == '\n')
		r->size--;
	if (r->size > 0 && s->next > r->size && r->text[r->size - 1] == '\r')
		r->size--;
	begin_next(s, s->lines + 1);
	return CSV_RECORD;
}

const char *csv_field_text(const struct csv_record *record, const struct csv_field *field, char quote, char *to,
			   size_t *ret_size)
{
	const char *from = record->text + field->at, *end = from + field->size, *at;
	char *out = to;
	size_t n;

	if (!field->doubled) {
		*ret_size = field->size;
		return from;
	}
	/* Up to and with the first of two quotes; the second is passed over. */
	while ((at = memchr(from, quote, (size_t)(end - from))) != NULL) {
		n = (size_t)(at - from) + 1;
		memcpy(out, from, n);
		out += n;
		from = at + 2;
	}
	memcpy(out, from, (size_t)(end - from));
	*ret_size = (size_t)(out - to) + (size_t)(end - from);
	return to;
}
