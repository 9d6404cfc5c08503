/*
 * The rows of a split for who only looks at them: nothing is staged, and nothing waits for anybody.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "flow.h"

int flow_each_batch(const struct flow_setup *flow, struct job *job, const struct job_split *split, flow_look *look, void *data,
		    struct etl_error *err)
{
	struct etl_context context = { .job = job, .split = split->split.index, .side = SIDE_SOURCE, .err = err };
	struct ArrowArrayStream stream = { .release = NULL };
	int rc = flow_open(flow, job, flow->source, &split->split, &context, &stream, err);

	while (rc == 0) {
		struct ArrowArray batch = { 0 };

		rc = stream.get_next(&stream, &batch);
		if (rc && host_canceled())
			rc = ETL_CANCELED;
		else if (rc && !err->set)
			rc = error_set(err, ETL_FATAL, "reading \"%s\": %s", job_source_name(job), strerror(rc));
		else if (rc)
			rc = ETL_FAILED;
		if (rc < 0 || !batch.release)
			break;
		rc = look ? look(data, &batch, err) : 0;
		batch.release(&batch);
	}
	if (stream.release)
		stream.release(&stream);
	context_clear(&context);
	return rc;
}
