/*
 * The XML of Azure Blob Storage: pages of a list, and errors. It is a small reader for these documents, and a strict one: elements,
 * text, the five entities and characters by number; no DOCTYPE, so nothing that could grow or point anywhere. What is not well
 * formed is refused, because a list of which the end is missing would be taken for the whole.
 */
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "remote.h"
#include "uri.h"

#define DEEPEST	  16
#define NAME_MOST 64 /* bytes of an element's name */

struct reader {
	const char *at, *end;
	char open[DEEPEST][NAME_MOST];
	size_t depth;
	struct etl_text text; /* of the element that is open, since it or a child began or ended */
	bool encoded;	      /* <Name Encoded="true">: as in an address, for what XML cannot have */
	const char *wrong;
};

/* What comes next. */
enum event { OPENED, CLOSED, OVER };

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static bool starts(const struct reader *r, const char *with)
{
	size_t length = strlen(with);

	return (size_t)(r->end - r->at) >= length && memcmp(r->at, with, length) == 0;
}

static void skip_blanks(struct reader *r)
{
	while (r->at < r->end && is_blank(*r->at))
		r->at++;
}

/* Behind the next END. */
static bool skip_past(struct reader *r, const char *end)
{
	for (; r->at < r->end; r->at++)
		if (starts(r, end)) {
			r->at += strlen(end);
			return true;
		}
	r->wrong = "it ends in its middle";
	return false;
}

/* ---- Text ----------------------------------------------------------------------------------------------------------- */

static void add_point(struct etl_text *text, unsigned long c)
{
	char bytes[4];
	size_t size = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4, i;

	for (i = size - 1; i > 0; i--, c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3f));
	bytes[0] = (char)(size == 1 ? c : (0xf0u << (4 - size) & 0xffu) | c);
	etl_text_add_bytes(text, bytes, size);
}

/* At "&". */
static void read_entity(struct reader *r)
{
	static const struct {
		const char *name;
		char is;
	} known[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' } };
	unsigned long c;
	char *end;

	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
		if (starts(r, known[i].name)) {
			etl_text_add_bytes(&r->text, &known[i].is, 1);
			r->at += strlen(known[i].name);
			return;
		}
	/* The text is ended by a NUL, so this stops there. */
	c = starts(r, "&#x") ? strtoul(r->at + 3, &end, 16) : starts(r, "&#") ? strtoul(r->at + 2, &end, 10) : 0;
	if (c == 0 || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) || *end != ';') {
		r->wrong = "it has an & that begins no character";
		return;
	}
	add_point(&r->text, c);
	r->at = end + 1;
}

static void read_text(struct reader *r)
{
	while (!r->wrong && r->at < r->end && *r->at != '<') {
		if (*r->at == '&')
			read_entity(r);
		else if (r->depth == 0 && !is_blank(*r->at))
			r->wrong = "it has text outside of its elements";
		else
			etl_text_add_bytes(&r->text, r->at++, 1);
	}
}

/* ---- Tags ----------------------------------------------------------------------------------------------------------- */

static size_t name_length(const struct reader *r)
{
	size_t n = 0;

	while (r->at + n < r->end && !is_blank(r->at[n]) && !strchr("/><=&\"'", r->at[n]))
		n++;
	if (n == 0 || n >= NAME_MOST)
		return 0;
	return n;
}

static void read_attributes(struct reader *r)
{
	r->encoded = false;
	for (skip_blanks(r); !r->wrong && r->at < r->end && *r->at != '>' && *r->at != '/'; skip_blanks(r)) {
		size_t length = name_length(r);
		bool encoded = length == 7 && starts(r, "Encoded");
		const char *value;
		char quote;

		r->at += length;
		skip_blanks(r);
		if (length == 0 || !starts(r, "=")) {
			r->wrong = "it has an attribute without a value";
			return;
		}
		r->at++;
		skip_blanks(r);
		quote = r->at < r->end ? *r->at : '\0';
		if (quote != '"' && quote != '\'') {
			r->wrong = "it has an attribute without quotes";
			return;
		}
		value = ++r->at;
		if (skip_past(r, quote == '"' ? "\"" : "'") && encoded)
			r->encoded = r->at - 1 - value == 4 && memcmp(value, "true", 4) == 0;
	}
}

/* At "<". True: the element is closed at once, which is still to be told. */
static bool read_open(struct reader *r)
{
	size_t length;
	bool empty;

	r->at++;
	length = name_length(r);
	if (length == 0 || r->depth == DEEPEST) {
		r->wrong = "it has an element without a name, or too many in each other";
		return false;
	}
	memcpy(r->open[r->depth], r->at, length);
	r->open[r->depth++][length] = '\0';
	r->at += length;
	read_attributes(r);
	empty = starts(r, "/>");
	if (!r->wrong && !empty && !starts(r, ">"))
		r->wrong = "it ends in its middle";
	r->at += empty ? 2 : 1;
	return empty;
}

static void read_close(struct reader *r)
{
	size_t length;

	r->at += 2;
	length = name_length(r);
	if (r->depth == 0 || length == 0 || strlen(r->open[r->depth - 1]) != length ||
	    memcmp(r->open[r->depth - 1], r->at, length) != 0) {
		r->wrong = "it closes an element that is not open";
		return;
	}
	r->at += length;
	skip_blanks(r);
	if (!starts(r, ">"))
		r->wrong = "it ends in its middle";
	r->at++;
}

/* CLOSED: depth is still that of the element, which the caller takes down. */
static enum event next(struct reader *r)
{
	static const struct {
		const char *begin, *end;
	} passed[] = { { "<?", "?>" }, { "<!--", "-->" } };

	for (;;) {
		bool skipped = false;

		read_text(r);
		for (size_t i = 0; !r->wrong && i < 2; i++)
			if (starts(r, passed[i].begin))
				skipped = skip_past(r, passed[i].end);
		if (r->wrong)
			return OVER;
		if (skipped)
			continue;
		if (r->at == r->end) {
			r->wrong = r->depth ? "it ends in its middle" : NULL;
			return OVER;
		}
		if (starts(r, "<!")) {
			r->wrong = "it has a declaration in it";
			return OVER;
		}
		if (starts(r, "</")) {
			read_close(r);
			return r->wrong ? OVER : CLOSED;
		}
		etl_text_free(&r->text);
		r->text = (struct etl_text){ 0 };
		etl_text_add(&r->text, "");
		if (read_open(r))
			return r->wrong ? OVER : CLOSED;
		if (r->wrong)
			return OVER;
		return OPENED;
	}
}

/* Is what is open "A/B/C"? */
static bool is_at(const struct reader *r, const char *path)
{
	for (size_t i = 0; i < r->depth; i++) {
		size_t length = strcspn(path, "/");

		if (strlen(r->open[i]) != length || memcmp(r->open[i], path, length) != 0)
			return false;
		path += length;
		path += *path == '/';
	}
	return *path == '\0';
}

static void begin(struct reader *r, const char *xml, size_t size)
{
	*r = (struct reader){ .at = xml, .end = xml + size };
	if (starts(r, "\xef\xbb\xbf"))
		r->at += 3;
	etl_text_add(&r->text, "");
	if (memchr(xml, '\0', size))
		r->wrong = "it has a NUL in it";
}

/* ---- A list ------------------------------------------------------------------------------------------------------------ */

struct item {
	struct etl_text name;
	char tag[256];
	int64_t size, modified;
	bool folder, named;
};

static void item_reset(struct item *i)
{
	etl_text_free(&i->name);
	*i = (struct item){ .size = -1 };
}

static void take_name(struct reader *r, struct item *i)
{
	etl_text_free(&i->name);
	i->name = (struct etl_text){ 0 };
	if (!r->encoded)
		etl_text_add(&i->name, r->text.at);
	else if (!etl_uri_decode(&i->name, r->text.at, r->text.length))
		r->wrong = "a name in it is not encoded as it says";
	i->named = true;
}

static void take_property(struct reader *r, struct item *i)
{
	const char *text = r->text.at;
	char *end;

	if (is_at(r, "EnumerationResults/Blobs/Blob/Name")) {
		take_name(r, i);
	} else if (is_at(r, "EnumerationResults/Blobs/Blob/Properties/Content-Length")) {
		i->size = strtoll(text, &end, 10);
		if (i->size < 0 || end == text || *end)
			r->wrong = "a length in it is no number";
	} else if (is_at(r, "EnumerationResults/Blobs/Blob/Properties/Last-Modified")) {
		i->modified = remote_time(text);
	} else if (is_at(r, "EnumerationResults/Blobs/Blob/Properties/Etag")) {
		remote_tag(text, i->tag, sizeof(i->tag));
	} else if (is_at(r, "EnumerationResults/Blobs/Blob/Properties/ResourceType")) {
		i->folder = strcmp(text, "directory") == 0;
	}
}

/* At the end of <Blob>. */
static int give(struct reader *r, struct item *i, int (*take)(void *data, const struct blob_item *item), void *data)
{
	struct blob_item item = { .name = i->name.at, .size = i->size, .modified = i->modified, .tag = i->tag, .folder = i->folder };
	int rc = 0;

	if (!i->named)
		r->wrong = "it has a blob without a name";
	else if (i->name.failed)
		r->wrong = "there is no memory for it";
	else
		rc = take(data, &item);
	item_reset(i);
	return rc;
}

const char *blob_list_read(const char *xml, size_t size, int (*take)(void *data, const struct blob_item *item), void *data,
			   struct etl_text *ret_marker, int *ret_rc)
{
	struct item item = { .size = -1 };
	struct reader r;
	enum event event;
	bool whole = false;

	*ret_rc = 0;
	begin(&r, xml, size);
	while (!r.wrong && *ret_rc == 0 && (event = next(&r)) != OVER) {
		if (event == OPENED)
			continue;
		if (r.text.failed)
			r.wrong = "there is no memory for it";
		else if (is_at(&r, "EnumerationResults/Blobs/Blob"))
			*ret_rc = give(&r, &item, take, data);
		else if (is_at(&r, "EnumerationResults/NextMarker"))
			etl_text_add(ret_marker, r.text.at);
		else if (is_at(&r, "EnumerationResults"))
			whole = true;
		else
			take_property(&r, &item);
		r.depth--;
		etl_text_free(&r.text);
		r.text = (struct etl_text){ 0 };
		etl_text_add(&r.text, "");
	}
	if (!r.wrong && *ret_rc == 0 && !whole)
		r.wrong = "it is no list of blobs";
	etl_text_free(&r.text);
	item_reset(&item);
	return r.wrong;
}

bool blob_error_read(const char *xml, size_t size, const char *name, struct etl_text *ret)
{
	struct reader r;
	enum event event;
	bool found = false;

	begin(&r, xml, size);
	while (!found && !r.wrong && (event = next(&r)) != OVER) {
		if (event == OPENED)
			continue;
		found = r.depth == 2 && strcmp(r.open[0], "Error") == 0 && strcmp(r.open[1], name) == 0;
		if (found)
			etl_text_add(ret, r.text.at);
		r.depth--;
	}
	etl_text_free(&r.text);
	return found && !ret->failed;
}
