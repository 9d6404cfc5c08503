/*
 * Patterns of file names: "profiles/{profile_id}/cache-*.json". Parsed once into parts, then held against many names. The
 * work for one name is bounded by the parts times its length, because what failed once is remembered; only a pattern that has
 * the same name twice cannot remember, for its failures depend on what the name stood for.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include <etlrun/helpers.h>

#include "backend.h"

#define PARTS_MAX    64
#define CAPTURES_MAX 32
#define NAME_MAX_    4096 /* bytes, as PATH_MAX; the address of a blob has 1024 characters */

enum kind {
	LITERAL,
	STAR,	 /* * */
	CAPTURE, /* {name} */
	FOLDERS, /* ** and its slash */
	REST	 /* ** at the end */
};

struct part {
	enum kind kind;
	size_t at, size; /* of a literal: in `literals` */
	size_t capture;	 /* its index */
};

struct files_pattern {
	char *text; /* as written */
	char *literals;
	struct part parts[PARTS_MAX];
	size_t count;
	char *names[CAPTURES_MAX];
	size_t name_count;
	bool repeats;
};

struct span {
	size_t at, size; /* size 0: not set */
};

struct match {
	const struct files_pattern *pattern;
	const char *name;
	size_t size;
	bool partial; /* the name is a folder's: is there anything below it that matches? */
	struct span spans[CAPTURES_MAX];
	uint8_t failed[(PARTS_MAX * (NAME_MAX_ + 1) + 7) / 8];
};

/* ---- Parsing ------------------------------------------------------------------------------------------------ */

struct parser {
	struct files_pattern *pattern;
	const char *text, *at;
	struct etl_text literals;
	const char *why;
};

static bool flaw(struct parser *p, const char *why)
{
	p->why = why;
	return false;
}

static struct part *add_part(struct parser *p, enum kind kind)
{
	struct part *part = &p->pattern->parts[p->pattern->count];

	if (p->pattern->count == PARTS_MAX) {
		flaw(p, "has more than 64 parts");
		return NULL;
	}
	p->pattern->count++;
	*part = (struct part){ .kind = kind, .at = p->literals.length };
	return part;
}

static bool add_literal(struct parser *p, char c)
{
	struct files_pattern *pattern = p->pattern;
	struct part *part = pattern->count ? &pattern->parts[pattern->count - 1] : NULL;

	if (!part || part->kind != LITERAL)
		part = add_part(p, LITERAL);
	if (!part)
		return false;
	etl_text_add_bytes(&p->literals, &c, 1);
	part->size++;
	return true;
}

static bool is_name(const char *text, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++) {
		if (!(text[i] == '_' || (text[i] >= 'a' && text[i] <= 'z') ||
		      (text[i] >= 'A' && text[i] <= 'Z') ||
		      (i > 0 && text[i] >= '0' && text[i] <= '9')))
			return false;
	}
	return size > 0;
}

static bool find_name(struct parser *p, const char *name, size_t size, size_t *ret)
{
	struct files_pattern *pattern = p->pattern;
	size_t i;

	for (i = 0; i < pattern->name_count; i++) {
		if (strlen(pattern->names[i]) == size && memcmp(pattern->names[i], name, size) == 0)
			break;
	}
	*ret = i;
	if (i < pattern->name_count) {
		pattern->repeats = true;
		return true;
	}
	if (i == CAPTURES_MAX)
		return flaw(p, "has more than 32 names in braces");
	pattern->names[i] = strndup(name, size);
	if (!pattern->names[i])
		return flaw(p, NULL);
	pattern->name_count++;
	return true;
}

static bool parse_capture(struct parser *p)
{
	const char *end = strchr(p->at, '}');
	struct part *part;
	size_t index;

	if (!end || !is_name(p->at + 1, (size_t)(end - p->at - 1)))
		return flaw(p, "has a { that begins no name: write {name} with letters, digits and _, or \\{ for "
			       "the character");
	if (!find_name(p, p->at + 1, (size_t)(end - p->at - 1), &index))
		return false;
	part = add_part(p, CAPTURE);
	if (!part)
		return false;
	part->capture = index;
	p->at = end + 1;
	return true;
}

static bool parse_star(struct parser *p)
{
	bool begins = p->at == p->text || p->at[-1] == '/';

	if (p->at[1] != '*') {
		p->at++;
		return add_part(p, STAR) != NULL;
	}
	if (!begins || (p->at[2] != '/' && p->at[2] != '\0'))
		return flaw(p, "has a ** that is not a whole part between slashes");
	if (!add_part(p, p->at[2] ? FOLDERS : REST))
		return false;
	p->at += p->at[2] ? 3 : 2;
	if (p->pattern->parts[p->pattern->count - 1].kind == FOLDERS && *p->at == '\0')
		return flaw(p, "ends in a slash: it names a folder, and files are wanted; write **");
	return true;
}

/* Each part between slashes has a text, and none goes up. */
static bool check_slashes(struct parser *p)
{
	const char *at = p->text, *end;

	if (*at == '\0')
		return flaw(p, "is empty");
	if (*at == '/')
		return flaw(p, "begins with a slash; it is relative to the folder");
	for (;; at = end + 1) {
		end = at + strcspn(at, "/");
		if (end == at)
			return flaw(p, *end ? "has two slashes in a row" :
					      "ends in a slash: it names a folder, and files are wanted; write /**");
		if ((end - at == 1 && *at == '.') || (end - at == 2 && at[0] == '.' && at[1] == '.'))
			return flaw(p, "has . or .. in it; name the files from the folder down");
		if (!*end)
			return true;
	}
}

static bool parse(struct parser *p)
{
	if (!check_slashes(p))
		return false;
	if (etl_utf8_valid(p->text, strlen(p->text)) != strlen(p->text))
		return flaw(p, "is no valid UTF-8");
	while (*p->at) {
		bool ok;

		if (*p->at == '*')
			ok = parse_star(p);
		else if (*p->at == '{')
			ok = parse_capture(p);
		else if (*p->at == '\\' && !p->at[1])
			ok = flaw(p, "ends in a backslash");
		else
			ok = (p->at += *p->at == '\\', add_literal(p, *p->at++));
		if (!ok)
			return false;
	}
	return true;
}

int files_pattern_parse(struct files_pattern **ret, const struct etl_host *host, const char *text,
			struct etl_error *err)
{
	struct parser p = { .pattern = calloc(1, sizeof(*p.pattern)), .text = text, .at = text };

	if (p.pattern && parse(&p)) {
		etl_text_add(&p.literals, "");
		p.pattern->literals = etl_text_take(&p.literals);
		p.pattern->text = strdup(text);
		if (p.pattern->literals && p.pattern->text) {
			*ret = p.pattern;
			return ETL_OK;
		}
	}
	etl_text_free(&p.literals);
	files_pattern_free(p.pattern);
	if (p.why)
		return host->fail(err, ETL_USAGE, NULL, 0, "the pattern \"%s\" %s", text, p.why);
	return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the pattern \"%s\"", text);
}

void files_pattern_free(struct files_pattern *pattern)
{
	size_t i;

	if (!pattern)
		return;
	for (i = 0; i < pattern->name_count; i++)
		free(pattern->names[i]);
	free(pattern->literals);
	free(pattern->text);
	free(pattern);
}

size_t files_pattern_captures(const struct files_pattern *pattern, const char *const **ret_names)
{
	if (!pattern) {
		*ret_names = NULL;
		return 0;
	}
	if (ret_names)
		*ret_names = (const char *const *)pattern->names;
	return pattern->name_count;
}

const char *files_pattern_text(const struct files_pattern *pattern)
{
	return pattern->text;
}

const char *files_pattern_prefix(const struct files_pattern *pattern, size_t *ret_size)
{
	bool literal = pattern->count > 0 && pattern->parts[0].kind == LITERAL;

	*ret_size = literal ? pattern->parts[0].size : 0;
	return pattern->literals;
}

/* ---- Matching ------------------------------------------------------------------------------------------------ */

static bool match(struct match *m, size_t part, size_t at);

static size_t segment_end(const struct match *m, size_t at)
{
	const char *slash = memchr(m->name + at, '/', m->size - at);

	return slash ? (size_t)(slash - m->name) : m->size;
}

/* TEXT stands at AT, or (partial) the name ends in its middle. */
static bool match_text(struct match *m, size_t part, size_t at, const char *text, size_t size)
{
	size_t left = m->size - at;

	if (m->partial && left < size)
		return memcmp(m->name + at, text, left) == 0;
	return left >= size && memcmp(m->name + at, text, size) == 0 && match(m, part + 1, at + size);
}

static bool match_star(struct match *m, size_t part, size_t at)
{
	size_t end = segment_end(m, at);

	for (; at <= end; at++) {
		if (match(m, part + 1, at))
			return true;
	}
	return false;
}

static bool match_capture(struct match *m, size_t part, size_t at)
{
	struct span *span = &m->spans[m->pattern->parts[part].capture];
	size_t end = segment_end(m, at), to;

	if (span->size > 0)
		return match_text(m, part, at, m->name + span->at, span->size);
	for (to = at + 1; to <= end; to++) {
		*span = (struct span){ at, to - at };
		if (match(m, part + 1, to))
			return true;
	}
	span->size = 0;
	return false;
}

static bool match_folders(struct match *m, size_t part, size_t at)
{
	for (;; at++) {
		if (match(m, part + 1, at))
			return true;
		at = segment_end(m, at);
		if (at == m->size)
			return false;
	}
}

static bool match_part(struct match *m, size_t index, size_t at)
{
	const struct part *part = &m->pattern->parts[index];

	switch (part->kind) {
	case LITERAL:
		return match_text(m, index, at, m->pattern->literals + part->at, part->size);
	case STAR:
		return match_star(m, index, at);
	case CAPTURE:
		return match_capture(m, index, at);
	case FOLDERS:
		return match_folders(m, index, at);
	case REST:
		return at < m->size;
	}
	return false;
}

static bool match(struct match *m, size_t part, size_t at)
{
	size_t bit = part * (m->size + 1) + at;

	if (m->partial && at == m->size)
		return true;
	if (part == m->pattern->count)
		return at == m->size && !m->partial;
	if (!m->pattern->repeats && m->failed[bit >> 3] >> (bit & 7) & 1)
		return false;
	if (match_part(m, part, at))
		return true;
	m->failed[bit >> 3] |= (uint8_t)(1u << (bit & 7));
	return false;
}

static bool start(struct match *m, const struct files_pattern *pattern, const char *name, bool partial)
{
	m->pattern = pattern;
	m->name = name;
	m->size = strlen(name);
	m->partial = partial;
	if (m->size > NAME_MAX_)
		return false;
	memset(m->spans, 0, pattern->name_count * sizeof(*m->spans));
	memset(m->failed, 0, (pattern->count * (m->size + 1) + 7) / 8);
	return match(m, 0, 0);
}

bool files_pattern_match(const struct files_pattern *pattern, const char *name, struct arena *memory,
			 const char *const **ret_captures)
{
	struct match m;
	const char **captures;
	size_t i;

	if (!start(&m, pattern, name, false))
		return false;
	if (!memory)
		return true;
	captures = etl_arena_alloc(memory, (pattern->name_count + 1) * sizeof(*captures));
	for (i = 0; captures && i < pattern->name_count; i++)
		captures[i] = etl_arena_text(memory, name + m.spans[i].at, m.spans[i].size);
	*ret_captures = captures;
	return true;
}

bool files_pattern_may_hold(const struct files_pattern *pattern, const char *folder)
{
	struct match m;

	return start(&m, pattern, folder, true);
}

/* ---- The inverse ------------------------------------------------------------------------------------------------ */

static const char *value_flaw(const char *value)
{
	if (!value)
		return "a value is NULL, and a file has to have a name";
	if (*value == '\0')
		return "a value is empty, and a file has to have a name";
	if (strchr(value, '/'))
		return "a value has a slash in it, which would be another folder";
	return NULL;
}

/* Whether a part between slashes came out as one that means another folder, or that no list would show. */
static const char *name_flaw(const char *name)
{
	const size_t aside = strlen(FILES_ASIDE);
	const char *at = name, *end;

	for (;; at = end + 1) {
		end = at + strcspn(at, "/");
		if ((end - at == 1 && *at == '.') || (end - at == 2 && at[0] == '.' && at[1] == '.'))
			return "a part of the name would be . or .., which is a folder";
		if (end - at > 255)
			return "a part of the name would have more than the 255 bytes that a disk takes";
		if ((size_t)(end - at) >= aside && memcmp(end - aside, FILES_ASIDE, aside) == 0)
			return "a part of the name would end in " FILES_ASIDE ", which etlrun keeps for files that wait";
		if (!*end)
			return NULL;
	}
}

char *files_pattern_name(const struct files_pattern *pattern, const char *const *values,
			 const char **why)
{
	struct etl_text name = { 0 };
	size_t i;

	*why = NULL;
	for (i = 0; !*why && i < pattern->count; i++) {
		const struct part *part = &pattern->parts[i];

		if (part->kind == LITERAL) {
			etl_text_add_bytes(&name, pattern->literals + part->at, part->size);
		} else if (part->kind == CAPTURE) {
			*why = value_flaw(values[part->capture]);
			if (!*why)
				etl_text_add(&name, values[part->capture]);
		} else {
			*why = "the pattern has a * in it, which says no name";
		}
	}
	if (!*why && !name.failed)
		*why = name_flaw(name.at);
	if (*why)
		etl_text_free(&name);
	return *why ? NULL : etl_text_take(&name);
}
