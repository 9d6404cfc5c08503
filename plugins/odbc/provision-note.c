/*
 * The notes of databases that were made: a file beside the state of the pipeline (etl_host.notes), one JSON object a line,
 * which says for which run a database was made, and whether that was published. It is written, and on the disk, before
 * the database is made.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "azure.h"
#include "provision.h"

#define SUFFIX	 ".azure"
#define FILE_MAX (1 << 20) /* bytes */

static bool path_of(const struct etl_instance *inst, const char *behind, char *ret, size_t room)
{
	const char *notes = inst->host->notes;

	return notes && snprintf(ret, room, "%s" SUFFIX "%s", notes, behind) < (int)room;
}

static int fail_file(const struct etl_instance *inst, const char *path, const char *doing, struct etl_error *err)
{
	return inst->host->fail(err, ETL_MEMORY, NULL, 0, "%s, in which is noted what databases a run makes, cannot be %s: %s", path,
				doing, strerror(errno));
}

void provision_notes_free(struct provision_notes *notes)
{
	free(notes->at);
	*notes = (struct provision_notes){ 0 };
}

struct provision_note *provision_notes_find(const struct provision_notes *notes, const char *run)
{
	for (size_t i = 0; i < notes->count && run; i++)
		if (strcmp(notes->at[i].run, run) == 0)
			return &notes->at[i];
	return NULL;
}

static bool add(struct provision_notes *notes, const struct provision_note *note)
{
	struct provision_note *grown = realloc(notes->at, (notes->count + 1) * sizeof(*grown));

	if (!grown)
		return false;
	notes->at = grown;
	grown[notes->count++] = *note;
	return true;
}

/* ---- Reading ------------------------------------------------------------------------------------------------- */

static bool parse(const char *line, struct provision_note *ret)
{
	char published[8];

	*ret = (struct provision_note){ .published = false };
	ret->published = etl_azure_json_get(line, "published", published, sizeof(published)) && strcmp(published, "true") == 0;
	return etl_azure_json_get(line, "run", ret->run, sizeof(ret->run)) &&
	       etl_azure_json_get(line, "database", ret->database, sizeof(ret->database)) &&
	       etl_azure_json_get(line, "server", ret->server, sizeof(ret->server)) &&
	       etl_azure_json_get(line, "resource_group", ret->group, sizeof(ret->group));
}

static int parse_all(struct etl_instance *inst, const char *path, char *text, struct provision_notes *ret, struct etl_error *err)
{
	int number = 0;
	char *end;

	for (char *line = text; *line; line = end + 1) {
		struct provision_note note;

		end = strchr(line, '\n');
		number++;
		if (end)
			*end = '\0';
		if (!end || !parse(line, &note))
			return inst->host->fail(err, ETL_FATAL, NULL, 0,
						"%s:%d is no note of a database that a run made; what is there may still be needed "
						"to take one away: look at it, and remove the line",
						path, number);
		if (!add(ret, &note))
			return odbc_no_memory(inst, err);
	}
	return ETL_OK;
}

int provision_notes_read(struct etl_instance *inst, struct provision_notes *ret, struct etl_error *err)
{
	char path[4200], *text;
	size_t size;
	FILE *file;
	int rc;

	*ret = (struct provision_notes){ 0 };
	if (!path_of(inst, "", path, sizeof(path)))
		return ETL_OK;
	file = fopen(path, "re");
	if (!file)
		return errno == ENOENT ? ETL_OK : fail_file(inst, path, "read", err);
	text = malloc(FILE_MAX + 1);
	if (!text) {
		fclose(file);
		return odbc_no_memory(inst, err);
	}
	size = fread(text, 1, FILE_MAX, file);
	text[size] = '\0';
	rc = ferror(file) ? fail_file(inst, path, "read", err) : parse_all(inst, path, text, ret, err);
	fclose(file);
	free(text);
	if (rc < 0)
		provision_notes_free(ret);
	return rc;
}

/* ---- Writing ----------------------------------------------------------------------------------------------------- */

static void add_line(struct etl_text *text, const struct provision_note *note)
{
	const struct {
		const char *key, *value;
	} pairs[] = { { "run", note->run }, { "database", note->database }, { "server", note->server },
		      { "resource_group", note->group } };

	etl_text_add(text, "{");
	for (size_t i = 0; i < sizeof(pairs) / sizeof(*pairs); i++) {
		etl_text_addf(text, "\"%s\":", pairs[i].key);
		etl_text_add_json(text, pairs[i].value, strlen(pairs[i].value));
		etl_text_add(text, ",");
	}
	etl_text_addf(text, "\"published\":%s}\n", note->published ? "true" : "false");
}

static bool write_synced(const char *path, const char *text, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	bool ok = fd >= 0;

	while (ok && size > 0) {
		ssize_t n = write(fd, text, size);

		ok = n >= 0 || errno == EINTR;
		if (n > 0) {
			text += n;
			size -= (size_t)n;
		}
	}
	ok = ok && fsync(fd) == 0;
	if (fd >= 0 && close(fd) != 0)
		ok = false;
	return ok;
}

static bool sync_folder(const char *path)
{
	char copy[4200];
	int fd;
	bool ok;

	snprintf(copy, sizeof(copy), "%s", path);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ok = fd >= 0 && fsync(fd) == 0;
	if (fd >= 0)
		close(fd);
	return ok;
}

/* Without notes there is no file. */
static int write_all(struct etl_instance *inst, const struct provision_notes *notes, struct etl_error *err)
{
	char path[4200], fresh[4200];
	struct etl_text text = { 0 };
	bool ok = false;
	int rc = ETL_OK;

	if (!path_of(inst, "", path, sizeof(path)) || !path_of(inst, ".new", fresh, sizeof(fresh)))
		return inst->host->fail(err, ETL_BUG, NULL, 0, "nobody says where to note which databases are made");
	for (size_t i = 0; i < notes->count; i++)
		add_line(&text, &notes->at[i]);
	if (text.failed)
		rc = odbc_no_memory(inst, err);
	else if (notes->count == 0)
		ok = unlink(path) == 0 || errno == ENOENT;
	else
		ok = write_synced(fresh, text.at, text.length) && rename(fresh, path) == 0;
	if (rc == ETL_OK && !(ok && sync_folder(path)))
		rc = fail_file(inst, path, "written", err);
	etl_text_free(&text);
	return rc;
}

/* Those that KEEP says yes to, and then MORE. */
static int rewrite(struct etl_instance *inst, const char *without, const struct provision_note *more, struct etl_error *err)
{
	struct provision_notes notes, kept = { 0 };
	int rc = provision_notes_read(inst, &notes, err);
	bool ok = true;

	for (size_t i = 0; rc == ETL_OK && ok && i < notes.count; i++) {
		const struct provision_note *n = &notes.at[i];

		if (strcmp(n->run, without) != 0 && !(more && more->published && n->published))
			ok = add(&kept, n);
	}
	if (rc == ETL_OK && ok && more)
		ok = add(&kept, more);
	if (rc == ETL_OK)
		rc = ok ? write_all(inst, &kept, err) : odbc_no_memory(inst, err);
	provision_notes_free(&kept);
	provision_notes_free(&notes);
	return rc;
}

int provision_note_put(struct etl_instance *inst, const struct provision_note *note, struct etl_error *err)
{
	return rewrite(inst, note->run, note, err);
}

int provision_note_drop(struct etl_instance *inst, const char *run, struct etl_error *err)
{
	return rewrite(inst, run, NULL, err);
}
