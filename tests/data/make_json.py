#!/usr/bin/env python3
"""make_json.py SEED DIR: JSON of many shapes, the same for the same seed, and the pipelines that take it into SQLite and back.

DIR/in has the files: arrays, lines, objects of objects, envelopes, trees of files with parts of their names in columns, arrays within
records as child tables, names and texts of any characters, integers and decimals that no double has, empty, null and absent
values. DIR/import.cfg reads them into DIR/db.sqlite, DIR/export.cfg writes DIR/out with the same mapping. What a column of one
type cannot tell apart (null, absent, empty) a second column with the filter presence does.
"""
import json
import os
import random
import sys

LETTERS = ["a", "B", "z", "0", " ", "-", ".", "'", '"', "\\", "/", "$", "@", "*", "[", "]", "{", "}", "|", "#", "é", "ß", "日", "本",
           "🚀", "\u00a0", "\u2028", "\n", "\t", "\u0001", "\u007f", "e\u0301"]


TYPES = {"integer": "bigint", "real": "double precision"}


class Number(float):
    """A number that is written as it stands."""

    def __new__(cls, text):
        self = super().__new__(cls, 0.0)
        self.text = text
        return self

    def __repr__(self):
        return self.text


def dump(value, indent=None):
    """json.dumps writes a float by float.__repr__, which knows nothing of its digits."""
    marks = {}

    def mark(v):
        if isinstance(v, Number):
            key = "\ue000%d\ue001" % len(marks)
            marks[key] = v.text
            return key
        if isinstance(v, dict):
            return {k: mark(x) for k, x in v.items()}
        return [mark(x) for x in v] if isinstance(v, list) else v

    text = json.dumps(mark(value), ensure_ascii=False, indent=indent)
    for key, digits in marks.items():
        text = text.replace('"%s"' % key, digits)
    return text


class Make:
    def __init__(self, seed, folder):
        self.r = random.Random(seed)
        self.folder = folder
        self.tables = []
        self.count = 0

    # ---- values -------------------------------------------------------------------------------------------------------
    def letters(self):
        return "".join(self.r.choice(LETTERS) for _ in range(self.r.randint(0, 12)))

    def text(self):
        return "long " * self.r.randint(200, 2000) if self.r.random() < 0.02 else self.letters()

    def number(self):
        r = self.r
        digits = "".join(r.choice("0123456789") for _ in range(r.randint(1, 38)))
        whole = digits.lstrip("0") or "0"
        return Number(r.choice(["", "-"]) + whole + (".%d" % r.randint(0, 10 ** 12) if r.random() < 0.6 else ""))

    def any(self, depth=0):
        r = self.r
        kinds = ["text", "integer", "real", "numeric", "boolean", "null"] + (["list", "object"] * 2 if depth < 3 else [])
        kind = r.choice(kinds)
        if kind == "null":
            return None
        if kind == "list":
            return [self.any(depth + 1) for _ in range(r.randint(0, 3))]
        if kind == "object":
            return {self.letters(): self.any(depth + 1) for _ in range(r.randint(0, 3))}
        return self.value(kind)

    def value(self, kind):
        r = self.r
        if kind == "text":
            return self.text()
        if kind == "integer":
            return r.choice([0, 1, -1, 2 ** 63 - 1, -2 ** 63, 2 ** 53 + 1, r.randint(-10 ** 6, 10 ** 6), r.getrandbits(62)])
        if kind == "real":
            return r.choice([0.0, 0.1, -1.5, 1e300, 2.2250738585072014e-308, 123456.789, r.uniform(-1e6, 1e6), r.random()])
        if kind == "numeric":
            return self.number()
        if kind == "boolean":
            return r.random() < 0.5
        while True:
            made = self.any()
            if made is not None:
                return made

    # ---- mappings -----------------------------------------------------------------------------------------------------
    def name(self):
        """A member's name, and no other has it."""
        self.count += 1
        return "%s%d" % (self.letters(), self.count)

    @staticmethod
    def member(name):
        return "['%s']" % "".join("\\" + c if c in "'\\" else "\\u%04x" % ord(c) if ord(c) < 32 else c for c in name)

    @staticmethod
    def quoted(text):
        return '"%s"' % text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t").replace("${", "$${")

    def column(self, name, path, kind=None):
        return "{ name = %s; path = %s;%s }" % (self.quoted(name), self.quoted(path), " type = \"%s\";" % TYPES.get(kind, kind) if kind else "")

    def fields(self, prefix, base="@"):
        """Columns for some members of a record, and what makes one: a function that gives a dict."""
        r = self.r
        columns, makers = [], []
        for i in range(r.randint(1, 6)):
            name, kind = self.name(), r.choice(["text", "integer", "real", "numeric", "boolean", "json"])
            path = base + self.member(name)
            columns.append(self.column("%s%d" % (prefix, i), path, kind))
            columns.append(self.column("%s%d_is" % (prefix, i), path + " | presence", "text"))
            makers.append((name, lambda kind=kind: self.value(kind)))
        if r.random() < 0.4:                         # an object within it, taken apart
            name = self.name()
            columns.append(self.column(prefix + "o_is", base + self.member(name) + " | presence", "text"))
            inner, make = self.fields(prefix + "o", base + self.member(name)) if len(base) < 400 else ([], None)
            columns += inner
            if make:
                makers.append((name, make))

        def record():
            made = {}
            for name, make in makers:
                chance = r.random()
                if chance < 0.15:
                    continue
                made[name] = None if chance < 0.3 else make()
            return made

        return columns, record

    def table(self, name, mapping, columns):
        self.tables.append((name, "%s columns = (\n      %s );" % (mapping, ",\n      ".join(columns))))

    def write(self, name, text):
        path = os.path.join(self.folder, "in", name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)

    def records(self, record):
        return [record() for _ in range(self.r.choice([1, 2, 7, 30]))]

    # ---- shapes -------------------------------------------------------------------------------------------------------
    def array(self):
        columns, record = self.fields("c")
        self.table("arr", 'files = "array.json"; shape = "array";', columns)
        self.write("array.json", dump(self.records(record), self.r.choice([None, 2])))

    def lines(self):
        columns, record = self.fields("c")
        self.table("lin", 'files = "lines.jsonl"; shape = "lines";', columns)
        self.write("lines.jsonl", "".join(dump(one) + "\n" for one in self.records(record)))

    def members(self):
        columns, record = self.fields("c")
        columns.insert(0, self.column("k", "{k}", "text"))
        self.table("mem", 'files = "members.json"; rows = "$.{k}";', columns)
        self.write("members.json", dump({self.name(): record() for _ in range(self.r.randint(1, 20))}))

    def envelope(self):
        columns, record = self.fields("c")
        outer, around = self.fields("e", "$")
        name, inner = self.name(), self.name()
        rows = "$%s%s[*]" % (self.member(name), self.member(inner))
        self.table("env", "files = \"envelope.json\"; rows = %s;" % self.quoted(rows), columns + outer)
        made = around()
        made[name] = {inner: self.records(record)}
        self.write("envelope.json", dump(made, 1))

    def tree(self):
        columns, record = self.fields("c")
        columns += [self.column("a", "{a}", "text"), self.column("b", "{b}", "text")]
        self.table("tre", 'files = "tree/{a}/x {b}.json"; shape = "array";', columns)
        for i in range(self.r.randint(1, 4)):
            for j in range(self.r.randint(1, 3)):
                name = self.r.choice(["ä", "b c", "100%", "q'"]) + str(j)
                self.write("tree/%d/x %s.json" % (i, name), dump(self.records(record)))

    def children(self):
        """Orders, their items, the tags of these: three tables and one file."""
        r = self.r
        order, make_order = self.fields("o")
        item, make_item = self.fields("i")
        order += [self.column("id", "@.id", "integer"), self.column("items_are", "@.items | presence", "text")]
        item += [self.column("id", "$.orders[*].id", "integer"), self.column("no", "@.no", "integer"),
                 self.column("place", "#index", "integer"), self.column("tags_are", "@.tags | presence", "text")]
        self.table("ord", 'files = "orders.json"; rows = "$.orders[*]";', order)
        self.table("itm", 'files = "orders.json"; rows = "$.orders[*].items[*]";', item)
        self.table("tag", 'files = "orders.json"; rows = "$.orders[*].items[*].tags[*]";',
                   [self.column("id", "$.orders[*].id", "integer"), self.column("no", "$.orders[*].items[*].no", "integer"),
                    self.column("tag", "@", "text"), self.column("tag_is", "@ | presence", "text")])
        made = []
        for number in range(r.randint(1, 12)):
            one = make_order()
            one["id"] = number * 7
            if r.random() < 0.8:
                one["items"] = None if r.random() < 0.2 else [dict(make_item(), no=i) for i in range(r.randint(0, 4))]
            for inner in one.get("items") or []:
                if r.random() < 0.7:
                    inner["tags"] = r.choice([None, [], [self.text() for _ in range(r.randint(1, 4))]])
            made.append(one)
        self.write("orders.json", dump({"orders": made}, 2))

    # ---- all of it ----------------------------------------------------------------------------------------------------
    def pipeline(self, name, stores, side):
        with open(os.path.join(self.folder, name + ".cfg"), "w", encoding="utf-8") as f:
            f.write('version = 1;\nname = "%s";\n%s\nworkers = %d;\ntables = (\n' % (name, stores, self.r.choice([1, 3])))
            f.write(",\n".join('  { name = "%s"; %s = { %s }; }' % (table, side, mapping) for table, mapping in self.tables))
            f.write("\n);\n")

    def run(self):
        for shape in (self.array, self.lines, self.members, self.envelope, self.tree, self.children):
            shape()
        indent = self.r.choice([0, 0, 1, 4])
        self.pipeline("import", 'source = { plugin = "json"; path = "in"; };\ntarget = { plugin = "sqlite"; path = "db.sqlite"; };',
                      "from")
        self.pipeline("export", 'source = { plugin = "sqlite"; path = "db.sqlite"; };\n'
                      'target = { plugin = "json"; path = "out"; indent = %d; };' % indent, "to")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    Make(sys.argv[1], sys.argv[2]).run()
