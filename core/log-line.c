/* See log-line.h. */
#include "config.h"

#include <ctype.h>
#include <string.h>

#include "json-read.h"
#include "log-line.h"

#define TIME_SIZE (sizeof("2026-11-21T03:46:48.123Z") - 1)

static const char *const names[] = { "error", "warning", "info", "debug" };

static int32_t level_of(const char *name, size_t size)
{
	for (int32_t i = 0; i < (int32_t)(sizeof(names) / sizeof(*names)); i++)
		if (strlen(names[i]) == size && memcmp(names[i], name, size) == 0)
			return i;
	return size == 4 && memcmp(name, "warn", 4) == 0 ? ETL_LOG_WARN : -1;
}

int32_t log_level_of(const char *name)
{
	return level_of(name, strlen(name));
}

static void set_text(struct etl_text *text, const char *at, size_t size)
{
	text->length = 0;
	etl_text_add_bytes(text, at, size);
	etl_text_add(text, "");
}

/* ---- JSON ---- */

static struct etl_text *member_of(struct log_seen *seen, const char *name, struct etl_text *other)
{
	return strcmp(name, "time") == 0    ? &seen->time :
	       strcmp(name, "run") == 0	    ? &seen->run :
	       strcmp(name, "who") == 0	    ? &seen->who :
	       strcmp(name, "message") == 0 ? &seen->message :
					      other;
}

static bool read_members(struct log_seen *seen, struct json *j)
{
	struct etl_text name = { 0 }, other = { 0 };
	bool ok = true;

	json_expect(j, '{');
	do {
		struct etl_text *to;

		set_text(&name, "", 0);
		set_text(&other, "", 0);
		json_string(j, &name);
		json_expect(j, ':');
		to = member_of(seen, name.failed ? "" : name.at, &other);
		set_text(to, "", 0);
		json_string(j, to);
		if (!name.failed && !other.failed && strcmp(name.at, "level") == 0)
			seen->level = log_level_of(other.at);
		ok = ok && !name.failed && !to->failed;
	} while (!j->bad && json_take(j, ','));
	json_expect(j, '}');
	etl_text_free(&name);
	etl_text_free(&other);
	return ok;
}

static bool read_json(struct log_seen *seen, const char *line, size_t size, bool *ret_ok)
{
	struct json j = json_start(line, size);

	if (json_peek(&j) != '{')
		return false;
	set_text(&seen->run, "", 0);
	*ret_ok = read_members(seen, &j);
	return !j.bad && seen->level >= 0 && seen->time.length > 0;
}

/* ---- Text ---- */

/* The first line of a run: "run ID of PIPELINE: …". */
static void note_run(struct log_seen *seen)
{
	static const char begins[] = "run ", of[] = " of ";
	const char *at = seen->message.at + sizeof(begins) - 1;
	size_t length;

	if (strncmp(seen->message.at, begins, sizeof(begins) - 1) != 0)
		return;
	length = strcspn(at, " ");
	if (length == strcspn(at, " :") && strncmp(at + length, of, sizeof(of) - 1) == 0)
		set_text(&seen->run, at, length);
}

static bool read_text(struct log_seen *seen, const char *line, size_t size)
{
	const char *level = line + TIME_SIZE + 1, *end = line + size, *rest;

	if (size < TIME_SIZE + 2 || line[10] != 'T' || line[TIME_SIZE - 1] != 'Z' || line[TIME_SIZE] != ' ')
		return false;
	rest = memchr(level, ' ', (size_t)(end - level));
	seen->level = level_of(level, (size_t)((rest ? rest : end) - level));
	while (rest && rest < end && *rest == ' ')
		rest++;
	if (seen->level < 0 || !rest)
		return false;
	set_text(&seen->time, line, TIME_SIZE);
	set_text(&seen->message, rest, (size_t)(end - rest));
	if (!seen->message.failed)
		note_run(seen);
	return true;
}

/* ---- Either ---- */

bool log_line_read(struct log_seen *seen, const char *line, size_t size)
{
	bool ok = true;

	while (size > 0 && (line[size - 1] == '\n' || line[size - 1] == '\r'))
		size--;
	set_text(&seen->time, "", 0);
	set_text(&seen->who, "", 0);
	set_text(&seen->message, "", 0);
	seen->level = ETL_LOG_INFO;
	if (!read_json(seen, line, size, &ok) && !read_text(seen, line, size)) {
		set_text(&seen->time, "", 0);
		set_text(&seen->message, line, size);
		seen->level = ETL_LOG_INFO;
	}
	return ok && !seen->time.failed && !seen->run.failed && !seen->who.failed && !seen->message.failed;
}

void log_line_clear(struct log_seen *seen)
{
	etl_text_free(&seen->time);
	etl_text_free(&seen->run);
	etl_text_free(&seen->who);
	etl_text_free(&seen->message);
	*seen = (struct log_seen){ .level = 0 };
}

static bool is_in_word(unsigned char c)
{
	return isalnum(c) || c == '_' || c >= 0x80;
}

bool log_line_names(const struct log_seen *seen, const char *table)
{
	size_t size = strlen(table);
	const char *text = seen->message.at, *at = text;

	while (size > 0 && (at = strstr(at, table))) {
		bool begins = at == text || !is_in_word((unsigned char)at[-1]);

		if (begins && !is_in_word((unsigned char)at[size]))
			return true;
		at++;
	}
	return false;
}

static void add_member(struct etl_text *to, const char *name, const struct etl_text *value)
{
	if (value->length == 0)
		return;
	etl_text_addf(to, "%s\"%s\":", to->at[to->length - 1] == '{' ? "" : ",", name);
	etl_text_add_json(to, value->at, value->length);
}

void log_line_add(const struct log_seen *seen, bool json, struct etl_text *to)
{
	if (!json) {
		if (seen->time.length > 0)
			etl_text_addf(to, "%s %-7s ", seen->time.at, names[seen->level]);
		if (seen->who.length > 0)
			etl_text_addf(to, "%s: ", seen->who.at);
		etl_text_addf(to, "%s\n", seen->message.at);
		return;
	}
	etl_text_add(to, "{");
	if (to->failed)
		return;
	add_member(to, "time", &seen->time);
	etl_text_addf(to, "%s\"level\":\"%s\"", to->at[to->length - 1] == '{' ? "" : ",", names[seen->level]);
	add_member(to, "run", &seen->run);
	add_member(to, "who", &seen->who);
	add_member(to, "message", &seen->message);
	etl_text_add(to, "}\n");
}
