#!/usr/bin/env python3
"""Makes a SQLite database by chance: random_schema.py FILE.db SEED [--tables N] [--rows N] [--mess] [--tame].

The same seed makes the same database. Its tables have every declared type, key, default, check, generated column,
foreign key and index that SQLite knows, hostile names and comments; its rows have values at every edge. Without --mess
each value is of its column's kind and every constraint holds. With --mess some are not, as SQLite allows: other storage
classes, texts that are too long, have NUL bytes or are no UTF-8, impossible dates, orphans, keys that are NULL. With --tame there
is nothing that PostgreSQL cannot hold or tells apart in another way, and etlrun says so in the plan: columns called as those
that each of its tables has, products beyond the greatest number, letters and signs in NOCASE columns that ICU ignores.
"""
import argparse
import os
import random
import sqlite3
import struct
import sys
import uuid

HOSTILE = [
	'"; DROP TABLE x;--', ']', '[a]', '"', '`', '\n', 'two\nlines', 'tab\tname', ' ', ' lead', 'trail ', 'L' * 200,
	'long_' * 13 + 'a', 'long_' * 13 + 'b', '\U0001F600', 'select', 'TABLE', 'Group', 'a.b', 'public.x', '1st',
	'100%', '%s%n', 'back\\slash', '\\', "it's", "'", '$', '$1', '${HOME}', 'a,b', 'é', 'É', 'İ', 'ß', '\u202e', '\u200b',
	'#', '--', '/*', '*/', ':y', '?1', 'true', 'null', 'user', 'order', 'default', 'pg_class', 'pg_type', 'oid_', 'x_pkey', 'x',
	'é' * 40, 'CamelCase', 'UPPER', 'a b', 'column', 'values', 'current_user', 'analyse', 'system', 'etlrun', 'rowid_',
]
# Columns of every table in PostgreSQL have these names already.
SYSTEM = ['ctid', 'xmin', 'tableoid']

INTEGERS = ['INTEGER', 'INT', 'BIGINT', 'SMALLINT', 'TINYINT', 'MEDIUMINT', 'INT2', 'INT8', 'UNSIGNED BIG INT', 'integer']
TEXTS = ['TEXT', 'VARCHAR(40)', 'CHAR(10)', 'NCHAR(55)', 'NVARCHAR(100)', 'CLOB', 'VARYING CHARACTER(255)', 'text', 'STRING_TEXT']
REALS = ['REAL', 'DOUBLE', 'DOUBLE PRECISION', 'FLOAT', 'real']
DECIMALS = ['NUMERIC', 'DECIMAL(10,2)', 'NUMERIC(18, 6)', 'DECIMAL(38)', 'MONEY']
DATES = ['DATE', 'DATETIME', 'TIMESTAMP', 'TIME']
OTHERS = ['BLOB', 'BOOLEAN', 'JSON', 'UUID', '']
STRICT = ['INT', 'INTEGER', 'REAL', 'TEXT', 'BLOB', 'ANY']

EDGE_INTEGERS = [0, 1, -1, 127, 255, 32767, -32768, 65536, 2**31 - 1, -2**31, 2**31, 2**53 + 1, 2**63 - 1, -2**63]
EDGE_REALS = [0.0, -0.0, 0.1 + 0.2, 3.141592653589793, 1234567890.123, 1e308, 1.7976931348623157e308, 5e-324, -2.5, 1e15,
	1e18, 9007199254740994.0, 123456789012345680.0, float('inf'), float('-inf')]
EDGE_TEXTS = ['', ' ', 'a ', "it's", '"', '\\N', '\\', '\t', '\r\n', '\x01', '\x7f', 'NULL', '00123', '1e5', '\\x41', '{}', '{a,b}',
	'%s', 'é', 'e\u0301', 'İı', 'ß', '日本語', '\U0001F469\u200D\U0001F469\u200D\U0001F467', '\u202eabc', '\ufeffx', 'x' * 5000,
	'true', 'Infinity', '0x1F', '\uffff']
EDGE_BLOBS = [b'', b'\x00', b'\xff\xfe', bytes(range(256)), b'text', b'\x00' * 3000]
JSONS = ['null', '{}', '[]', '{"a": 1,  "a": 2}', '[1e400, -0]', '{"b":[1,2,{"c":"\\u00e9"}], "a":"x"}', '"s"', '12345678901234567890']


def quoted(name):
	return '"' + name.replace('"', '""') + '"'


def literal(text):
	return "'" + text.replace("'", "''") + "'"


class Column:
	def __init__(self, name, declared):
		self.name, self.declared = name, declared
		self.kind = kind_of(declared)
		self.not_null = self.unique = self.nocase = False
		self.rest = ''		# what comes after the type: default, check, collation
		self.generated = ''	# the expression and its storage
		self.values = None	# the only ones that a check allows
		self.style = 0		# of a date's text, or the class of a column without type
		self.limit = None	# characters of VARCHAR(n)
		if '(' in declared and self.kind == 'text':
			self.limit = int(declared[declared.index('(') + 1:-1])


def kind_of(declared):
	for kind, names in (('integer', INTEGERS), ('text', TEXTS), ('real', REALS), ('decimal', DECIMALS)):
		if declared in names:
			return kind
	return declared.split('(')[0].lower() or 'any'


class Table:
	def __init__(self, name):
		self.name = name
		self.columns, self.key, self.constraints = [], [], []
		self.strict = self.without_rowid = self.auto = self.alias = False
		self.links = []		# (own columns, the other table, its columns)

	def stored(self):
		return [column for column in self.columns if not column.generated]


# ---- Values ------------------------------------------------------------------------------------------

class Values:
	def __init__(self, rng, tame):
		self.rng, self.tame = rng, tame

	def of(self, column):
		rng = self.rng
		if column.values is not None:
			return rng.choice(column.values)
		if not column.not_null and rng.random() < 0.15:
			return None
		value = getattr(self, 'any_' if column.kind == 'any' else column.kind)(column)
		if column.limit and isinstance(value, str):
			value = value[:column.limit]
		return value

	def integer(self, column):
		return self.rng.choice(EDGE_INTEGERS) if self.rng.random() < 0.2 else self.rng.randrange(-1000, 100000)

	int = integer

	def real(self, column):
		roll = self.rng.random()
		if roll < 0.2:
			return self.rng.choice([value for value in EDGE_REALS if not self.tame or abs(value) < 1e300])
		if roll < 0.4:
			bits = self.rng.getrandbits(63) & ~(1 << 52 if self.rng.random() < 0.5 else 0)
			value = struct.unpack('<d', struct.pack('<Q', bits))[0]
			return value if value == value and not (self.tame and abs(value) > 1e300) else 1.5
		return self.rng.uniform(-1e6, 1e6)

	def decimal(self, column):
		scale = 6 if '6' in column.declared else 0 if '38' in column.declared else 2
		return '%.*f' % (scale, self.rng.randrange(-10**8, 10**8) / 10**scale)

	money = decimal

	def text(self, column):
		if self.tame and column.nocase:
			return ''.join(self.rng.choice('abcDEFxyz0123') for _ in range(self.rng.randrange(1, 12)))
		if self.rng.random() < 0.3:
			return self.rng.choice(EDGE_TEXTS)
		return ''.join(self.rng.choice('abc DEF xyz é-0123') for _ in range(self.rng.randrange(30)))

	def blob(self, column):
		if self.rng.random() < 0.3:
			return self.rng.choice(EDGE_BLOBS)
		return self.rng.getrandbits(8 * 20).to_bytes(20, 'big')

	def boolean(self, column):
		return self.rng.randrange(2)

	def json(self, column):
		return self.rng.choice(JSONS)

	def uuid(self, column):
		text = str(uuid.UUID(int=self.rng.getrandbits(128)))
		return text.upper() if column.style == 1 else text

	def date(self, column):
		rng = self.rng
		day = '%04d-%02d-%02d' % (rng.randrange(1900, 2100), rng.randrange(1, 13), rng.randrange(1, 29))
		time = '%02d:%02d:%02d' % (rng.randrange(24), rng.randrange(60), rng.randrange(60))
		style = column.style if column.style < 8 else rng.randrange(8)
		return [day, day + ' ' + time, day + 'T' + time, day + 'T' + time + 'Z', '%s %s.%03d' % (day, time, rng.randrange(1000)),
			day + ' ' + time + '+02:00', '%s %s.%06d' % (day, time, rng.randrange(10**6)), rng.randrange(-10**9, 2 * 10**9)][style]

	datetime = timestamp = date

	def time(self, column):
		return '%02d:%02d:%02d' % (self.rng.randrange(24), self.rng.randrange(60), self.rng.randrange(60))

	def any_(self, column):
		return getattr(self, ['integer', 'text', 'real', 'blob'][column.style % 4])(column)

	# What a column of this kind should not hold: a value, or bytes that are to be text.
	def mess(self, column):
		choices = ['word', '', 12.5, 7, b'\x01\x02', '0000-00-00', 'now', '2023-02-30', 2459945.5, '1e400', 2**62, b'nul\x00inside',
			b'bad \xff\xfe utf-8', b'\xed\xa0\x80', 'x' * 300, '99999999999999999999', 'true', '١٢']
		return self.rng.choice(choices)


# ---- Schema ------------------------------------------------------------------------------------------

class Maker:
	def __init__(self, rng, tables, tame):
		self.rng, self.names, self.tame = rng, set(), tame
		self.tables = [Table(self.name('t')) for _ in range(tables)]

	def often(self, share):
		return self.rng.random() < share

	# A name that nothing else in the database has; for SQLite letters of A to Z are the same in both cases.
	def name(self, plain, taken=None):
		taken = self.names if taken is None else taken
		while True:
			name = self.rng.choice(HOSTILE) if self.often(0.3) else plain + str(self.rng.randrange(1000))
			folded = ''.join(chr(ord(c) | 32) if 'A' <= c <= 'Z' else c for c in name)
			if folded not in taken and not folded.startswith('sqlite_'):
				taken.add(folded)
				return name

	def comment(self):
		return self.rng.choice(['', '', '', '/* it\'s "a" ) comment */ ', '-- to the line\'s end, )\n\t'])

	def written(self, name):
		plain = name.isascii() and name.isidentifier() and name.lower()[1:].isdigit()
		if plain and self.often(0.5):
			return name
		if self.often(0.2) and ']' not in name:
			return '[' + name + ']'
		if self.often(0.2) and '`' not in name:
			return '`' + name + '`'
		return quoted(name)

	def column(self, table, taken, declared=None):
		if declared is None:
			groups = [INTEGERS, TEXTS, REALS, DECIMALS, DATES, OTHERS]
			declared = self.rng.choice(STRICT if table.strict else self.rng.choice(groups))
		name = self.rng.choice(SYSTEM) if self.often(0 if self.tame else 0.01) else self.name('c', taken)
		if any(other.name.lower() == name.lower() for other in table.columns):
			name = self.name('c', taken)
		column = Column(name, declared)
		column.style = self.rng.randrange(9)
		column.not_null = self.often(0.3)
		table.columns.append(column)
		return column

	def decorate(self, column):
		rng, name = self.rng, quoted(column.name)
		if self.often(0.25):
			column.rest += ' DEFAULT ' + self.default(column)
		if self.often(0.15) and column.kind == 'text':
			column.nocase = True
			column.rest += ' COLLATE NOCASE'
		if self.often(0.2):
			checks = {
				'integer': [(f'{name} BETWEEN -1000 AND 1000', [1, 2, -1000, 1000]), (f'{name} IS NOT 7777777', None),
					(f"typeof({name}) IN ('integer', 'null')", None), (f'{name} % 2 = 0', [0, 2, 4, -2**63])],
				'text': [(f"{name} IN ('open', 'it''s', '')", ['open', "it's", '']), (f'length({name}) <= 5000', None),
					(f"{name} NOT LIKE 'never%'", None), (f"{name} GLOB '*'", None), (f"{name} <> 'a;b)'", None)],
				'real': [(f'{name} >= 0 OR {name} < 0', None)],
				'boolean': [(f'{name} IN (0, 1)', None), (name + ' OR 1', None)],
			}.get(column.kind)
			if checks and not column.unique:
				check, column.values = rng.choice(checks)
				named = f'CONSTRAINT {quoted(self.name("chk"))} ' if self.often(0.4) else ''
				column.rest += f' {named}CHECK ({check})'

	def default(self, column):
		choices = {
			'integer': ['0', '-1', '+5', '9223372036854775807', '(1+1)', '(abs(-3))', 'NULL', 'TRUE'],
			'text': ["''", "'it''s'", "'a b'", "('a' || 'b')", 'CURRENT_TIMESTAMP', 'NULL', "'(1)'", "(lower('X'))"],
			'real': ['0.1', '-1.5e3', '(1+1)', '(1.0 / 3)', '1'],
			'decimal': ['0', '1.50', "'2.5'"],
			'blob': ["x'00ff'", "''", '(zeroblob(2))'],
			'boolean': ['0', '1', 'FALSE'],
		}
		if column.kind in ('date', 'datetime', 'timestamp', 'time'):
			return self.rng.choice(['CURRENT_DATE', 'CURRENT_TIMESTAMP', 'CURRENT_TIME', "(datetime('now'))", "'2000-01-01'", 'NULL',
				"(strftime('%s', 'now'))"])
		return self.rng.choice(choices.get(column.kind, ['NULL']))

	def key(self, table, taken):
		rng = self.rng
		shape = rng.choice(['alias', 'alias', 'auto', 'int', 'text', 'nocase', 'two', 'two', 'uuid', 'none'])
		table.without_rowid = shape not in ('alias', 'auto', 'none') and self.often(0.5)
		declared = {'alias': ['INTEGER'], 'auto': ['INTEGER'], 'int': ['INT'], 'text': ['TEXT'], 'nocase': ['TEXT'],
			'two': ['INTEGER', 'TEXT'], 'uuid': ['TEXT' if table.strict else 'UUID'], 'none': []}[shape]
		for kind in declared:
			column = self.column(table, taken, kind)
			column.not_null, column.nocase = True, shape == 'nocase'
			column.rest = ' NOT NULL' if shape not in ('alias', 'auto') or self.often(0.3) else ''
			table.key.append(column)
		table.alias, table.auto = shape in ('alias', 'auto'), shape == 'auto'
		if len(declared) == 1:
			table.key[0].rest = {'auto': ' PRIMARY KEY AUTOINCREMENT', 'nocase': ' COLLATE NOCASE PRIMARY KEY'}.get(
				shape, ' PRIMARY KEY') + table.key[0].rest
		elif declared:
			order = ' DESC' if self.often(0.2) else ''
			table.constraints.append('PRIMARY KEY (%s, %s%s)' % (quoted(table.key[1].name), quoted(table.key[0].name), order))

	def link(self, table, taken):
		other = self.rng.choice(self.tables)	# also itself, and tables that come later: cycles
		if not other.key:
			return
		own = []
		for parent in other.key:
			column = self.column(table, taken, parent.declared if not table.strict else
				{'integer': 'INTEGER', 'text': 'TEXT'}.get(parent.kind, 'TEXT'))
			column.not_null = False
			column.limit = None
			own.append(column)
		table.links.append((own, other, other.key))
		columns = '(%s)' % ', '.join(quoted(column.name) for column in other.key)
		if len(own) == 1 and self.often(0.3):
			columns = ''
		text = 'REFERENCES %s%s' % (self.written(other.name), columns)
		for event in ('DELETE', 'UPDATE'):
			if self.often(0.5):
				text += ' ON %s %s' % (event, self.rng.choice(['CASCADE', 'SET NULL', 'SET DEFAULT', 'RESTRICT', 'NO ACTION']))
		if self.often(0.2):
			text += ' DEFERRABLE INITIALLY DEFERRED'
		if len(own) == 1 and self.often(0.5):
			own[0].rest += ' ' + text
		else:
			named = f'CONSTRAINT {quoted(self.name("fk"))} ' if self.often(0.4) else ''
			table.constraints.append('%sFOREIGN KEY (%s) %s' % (named, ', '.join(quoted(c.name) for c in own), text))

	def generate(self, table, taken):
		base = self.rng.choice(table.stored())
		name = quoted(base.name)
		expression = {'integer': f'{name} / 2 + 1', 'text': f'upper({name})', 'real': f'{name} * 2', 'blob': f'hex({name})'}.get(
			base.kind, f'coalesce({name}, 0)')
		declared = {'integer': 'INTEGER', 'text': 'TEXT', 'real': 'REAL', 'blob': 'TEXT'}.get(base.kind)
		if declared is None:
			return
		column = self.column(table, taken, declared)
		column.not_null = False
		column.generated = self.rng.choice([f' AS ({expression})', f' GENERATED ALWAYS AS ({expression}) VIRTUAL',
			f' AS ({expression}) STORED'])

	def fill(self, table):
		taken = set()
		table.strict = self.often(0.25)
		self.key(table, taken)
		for _ in range(self.rng.choice([1, 2, 3, 5, 8, 8, 12, 30])):
			column = self.column(table, taken)
			column.unique = column.kind in ('integer', 'text', 'real', 'uuid') and self.often(0.08)
			self.decorate(column)
			if column.not_null:
				column.rest += ' NOT NULL'
			if column.unique:
				column.rest += ' UNIQUE'
		for share in (0.6, 0.3):
			if self.often(share):
				self.link_later.append((table, taken))
		self.taken[table] = taken

	def finish(self, table):
		for _ in range(self.rng.choice([0, 0, 1, 2])):
			self.generate(table, self.taken[table])
		stored = table.stored()
		if len(stored) > 2 and self.often(0.2):
			table.constraints.append('UNIQUE (%s, %s)' % tuple(quoted(c.name) for c in self.rng.sample(stored, 2)))

	def make(self):
		self.link_later, self.taken = [], {}
		for table in self.tables:
			self.fill(table)
		for table, taken in self.link_later:
			self.link(table, taken)
		for table in self.tables:
			self.finish(table)

	def table_sql(self, table):
		lines = []
		for column in table.columns:
			declared = ' ' + column.declared if column.declared else ''
			lines.append(self.comment() + self.written(column.name) + declared + column.generated + column.rest)
		lines += [self.comment() + constraint for constraint in table.constraints]
		options = [word for word, on in (('WITHOUT ROWID', table.without_rowid), ('STRICT', table.strict)) if on]
		return 'CREATE TABLE %s (\n\t%s\n)%s' % (self.written(table.name), ',\n\t'.join(lines), ' ' + ', '.join(options) if options else '')

	def index_sql(self, table):
		column = self.rng.choice(table.columns)
		name = quoted(column.name)
		keys = [name, name + ' DESC', name + ' COLLATE NOCASE']
		if column.kind == 'text':
			keys.append(f'lower({name})')
		if column.kind in ('integer', 'real'):
			keys.append(f'{name} IS NULL')
		key = self.rng.choice(keys)
		if self.often(0.3):
			key += ', ' + quoted(self.rng.choice(table.columns).name)
		where = f' WHERE {name} IS NOT NULL' if self.often(0.25) else ''
		return 'CREATE INDEX %s ON %s (%s)%s' % (quoted(self.name('i')), quoted(table.name), key, where)

	def extras(self):
		for table in self.tables:
			for _ in range(self.rng.choice([0, 0, 1, 2])):
				yield self.index_sql(table)
			if self.often(0.3):
				columns = ', '.join(quoted(column.name) for column in table.columns[:3])
				yield 'CREATE VIEW %s AS SELECT %s FROM %s -- it\'s all' % (quoted(self.name('v')), columns, quoted(table.name))
			if self.often(0.15):
				yield 'CREATE TRIGGER %s AFTER DELETE ON %s BEGIN SELECT %s; END' % (
					quoted(self.name('tr')), quoted(table.name), literal(table.name))


# ---- Rows --------------------------------------------------------------------------------------------

class Filler:
	def __init__(self, db, rng, rows, values):
		self.db, self.rng, self.rows, self.values = db, rng, rows, values

	def rows_of(self, table):
		linked = {column for own, _, _ in table.links for column in own}
		count = self.rows if self.rng.random() < 0.9 else 0
		for number in range(count):
			row = []
			for column in table.stored():
				if column in linked:
					row.append(None)
				elif column in table.key and column.kind in ('integer', 'int'):
					row.append(number * 3 if self.rng.random() < 0.99 else self.rng.choice(EDGE_INTEGERS))
				else:
					row.append(self.values.of(column))
			yield row

	def insert(self, table):
		stored = table.stored()
		self.db.executemany('INSERT OR IGNORE INTO %s (%s) VALUES (%s)' % (quoted(table.name),
			', '.join(quoted(column.name) for column in stored), ', '.join('?' * len(stored))), self.rows_of(table))

	def address(self, table):
		return [quoted(column.name) for column in table.key] if table.without_rowid else ['_rowid_']

	def addresses(self, table):
		address = ', '.join(self.address(table))
		return self.db.execute('SELECT %s FROM %s ORDER BY %s' % (address, quoted(table.name), address)).fetchall()

	# Foreign keys, once all parents are there; some of them stay NULL.
	def connect(self, table):
		where = ' AND '.join(f'{column} IS ?' for column in self.address(table))
		for own, other, key in table.links:
			parents = self.db.execute('SELECT %s FROM %s ORDER BY 1 LIMIT 5000' % (
				', '.join(quoted(column.name) for column in key), quoted(other.name))).fetchall()
			sets = ', '.join(quoted(column.name) + ' = ?' for column in own)
			if parents:
				self.db.executemany('UPDATE OR IGNORE %s SET %s WHERE %s' % (quoted(table.name), sets, where),
					[self.rng.choice(parents) + address for address in self.addresses(table) if self.rng.random() < 0.8])

	# One value in thirty becomes one that does not fit; some keys that SQLite lets be NULL are.
	def mess(self, table):
		where = ' AND '.join(f'{column} IS ?' for column in self.address(table))
		for column in table.stored():
			if column in table.key and (table.alias or table.without_rowid):
				continue
			for address in self.addresses(table):
				if self.rng.random() < 0.03:
					self.spoil(table, column, where, address)

	def spoil(self, table, column, where, address):
		value = self.values.mess(column)
		place = 'CAST(? AS TEXT)' if isinstance(value, bytes) and len(value) > 2 else '?'
		try:
			self.db.execute('UPDATE OR IGNORE %s SET %s = %s WHERE %s' % (quoted(table.name), quoted(column.name), place, where),
				(value,) + address)
		except sqlite3.Error:
			pass	# STRICT, a generated column or an index cannot take it


def make_database(path, seed, tables, rows, mess, tame):
	rng = random.Random(seed)
	if os.path.exists(path):
		os.remove(path)
	db = sqlite3.connect(path, isolation_level=None)
	db.executescript('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; BEGIN')
	maker = Maker(rng, tables, tame)
	maker.make()
	filler = Filler(db, rng, rows, Values(rng, tame))
	for table in maker.tables:
		db.execute(maker.table_sql(table))
	for step in (filler.insert, filler.connect) + ((filler.mess,) if mess else ()):
		for table in maker.tables:
			step(table)
	for sql in maker.extras():
		db.execute(sql)
	db.execute('COMMIT')
	orphans = db.execute('PRAGMA foreign_key_check').fetchall()
	broken = db.execute('PRAGMA integrity_check').fetchone()[0]
	if broken != 'ok' or (orphans and not mess):
		sys.exit('random_schema.py: seed %d: %s, %d orphans' % (seed, broken, len(orphans)))
	total = sum(db.execute('SELECT count(*) FROM ' + quoted(table.name)).fetchone()[0] for table in maker.tables)
	print('seed %d: %d tables, %d rows' % (seed, len(maker.tables), total))


def main():
	parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
	parser.add_argument('file')
	parser.add_argument('seed', type=int)
	parser.add_argument('--tables', type=int, default=8)
	parser.add_argument('--rows', type=int, default=40)
	parser.add_argument('--mess', action='store_true')
	parser.add_argument('--tame', action='store_true')
	asked = parser.parse_args()
	make_database(asked.file, asked.seed, asked.tables, asked.rows, asked.mess, asked.tame)


if __name__ == '__main__':
	main()
