/*
 * JSON as bytes: the tree, the splitter, paths; the first byte chooses. The tree takes what a second, plain reader of the
 * grammar takes, and nothing else; its nodes lie in the text and, written again, make the same nodes. The splitter gives
 * the same in any pieces, and of an array that is JSON just its elements. A path that is taken reads again as itself.
 */
#include "config.h"

#include <etlrun/helpers.h>

#include "../../plugins/json/path-parts.h"
#include "../../plugins/json/split.h"
#include "../../plugins/json/text.h"
#include "../../plugins/json/tree.h"
#include "fuzz.h"

enum { DEPTH = 40 };

static struct json_tree *strict, *lax, *again, *named;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct json_limits limits = { .depth = DEPTH, .duplicates = JSON_ERROR };

	(void)argc;
	(void)argv;
	strict = json_tree_new(&limits);
	limits.duplicates = JSON_LAST;
	lax = json_tree_new(&limits);
	again = json_tree_new(&limits);
	limits.nonfinite = JSON_NONFINITE_TEXT;
	named = json_tree_new(&limits);
	FUZZ_HOLDS(strict && lax && again && named);
	return 0;
}

/* With room behind it, whose bytes could belong to a text. */
static char *padded(const void *data, size_t size)
{
	char *text = malloc(size + JSON_PADDING);

	FUZZ_HOLDS(text);
	if (size > 0)
		memcpy(text, data, size);
	memset(text + size, "]}\" ,0"[size % 6], JSON_PADDING);
	return text;
}

/* ---- The grammar, once more: RFC 8259 ------------------------------------------------------------ */

struct reader {
	const unsigned char *at, *end;
};

static void blanks(struct reader *r)
{
	while (r->at < r->end && strchr(" \t\r\n", *r->at) && *r->at)
		r->at++;
}

static bool take(struct reader *r, char c)
{
	if (r->at == r->end || *r->at != (unsigned char)c)
		return false;
	r->at++;
	return true;
}

static bool take_word(struct reader *r, const char *word)
{
	for (; *word; word++)
		if (!take(r, *word))
			return false;
	return true;
}

static bool digits(struct reader *r)
{
	const unsigned char *start = r->at;

	while (r->at < r->end && *r->at >= '0' && *r->at <= '9')
		r->at++;
	return r->at > start;
}

static bool number(struct reader *r)
{
	take(r, '-');
	if (!take(r, '0') && !digits(r))
		return false;
	if (take(r, '.') && !digits(r))
		return false;
	if (take(r, 'e') || take(r, 'E')) {
		if (!take(r, '+'))
			take(r, '-');
		return digits(r);
	}
	return true;
}

/* A character beyond ASCII, by its value. */
static bool wide(struct reader *r)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned c = *r->at++, length = c >> 5 == 6 ? 2 : c >> 4 == 14 ? 3 : c >> 3 == 30 ? 4 : 0, i;
	uint32_t value = c & (0x7F >> length);

	if (length == 0 || (size_t)(r->end - r->at) < length - 1)
		return false;
	for (i = 1; i < length; i++, r->at++) {
		if (*r->at >> 6 != 2)
			return false;
		value = value << 6 | (*r->at & 0x3F);
	}
	return value >= least[length] && value <= 0x10FFFF && (value < 0xD800 || value > 0xDFFF);
}

static bool escape(struct reader *r)
{
	int i;

	if (!take(r, 'u'))
		return r->at < r->end && *r->at && strchr("\"\\/bfnrt", *r->at++);
	for (i = 0; i < 4; i++, r->at++)
		if (r->at == r->end || !*r->at || !strchr("0123456789abcdefABCDEF", *r->at))
			return false;
	return true;
}

static bool string(struct reader *r)
{
	if (!take(r, '"'))
		return false;
	while (!take(r, '"')) {
		if (r->at == r->end || *r->at < 0x20)
			return false;
		if (*r->at >= 0x80) {
			if (!wide(r))
				return false;
		} else if (*r->at++ == '\\' && !escape(r)) {
			return false;
		}
	}
	return true;
}

static bool value(struct reader *r, int depth);

static bool member(struct reader *r, int depth)
{
	blanks(r);
	if (!string(r))
		return false;
	blanks(r);
	return take(r, ':') && value(r, depth);
}

static bool container(struct reader *r, int depth, bool object)
{
	char close = object ? '}' : ']';

	if (depth == DEPTH)
		return false;
	r->at++;
	blanks(r);
	if (take(r, close))
		return true;
	do {
		if (!(object ? member(r, depth + 1) : value(r, depth + 1)))
			return false;
	} while (take(r, ','));
	return take(r, close);
}

static bool value(struct reader *r, int depth)
{
	bool ok;

	blanks(r);
	if (r->at == r->end)
		return false;
	switch (*r->at) {
	case '{':
	case '[':
		ok = container(r, depth, *r->at == '{');
		break;
	case '"':
		ok = string(r);
		break;
	case 't':
		ok = take_word(r, "true");
		break;
	case 'f':
		ok = take_word(r, "false");
		break;
	case 'n':
		ok = take_word(r, "null");
		break;
	default:
		ok = number(r);
	}
	blanks(r);
	return ok;
}

static bool is_json(const char *text, size_t size)
{
	struct reader r = { (const unsigned char *)text, (const unsigned char *)text + size };

	return value(&r, 0) && r.at == r.end;
}

static bool is_utf8(const char *text, size_t size)
{
	struct reader r = { (const unsigned char *)text, (const unsigned char *)text + size };

	while (r.at < r.end) {
		if (*r.at < 0x80)
			r.at++;
		else if (!wide(&r))
			return false;
	}
	return true;
}

/* ---- The tree ------------------------------------------------------------------------------------ */

static void check_string(const char *raw, size_t size)
{
	struct json_text_policy keep = { JSON_ODD_KEEP, JSON_ODD_KEEP, 0 }, reject = { 0 },
				replace = { JSON_ODD_REPLACE, JSON_ODD_REPLACE, 0 };
	char *kept = malloc(size + 1), *other = malloc(size + 1);
	size_t length, other_length;
	const char *code;

	FUZZ_HOLDS(kept && other);
	FUZZ_HOLDS(!json_text_resolve(raw, size, &keep, kept, &length));
	FUZZ_HOLDS(length <= size && json_text_is(raw, size, kept, length));
	FUZZ_HOLDS(!json_text_is(raw, size, kept, length > 0 ? length - 1 : 1));
	FUZZ_HOLDS(!json_text_resolve(raw, size, &replace, other, &other_length));
	FUZZ_HOLDS(other_length <= size && is_utf8(other, other_length) && !memchr(other, 0, other_length));
	code = json_text_resolve(raw, size, &reject, other, &other_length);
	FUZZ_HOLDS(!code == (replace.replaced == 0));
	if (code)
		FUZZ_HOLDS(other_length < size && raw[other_length] == '\\');
	else
		FUZZ_HOLDS(length == other_length && memcmp(kept, other, length) == 0);
	free(kept);
	free(other);
}

static void add(struct etl_text *t, const char *at, size_t size)
{
	etl_text_add_bytes(t, at, size);
}

/* The value written from its nodes; returns the node behind it. */
static uint32_t write_value(struct etl_text *t, const struct json_node *nodes, const char *text, uint32_t i)
{
	const struct json_node *node = &nodes[i];
	bool object = node->kind == JSON_OBJECT, quoted = node->kind == JSON_STRING || node->kind == JSON_KEY;
	uint32_t child = i + 1;

	if (node->kind != JSON_ARRAY && !object) {
		add(t, "\"", quoted);
		add(t, text + node->at, node->size);
		add(t, "\"", quoted);
		return i + 1;
	}
	add(t, object ? "{" : "[", 1);
	while (child < node->next) {
		add(t, ",", child > i + 1);
		if (object) {
			FUZZ_HOLDS(nodes[child].kind == JSON_KEY);
			child = write_value(t, nodes, text, child);
			add(t, ":", 1);
		}
		child = write_value(t, nodes, text, child);
	}
	FUZZ_HOLDS(child == node->next);
	add(t, object ? "}" : "]", 1);
	return child;
}

static void check_node(const struct json_node *nodes, size_t count, const char *text, size_t size, uint32_t i)
{
	const struct json_node *node = &nodes[i];

	FUZZ_HOLDS(node->at <= size && node->size <= size - node->at && node->next > i && node->next <= count);
	if (i > 0 && node->kind != JSON_KEY)
		FUZZ_HOLDS(node->at >= nodes[i - 1].at);
	if (node->kind == JSON_STRING || node->kind == JSON_KEY) {
		FUZZ_HOLDS(text[node->at - 1] == '"' && text[node->at + node->size] == '"');
		FUZZ_HOLDS(!memchr(text + node->at, '\\', node->size) == !(node->flags & JSON_ESCAPED));
		check_string(text + node->at, node->size);
	} else if (node->kind == JSON_NUMBER) {
		FUZZ_HOLDS(json_number_equal(text + node->at, node->size, text + node->at, node->size));
	}
	if (node->kind < JSON_KEY && node->kind != JSON_STRING)
		FUZZ_HOLDS(is_json(text + node->at, node->size));
}

static void check_again(const struct json_node *nodes, size_t count, const char *text)
{
	struct etl_text t = { .at = NULL }, t2 = { .at = NULL };
	struct json_flaw flaw;
	const struct json_node *other;
	char *written;
	size_t i, n;

	FUZZ_HOLDS(write_value(&t, nodes, text, 0) == count && !t.failed);
	written = padded(t.at, t.length);
	FUZZ_HOLDS(json_tree_read(again, written, t.length, &flaw) == 0);
	other = json_tree_nodes(again, &n);
	FUZZ_HOLDS(n == count);
	for (i = 0; i < n; i++) {
		FUZZ_HOLDS(nodes[i].kind == other[i].kind && nodes[i].flags == other[i].flags &&
			   nodes[i].next == other[i].next && other[i].reserved == 0);
		if (nodes[i].kind != JSON_ARRAY && nodes[i].kind != JSON_OBJECT)
			FUZZ_HOLDS(nodes[i].size == other[i].size);
	}
	write_value(&t2, other, written, 0);
	FUZZ_HOLDS(t.length == t2.length && memcmp(t.at, t2.at, t.length) == 0);
	free(written);
	etl_text_free(&t);
	etl_text_free(&t2);
}

static void check_flaw(const struct json_flaw *flaw, size_t size)
{
	FUZZ_HOLDS(flaw->code && flaw->reason[0] && flaw->at <= size);
}

/* With names of numbers that are none: all JSON is taken, and what is taken is JSON when it is spelled, and the same again. */
static void check_named(const char *text, size_t size, bool good)
{
	uint64_t names = json_tree_nonfinite(named);
	struct json_flaw flaw = { 0 };
	char *spelled;
	size_t room, n;

	if (json_tree_read(named, text, size, &flaw) != 0) {
		FUZZ_HOLDS(!good);
		check_flaw(&flaw, size);
		return;
	}
	names = json_tree_nonfinite(named) - names;
	FUZZ_HOLDS(good == (names == 0) && (names == 0 || json_tree_is_changed(named)));
	room = json_tree_room(named, 0);
	spelled = malloc(room + JSON_PADDING);
	FUZZ_HOLDS(spelled);
	n = json_tree_spell(named, 0, spelled);
	FUZZ_HOLDS(n <= room && is_json(spelled, n));
	free(spelled);
}

static void in_tree(const uint8_t *data, size_t size)
{
	char *text = padded(data, size);
	uint64_t dropped = json_tree_dropped(lax);
	const struct json_node *nodes;
	struct json_flaw flaw = { 0 };
	size_t count, i;
	bool good = json_tree_read(lax, text, size, &flaw) == 0;

	FUZZ_HOLDS(good == is_json(text, size));
	if (good) {
		nodes = json_tree_nodes(lax, &count);
		for (i = 0; i < count; i++)
			check_node(nodes, count, text, size, (uint32_t)i);
		check_again(nodes, count, text);
		FUZZ_HOLDS((json_tree_read(strict, text, size, &flaw) == 0) == (json_tree_dropped(lax) == dropped));
		if (json_tree_dropped(lax) != dropped)
			FUZZ_HOLDS(strcmp(flaw.code, "duplicate_key") == 0 && text[flaw.at] == '"');
	} else {
		check_flaw(&flaw, size);
	}
	check_named(text, size, good);
	free(text);
}

/* ---- The splitter -------------------------------------------------------------------------------- */

/* What it gave, as a text. */
static int note(struct json_split *split, const struct json_record *record, struct etl_text *t)
{
	size_t i;
	unsigned sum = 0;

	for (i = 0; i < JSON_PADDING; i++)
		sum += (unsigned char)record->text[record->size + i];
	FUZZ_HOLDS(sum < 256 * JSON_PADDING && json_split_found(split));
	etl_text_addf(t, "%llu %llu %llu:%llu %d %d ", (unsigned long long)record->index,
		      (unsigned long long)record->offset, (unsigned long long)record->line,
		      (unsigned long long)record->column, record->too_large, record->key != NULL);
	if (record->key)
		etl_text_add_bytes(t, record->key, record->key_size);
	etl_text_add_bytes(t, "=", 1);
	etl_text_add_bytes(t, record->text, record->size);
	return 0;
}

static int drain(struct json_split *split, struct etl_text *t, struct json_split_flaw *flaw, uint64_t *count)
{
	struct json_record record;
	int step;

	while ((step = json_split_next(split, t ? &record : NULL, flaw)) == JSON_SPLIT_RECORD) {
		size_t size = record.size;

		FUZZ_HOLDS(t && record.index == *count);
		*count += 1;
		if (json_split_line_again(split, &record))
			FUZZ_HOLDS(record.size > 1 && record.size < size && !record.too_large);
		note(split, &record, t);
	}
	return step;
}

/*
 * What is beside the records is looked at piece by piece, so which comes first, that it is too large or that it is no JSON,
 * hangs on the pieces; that it is a flaw does not.
 */
static bool is_exact(const struct json_split_plan *plan)
{
	return plan->max_record > 256;
}

/* The stream in pieces of PIECE bytes, 0: of changing sizes. */
static int cut(struct json_split *split, const struct json_split_plan *plan, const uint8_t *data, size_t size, size_t piece,
	       struct etl_text *t)
{
	struct json_split_flaw flaw = { 0 };
	uint64_t count = 0;
	size_t at = 0, n, outer_size;
	const char *outer;
	char *bytes;
	int step = JSON_SPLIT_MORE;

	json_split_reset(split);
	while (step == JSON_SPLIT_MORE) {
		n = piece ? piece : 1 + (at * 7 + size) % 37;
		if (n > size - at)
			n = size - at;
		bytes = malloc(n + 1);
		FUZZ_HOLDS(bytes);
		memcpy(bytes, data + at, n);
		bytes = realloc(bytes, n ? n : 1);
		FUZZ_HOLDS(bytes);
		at += n;
		json_split_feed(split, bytes, n, at == size);
		step = drain(split, t, &flaw, &count);
		FUZZ_HOLDS(step != JSON_SPLIT_MORE || at < size);
		free(bytes);
	}
	FUZZ_HOLDS(step == JSON_SPLIT_END || step == JSON_SPLIT_FLAW);
	if (t && step == JSON_SPLIT_FLAW) {
		FUZZ_HOLDS(flaw.offset <= size && flaw.line > 0 && flaw.column > 0);
		etl_text_add(t, "flaw");
		if (is_exact(plan))
			etl_text_addf(t, "%s %s %llu %llu:%llu", flaw.code, flaw.reason, (unsigned long long)flaw.offset,
				      (unsigned long long)flaw.line, (unsigned long long)flaw.column);
	} else if (t) {
		outer = json_split_outer(split, &outer_size);
		etl_text_add_bytes(t, outer, outer_size);
		etl_text_addf(t, " %d %d", json_split_found(split), json_split_chosen(split));
	}
	return step;
}

static void expect_same(struct json_split *split, const struct json_split_plan *plan, const uint8_t *data, size_t size,
			size_t piece, const struct etl_text *wanted)
{
	struct etl_text t = { .at = NULL };

	cut(split, plan, data, size, piece, &t);
	FUZZ_HOLDS(t.length == wanted->length && (t.length == 0 || memcmp(t.at, wanted->at, t.length) == 0));
	etl_text_free(&t);
}

/* The elements of an array that is JSON, as the tree has them. */
static void expect_elements(const uint8_t *data, size_t size)
{
	struct json_split_plan plan = { JSON_CUT_ELEMENTS, NULL, 0, 65536 };
	struct json_split *split = json_split_new(&plan);
	char *text = padded(data, size);
	const struct json_node *nodes;
	struct json_split_flaw split_flaw;
	struct json_record record;
	struct json_flaw flaw;
	size_t count;
	uint32_t child = 1;

	FUZZ_HOLDS(split);
	if (json_tree_read(strict, text, size, &flaw) == 0 &&
	    (nodes = json_tree_nodes(strict, &count))[0].kind == JSON_ARRAY) {
		json_split_feed(split, text, size, true);
		for (; child < count; child = nodes[child].next) {
			size_t quote = nodes[child].kind == JSON_STRING;

			FUZZ_HOLDS(json_split_next(split, &record, &split_flaw) == JSON_SPLIT_RECORD);
			FUZZ_HOLDS(record.offset == nodes[child].at - quote);
			FUZZ_HOLDS(record.size == nodes[child].size + 2 * quote);
		}
		FUZZ_HOLDS(json_split_next(split, &record, &split_flaw) == JSON_SPLIT_END);
	}
	json_split_free(split);
	free(text);
}

static void in_split(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "a", "\xc3\xa9" };
	struct json_split_plan plan = { 0, names, 0, 65536 };
	struct json_split *split;
	struct etl_text t = { .at = NULL };
	int step;

	if (size < 2)
		return;
	plan.cut = (data[0] & 7) % 6;
	plan.name_count = (data[0] >> 4 & 3) % 3;
	if (data[1] < ' ')
		plan.max_record = 1U + data[1];
	split = json_split_new(&plan);
	FUZZ_HOLDS(split);
	data += 2;
	size -= 2;
	step = cut(split, &plan, data, size, size ? size : 1, &t);
	expect_same(split, &plan, data, size, 1, &t);
	expect_same(split, &plan, data, size, 0, &t);
	if (step == JSON_SPLIT_END)
		FUZZ_HOLDS(cut(split, &plan, data, size, 0, NULL) == JSON_SPLIT_END);
	expect_elements(data, size);
	json_split_free(split);
	etl_text_free(&t);
}

/* ---- Paths --------------------------------------------------------------------------------------- */

struct visit {
	struct json_visit visit;
	size_t count, nodes;
	uint32_t first;
};

static int found(struct json_visit *self, const uint32_t *chain, size_t length)
{
	struct visit *v = (struct visit *)self;
	uint32_t node = length > 0 ? chain[length - 1] : 0;

	FUZZ_HOLDS(node < v->nodes && length <= JSON_PATH_SEGMENTS);
	if (v->count++ == 0)
		v->first = node;
	return v->count > 5000;
}

static const char *hold(const struct json_names *self, const char *name, size_t *ret_size)
{
	(void)self;
	*ret_size = strlen(name);
	return *name == 'z' ? NULL : name;
}

static void follow(const struct json_path *path, const struct json_names *names)
{
	struct visit v = { .visit = { found } };
	uint32_t first;

	json_tree_nodes(lax, &v.nodes);
	json_path_walk(path, 0, lax, 0, names, &v.visit);
	first = json_path_first(path, 0, lax, 0, names);
	FUZZ_HOLDS(first == (v.count > 0 ? v.first : UINT32_MAX));
	if (!json_path_is_many(path) && names)
		FUZZ_HOLDS(v.count <= 1);
}

static void in_path(const uint8_t *data, size_t size)
{
	static const struct json_names names = { hold };
	char *text = fuzz_text(data, size), *json = fuzz_cut(text), *document = padded(json, strlen(json));
	struct json_path_flaw flaw = { 0 };
	struct json_path *path = json_path_parse(text, &flaw), *twin;
	struct json_flaw json_flaw;
	size_t i;

	if (!path) {
		FUZZ_HOLDS(flaw.reason[0] && flaw.at <= strlen(text));
	} else {
		FUZZ_HOLDS(strcmp(path->text, text) == 0 && path->count <= JSON_PATH_SEGMENTS);
		twin = json_path_parse(path->text, &flaw);
		FUZZ_HOLDS(twin && twin->count == path->count && twin->root == path->root);
		for (i = 0; i < path->count; i++)
			FUZZ_HOLDS(json_segment_equal(&path->segments[i], &twin->segments[i]));
		if (json_tree_read(lax, document, strlen(json), &json_flaw) == 0) {
			follow(path, NULL);
			follow(path, &names);
		}
		json_path_free(twin);
	}
	json_path_free(path);
	free(document);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0)
		return 0;
	if (data[0] % 3 == 0)
		in_tree(data + 1, size - 1);
	else if (data[0] % 3 == 1)
		in_split(data + 1, size - 1);
	else
		in_path(data + 1, size - 1);
	return 0;
}
