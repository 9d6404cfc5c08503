/*
 * Pages are in the header's count before the transaction that names them ends. Whatever ends it otherwise, be it the process,
 * leaves pages that nobody names, and that nobody would ever use. So a small file beside the staging file says meanwhile how
 * many there were before; it is of no account any more once the change counter has moved.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "pages.h"

#define NOTE "-pages"

/* SQLite's code. */
static int write_note(const struct etl_instance *inst, const struct page_file *f)
{
	char *name = sqlite_beside(inst->stage_path, NOTE), text[32];
	int fd = name ? open(name, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600) : -1;
	int size = snprintf(text, sizeof(text), "%lu %lu\n", (unsigned long)f->count, (unsigned long)f->counter);
	int code = SQLITE_OK;

	if (!name)
		return SQLITE_NOMEM;
	if (fd < 0 || write(fd, text, (size_t)size) != size)
		code = errno == ENOSPC ? SQLITE_FULL : SQLITE_IOERR_WRITE;
	if (fd >= 0)
		close(fd);
	free(name);
	return code;
}

bool page_note_count(struct etl_instance *inst, struct page_file *f)
{
	if (f->code == SQLITE_OK)
		f->code = write_note(inst, f);
	return page_file_count(f);
}

void page_note_drop(struct etl_instance *inst)
{
	sqlite_beside_remove(inst->stage_path, NOTE);
}

/* *RET: the note, of the file as it is now, says how many pages there were; false: it cannot be read. */
static bool read_note(const struct etl_instance *inst, const struct page_file *now, bool *ret, uint32_t *ret_count)
{
	char *name = sqlite_beside(inst->stage_path, NOTE);
	FILE *file = name ? fopen(name, "re") : NULL;
	bool ok = file || (name && errno == ENOENT);
	unsigned long count, counter;

	*ret = file && fscanf(file, "%lu %lu", &count, &counter) == 2 && counter == now->counter && count > 0 &&
	       count <= now->count;
	if (*ret)
		*ret_count = (uint32_t)count;
	if (file) {
		ok = !ferror(file);
		fclose(file);
	}
	free(name);
	return ok;
}

/* The first read takes back what a transaction that failed left in the file. */
static bool take_back(struct etl_instance *inst)
{
	struct page_file now;
	uint32_t count = 0;
	bool noted = false;

	if (sqlite3_exec(inst->stage, "SELECT count(*) FROM main.sqlite_schema", NULL, NULL, NULL) != SQLITE_OK)
		return false;
	/* A file that is not known here has no such pages. */
	if (page_file_look(&now, inst->stage) != PAGES_DONE)
		return now.code == SQLITE_OK;
	if (!read_note(inst, &now, &noted, &count))
		return false;
	if (!page_count_put(inst->stage, noted ? count : now.count))
		return false;
	page_note_drop(inst);
	return true;
}

void page_note_take_back(struct etl_instance *inst)
{
	inst->building->pages_owed = !take_back(inst);
}

int page_note_settle(struct etl_instance *inst, struct etl_error *err)
{
	if (inst->building->pages_owed)
		page_note_take_back(inst);
	return inst->building->pages_owed ?
		       sqlite_fail_as(inst, SQLITE_IOERR, err, "taking back pages that were written in vain") :
		       ETL_OK;
}
