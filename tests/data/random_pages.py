#!/usr/bin/env python3
"""Makes rows and a schema for them by chance: random_pages.py IN.db SCHEMA.sql SEED.

IN.db has the rows, in columns without types; SCHEMA.sql is where they go: every affinity, keys of one and of several columns,
with gaps and in the wrong order, indexes of every kind, foreign keys. Most tables have what may be written as pages, so that
SQLite's own way and that of pages have something to differ in; in some a few rows are refused.
"""
import random
import sqlite3
import sys

TYPES = ['INTEGER', 'INT', 'TEXT', 'VARCHAR(9)', 'REAL', 'DOUBLE', 'NUMERIC', 'DECIMAL(9,2)', 'DATE', 'BOOLEAN', 'BLOB', '', 'CHARINT']
INTEGERS = [0, 1, -1, 2, 127, 128, -128, -129, 32767, 32768, -32769, 2**23, -2**23 - 1, 2**31, -2**31 - 1, 2**47 - 1, 2**47, -2**47, -2**47 - 1,
	2**53, 2**53 + 1, 2**62, 2**63 - 1, -2**63]
REALS = [0.5, -0.5, 0.0, -0.0, 1e300, -1e300, 5e-324, 3.0, -7.0, 2.0**47, 2.0**47 - 1, 2.0**53, 1e19, -2.0**63, float('inf'), 1e15, 0.1]
TEXTS = ['', ' ', 'a', 'A', 'a ', 'Ä', '12', ' 12 ', '1.5', '1e5', '1e', '-', '2024-01-01', '0x10', 'abc\x00d', '\x00', '12\x00', 'x' * 300, 'inf']


def quoted(name):
	return '"' + name + '"'


class Column:
	def __init__(self, rng, name):
		self.name, self.declared = name, rng.choice(TYPES)
		self.not_null = rng.random() < 0.2
		self.collation = rng.choice(['NOCASE', 'RTRIM']) if rng.random() < 0.06 else ''
		fits = {'REAL': 'r', 'DOUBLE': 'r', 'NUMERIC': 'n', 'DECIMAL(9,2)': 'n', 'TEXT': 't', 'VARCHAR(9)': 's', 'DATE': 'd', 'BOOLEAN': 'o',
			'BLOB': 'b', '': rng.choice('irtb')}.get(self.declared, 'i')
		# Now and then one that does not fit, which may be refused.
		self.odd = rng.choice([0, 0, 0, 0.002, 0.2])
		self.kind = fits
		self.few = rng.random() < 0.4
		self.large = rng.random() < 0.1

	def value(self, rng, number):
		if not self.not_null and rng.random() < 0.07:
			return None
		kind = rng.choice('irtb') if rng.random() < self.odd else self.kind
		if kind == 'o':
			return rng.randrange(2)
		if kind == 'd':
			return '20%02d-%02d-%02d' % (number % 50, number % 12 + 1, number % 28 + 1)
		if kind == 'n':
			return rng.choice([0, 1, 2.5, 77]) if self.few else number if number % 3 else number + 0.25
		if kind == 's':
			return 'w%d' % (number % (9 if self.few else 10**6))
		if kind == 'i':
			return rng.choice(INTEGERS) if rng.random() < 0.1 else rng.randrange(9) if self.few else number * 7 - 999
		if kind == 'r':
			return rng.choice(REALS) if rng.random() < 0.2 else rng.randrange(99) / 4 if self.few else rng.random() * 1e6
		text = rng.choice(TEXTS) if rng.random() < 0.05 else 'k%d' % rng.randrange(12) if self.few else 'common start %06d' % (number * 7919 % 10**6)
		if self.large and rng.random() < 0.1:
			text *= rng.randrange(1, 3000)
		return text if kind == 't' else text.encode()

	def sql(self):
		return quoted(self.name) + ' ' + self.declared + (' NOT NULL' if self.not_null else '') + (
			' COLLATE ' + self.collation if self.collation else '')


class Table:
	def __init__(self, rng, number, others):
		self.rng, self.name = rng, 't%d' % number
		self.columns = [Column(rng, 'c%d' % i) for i in range(rng.choice([1, 2, 3, 5, 5, 9, 40]))]
		self.key = rng.choice(['alias', 'alias', 'auto', 'text', 'text', 'two', 'none', 'none'])
		self.count = rng.choice([0, 7, 2500, 4000, 6000]) if len(self.columns) < 20 else rng.choice([0, 3, 400])
		self.order = rng.choice(['up', 'up', 'up', 'gaps', 'negative', 'late', 'shuffled'])
		self.wrong = rng.choice([0, 0, 0, 1, 5])
		parents = [other for other in others if other.key in ('alias', 'auto', 'text')]
		self.parent = rng.choice(parents) if parents and rng.random() < 0.6 else None
		self.orphans = rng.random() < 0.2

	def keys(self):
		rng, count = self.rng, self.count
		keys = list(range(1, count + 1))
		if self.order == 'gaps':
			keys = [k * k for k in keys]
		if self.order == 'negative':
			keys = [k - count // 2 for k in keys]
		if self.order == 'late' and count > 99:
			keys[-50:] = reversed(keys[-50:])
		if self.order == 'shuffled':
			rng.shuffle(keys)
		return keys

	def named(self):
		id_type = {'alias': 'INTEGER PRIMARY KEY', 'auto': 'INTEGER PRIMARY KEY AUTOINCREMENT', 'text': 'TEXT PRIMARY KEY',
			'two': 'INT', 'none': 'INT'}[self.key]
		return ['id ' + id_type] + [column.sql() for column in self.columns]

	def schema(self):
		rng, lines = self.rng, self.named()
		names = [quoted(column.name) for column in self.columns]
		if self.key == 'two':
			lines.append('PRIMARY KEY (%s, id%s)' % (rng.choice(names), rng.choice(['', ' DESC'])))
		if rng.random() < 0.2:
			lines.append('UNIQUE (%s)' % ', '.join(['id'] + rng.sample(names, 1)))
		if rng.random() < 0.1:
			lines.append('CHECK (id IS NOT 77)')
		if self.parent:
			lines.insert(1, 'up %s REFERENCES %s(id)' % ('TEXT' if self.parent.key == 'text' else 'INTEGER', self.parent.name))
		options = []
		if self.key in ('text', 'two') and rng.random() < 0.15 and not any(column.not_null for column in self.columns):
			options.append('WITHOUT ROWID')
		yield 'CREATE TABLE %s (%s)%s' % (self.name, ', '.join(lines), ' ' + ', '.join(options) if options else '')
		for i in range(rng.choice([0, 1, 2, 3, 5])):
			parts = [name + (' COLLATE NOCASE' if rng.random() < 0.05 else '') + rng.choice(['', '', ' DESC'])
				for name in rng.sample(names + ['id'], rng.randrange(1, min(4, len(names) + 2)))]
			if rng.random() < 0.05:
				parts.append('%s || 1' % names[0])
			where = rng.choice([" WHERE %s = 'k3'", ' WHERE %s IS NOT NULL', ' WHERE %s > 5']) % rng.choice(names) if rng.random() < 0.2 else ''
			yield 'CREATE INDEX %s_i%d ON %s(%s)%s' % (self.name, i, self.name, ', '.join(parts), where)
		if self.parent:
			yield 'CREATE INDEX %s_up ON %s(up)' % (self.name, self.name)

	def id_of(self, k):
		return 'key %d' % k if self.key == 'text' else k

	def rows(self):
		rng, above = self.rng, self.parent and self.parent.all_keys
		self.all_keys = self.keys()
		wrong = set(rng.sample(range(self.count), min(self.wrong, self.count)))
		for at, k in enumerate(self.all_keys):
			row = [self.id_of(self.all_keys[at // 2] if at in wrong else k)]
			if self.parent:
				row.append(None if not above or rng.random() < 0.1 else 'nobody' if self.orphans and rng.random() < 0.01 else
					self.parent.id_of(rng.choice(above)))
			row += [None if at in wrong and rng.random() < 0.3 else column.value(rng, at) for column in self.columns]
			yield row


def main():
	path, schema, seed = sys.argv[1], sys.argv[2], int(sys.argv[3])
	rng = random.Random(seed)
	db = sqlite3.connect(path, isolation_level=None)
	db.executescript('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN')
	tables = []
	for number in range(rng.randrange(1, 5)):
		tables.append(Table(rng, number, tables))
	with open(schema, 'w') as out:
		for table in tables:
			out.write(';\n'.join(table.schema()) + ';\n')
			names = ['id'] + (['up'] if table.parent else []) + [quoted(column.name) for column in table.columns]
			db.execute('CREATE TABLE %s (%s)' % (table.name, ', '.join(names)))
			db.executemany('INSERT INTO %s VALUES (%s)' % (table.name, ', '.join('?' * len(names))), table.rows())
	db.execute('COMMIT')


main()
