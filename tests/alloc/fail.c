/*
 * A machine that runs out of memory, for the program as it is: loaded with LD_PRELOAD, malloc and its sisters
 * fail where ETLRUN_ALLOC says. "count" fails none and writes at the end how many there were into the file
 * ETLRUN_ALLOC_COUNT; "n" fails the n-th; "n+" that one and all that follow, and with ETLRUN_ALLOC_TRACE it says
 * where that is. Beginning a thread counts as one, too. "places" fails none and writes down each place that asked,
 * which is the innermost calls of the program and its plugins; "@place" fails the first that this place asks for
 * (without address space randomization a place has the same number in each run). With ETLRUN_ALLOC_OURS only those
 * count that the program and its plugins ask for themselves, not SQLite (and, but for places, libc) on their
 * behalf. Not counted and not failed are those of libraries that do not look (libconfig 1.5), end the program
 * (libltdl) or call it a file that is not there (the loader), and those before main and around a thread's
 * function, which are the sanitizer's.
 *
 * In a build with AddressSanitizer what goes through is counted by that, so leaks and wrong frees after a
 * failure are seen by it: ASAN_OPTIONS=verify_asan_link_order=0.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OUT __attribute__((visibility("default")))

/* Where AddressSanitizer has its own; weak: without it they are not there. */
extern void *__interceptor_malloc(size_t) __attribute__((weak));
extern void *__interceptor_calloc(size_t, size_t) __attribute__((weak));
extern void *__interceptor_realloc(void *, size_t) __attribute__((weak));
extern void __interceptor_free(void *) __attribute__((weak));
extern int __interceptor_pthread_create(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *)
	__attribute__((weak));
extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void __libc_free(void *);

OUT void *malloc(size_t size);
OUT void *calloc(size_t count, size_t size);
OUT void *realloc(void *at, size_t size);
OUT void *reallocarray(void *at, size_t count, size_t size);
OUT void free(void *at);
OUT char *strdup(const char *text);
OUT int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

enum { RANGES = 64, THREADS = 4096, FRAMES = 24 };
enum { PLACES = 1 << 14, CALLS = 4 /* that make a place */, DEPTH = 16 /* of the stack at the most */ };

static struct ranges {
	struct {
		uintptr_t from, to;
	} at[RANGES];
	int count;
} careless, system_libraries;

static atomic_bool ready;
static bool counting, onwards, tracing, ours_only, listing, by_place;
static uint64_t fail_at; /* or the place */
static atomic_uint_fast64_t calls;
/* The program's own code runs in this thread. Needs no allocation itself. */
static __thread bool inside __attribute__((tls_model("initial-exec")));

static struct thread {
	void *(*start)(void *);
	void *arg;
} threads[THREADS];
static atomic_uint thread_count;

/* ---- Who asks --------------------------------------------------------------------------------- */

static void add_ranges(struct ranges *to, const struct dl_phdr_info *info)
{
	int i;

	for (i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];

		if (p->p_type != PT_LOAD || !(p->p_flags & PF_X) || to->count == RANGES)
			continue;
		to->at[to->count].from = info->dlpi_addr + p->p_vaddr;
		to->at[to->count].to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
		to->count++;
	}
}

static bool is_within(const struct ranges *ranges, const void *address)
{
	uintptr_t at = (uintptr_t)address;
	int i;

	for (i = 0; i < ranges->count; i++)
		if (at >= ranges->at[i].from && at < ranges->at[i].to)
			return true;
	return false;
}

static bool is_careless(const struct dl_phdr_info *info)
{
	const char *name = info->dlpi_name;

	if (strstr(name, "libconfig.so") || strstr(name, "libltdl.so") || strstr(name, "/ld-linux"))
		return true;
	return ours_only && (strstr(name, "libsqlite3.so") ||
			     (strstr(name, "/libc.so") && !listing && !by_place));
}

static int note_library(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	if (is_careless(info))
		add_ranges(&careless, info);
	/* The program itself has no name here; this library is none of its calls either. */
	if (info->dlpi_name[0] && (strncmp(info->dlpi_name, "/lib", 4) == 0 ||
				   strncmp(info->dlpi_name, "/usr/lib", 8) == 0 ||
				   strstr(info->dlpi_name, "fail.so")))
		add_ranges(&system_libraries, info);
	return 0;
}

/* ---- Places ------------------------------------------------------------------------------------ */

static struct {
	pthread_mutex_t lock;
	uint64_t set[PLACES], list[PLACES / 2];
	size_t count;
} places = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* 0: a library that does not look asks, through libc. */
static uint64_t place(void)
{
	void *frames[DEPTH];
	uint64_t hash = 14695981039346656037u;
	int count, i, calls_seen = 0;

	inside = false;
	count = backtrace(frames, DEPTH);
	inside = true;
	for (i = 0; i < count && calls_seen < CALLS; i++) {
		if (calls_seen == 0 && is_within(&careless, frames[i]))
			return 0;
		if (is_within(&system_libraries, frames[i]))
			continue;
		hash = (hash ^ (uintptr_t)frames[i]) * 1099511628211u;
		calls_seen++;
	}
	return hash | 1;
}

static void note_place(uint64_t at)
{
	size_t i = at % PLACES;

	if (!at)
		return;
	pthread_mutex_lock(&places.lock);
	while (places.set[i] && places.set[i] != at)
		i = (i + 1) % PLACES;
	if (!places.set[i] && places.count < PLACES / 2)
		places.list[places.count++] = places.set[i] = at;
	pthread_mutex_unlock(&places.lock);
}

static void say_where(void)
{
	void *frames[FRAMES];

	inside = false;
	backtrace_symbols_fd(frames, backtrace(frames, FRAMES), STDERR_FILENO);
	inside = true;
}

/* What is asked for after this is the sanitizer's report and the like, no more the program's. */
static void finish(void)
{
	const char *file = getenv("ETLRUN_ALLOC_COUNT");
	size_t i;
	FILE *f;

	if (!atomic_exchange(&ready, false) || !file)
		return;
	f = fopen(file, "w");
	if (!f)
		return;
	if (!listing)
		fprintf(f, "%llu\n", (unsigned long long)atomic_load(&calls));
	for (i = 0; i < places.count; i++)
		fprintf(f, "%llu\n", (unsigned long long)places.list[i]);
	fclose(f);
}

/* The N-th to be asked for is to fail. */
static bool is_chosen(uint64_t n)
{
	static atomic_bool failed;
	uint64_t at;

	if (counting)
		return false;
	if (!listing && !by_place)
		return n == fail_at || (n > fail_at && onwards);
	at = listing || !atomic_load(&failed) ? place() : 0;
	if (listing)
		note_place(at);
	return by_place && at && at == fail_at && !atomic_exchange(&failed, true);
}

/* This one is to fail. */
static bool fails(const void *caller)
{
	uint64_t n;

	if (!inside || !atomic_load_explicit(&ready, memory_order_acquire) || is_within(&careless, caller))
		return false;
	n = atomic_fetch_add(&calls, 1) + 1;
	/* Registered within main, it is run before anybody's destructors, which may need memory. */
	if (n == 1)
		atexit(finish);
	if (!is_chosen(n))
		return false;
	if (tracing)
		say_where();
	errno = ENOMEM;
	return true;
}

__attribute__((constructor)) static void begin(void)
{
	const char *how = getenv("ETLRUN_ALLOC");
	char *end = NULL;

	if (!how)
		return;
	counting = strcmp(how, "count") == 0;
	listing = strcmp(how, "places") == 0;
	by_place = how[0] == '@';
	fail_at = counting || listing ? 0 : strtoull(how + by_place, &end, 10);
	onwards = end && *end == '+';
	tracing = getenv("ETLRUN_ALLOC_TRACE") != NULL;
	ours_only = getenv("ETLRUN_ALLOC_OURS") != NULL;
	dl_iterate_phdr(note_library, NULL);
	/* The first time it needs memory itself. */
	if (listing || by_place)
		place();
	inside = true;
	atomic_store_explicit(&ready, true, memory_order_release);
}

/* ---- What is asked for -------------------------------------------------------------------------- */

void *malloc(size_t size)
{
	if (fails(__builtin_return_address(0)))
		return NULL;
	return __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	if (fails(__builtin_return_address(0)))
		return NULL;
	return __interceptor_calloc ? __interceptor_calloc(count, size) : __libc_calloc(count, size);
}

static void *resize(void *at, size_t size)
{
	return __interceptor_realloc ? __interceptor_realloc(at, size) : __libc_realloc(at, size);
}

void *realloc(void *at, size_t size)
{
	return fails(__builtin_return_address(0)) ? NULL : resize(at, size);
}

void *reallocarray(void *at, size_t count, size_t size)
{
	size_t all;

	if (fails(__builtin_return_address(0)))
		return NULL;
	if (__builtin_mul_overflow(count, size, &all)) {
		errno = ENOMEM;
		return NULL;
	}
	return resize(at, all);
}

/* Here, so that who asks is not libc. */
char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *ret;

	if (fails(__builtin_return_address(0)))
		return NULL;
	ret = __interceptor_malloc ? __interceptor_malloc(size) : __libc_malloc(size);
	return ret ? memcpy(ret, text, size) : NULL;
}

void free(void *at)
{
	if (__interceptor_free)
		__interceptor_free(at);
	else
		__libc_free(at);
}

/* ---- Threads --------------------------------------------------------------------------------------- */

static void *run_inside(void *data)
{
	struct thread *t = data;
	void *ret;

	inside = true;
	ret = t->start(t->arg);
	inside = false;
	return ret;
}

int pthread_create(pthread_t *ret, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	static int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
	unsigned n = atomic_fetch_add(&thread_count, 1);
	void *symbol;
	bool was = inside;
	int rc;

	if (fails(__builtin_return_address(0)) || n >= THREADS)
		return EAGAIN;
	inside = false;
	if (__interceptor_pthread_create) {
		next = __interceptor_pthread_create;
	} else if (!next) {
		symbol = dlsym(RTLD_NEXT, "pthread_create");
		memcpy(&next, &symbol, sizeof(next));
	}
	threads[n] = (struct thread){ start, arg };
	rc = next(ret, attr, run_inside, &threads[n]);
	inside = was;
	return rc;
}
