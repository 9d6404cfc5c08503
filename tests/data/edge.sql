-- The database of a careless life: what SQLite lets in and what loaders into PostgreSQL lose, drop, or hang at.
--
--   sqlite3 -bail edge.db <edge.sql
--
-- Behind each row stands what must become of it in PostgreSQL:
--   kept      it is there, and reads as what it was: a number to its last bit, a text or bytes to the last byte
--   rejected  it is refused, with its table, its key and the reason; no other row is
-- The table must has the same for a test to read: every row of every table is in it. There is no third outcome: no row
-- less, no digit less, no other value, no table that fails because of one row, no run that does not end.

CREATE TABLE must (tab TEXT, id INTEGER, outcome TEXT CHECK (outcome IN ('kept', 'rejected')), why TEXT, PRIMARY KEY (tab, id));

-- float4 has seven digits: REAL of SQLite is double precision, and its column's default is an expression.
CREATE TABLE reals (id INTEGER PRIMARY KEY, r REAL DEFAULT (1+1), f FLOAT DEFAULT -1.5e3);
INSERT INTO reals (id, r) VALUES
	(1, 3.141592653589793),			-- kept: not 3.1415927
	(2, 1234567890.123),			-- kept: not 1.2345679e+09
	(3, 0.1 + 0.2),				-- kept: 0.30000000000000004
	(4, 9e999),				-- kept: Infinity
	(5, -9e999),				-- kept: -Infinity
	(6, -0.0),				-- kept: as SQLite reads it
	(7, 4.9406564584124654e-324),		-- kept: the smallest
	(8, 1.7976931348623157e308),		-- kept: the largest
	(9, 9007199254740993),			-- kept: the REAL that it has become, 9007199254740992
	(10, NULL);				-- kept
INSERT INTO reals (id) VALUES (11);		-- kept: 2.0, from the default
INSERT INTO must SELECT 'reals', id, 'kept', 'double precision' FROM reals;

-- 64 bits in whatever column says that it has integers.
CREATE TABLE integers (id INT PRIMARY KEY, n INTEGER, small SMALLINT, tiny TINYINT, u UNSIGNED BIG INT);
INSERT INTO integers VALUES
	(1, 9223372036854775807, 32767, 255, 0),			-- kept
	(2, -9223372036854775808, -32768, -128, 9223372036854775807),	-- kept
	(1099511627776, 0, 2147483648, 70000, -1);			-- kept: the key needs int8, the columns too
INSERT INTO must SELECT 'integers', id, 'kept', 'int8' FROM integers;

-- INT PRIMARY KEY is no rowid: it takes NULL, more than once. A key of PostgreSQL takes none.
CREATE TABLE null_keys (code INT PRIMARY KEY, id INTEGER NOT NULL);
INSERT INTO null_keys VALUES
	(1, 1),		-- kept
	(NULL, 2),	-- rejected: the key is NULL
	(NULL, 3),	-- rejected
	(7, 4);		-- kept
INSERT INTO must SELECT 'null_keys', id, iif(code IS NULL, 'rejected', 'kept'), 'NULL in the key' FROM null_keys;

-- A type that STRICT knows and PostgreSQL does not; one column with every storage class.
CREATE TABLE anything (id INTEGER PRIMARY KEY, c ANY) STRICT;
INSERT INTO anything VALUES
	(1, 42),		-- kept, in a column that holds all of them
	(2, 2.5),		-- kept
	(3, 'word'),		-- kept
	(4, NULL);		-- kept
INSERT INTO must SELECT 'anything', id, 'kept', 'mixed classes' FROM anything;

-- Text in a column for bytes, on which others hang: its bytes are UTF-8, and kept; bytes stay bytes.
CREATE TABLE blobs (id INTEGER PRIMARY KEY, b BLOB);
INSERT INTO blobs VALUES
	(1, x'00ff10'),		-- kept
	(2, x''),		-- kept: empty, not NULL
	(3, 'not base64!'),	-- kept
	(4, '');		-- kept
INSERT INTO must SELECT 'blobs', id, 'kept', 'bytes, or text as its bytes' FROM blobs;

-- Texts that no text of PostgreSQL can be, between texts that it can.
CREATE TABLE texts (id INTEGER PRIMARY KEY, t TEXT);
INSERT INTO texts VALUES
	(1, 'plain'),				-- kept
	(2, CAST(x'610062' AS TEXT)),		-- rejected: NUL byte
	(3, CAST(x'41ff42' AS TEXT)),		-- rejected: no UTF-8
	(4, CAST(x'eda080' AS TEXT)),		-- rejected: half a surrogate pair is no UTF-8
	(5, CAST(x'c080' AS TEXT)),		-- rejected: NUL written too long is no UTF-8
	(6, ''),				-- kept: empty, not NULL
	(7, '\N'),				-- kept: two characters, not NULL
	(8, 'tab	"quote" ''it'' \ ' || char(10) || char(13)),	-- kept
	(9, char(128105, 8205, 128187)),	-- kept: an emoji of three characters
	(10, char(1) || char(127) || char(65535)),	-- kept: control characters, and a character that is none
	(11, 'trailing   '),			-- kept: with its spaces
	(12, CAST(x'f4908080' AS TEXT)),	-- rejected: behind the last character of Unicode
	(13, NULL);				-- kept
INSERT INTO must SELECT 'texts', id, iif(id IN (2, 3, 4, 5, 12), 'rejected', 'kept'), 'NUL or no UTF-8' FROM texts;

-- What is declared is not what is there.
CREATE TABLE lengths (id INTEGER PRIMARY KEY, v VARCHAR(5), c CHAR(3), n NVARCHAR(2));
INSERT INTO lengths VALUES
	(1, 'short', 'abc', 'ab'),	-- kept
	(2, 'much longer than five', 'abcdef', '日本語'),	-- kept: the column is as wide as it must be
	(3, 'a ', 'a ', ' ');		-- kept: with the spaces, and no more of them
INSERT INTO must SELECT 'lengths', id, 'kept', 'no length in SQLite' FROM lengths;

CREATE TABLE strays (id INTEGER PRIMARY KEY, n INTEGER, t TEXT);
INSERT INTO strays VALUES
	(1, 1, 'one'),			-- kept
	(2, 'two', 2),			-- kept, in a column that holds both
	(3, 3.5, NULL);			-- kept
INSERT INTO must SELECT 'strays', id, 'kept', 'text among integers' FROM strays;

-- The affinity NUMERIC has made REAL or INTEGER of what was written; that is what must arrive.
CREATE TABLE numerics (id INTEGER PRIMARY KEY, d DECIMAL(10,2), n NUMERIC, m DECIMAL(5,1));
INSERT INTO numerics VALUES
	(1, '12.34', 12345678901234567890, 1.5),	-- kept: REAL 12.34, REAL 1.2345678901234567e19
	(2, 0.1, -0.0, 123456.75),			-- kept: more digits than declared
	(3, 10, 9e999, 0.05),				-- kept: Infinity too
	(4, 1e-7, 9223372036854775807, -1);		-- kept
INSERT INTO must SELECT 'numerics', id, 'kept', 'numeric or double precision' FROM numerics;

-- Dates in the spellings of different programs: not all of them are dates, so the columns are no dates.
CREATE TABLE dates (id INTEGER PRIMARY KEY, d DATE, t DATETIME);
INSERT INTO dates VALUES
	(1, '2023-01-31', '2023-01-31 23:59:59'),	-- kept
	(2, '', ''),					-- kept: empty
	(3, '0000-00-00', '0000-00-00 00:00:00'),	-- kept: as text, since it is no day
	(4, 'now', 'now'),				-- kept: as text, never today's date
	(5, 2459945.5, 2459945.75),			-- kept: a Julian day is a number
	(6, 1675123200, 1675123200),			-- kept: seconds since 1970 are a number
	(7, '2023-02-30', '2023-02-30T12:00:00Z'),	-- kept: as text
	(8, '31.01.2023', '1/31/23'),			-- kept: as text
	(9, NULL, NULL);				-- kept
INSERT INTO must SELECT 'dates', id, 'kept', 'text' FROM dates;

-- All of them are dates and times, one without: they may become some, if they read the same afterwards.
CREATE TABLE clean_dates (id INTEGER PRIMARY KEY, d DATE, t DATETIME, z TIMESTAMP);
INSERT INTO clean_dates VALUES
	(1, '2023-01-31', '2023-01-31 23:59:59', '2023-01-31T23:59:59Z'),		-- kept
	(2, '0001-01-01', '1969-12-31 23:59:59.999999', '2000-02-29T00:00:00Z'),	-- kept
	(3, '9999-12-31', '2023-06-30 00:00:00', '1582-10-10T12:00:00Z');		-- kept: no calendar is changed
INSERT INTO must SELECT 'clean_dates', id, 'kept', 'the same moment' FROM clean_dates;

CREATE TABLE booleans (id INTEGER PRIMARY KEY, yes BOOLEAN, maybe BOOLEAN NOT NULL DEFAULT FALSE);
INSERT INTO booleans VALUES
	(1, 1, 0),		-- kept
	(2, NULL, 'yes'),	-- kept: text, so the column is no boolean
	(3, 0, 2);		-- kept: a number that is neither
INSERT INTO must SELECT 'booleans', id, 'kept', 'boolean where all are 0 and 1' FROM booleans;

-- Defaults of every kind, most of which others write wrongly: 'it''s' is four characters, and (1+1) no text.
CREATE TABLE defaults (
	id INTEGER PRIMARY KEY,
	a TEXT DEFAULT 'it''s',
	b REAL DEFAULT (1+1),
	c TEXT DEFAULT CURRENT_TIMESTAMP,
	d BLOB DEFAULT x'00ff',
	e INTEGER DEFAULT TRUE,
	f TEXT DEFAULT "word",		-- in SQLite's double quotes it is a text
	g TEXT DEFAULT (datetime('now')),
	h TEXT DEFAULT ('a' || 'b'),
	i INTEGER DEFAULT -5,
	j TEXT DEFAULT '',
	k INTEGER DEFAULT (random()),
	l TEXT DEFAULT NULL
);
INSERT INTO defaults (id, c, g, k) VALUES (1, '2023-01-31 00:00:00', '2023-01-31 00:00:00', 4);	-- kept
INSERT INTO must SELECT 'defaults', id, 'kept', 'each default, or the report says which is not' FROM defaults;

-- Columns that compute themselves are not loaded, and are there.
CREATE TABLE computed (
	id INTEGER PRIMARY KEY,
	price REAL NOT NULL,
	twice REAL AS (price * 2),
	word TEXT,
	loud TEXT GENERATED ALWAYS AS (upper(word)) STORED,
	size INTEGER AS (length(word)) VIRTUAL
);
INSERT INTO computed (id, price, word) VALUES (1, 1.5, 'one'), (2, 0.1, NULL), (3, -2, 'straße');	-- kept
INSERT INTO computed (id, price, word) VALUES (4, 0, 'été');	-- kept; SQLite's upper is that of A to Z, 'éTé'
INSERT INTO must SELECT 'computed', id, 'kept', 'generated columns' FROM computed;

-- Foreign keys are off by default in SQLite; this one has no parent. NULL has none and needs none.
CREATE TABLE parents (code TEXT PRIMARY KEY COLLATE NOCASE, id INTEGER NOT NULL);
CREATE TABLE children (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE REFERENCES parents(code) ON DELETE CASCADE, up INTEGER REFERENCES children(id));
INSERT INTO parents VALUES ('Ab', 1), ('b', 2);	-- kept
INSERT INTO children VALUES
	(1, 'Ab', NULL),	-- kept
	(2, NULL, 1),		-- kept
	(3, 'none', NULL),	-- rejected: an orphan
	(4, 'b', 3),		-- rejected: its parent is the orphan that was refused
	(5, 'b', 77);		-- rejected: an orphan
INSERT INTO must SELECT 'parents', id, 'kept', '' FROM parents;
INSERT INTO must SELECT 'children', id, iif(id IN (3, 4, 5), 'rejected', 'kept'), 'orphans' FROM children;

-- Keys that SQLite's NOCASE calls different, and such as it calls the same: É is no é for it.
CREATE TABLE folded (id INTEGER PRIMARY KEY, word TEXT COLLATE NOCASE UNIQUE);
INSERT INTO folded VALUES (1, 'é'), (2, 'É'), (3, 'a'), (4, NULL), (5, NULL);	-- kept
INSERT INTO must SELECT 'folded', id, 'kept', 'NOCASE folds A to Z only; NULLs are distinct' FROM folded;

-- Names longer than 63 bytes, which PostgreSQL cuts without a word, and which are then the same.
CREATE TABLE "a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_1" (id INTEGER PRIMARY KEY);
CREATE TABLE "a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_2" (id INTEGER PRIMARY KEY);
INSERT INTO "a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_1" VALUES (1);	-- kept
INSERT INTO "a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_2" VALUES (1), (2);	-- kept
INSERT INTO must VALUES ('a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_1', 1, 'kept', ''),
	('a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_2', 1, 'kept', ''),
	('a_name_that_is_longer_than_the_sixty_three_bytes_which_a_server_keeps_2', 2, 'kept', '');

-- Indexes: partial, of an expression, descending; a check; a key of two columns without rowid.
CREATE TABLE paired (id INTEGER NOT NULL, word TEXT NOT NULL CHECK (length(word) < 9), PRIMARY KEY (word, id DESC)) WITHOUT ROWID;
INSERT INTO paired VALUES (1, 'one'), (2, 'one'), (3, 'two');	-- kept
CREATE INDEX paired_lower ON paired (lower(word), id DESC) WHERE id > 1;
INSERT INTO must SELECT 'paired', id, 'kept', '' FROM paired;
