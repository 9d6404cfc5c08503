/*
 * Names that the server would choose: of keys that have none, and of the sequences of identity columns. It looks only at what
 * is there when it chooses, in the staging schema; an index or a table of the run, or of the target, that is to have the
 * name comes later, and then fails. So where the host says that a name is taken, another is chosen here.
 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "design.h"

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool is_taken(const struct design *d, const char *name)
{
	return d->load && d->load->taken_count &&
	       bsearch(&name, d->load->taken, d->load->taken_count, sizeof(name), by_bytes) != NULL;
}

/* NAME, or with a number behind it, in BUF. */
static const char *free_name(const struct design *d, const char *name, char *buf)
{
	char whole[POSTGRES_NAME_MAX + 24];
	const char *fit = name;
	unsigned int n;

	for (n = 1; is_taken(d, fit); n++) {
		snprintf(whole, sizeof(whole), "%s%u", name, n);
		fit = postgres_short_name(whole, buf);
	}
	if (fit != buf)
		memmove(buf, fit, strlen(fit) + 1);
	return buf;
}

/* table_column_suffix as the server makes it, in BUF; what is longer than a name it cuts by rules of its own: NULL. */
static const char *served_name(const struct design *d, const char *const *columns, size_t count,
			       const char *suffix, char *buf)
{
	struct etl_text name = { 0 };
	bool fits;
	size_t i;

	etl_text_add(&name, d->table->name);
	for (i = 0; i < count; i++)
		etl_text_addf(&name, "_%s", columns[i]);
	etl_text_addf(&name, "_%s", suffix);
	fits = !name.failed && name.length <= POSTGRES_NAME_MAX;
	if (fits)
		memcpy(buf, name.at, name.length + 1);
	etl_text_free(&name);
	return fits ? buf : NULL;
}

const char *design_key_name(const struct design *d, const char *own, const char *const *columns,
			    size_t count, const char *suffix, char *buf, bool *ret_other)
{
	char served[POSTGRES_NAME_MAX + 1];
	const char *name;

	*ret_other = false;
	name = own ? design_own_name(d, own, served) :
		     served_name(d, columns, count, suffix, served);
	if (!name || (!own && !is_taken(d, name)))
		return NULL;
	*ret_other = own && is_taken(d, name);
	return free_name(d, name, buf);
}

const char *design_sequence_name(const struct design *d, const char *column, char *buf)
{
	bool other;

	return design_key_name(d, NULL, &column, 1, "seq", buf, &other);
}
