/*
 * Files belong together when they have the same name in folders that differ, or when they are alone of their kind in folders of
 * one pattern: profiles/p1/queries/q7/cache.json and profiles/p2/queries/q1/cache.json are
 * profiles/{profile_id}/queries/{query_id}/cache.json. Files in one folder belong together when their names differ in digits only:
 * data/2024-01.json, data/2024-02.json, … are data/{file}.json; and whatever they are called when there are MANY.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "infer.h"

#define PARTS_MAX 32
#define MANY	  30 /* names in one folder that are data, whatever they are */

struct parts {
	const char *at[PARTS_MAX];
	size_t size[PARTS_MAX];
	size_t count;
};

static void cut(const char *name, struct parts *ret)
{
	ret->count = 0;
	while (ret->count < PARTS_MAX) {
		size_t size = ret->count + 1 < PARTS_MAX ? strcspn(name, "/") : strlen(name);

		ret->at[ret->count] = name;
		ret->size[ret->count++] = size;
		name += size;
		if (!*name)
			return;
		name++;
	}
}

static bool same_part(const struct parts *a, const struct parts *b, size_t i)
{
	return a->size[i] == b->size[i] && memcmp(a->at[i], b->at[i], a->size[i]) == 0;
}

/* From the first point of a name: ".json", ".jsonl.gz". */
static const char *suffix(const char *name, size_t size)
{
	const char *dot = size ? memchr(name + 1, '.', size - 1) : NULL;

	return dot ? dot : name + size;
}

static bool same_suffix(const struct parts *a, const struct parts *b)
{
	size_t last = a->count - 1;
	const char *one = suffix(a->at[last], a->size[last]), *two = suffix(b->at[last], b->size[last]);

	return a->at[last] + a->size[last] - one == b->at[last] + b->size[last] - two && strcmp(one, two) == 0;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* But for their digits, each run of which counts as one. */
static bool same_letters(const struct parts *a, const struct parts *b)
{
	const char *one = a->at[a->count - 1], *two = b->at[b->count - 1];

	while (*one && *two) {
		if (is_digit(*one) != is_digit(*two) || (!is_digit(*one) && *one != *two))
			return false;
		if (!is_digit(*one)) {
			one++;
			two++;
		}
		while (is_digit(*one))
			one++;
		while (is_digit(*two))
			two++;
	}
	return !*one && !*two;
}

enum kin {
	KIN_NAME,       /* same depth, same own name, and folders that differ below the first one only, if at all */
	KIN_DIGITS,     /* the same, and the names differ in digits only */
	KIN_FOLDER      /* one folder, names that end alike */
};

static bool same_kind(const struct parts *a, const struct parts *b, enum kin kin)
{
	size_t last = a->count - 1;

	if (a->count != b->count)
		return false;
	if (kin != KIN_FOLDER)
		return (kin == KIN_NAME ? same_part(a, b, last) : same_letters(a, b)) && (last == 0 || same_part(a, b, 0));
	for (size_t i = 0; i < last; i++) {
		if (!same_part(a, b, i))
			return false;
	}
	return same_suffix(a, b);
}

/* ---- Names ------------------------------------------------------------------------------------------------------- */

static void word(char *to, size_t room, const char *text, size_t size)
{
	size_t n = 0;

	for (size_t i = 0; i < size && n + 1 < room; i++) {
		unsigned char c = (unsigned char)text[i];
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;

		to[n++] = plain ? (char)c : '_';
	}
	to[n] = '\0';
}

/* "profiles" before what differs: profile_id; nothing fit before it: part_2. Letters that a {name} cannot have become _. */
static void capture_name(char *to, size_t room, const struct parts *p, size_t i, bool fixed_before)
{
	char before[51];
	size_t size;

	if (!fixed_before) {
		snprintf(to, room, "part_%zu", i + 1);
		return;
	}
	word(before, sizeof(before), p->at[i - 1], p->size[i - 1]);
	for (char *at = before; *at; at++)
		*at = (unsigned char)*at < 0x80 ? *at : '_';
	size = strlen(before);
	if (size > 3 && strcmp(before + size - 3, "ies") == 0)
		strcpy(before + size - 3, "y");
	else if (size > 1 && before[size - 1] == 's')
		before[size - 1] = '\0';
	snprintf(to, room, "%s_id", before);
}

/* {profile_id}, or {profile_id_2} where PATTERN has that: of one name twice it would mean only files in which both are the same. */
static void add_capture(struct etl_text *pattern, const struct parts *p, size_t i, bool fixed_before)
{
	char name[64], unique[80];

	capture_name(name, sizeof(name), p, i, fixed_before);
	snprintf(unique, sizeof(unique), "{%s}", name);
	for (int n = 2; pattern->at && strstr(pattern->at, unique); n++)
		snprintf(unique, sizeof(unique), "{%s_%d}", name, n);
	etl_text_add(pattern, unique);
}

static void add_escaped(struct etl_text *to, const char *text, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		etl_text_add(to, strchr("*?{}\\", text[i]) && text[i] ? "\\" : "");
		etl_text_add_bytes(to, text + i, 1);
	}
}

/* ---- Groups -------------------------------------------------------------------------------------------------------- */

struct grouping {
	struct arena *arena;
	const struct files_list *list;
	bool *taken;
	struct file_group *groups;
	size_t count;
};

/* The names of the group differ in digits only: from the first of these to the last. */
struct digits {
	size_t before, behind;  /* bytes of letters before and behind them */
};

static struct digits digits_of(const char *name, size_t size)
{
	struct digits d = { 0, 0 };

	while (d.before < size && !is_digit(name[d.before]))
		d.before++;
	while (d.behind < size - d.before && !is_digit(name[size - 1 - d.behind]))
		d.behind++;
	return d;
}

/* Is there a file of another group whose own name could stand where those of this group are? */
static bool has_others(const struct grouping *g, const struct file_group *group, const bool *differs)
{
	struct parts own, other;
	size_t next = 0;

	cut(g->list->at[group->files[0]].name, &own);
	for (size_t i = 0; i < g->list->count; i++) {
		size_t last = own.count - 1, j = 0;

		if (next < group->file_count && group->files[next] == i) {
			next++;
			continue;
		}
		cut(g->list->at[i].name, &other);
		if (other.count != own.count || !same_suffix(&own, &other))
			continue;
		while (j < last && (differs[j] || same_part(&own, &other, j)))
			j++;
		if (j == last)
			return true;
	}
	return false;
}

static bool finish(struct grouping *g, struct file_group *group, const bool *differs, enum kin kin)
{
	bool many = kin != KIN_NAME, narrow = kin == KIN_DIGITS && has_others(g, group, differs);
	struct digits digits = { 0, 0 };
	struct etl_text pattern = { 0 };
	struct parts p;
	char name[64];
	bool fixed = false;
	size_t last;

	cut(g->list->at[group->files[0]].name, &p);
	last = p.count - 1;
	for (size_t i = 0; i < p.count; i++) {
		etl_text_add(&pattern, i ? "/" : "");
		if (i == last && many) {
			const char *end = suffix(p.at[i], p.size[i]);
			size_t stem = (size_t)(end - p.at[i]);

			if (narrow)
				digits = digits_of(p.at[i], stem);
			add_escaped(&pattern, p.at[i], digits.before);
			etl_text_add(&pattern, "{file}");
			add_escaped(&pattern, end - digits.behind, digits.behind + p.size[i] - stem);
		} else if (differs[i]) {
			add_capture(&pattern, &p, i, fixed);
		} else {
			add_escaped(&pattern, p.at[i], p.size[i]);
		}
		fixed = !differs[i];
	}
	word(name, sizeof(name), p.at[last], (size_t)(suffix(p.at[last], p.size[last]) - p.at[last]));
	while (digits.before > 0 && strchr("-_. ", p.at[last][digits.before - 1]))
		digits.before--;
	if (digits.before > 0)
		word(name, sizeof(name), p.at[last], digits.before);
	else if (many && last > 0)
		word(name, sizeof(name), p.at[last - 1], p.size[last - 1]);
	else if (many)
		snprintf(name, sizeof(name), "records");
	group->pattern = pattern.at ? etl_arena_copy(g->arena, pattern.at) : NULL;
	group->name = etl_arena_copy(g->arena, *name ? name : "records");
	etl_text_free(&pattern);
	return group->pattern && group->name;
}

static size_t count_kind(const struct grouping *g, size_t first, enum kin kin)
{
	struct parts one, two;
	size_t n = 1;

	cut(g->list->at[first].name, &one);
	for (size_t i = first + 1; i < g->list->count; i++) {
		cut(g->list->at[i].name, &two);
		n += !g->taken[i] && same_kind(&one, &two, kin);
	}
	return n;
}

static bool gather(struct grouping *g, size_t first, enum kin kin)
{
	struct file_group *groups = etl_arena_push(g->arena, g->groups, g->count, sizeof(*groups)), *group;
	bool differs[PARTS_MAX] = { false };
	struct parts one, two;

	if (!groups)
		return false;
	g->groups = groups;
	group = &groups[g->count++];
	*group = (struct file_group){ 0 };
	cut(g->list->at[first].name, &one);
	for (size_t i = first; i < g->list->count; i++) {
		size_t *files;

		cut(g->list->at[i].name, &two);
		if (g->taken[i] || (i > first && !same_kind(&one, &two, kin)))
			continue;
		files = etl_arena_push(g->arena, group->files, group->file_count, sizeof(*files));
		if (!files)
			return false;
		group->files = files;
		files[group->file_count++] = i;
		g->taken[i] = true;
		for (size_t j = 0; j < one.count; j++)
			differs[j] |= !same_part(&one, &two, j);
	}
	return finish(g, group, differs, kin);
}

/* What brings most of the others. */
static enum kin kin_of(const struct grouping *g, size_t i)
{
	size_t same = count_kind(g, i, KIN_NAME);

	if (count_kind(g, i, KIN_DIGITS) > same)
		return KIN_DIGITS;
	if (same > 1)
		return KIN_NAME;
	return count_kind(g, i, KIN_FOLDER) >= MANY ? KIN_FOLDER : KIN_NAME;
}

struct file_group *json_group_files(struct arena *arena, const struct files_list *list, size_t *ret_count)
{
	struct grouping g = { .arena = arena, .list = list };
	bool done = true;

	g.taken = calloc(list->count + 1, sizeof(*g.taken));
	if (!g.taken)
		return NULL;
	for (size_t i = 0; done && i < list->count; i++) {
		if (!g.taken[i])
			done = gather(&g, i, kin_of(&g, i));
	}
	free(g.taken);
	*ret_count = g.count;
	return done ? (g.groups ? g.groups : etl_arena_alloc(arena, sizeof(*g.groups))) : NULL;
}
