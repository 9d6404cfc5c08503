/* See slices.h. A position of the whole is "KIND LOAD POSITION". */
#include "config.h"

#include <stdio.h>
#include <string.h>

#include "slices.h"

struct walk {
	const struct etl_commit *commit;
	struct etl_slicer *slicer;
	struct etl_slices *ret;
	int64_t left;	/* rows that may come yet */
	uint64_t unit;	/* of which some rows are in, and so all are; 0: none */
};

static void stop(struct walk *w, int kind, size_t load, const char *at)
{
	snprintf(w->commit->batch->next->text, sizeof(w->commit->batch->next->text), "%d %zu %s", kind, load, at);
}

/* *RET_FULL: the batch ends here. */
static int take(struct walk *w, int kind, size_t load, const char *from, bool *ret_full)
{
	const struct etl_commit_batch *batch = w->commit->batch;
	struct etl_slice *slice = &w->ret[load].of[kind];
	uint64_t unit = batch->units ? batch->units[load] : 0;
	bool whole = batch->whole || unit || batch->rows == INT64_MAX;
	bool wanted = w->left > 0 || (unit && unit == w->unit);
	char upto[SLICE_AT] = "";
	int64_t rows = 0;
	int rc = w->slicer->count(w->slicer, load, kind, from, !wanted ? 1 : whole ? INT64_MAX : w->left, &rows, upto);

	*ret_full = false;
	if (rc < 0 || rows == 0)
		return rc;
	if (!wanted) {
		*ret_full = true;
		stop(w, kind, load, from);
		return 0;
	}
	slice->any = true;
	snprintf(slice->from, sizeof(slice->from), "%s", from);
	snprintf(slice->upto, sizeof(slice->upto), "%s", upto);
	w->left -= rows;
	w->unit = unit;
	*ret_full = *upto != '\0';
	if (*ret_full)
		stop(w, kind, load, upto);
	return 0;
}

int etl_slices_make(const struct etl_commit *commit, struct etl_slicer *slicer, struct etl_slices *ret)
{
	const struct etl_commit_batch *batch = commit->batch;
	struct walk w = { .commit = commit, .slicer = slicer, .ret = ret, .left = batch->rows };
	char from[SLICE_AT] = "";
	size_t load = 0, loads = commit->load_count;
	int kind = ETL_SLICE_ROWS, rc = 0, at = 0;
	bool full = false;

	memset(ret, 0, loads * sizeof(*ret));
	batch->next->text[0] = '\0';
	if (batch->from->text[0]) {
		if (sscanf(batch->from->text, "%d %zu %n", &kind, &load, &at) != 2 || !at || kind < 0 || kind > 1 ||
		    load >= loads || strlen(batch->from->text + at) >= sizeof(from))
			return 1;
		snprintf(from, sizeof(from), "%s", batch->from->text + at);
		if (kind == ETL_SLICE_GONE)
			load = loads - 1 - load;
	}
	for (; kind <= ETL_SLICE_GONE && rc == 0 && !full; kind++) {
		for (; load < loads && rc == 0 && !full; load++) {
			size_t i = kind == ETL_SLICE_GONE ? loads - 1 - load : load;

			if (slicer->has(slicer, i, kind))
				rc = take(&w, kind, i, from, &full);
			from[0] = '\0';
		}
		load = 0;
		w.unit = 0;
	}
	return rc;
}
