#!/usr/bin/env python3
"""Compares two SQLite databases by their values: same_values.py ONE.db OTHER.db; exit 1 and a line for each difference.

For round trips through another kind of database: tables and columns may have been called otherwise where names were too
long, and a value may have another form as long as it is the same one: 12.50 and '12.50', 1 and 1.0, the same moment, the
same UUID. A column declared REAL keeps -0.0 as the integer 0. All else is compared to the last character and bit.
"""
import re
import sqlite3
import sys
from datetime import datetime, timezone
from decimal import Decimal

NUMBER = re.compile(r'-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?\Z')
MOMENT = re.compile(r'(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d:\d\d)?\Z')
TIME = re.compile(r'(\d\d:\d\d:\d\d)(?:\.0+)?\Z')
UUID = re.compile(r'[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\Z')


def quoted(name):
	return '"' + name.replace('"', '""') + '"'


def moment(text):
	found = MOMENT.match(text)
	if not found:
		return None
	day, time, fraction, zone = found.groups()
	zone = (zone or '').replace('Z', '+00:00')
	at = datetime.fromisoformat('%sT%s%s' % (day, time or '00:00:00', zone))
	return (at.astimezone(timezone.utc) if zone else at).isoformat(), (fraction or '').rstrip('0')


# What is the same whatever its form. Two that only look the same are told apart by same().
def meaning(value):
	if value is None:
		return ('null',)
	if isinstance(value, bytes):
		return ('blob', value)
	if isinstance(value, (int, float)):
		return ('number', '%s' % (Decimal(repr(value)).normalize() + 0))
	if NUMBER.match(value):
		return ('number', '%s' % (Decimal(value).normalize() + 0))
	if moment(value):
		return ('moment',) + moment(value)
	if UUID.match(value):
		return ('uuid', value.lower())
	return ('text', value)


def same(one, other):
	if one == other and type(one) is type(other):
		return True
	if isinstance(one, str) and isinstance(other, str):
		return (moment(one) and moment(one) == moment(other)) or (UUID.match(one) and one.lower() == other.lower()) or (
			TIME.match(one) and TIME.match(other) and one[:8] == other[:8])
	return meaning(one) == meaning(other)


def tables(db):
	return [name for name, in db.execute(
		"SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY rowid")]


# What is stored; what is computed from it comes from the schema.
def columns(db, table):
	return [name for name, in db.execute('SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0', (table,))]


# The name itself, or the one that begins as it does.
def called(name, names):
	return name if name in names else next((other for other in names if other[:25] == name[:25]), None)


def rows(db, table, names):
	found = db.execute('SELECT %s FROM %s' % (', '.join(quoted(name) for name in names), quoted(table))).fetchall()
	return sorted(found, key=lambda row: ([meaning(value) for value in row], [repr(value) for value in row]))


def compare(one, other, table, its):
	if its is None:
		return ['%r is missing' % table]
	mine, theirs = columns(one, table), columns(other, its)
	if len(mine) != len(theirs):
		return ['%r: columns %r and %r' % (table, mine, theirs)]
	first, second = rows(one, table, mine), rows(other, its, theirs)
	said = [] if len(first) == len(second) else ['%r: %d rows and %d rows' % (table, len(first), len(second))]
	for left, right in zip(first, second):
		for name, a, b in zip(mine, left, right):
			if not same(a, b):
				said.append('%r.%r: %r and %r' % (table, name, a, b))
	return said


def main():
	one, other = (sqlite3.connect('file:%s?mode=ro' % path, uri=True) for path in sys.argv[1:3])
	for db in (one, other):
		db.text_factory = lambda raw: raw.decode('utf-8', 'surrogateescape')
	names = tables(other)
	said = [line for table in tables(one) for line in compare(one, other, table, called(table, names))]
	print('\n'.join(said[:40]) or 'the same: %d tables' % len(names))
	sys.exit(1 if said else 0)


main()
