/*
 * Damaged databases, one a seed: bytes flipped, pages zeroed, doubled and exchanged, files cut short. Each is copied by
 * the program and read by SQLite itself, and what must be true is checked:
 *
 *   no crash, no hang, no finding of a sanitizer, no exit code but 0, 3 and 5;
 *   a copy that succeeds holds what SQLite reads of the damaged file, row for row, and SQLite reads all of it;
 *   one that fails names the file or a table, and leaves no target;
 *   with scope = "table" (every second seed) each table that can be read is in the target, or the run names it.
 *
 * corrupt ETLRUN FIRST COUNT [DATABASE]: in the working folder, which should be empty. Without DATABASE it makes a
 * small one. A seed that finds something is kept as seed-N.db. Exit 0: nothing was found.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sqlite3.h>

#define HEAD	    200 /* bytes at the beginning, of which each is flipped once */
#define SECONDS	    30	/* after which a run hangs */
#define TABLES_MOST 64
#define SANITIZER   99 /* the exit code of a finding */
#define COPY	    "copy.cfg"
#define ENDS                                                                                       \
	"source = { plugin = \"sqlite\"; path = \"in.db\"; };"                                     \
	"target = { plugin = \"sqlite\"; path = \"out.db\"; };"

extern char **environ;

static const char small_database[] =
	"PRAGMA page_size = 512; PRAGMA auto_vacuum = 0;"
	"CREATE TABLE plain (id INTEGER PRIMARY KEY, word TEXT NOT NULL, n INT, r REAL, b BLOB);"
	"CREATE TABLE parent (code TEXT PRIMARY KEY, note) WITHOUT ROWID;"
	"CREATE TABLE child (id INTEGER PRIMARY KEY AUTOINCREMENT, code TEXT REFERENCES "
	"parent(code), n CHECK (n >= 0));"
	"CREATE TABLE loose (a, b, c);"
	"CREATE TABLE gone (x);"
	"WITH RECURSIVE i(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM i WHERE i < 120)"
	" INSERT INTO plain SELECT i, 'word ' || i, i * 7, i / 4.0, CASE i % 9 WHEN 0 THEN "
	"zeroblob(i * 11) END FROM i;"
	"INSERT INTO parent SELECT 'code ' || id, word FROM plain WHERE id % 2 = 0;"
	"INSERT INTO child (code, n) SELECT 'code ' || (id * 2), n FROM plain WHERE id <= 60;"
	"INSERT INTO loose SELECT n, word, r FROM plain;"
	"INSERT INTO gone SELECT word FROM plain;"
	"CREATE INDEX plain_word ON plain(word);"
	"CREATE UNIQUE INDEX child_n ON child(n DESC);"
	"CREATE VIEW v AS SELECT * FROM plain;"
	"CREATE TRIGGER t AFTER INSERT ON loose BEGIN DELETE FROM gone; END;"
	"DROP TABLE gone;";

_Noreturn static void die(const char *what)
{
	fprintf(stderr, "corrupt: %s: %s\n", what, strerror(errno));
	exit(99);
}

/* ---- Files ------------------------------------------------------------------------------------------ */

struct file {
	unsigned char *at;
	size_t size;
};

static struct file read_whole(const char *path)
{
	struct file ret = { NULL, 0 };
	FILE *in = fopen(path, "rb");
	long size;

	if (!in || fseek(in, 0, SEEK_END) != 0 || (size = ftell(in)) < 0)
		die(path);
	rewind(in);
	ret.size = (size_t)size;
	ret.at = malloc(ret.size + 1);
	if (!ret.at || fread(ret.at, 1, ret.size, in) != ret.size)
		die(path);
	ret.at[ret.size] = '\0';
	fclose(in);
	return ret;
}

static void write_whole(const char *path, const void *at, size_t size)
{
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(at, 1, size, out) != size || fclose(out) != 0)
		die(path);
}

static void write_pipeline(const char *path, const char *more)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "version = 1; workers = 1; %s %s", ENDS, more);

	write_whole(path, text, (size_t)n);
}

/* ---- Damage ----------------------------------------------------------------------------------------- */

/* splitmix64: the same on every machine. */
static uint64_t draw(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static size_t below(uint64_t *state, size_t bound)
{
	return (size_t)(draw(state) % bound);
}

static void flip(struct file *f, uint64_t *state, size_t at)
{
	f->at[at] ^= (unsigned char)(1 + below(state, 255));
}

static void exchange(struct file *f, size_t page, size_t a, size_t b)
{
	unsigned char *x = f->at + a * page, *y = f->at + b * page;

	for (size_t i = 0; i < page; i++) {
		unsigned char c = x[i];

		x[i] = y[i];
		y[i] = c;
	}
}

static const char *damage(struct file *f, size_t page, uint64_t seed)
{
	uint64_t state = seed;
	size_t pages = f->size / page, a, b;

	if (seed < HEAD) {
		flip(f, &state, (size_t)seed);
		return "a byte of the head";
	}
	a = below(&state, pages);
	b = below(&state, pages);
	switch (below(&state, 8)) {
	case 0:
		for (size_t n = 1 + below(&state, 10); n > 0; n--)
			flip(f, &state, below(&state, f->size));
		return "bytes anywhere";
	case 1:
		memset(f->at + a * page, 0, page);
		return "a page of zeros";
	case 2:
		memmove(f->at + a * page, f->at + b * page, page);
		return "a page twice";
	case 3:
		exchange(f, page, a, b);
		return "two pages exchanged";
	case 4:
		f->size = a * page;
		return "cut between two pages";
	case 5:
		f->size = below(&state, f->size);
		return "cut within a page";
	case 6:
		for (size_t n = 1 + below(&state, 3); n > 0; n--)
			flip(f, &state, a * page + (a ? 0 : 100) + below(&state, 12));
		return "the head of a page";
	default:
		/* Where cells are, their lengths and what they point to. */
		for (size_t n = 1 + below(&state, 3); n > 0; n--)
			flip(f, &state, a * page + (a ? 8 : 108) + below(&state, 64));
		return "the cells of a page";
	}
}

/* ---- What SQLite reads ------------------------------------------------------------------------------ */

struct table {
	char *name;
	bool whole; /* it was read to its end */
	uint64_t rows, sum;
};

struct content {
	bool opened;
	size_t count;
	struct table tables[TABLES_MOST];
};

static uint64_t mix(uint64_t hash, const void *data, size_t size)
{
	const unsigned char *at = data;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ at[i]) * 0x100000001b3u;
	return hash;
}

static uint64_t hash_row(sqlite3_stmt *stmt)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		unsigned char type = (unsigned char)sqlite3_column_type(stmt, i);
		int64_t number = sqlite3_column_int64(stmt, i);
		double real = sqlite3_column_double(stmt, i);

		hash = mix(hash, &type, 1);
		if (type == SQLITE_INTEGER)
			hash = mix(hash, &number, sizeof(number));
		else if (type == SQLITE_FLOAT)
			hash = mix(hash, &real, sizeof(real));
		else if (type != SQLITE_NULL)
			hash = mix(hash, sqlite3_column_blob(stmt, i),
				   (size_t)sqlite3_column_bytes(stmt, i));
	}
	return hash;
}

static void read_table(sqlite3 *db, struct table *table)
{
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", table->name);
	sqlite3_stmt *stmt = NULL;
	int step = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);

	/* A tree that leads back into itself has no end: more rows than the file has bytes are too many. */
	while (step == SQLITE_OK || step == SQLITE_ROW) {
		step = sqlite3_step(stmt);
		if (step == SQLITE_ROW) {
			table->sum += hash_row(stmt);
			if (++table->rows > 4000000)
				break;
		}
	}
	table->whole = step == SQLITE_DONE;
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
}

static void read_content(const char *path, struct content *ret)
{
	sqlite3 *db = NULL;
	sqlite3_stmt *stmt = NULL;
	int step = SQLITE_ERROR;

	memset(ret, 0, sizeof(*ret));
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) == SQLITE_OK &&
	    sqlite3_prepare_v2(db,
			       "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT "
			       "LIKE 'sqlite^_%' ESCAPE '^'",
			       -1, &stmt, NULL) == SQLITE_OK)
		while ((step = sqlite3_step(stmt)) == SQLITE_ROW && ret->count < TABLES_MOST) {
			const char *name = (const char *)sqlite3_column_text(stmt, 0);

			ret->tables[ret->count++].name = strdup(name ? name : "");
		}
	ret->opened = step == SQLITE_DONE;
	sqlite3_finalize(stmt);
	for (size_t i = 0; i < ret->count; i++)
		read_table(db, &ret->tables[i]);
	sqlite3_close(db);
}

static void free_content(struct content *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->tables[i].name);
}

static const struct table *find(const struct content *c, const char *name)
{
	for (size_t i = 0; i < c->count; i++)
		if (strcmp(c->tables[i].name, name) == 0)
			return &c->tables[i];
	return NULL;
}

static bool same(const struct table *a, const struct table *b)
{
	return a && b && a->whole && b->whole && a->rows == b->rows && a->sum == b->sum;
}

/* ---- A run ------------------------------------------------------------------------------------------ */

/* Its wait status; what it said is in the file "said". */
static int run(const char *etlrun, const char *pipeline)
{
	char *args[] = { (char *)(uintptr_t)etlrun, (char *)(uintptr_t) "-q",
			 (char *)(uintptr_t)pipeline, NULL };
	posix_spawn_file_actions_t files;
	pid_t pid;
	int status = 0;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, STDERR_FILENO, "said",
					 O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
	if ((errno = posix_spawn(&pid, etlrun, &files, NULL, args, environ)) != 0)
		die(etlrun);
	posix_spawn_file_actions_destroy(&files);
	for (int waited = 0; waitpid(pid, &status, WNOHANG) == 0; waited++) {
		if (waited > SECONDS * 1000) {
			kill(pid, SIGKILL);
			waitpid(pid, &status, 0);
			return -1;
		}
		usleep(1000);
	}
	return status;
}

static const char *last_line(char *said)
{
	char *end = said + strlen(said);

	while (end > said && end[-1] == '\n')
		*--end = '\0';
	while (end > said && end[-1] != '\n')
		end--;
	return end;
}

/* NULL, or what is wrong. */
static const char *judge_success(const struct content *before, const struct content *after)
{
	if (!before->opened)
		return "SQLite cannot read the list of tables, and the run succeeds";
	if (before->count != after->count)
		return "the run succeeds with fewer or more tables";
	for (size_t i = 0; i < before->count; i++)
		if (!same(&before->tables[i], find(after, before->tables[i].name)))
			return "the run succeeds with other rows than SQLite reads";
	return NULL;
}

/* A table alone may fail for more than its pages: its values, and its parents. Then it is named. */
static const char *judge_part(const struct content *before, const struct content *after,
			      const char *said)
{
	for (size_t i = 0; i < after->count; i++)
		if (!same(&after->tables[i], find(before, after->tables[i].name)))
			return "a table that was published has other rows than SQLite reads";
	for (size_t i = 0; before->opened && i < before->count; i++)
		if (!find(after, before->tables[i].name) && !strstr(said, before->tables[i].name))
			return "a table is neither published nor named";
	return NULL;
}

static const char *judge(int status, bool by_table, const char *said)
{
	struct content before, after;
	bool there = access("out.db", F_OK) == 0;
	const char *wrong = NULL;
	int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;

	if (status == -1)
		return "it hangs";
	if (WIFSIGNALED(status))
		return "it crashes";
	if (code == SANITIZER)
		return "a sanitizer has a finding";
	if (code != 0 && code != 3 && code != 5)
		return "another exit code";
	if (code && !strstr(said, "in.db") && !strstr(said, "table \""))
		return "the last line names neither the file nor a table";
	read_content("in.db", &before);
	read_content("out.db", &after);
	if (code == 0)
		wrong = judge_success(&before, &after);
	else if (there && !by_table)
		wrong = "a run that fails leaves a target";
	else if (there)
		wrong = judge_part(&before, &after, said);
	free_content(&before);
	free_content(&after);
	return wrong;
}

static void clean(void)
{
	static const char *const files[] = {
		"in.db",  "in.db-journal", "in.db-wal",		"in.db-shm",
		"out.db", "out.db.etlrun", "out.db.etlrun.lock"
	};

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		unlink(files[i]);
}

static void make_small(const char *path)
{
	sqlite3 *db = NULL;

	unlink(path);
	if (sqlite3_open(path, &db) != SQLITE_OK ||
	    sqlite3_exec(db, small_database, NULL, NULL, NULL) != SQLITE_OK) {
		fprintf(stderr, "corrupt: %s\n", sqlite3_errmsg(db));
		exit(99);
	}
	sqlite3_close(db);
}

struct figures {
	unsigned codes[256], wrong, partly;
};

static void try(const char *etlrun, const struct file *base, size_t page, uint64_t seed,
		struct figures *figures)
{
	struct file f = { malloc(base->size), base->size };
	bool by_table = seed % 2 == 1;
	const char *what, *wrong, *line;
	struct file said;
	int status;

	if (!f.at)
		die("memory");
	memcpy(f.at, base->at, f.size);
	what = damage(&f, page, seed);
	clean();
	write_whole("in.db", f.at, f.size);
	status = run(etlrun, by_table ? "by-table.cfg" : COPY);
	said = read_whole("said");
	line = last_line((char *)said.at);
	wrong = judge(status, by_table, line);
	if (status >= 0 && WIFEXITED(status))
		figures->codes[WEXITSTATUS(status)]++;
	figures->partly += by_table && access("out.db", F_OK) == 0 && status != 0;
	if (wrong) {
		char name[64];

		figures->wrong++;
		snprintf(name, sizeof(name), "seed-%" PRIu64 ".db", seed);
		write_whole(name, f.at, f.size);
		printf("seed %" PRIu64 " (%s%s): %s (status %d): %.600s\n", seed, what,
		       by_table ? ", by table" : "", wrong, status, line);
	}
	free(said.at);
	free(f.at);
}

int main(int argc, char **argv)
{
	struct figures figures = { 0 };
	struct file base;
	uint64_t first, count;
	size_t page;

	if (argc < 4)
		return 99;
	first = strtoull(argv[2], NULL, 10);
	count = strtoull(argv[3], NULL, 10);
	if (argc < 5)
		make_small("base.db");
	base = read_whole(argc < 5 ? "base.db" : argv[4]);
	page = (size_t)base.at[16] << 8 | base.at[17];
	write_pipeline(COPY, "validators = ( { plugin = \"checksum\"; } );");
	write_pipeline("by-table.cfg",
		       "scope = \"table\"; validators = ( { plugin = \"checksum\"; } );");
	setenv("ASAN_OPTIONS", "exitcode=99:detect_leaks=1", 0);
	setenv("UBSAN_OPTIONS", "halt_on_error=1:exitcode=99", 0);
	for (uint64_t seed = first; seed < first + count; seed++)
		try(argv[1], &base, page, seed, &figures);
	clean();
	free(base.at);
	printf("%" PRIu64 " damaged databases: %u copied whole, %u refused as a source, %u as data "
			  "(%u of them published "
	       "other tables); %u findings\n",
	       count, figures.codes[0], figures.codes[3], figures.codes[5], figures.partly,
	       figures.wrong);
	return figures.wrong ? 1 : 0;
}
