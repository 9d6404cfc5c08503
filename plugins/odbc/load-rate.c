/* See load-rate.h. */
#include "config.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "load-rate.h"

#define HIGH	    30		/* percent of the time: from here on the log is the limit */
#define LOW	    10		/* percent: below it is not */
#define PERIOD	    1000	/* milliseconds of all connections: less decides nothing */
#define TURN	    100		/* milliseconds after which who waits looks whether the run goes on */
#define LEAST_BATCH (256 << 10) /* bytes */
#define USUAL_BATCH (4 << 20)	/* bytes: where a batch of any size begins to be halved */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static struct {
	int32_t governs; /* as rate_governs */
	int64_t rate;	 /* bytes a second; 0: not known */
	struct rate_limits now, most;
	int64_t loads; /* under way */
	struct {
		int64_t waited, passed, loads;
	} period; /* since the last decision: milliseconds of all connections, and how many there were at most */
	int64_t waited, passed; /* since the run began, the time before a load could begin too */
	char type[64];		/* of the waits */
} governor;

int64_t rate_clock(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- Deciding ------------------------------------------------------------------------------------------------------------ */

static int64_t percent(int64_t waited, int64_t passed)
{
	if (passed <= 0)
		return 0;
	return waited >= passed ? 100 : waited * 100 / passed;
}

static void loosen(struct rate_limits *now, const struct rate_limits *most)
{
	if (now->loads && (most->loads == 0 || now->loads < most->loads))
		now->loads++;
	if (now->bytes)
		now->bytes *= 2;
	if (most->bytes && now->bytes > most->bytes)
		now->bytes = most->bytes;
	else if (!most->bytes && now->bytes >= USUAL_BATCH)
		now->bytes = 0;
}

void rate_decide(struct rate_limits *now, const struct rate_limits *most, int64_t loads, int64_t waited, int64_t passed)
{
	int64_t share = percent(waited, passed), busy = (loads * (100 - share) + 50) / 100;

	if (share < LOW)
		loosen(now, most);
	if (share < HIGH)
		return;
	if (busy < 1)
		busy = 1;
	if (now->loads == 0 || busy < now->loads)
		now->loads = busy;
	now->bytes = (now->bytes ? now->bytes : USUAL_BATCH) / 2;
	if (now->bytes < LEAST_BATCH)
		now->bytes = LEAST_BATCH;
}

/* ---- Telling --------------------------------------------------------------------------------------------------------------- */

/* With the lock. Of what was the limit for a while, and is no longer, nothing is said. */
static void tell(const struct etl_host *host)
{
	int64_t share = percent(governor.waited, governor.passed);
	char sentence[320], limit[64] = "";

	if (share < HIGH) {
		host->remark(host, "log rate", "");
		return;
	}
	if (governor.rate)
		snprintf(limit, sizeof(limit), ", %.1f MB/s here", (double)governor.rate / 1e6);
	snprintf(sentence, sizeof(sentence),
		 "the server's log rate was the limit: %lld %% of the load's time was waited for it (%s%s); a higher tier loads faster",
		 (long long)share, *governor.type ? governor.type : "LOG_RATE_GOVERNOR", limit);
	host->remark(host, "log rate", sentence);
}

static void tell_change(const struct etl_host *host, const struct rate_limits *was)
{
	if (was->loads == governor.now.loads && was->bytes == governor.now.bytes)
		return;
	host->log(host, ETL_LOG_DEBUG, "the log rate: %lld of %lld connections load at once, in batches of %lld bytes",
			(long long)(governor.now.loads ? governor.now.loads : governor.most.loads), (long long)governor.most.loads,
			(long long)(governor.now.bytes ? governor.now.bytes : USUAL_BATCH));
}

/* ---- What is known ------------------------------------------------------------------------------------------------------------ */

int32_t rate_governs(void)
{
	int32_t governs;

	pthread_mutex_lock(&lock);
	governs = governor.governs;
	pthread_mutex_unlock(&lock);
	return governs;
}

/* With the lock. A batch is a second's worth of the log at most. */
static void begin_with(const struct etl_host *host, bool governs, int64_t rate)
{
	governor.governs = governs ? 1 : -1;
	governor.most.loads = host->workers;
	if (rate <= 0)
		return;
	governor.rate = rate;
	governor.most.bytes = rate < LEAST_BATCH ? LEAST_BATCH : rate < USUAL_BATCH ? rate : USUAL_BATCH;
	governor.now.bytes = governor.most.bytes;
}

void rate_know(const struct etl_host *host, bool governs, int64_t rate)
{
	pthread_mutex_lock(&lock);
	if (governor.governs == 0)
		begin_with(host, governs, rate);
	pthread_mutex_unlock(&lock);
}

int64_t rate_bytes(int64_t usual)
{
	int64_t most;

	pthread_mutex_lock(&lock);
	most = governor.now.bytes;
	pthread_mutex_unlock(&lock);
	return most && most < usual ? most : usual;
}

/* ---- Loads ------------------------------------------------------------------------------------------------------------------- */

/* With the lock. 0 or ETL_CANCELED. */
static int wait_for_turn(const struct etl_host *host)
{
	struct timespec until;

	while (governor.now.loads && governor.loads >= governor.now.loads) {
		if (host->canceled(host))
			return ETL_CANCELED;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += TURN * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&changed, &lock, &until);
	}
	return ETL_OK;
}

int rate_begin(const struct etl_host *host, int64_t *ret_loads)
{
	int64_t came = rate_clock(), waited;
	int rc;

	pthread_mutex_lock(&lock);
	rc = wait_for_turn(host);
	waited = rate_clock() - came;
	governor.waited += waited;
	governor.passed += waited;
	governor.loads += rc == ETL_OK;
	*ret_loads = governor.loads;
	pthread_mutex_unlock(&lock);
	return rc;
}

void rate_end(void)
{
	pthread_mutex_lock(&lock);
	governor.loads--;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

/* With the lock. */
static void decide(const struct etl_host *host)
{
	struct rate_limits was = governor.now;

	rate_decide(&governor.now, &governor.most, governor.period.loads, governor.period.waited, governor.period.passed);
	memset(&governor.period, 0, sizeof(governor.period));
	pthread_cond_broadcast(&changed);
	tell_change(host, &was);
}

void rate_count(const struct etl_host *host, int64_t loads, int64_t waited, int64_t passed, const char *type)
{
	if (passed < 1)
		passed = 1;
	pthread_mutex_lock(&lock);
	if (*type)
		snprintf(governor.type, sizeof(governor.type), "%s", type);
	governor.passed += passed;
	governor.waited += waited < passed ? waited : passed;
	governor.period.passed += passed;
	governor.period.waited += waited;
	if (governor.period.loads < loads)
		governor.period.loads = loads;
	if (governor.period.passed >= PERIOD || governor.period.waited >= PERIOD)
		decide(host);
	tell(host);
	pthread_mutex_unlock(&lock);
}
