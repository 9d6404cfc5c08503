/*
 * Pieces of work, spread over threads.
 */
#include "config.h"

#include "crew.h"
#include "error.h"
#include "host.h"
#include "spread.h"

struct spread {
	const struct spread_work *work;
	pthread_mutex_t mutex;
	size_t next, started; /* pieces taken; threads */
	struct etl_error *err;
	int rc;
};

static bool take_piece(struct spread *s, size_t *ret)
{
	bool any;

	pthread_mutex_lock(&s->mutex);
	any = s->rc == 0 && s->next < s->work->count && !host_canceled();
	if (any)
		*ret = s->next++;
	pthread_mutex_unlock(&s->mutex);
	return any;
}

static void piece_failed(struct spread *s, int rc, struct etl_error *err)
{
	pthread_mutex_lock(&s->mutex);
	if (!err->set && rc != ETL_CANCELED)
		error_unsaid(err);
	if (err->set)
		error_move(s->err, err);
	if (s->rc == 0 || s->err->set)
		s->rc = s->err->set ? ETL_FAILED : rc;
	host_cancel();
	pthread_mutex_unlock(&s->mutex);
}

static void *spread_main(void *data)
{
	struct spread *s = data;
	struct etl_error err = ERROR_INIT;
	size_t piece, thread;

	pthread_mutex_lock(&s->mutex);
	thread = s->started++;
	pthread_mutex_unlock(&s->mutex);
	while (take_piece(s, &piece)) {
		int rc = s->work->piece(s->work->data, piece, thread, &err);

		if (rc < 0)
			piece_failed(s, rc, &err);
		error_clear(&err);
	}
	return NULL;
}

int spread_work(const struct spread_work *work, struct etl_error *err)
{
	struct spread s = { .work = work, .mutex = PTHREAD_MUTEX_INITIALIZER, .err = err };
	size_t threads = work->threads < work->count ? work->threads : work->count;
	struct crew crew;

	if (!crew_open(&crew, threads))
		return error_memory(err);
	for (size_t i = 1; i < threads; i++)
		crew_start(&crew, spread_main, &s);
	spread_main(&s);
	crew_join(&crew);
	pthread_mutex_destroy(&s.mutex);
	if (s.rc < 0)
		return s.rc;
	return host_canceled() ? ETL_CANCELED : 0;
}
