/*
 * One small validator, built several times: each FIXTURE_… is one thing that is wrong with it, and the check
 * expects the sentence for it. NAME is what the file calls itself, EXPORT the name of its one symbol.
 */
#include <stdlib.h>

#include <etlrun/plugin.h>

#ifndef ABI
#define ABI ETL_ABI
#endif
#ifndef SIZE
#define SIZE sizeof(struct etl_plugin)
#endif
#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)
#define PLUGIN_(name, plugin) ETL_PLUGIN(name, plugin)
#define PLUGIN(name, plugin) PLUGIN_(name, plugin)

struct etl_instance {
	int nothing;
};

#ifdef FIXTURE_UNDEFINED
void nobody_defines_this(void);
#endif

static int fixture_open(const struct etl_host *host, const struct etl_conf *conf, struct etl_instance **ret,
			struct etl_error *err)
{
	(void)conf;
	*ret = calloc(1, sizeof(**ret));
#ifdef FIXTURE_UNDEFINED
	nobody_defines_this();
#endif
	return *ret ? ETL_OK : host->fail(err, ETL_MEMORY, NULL, 0, "no memory");
}

static void fixture_close(struct etl_instance *instance)
{
	free(instance);
}

#ifdef FIXTURE_QUIT
__attribute__((constructor)) static void quit(void)
{
	_Exit(7);
}
#endif

#if defined(FIXTURE_CRASH) || defined(FIXTURE_HANG)
__attribute__((constructor)) static void misbehave(void)
{
	volatile int go_on = 1;

#ifdef FIXTURE_CRASH
	abort();
#endif
	while (go_on)
		continue;
}
#endif

#ifndef FIXTURE_NO_MEMBER
static int fixture_check(struct etl_instance *instance, struct etl_peer *from, struct etl_peer *into,
			 struct etl_finding_sink *sink, struct etl_error *err)
{
	const struct etl_finding finding = { .severity = ETL_PASS, .extent = "full", .code = "ok", .message = "ok" };

	(void)instance, (void)from, (void)into, (void)err;
	return sink->emit(sink, &finding);
}
#endif

static const struct etl_validator validator = {
	.size = sizeof(validator),
#ifndef FIXTURE_NO_MEMBER
	.check = fixture_check,
#endif
};

static const struct etl_plugin fixture = {
	.abi = ABI,
	.size = SIZE,
	.option_size = sizeof(struct etl_option),
	.name = TEXT(NAME),
	.version = "1.0",
	.summary = "a fixture of the tests",
	.license = "0BSD",
#ifdef FIXTURE_SCHEMES
	.schemes = FIXTURE_SCHEMES,
#endif
	.open = fixture_open,
	.close = fixture_close,
	.validator = &validator,
};

#ifdef FIXTURE_NOTHING
#define NOTHING_(name) __attribute__((visibility("default"))) const struct etl_plugin *name##_LTX_etl_plugin(void)
#define NOTHING(name) NOTHING_(name)
NOTHING(EXPORT);
NOTHING(EXPORT)
{
	(void)&fixture;
	return NULL;
}
#else
PLUGIN(EXPORT, fixture)
#endif
