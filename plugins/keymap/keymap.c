/*
 * Transform `keymap`: old keys become UUIDs, and what refers to them becomes the same UUIDs. Each is made of the
 * table's name and the key alone, so nothing has to be kept or asked: tables may come in any order, in several
 * runs and at the same time, and a second run makes what the first one made.
 */
#include "config.h"

#include <stdlib.h>
#include <strings.h>

#include "keymap.h"

#define KEY_PLACE   "{key}"
#define TABLE_PLACE "{table}"

/* ---- The namespace ---- */

/* RFC 9562, 6.6 */
static const struct known {
	const char *word, *uuid;
} known[] = {
	{ "dns", "6ba7b810-9dad-11d1-80b4-00c04fd430c8" },
	{ "url", "6ba7b811-9dad-11d1-80b4-00c04fd430c8" },
	{ "oid", "6ba7b812-9dad-11d1-80b4-00c04fd430c8" },
	{ "x500", "6ba7b814-9dad-11d1-80b4-00c04fd430c8" },
};

static int digit(char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;

	return at ? (int)(at - digits) : -1;
}

static bool parse_uuid(const char *text, uint8_t ret[KEYMAP_UUID])
{
	size_t n = 0;

	for (size_t i = 0; i < 36; i++) {
		bool dash = i == 8 || i == 13 || i == 18 || i == 23;

		if (dash ? text[i] != '-' : digit(text[i]) < 0)
			return false;
		if (dash)
			continue;
		ret[n / 2] = (uint8_t)(ret[n / 2] << 4 | digit(text[i]));
		n++;
	}
	return text[36] == '\0';
}

static int read_namespace(struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const char *text = host->str(self->conf, "namespace");

	if (self->new != KEYMAP_HASH)
		return text ? host->fail(err, ETL_USAGE, NULL, 0, "keymap: `namespace` belongs to new = \"uuid5\", not to \"%s\"",
					 host->str(self->conf, "new")) :
			      ETL_OK;
	if (self->method == KEYMAP_MD5)
		return text ? host->fail(err, ETL_USAGE, NULL, 0,
					 "keymap: `namespace` belongs to method = \"v5\", not to "
					 "\"md5\"") :
			      ETL_OK;
	if (!text)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"keymap: method = \"v5\" needs a `namespace`: a UUID that was made once "
			"for "
			"this data (uuidgen), or dns, url, oid or x500; with another one all keys "
			"become others");
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcasecmp(text, known[i].word) == 0)
			text = known[i].uuid;
	if (parse_uuid(text, self->namespace))
		return ETL_OK;
	return host->fail(
		err, ETL_USAGE, NULL, 0,
		"keymap: namespace: \"%s\" is no UUID, and none of dns, url, oid and x500", text);
}

/* ---- The text that is hashed ---- */

/* The first brace of TEXT that begins none of the places, or NULL. */
static const char *find_stray(const char *text)
{
	const char *at = text;

	while ((at = strpbrk(at, "{}"))) {
		if (strncmp(at, KEY_PLACE, strlen(KEY_PLACE)) == 0)
			at += strlen(KEY_PLACE);
		else if (strncmp(at, TABLE_PLACE, strlen(TABLE_PLACE)) == 0)
			at += strlen(TABLE_PLACE);
		else
			return at;
	}
	return NULL;
}

static int read_text(struct etl_instance *self, struct etl_error *err)
{
	const struct etl_host *host = self->host;
	const char *text = host->str(self->conf, "text"), *key = strstr(text, KEY_PLACE);
	const char *stray = find_stray(text);

	if (stray)
		return host->fail(
			err, ETL_USAGE, NULL, 0,
			"keymap: text: at \"%s\": only {table} and {key} are filled in, and no "
			"other braces may stand there",
			stray);
	if (!key || strstr(key + 1, KEY_PLACE))
		return host->fail(err, ETL_USAGE, NULL, 0,
				  "keymap: text: \"%s\" has to have {key} in it once%s", text,
				  key ? "" : ", or all keys would become one UUID");
	self->before = text;
	self->before_size = (size_t)(key - text);
	self->after = key + strlen(KEY_PLACE);
	return ETL_OK;
}

/* ---- Names ---- */

static bool is_qualified(const char *given, const char *schema, const char *name)
{
	size_t size = schema ? strlen(schema) : 0;

	return schema && strncasecmp(given, schema, size) == 0 && given[size] == '.' &&
	       strcasecmp(given + size + 1, name) == 0;
}

const char *keymap_name(const struct etl_instance *self, const char *schema, const char *name)
{
	const struct etl_host *host = self->host;
	const char *found = NULL;

	for (size_t i = 0; i + 1 < host->list(self->conf, "names"); i += 2) {
		const char *given = host->item(self->conf, "names", i);
		const char *hashed = host->item(self->conf, "names", i + 1);

		if (is_qualified(given, schema, name))
			return hashed;
		if (!found && strcasecmp(given, name) == 0)
			found = hashed;
	}
	return found ? found : name;
}

/* ---- Opening ---- */

static void keymap_close(struct etl_instance *self)
{
	free(self);
}

static int keymap_open(const struct etl_host *host, const struct etl_conf *conf,
		       struct etl_instance **ret, struct etl_error *err)
{
	struct etl_instance *self = calloc(1, sizeof(*self));
	int r;

	if (!self)
		return host->fail(err, ETL_MEMORY, NULL, 0, "no memory for the transform");
	self->host = host;
	self->conf = conf;
	self->method = strcmp(host->str(conf, "method"), "md5") == 0 ? KEYMAP_MD5 : KEYMAP_V5;
	self->ignores_unmatched = strcmp(host->str(conf, "unmatched"), "ignore") == 0;
	self->follows = host->flag(conf, "foreign_keys");
	r = keymap_map_check(self, err);
	if (r == ETL_OK)
		r = read_namespace(self, err);
	if (r == ETL_OK)
		r = read_text(self, err);
	if (r == ETL_OK)
		*ret = self;
	else
		keymap_close(self);
	return r;
}

/* ---- The tables ---- */

static const struct etl_transform keymap_transform = {
	.size = sizeof(struct etl_transform),
	.flags = ETL_REPEATS,
	.rows = ETL_ROWS_SAME,
	.wrap = keymap_wrap,
	.derive = keymap_derive,
	.maps = keymap_maps,
};

static const struct etl_option reference_members[] = {
	{ .name = "column",
	  .kind = ETL_OPT_LIST,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "The column that refers; several for a key of several columns, in that key's "
		  "order." },
	{ .name = "table",
	  .kind = ETL_OPT_TEXT,
	  .flags = ETL_OPT_REQUIRED,
	  .help = "Whose key it is, by the name that is hashed there." },
	{ .name = "as",
	  .kind = ETL_OPT_TEXT,
	  .help = "The column of the UUID. Default: the column itself, whose values it replaces." },
	{ .name = "old",
	  .kind = ETL_OPT_LIST,
	  .help = "New names under which the old values stay, one for each column." },
	{ .name = "optional",
	  .kind = ETL_OPT_FLAG,
	  .default_text = "false",
	  .help = "Whether NULL stays NULL, and, with `map`, a reference to nobody becomes NULL. Else such a row is rejected." },
	{ .name = NULL },
};

static const struct etl_option keymap_options[] = {
	{ .name = "namespace",
	  .kind = ETL_OPT_TEXT,
	  .help = "v5: a UUID, or dns, url, oid or x500 for those of RFC 9562." },
	{ .name = "method",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "v5",
	  .choices = "v5|md5",
	  .help = "How the text becomes a UUID; see THE UUID." },
	{ .name = "text",
	  .kind = ETL_OPT_TEXT,
	  .default_text = "{table}:{key}",
	  .help = "The text that is hashed." },
	{ .name = "map",
	  .kind = ETL_OPT_TEXT,
	  .help = "A table in the target that keeps old and new keys. Keys that it has are taken from it, new ones are added with the "
		  "rows; see THE MAP. Default: none, each key is worked out anew." },
	{ .name = "new",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "uuid5",
	  .choices = "uuid5|uuid4|uuid7|sequence",
	  .help = "What a key becomes that the map does not have: the UUID of `method`, a random one, one that begins with the "
		  "time, or the next number. All but the first need a `map`." },
	{ .name = "first",
	  .kind = ETL_OPT_INT,
	  .default_text = "1",
	  .min = 1,
	  .max = INT64_MAX,
	  .help = "new = \"sequence\": the least number that is given." },
	{ .name = "map_columns",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Pairs of a column of the map (table_name, old_key, old_id, new_key, run, mapped_at, status) and what it is "
		  "called there." },
	{ .name = "table",
	  .kind = ETL_OPT_TEXT,
	  .help = "The name for {table} where the table's own key is hashed. Default: what `names` "
		  "says, else the name in the source, or the `as` of a query." },
	{ .name = "names",
	  .kind = ETL_OPT_PAIRS,
	  .help = "Pairs of a table as the source calls it, with or without its schema, and the "
		  "name "
		  "that is hashed for it: of this table, and of those its foreign keys refer to." },
	{ .name = "key",
	  .kind = ETL_OPT_LIST,
	  .help = "The columns of the key. Default: the primary key." },
	{ .name = "as",
	  .kind = ETL_OPT_TEXT,
	  .help = "The column of the key's UUID. Default: the key's column itself, whose values it "
		  "replaces; a key of several columns needs it." },
	{ .name = "old",
	  .kind = ETL_OPT_LIST,
	  .help = "New names under which the key's old values stay, one for each column." },
	{ .name = "foreign_keys",
	  .kind = ETL_OPT_FLAG,
	  .default_text = "true",
	  .help = "Whether the table's foreign keys of one column become UUIDs, beside those of "
		  "`references`." },
	{ .name = "catalog",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "source",
	  .choices = "source|target|both",
	  .help = "Whose foreign keys these are: the source table's, those of the target's table that is there, or both." },
	{ .name = "references",
	  .kind = ETL_OPT_GROUPS,
	  .members = reference_members,
	  .help = "Columns that refer to a key, where no foreign key says so, or to say more." },
	{ .name = "keep",
	  .kind = ETL_OPT_LIST,
	  .help = "Columns that stay what they are, though they are the key or a foreign key." },
	{ .name = "unmatched",
	  .kind = ETL_OPT_CHOICE,
	  .default_text = "error",
	  .choices = "error|ignore",
	  .help = "What a column is that `key`, `references` or `keep` name and the table has "
		  "not." },
	{ .name = NULL },
};

static const struct etl_plugin keymap_plugin = {
	.abi = ETL_ABI,
	.size = sizeof(struct etl_plugin),
	.option_size = sizeof(struct etl_option),
	.name = "keymap",
	.version = PACKAGE_VERSION,
	.summary = "keys become UUIDs, worked out or by a map that is kept, and foreign keys follow",
	.license = "MIT",
	.options = keymap_options,
	.open = keymap_open,
	.close = keymap_close,
	.transform = &keymap_transform,
};

ETL_PLUGIN(keymap, keymap_plugin)
