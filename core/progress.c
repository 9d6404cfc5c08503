/*
 * Progress for people who wait. One thread wakes by the clock, adds up what the workers counted and
 * shows one line: redrawn in place on a terminal, elsewhere logged every five seconds, so that a
 * log tells how a night went. It takes no lock that a worker takes, but the log's.
 */
#include "config.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "progress.h"
#include "report-form.h"

#define BAR_PERIOD_MS  200
#define LINE_PERIOD_MS 5000
/* How far the shown rate looks back: short enough to follow a change, long enough to stand still.
 */
#define RATE_WINDOW_S 10.0
#define BAR_CELLS     20
/* Tables named in one line; the others are counted. */
#define MOST_NAMES 3

struct progress {
	struct progress_table *tables;
	size_t count;
	bool bar;
	pthread_t thread;
	pthread_mutex_t lock; /* of phase, phase_since, stop */
	pthread_cond_t wake;
	char *phase; /* or NULL */
	double phase_since;
	bool stop;
	/* The thread's own. */
	uint64_t seen;
	double seen_at, rate;
	bool measured;
};

/* What stands on the terminal now. log.c calls back without data, so this is one for the process.
 */
static struct {
	pthread_mutex_t lock;
	struct etl_text line; /* empty: nothing */
} screen = { .lock = PTHREAD_MUTEX_INITIALIZER };

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t rows_of(const struct progress_table *table)
{
	return atomic_load_explicit(&table->rows, memory_order_relaxed);
}

static int state_of(const struct progress_table *table)
{
	return atomic_load_explicit(&table->state, memory_order_relaxed);
}

/* An expected number of rows is often an estimate: more may come, and then it is as good as done.
 */
static unsigned percent_of(uint64_t rows, int64_t expected)
{
	if (expected <= 0 || rows >= (uint64_t)expected)
		return 100;
	return (unsigned)((double)rows * 100.0 / (double)expected);
}

static void add_rows(struct etl_text *text, const char *name, uint64_t rows, int64_t expected)
{
	etl_text_addf(text, "%s: ", name);
	report_add_grouped(text, rows);
	if (expected >= 0) {
		etl_text_add(text, " of ");
		report_add_grouped(text, (uint64_t)expected);
	}
	etl_text_add(text, rows == 1 && expected < 0 ? " row" : " rows");
	if (expected >= 0)
		etl_text_addf(text, " (%u %%)", percent_of(rows, expected));
}

static void add_duration(struct etl_text *text, double seconds)
{
	uint64_t s = seconds < 1e9 ? (uint64_t)(seconds + 0.5) : 1000000000;

	if (s < 1)
		s = 1;
	if (s < 120)
		etl_text_addf(text, "%" PRIu64 " s", s);
	else if (s < 7200)
		etl_text_addf(text, "%" PRIu64 " min", (s + 30) / 60);
	else
		etl_text_addf(text, "%" PRIu64 " h %" PRIu64 " min", s / 3600, s % 3600 / 60);
}

/* All tables together; expected is -1 when that of one is not known. */
struct sum {
	uint64_t rows;
	int64_t expected;
	size_t loading;
};

static struct sum sum_up(const struct progress_table *tables, size_t count)
{
	struct sum sum = { 0 };

	for (size_t i = 0; i < count; i++) {
		int state = state_of(&tables[i]);
		uint64_t rows = rows_of(&tables[i]);

		sum.rows += rows;
		sum.loading += state == 1;
		if (state == 2 && sum.expected >= 0)
			sum.expected += (int64_t)rows;
		else if (tables[i].expected < 0)
			sum.expected = -1;
		else if (sum.expected >= 0)
			sum.expected += tables[i].expected;
	}
	return sum;
}

static void add_current(struct etl_text *text, const struct progress_table *tables, size_t count,
			size_t loading)
{
	size_t named = 0;

	for (size_t i = 0; i < count && named < MOST_NAMES; i++) {
		if (state_of(&tables[i]) != 1)
			continue;
		etl_text_add(text, named > 0 ? ", " : "");
		add_rows(text, tables[i].name, rows_of(&tables[i]), tables[i].expected);
		named++;
	}
	if (loading > named)
		etl_text_addf(text, " and %zu more", loading - named);
}

void progress_describe(struct etl_text *text, const struct progress_table *tables, size_t count,
		       double rate)
{
	const struct sum sum = sum_up(tables, count);

	if (sum.loading == 0)
		return;
	add_current(text, tables, count, sum.loading);
	if (count > 1) {
		etl_text_add(text, "; ");
		add_rows(text, "all tables", sum.rows, sum.expected);
	}
	if (rate < 0.5)
		return;
	etl_text_add(text, ", ");
	report_add_grouped(text, (uint64_t)(rate + 0.5));
	etl_text_add(text, " rows/s");
	if (sum.expected >= 0 && sum.rows < (uint64_t)sum.expected) {
		etl_text_add(text, ", about ");
		add_duration(text, (double)((uint64_t)sum.expected - sum.rows) / rate);
		etl_text_add(text, " left");
	}
}

/* A mean over the last RATE_WINDOW_S; over all the time there was while that is less. */
static void measure(struct progress *p)
{
	const struct sum sum = sum_up(p->tables, p->count);
	double at = now(), passed = at - p->seen_at, share = passed / RATE_WINDOW_S;
	double rate;

	if (passed <= 0.0)
		return;
	rate = sum.rows > p->seen ? (double)(sum.rows - p->seen) / passed : 0.0;
	if (!p->measured || share > 1.0)
		share = 1.0;
	p->rate += (rate - p->rate) * share;
	p->measured = p->measured || rate > 0.0;
	p->seen = sum.rows;
	p->seen_at = at;
}

static void describe(struct progress *p, struct etl_text *text)
{
	pthread_mutex_lock(&p->lock);
	if (p->phase) {
		etl_text_addf(text, "%s (", p->phase);
		add_duration(text, now() - p->phase_since);
		etl_text_add(text, ")");
	}
	pthread_mutex_unlock(&p->lock);
	if (text->length == 0)
		progress_describe(text, p->tables, p->count, p->rate);
}

/* "[#######-------------] ", or nothing when the end is not known. */
static void add_bar(struct progress *p, struct etl_text *text)
{
	const struct sum sum = sum_up(p->tables, p->count);
	unsigned full;

	/* Before and after the rows there is nothing to measure by. */
	if (sum.expected < 0 || sum.loading == 0)
		return;
	full = percent_of(sum.rows, sum.expected) * BAR_CELLS / 100;
	etl_text_add(text, "[");
	for (unsigned i = 0; i < BAR_CELLS; i++)
		etl_text_add(text, i < full ? "#" : "-");
	etl_text_add(text, "] ");
}

/* Cuts the line so that it does not wrap: a wrapped one cannot be taken back. */
static void fit(struct etl_text *text)
{
	struct winsize size;
	size_t most = 79;

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1)
		most = (size_t)size.ws_col - 1;
	if (text->failed || text->length <= most)
		return;
	while (most > 0 && ((unsigned char)text->at[most] & 0xc0) == 0x80)
		most--;
	text->at[most] = '\0';
	text->length = most;
}

/* With screen.lock. */
static void draw(void)
{
	fprintf(stderr, "\r\033[K%s", screen.line.at && !screen.line.failed ? screen.line.at : "");
	fflush(stderr);
}

/* log.c calls this with 1 before its lines and with 0 after them, on one thread. */
static void around_lines(int before)
{
	if (before) {
		pthread_mutex_lock(&screen.lock);
		if (screen.line.length > 0)
			fprintf(stderr, "\r\033[K");
	} else {
		if (screen.line.length > 0)
			draw();
		pthread_mutex_unlock(&screen.lock);
	}
}

static void set_bar(struct etl_text *line)
{
	pthread_mutex_lock(&screen.lock);
	if (line->length > 0 || screen.line.length > 0) {
		etl_text_free(&screen.line);
		screen.line = *line;
		*line = (struct etl_text){ 0 };
		draw();
	}
	pthread_mutex_unlock(&screen.lock);
}

static void show(struct progress *p)
{
	struct etl_text text = { 0 }, bar = { 0 };

	measure(p);
	describe(p, &text);
	if (text.failed || text.length == 0) {
		etl_text_free(&text);
		if (p->bar)
			set_bar(&bar);
		return;
	}
	if (p->bar) {
		add_bar(p, &bar);
		etl_text_add(&bar, text.at);
		fit(&bar);
		set_bar(&bar);
	} else {
		log_line(ETL_LOG_INFO, "%s", text.at);
	}
	etl_text_free(&bar);
	etl_text_free(&text);
}

static struct timespec in_ms(long ms)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += ms / 1000;
	t.tv_nsec += ms % 1000 * 1000000L;
	if (t.tv_nsec >= 1000000000L) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000L;
	}
	return t;
}

/* True: stop. */
static bool wait_for(struct progress *p, long ms)
{
	const struct timespec until = in_ms(ms);
	int r = 0;
	bool stop;

	pthread_mutex_lock(&p->lock);
	while (!p->stop && r == 0)
		r = pthread_cond_timedwait(&p->wake, &p->lock, &until);
	stop = p->stop;
	pthread_mutex_unlock(&p->lock);
	return stop;
}

static void *progress_main(void *data)
{
	struct progress *p = data;

	while (!wait_for(p, p->bar ? BAR_PERIOD_MS : LINE_PERIOD_MS))
		show(p);
	return NULL;
}

/* Signals are the main thread's: none is delivered to this one. */
static int start_thread(struct progress *p)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&p->thread, NULL, progress_main, p);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return r;
}

static bool make_wake(pthread_cond_t *wake)
{
	pthread_condattr_t attr;
	bool ok;

	if (pthread_condattr_init(&attr) != 0)
		return false;
	ok = pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0 &&
	     pthread_cond_init(wake, &attr) == 0;
	pthread_condattr_destroy(&attr);
	return ok;
}

struct progress *progress_start(struct progress_table *tables, size_t count, bool enabled)
{
	struct progress *p = enabled ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	p->tables = tables;
	p->count = count;
	p->bar = log_has_terminal();
	p->seen_at = now();
	if (!make_wake(&p->wake)) {
		free(p);
		return NULL;
	}
	pthread_mutex_init(&p->lock, NULL);
	if (start_thread(p) != 0) {
		pthread_mutex_destroy(&p->lock);
		pthread_cond_destroy(&p->wake);
		free(p);
		return NULL;
	}
	if (p->bar)
		log_on_screen(around_lines);
	return p;
}

void progress_phase(struct progress *p, const char *what)
{
	char *copy;

	if (!p)
		return;
	copy = what && *what ? strdup(what) : NULL;
	pthread_mutex_lock(&p->lock);
	free(p->phase);
	p->phase = copy;
	p->phase_since = now();
	pthread_mutex_unlock(&p->lock);
}

void progress_stop(struct progress *p)
{
	struct etl_text nothing = { 0 };

	if (!p)
		return;
	pthread_mutex_lock(&p->lock);
	p->stop = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	pthread_join(p->thread, NULL);
	if (p->bar) {
		log_on_screen(NULL);
		set_bar(&nothing);
	}
	pthread_mutex_destroy(&p->lock);
	pthread_cond_destroy(&p->wake);
	free(p->phase);
	free(p);
}
