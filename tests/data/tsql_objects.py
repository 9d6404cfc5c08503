#!/usr/bin/env python3
"""What the DDL of T-SQL on standard input makes, a line for each column, key, check and index, sorted; so two schemas can be
compared whatever they look like; with --names also what constraints are called. Other statements are passed over."""
import re
import sys

NAMES = "--names" in sys.argv
TOKEN = re.compile(r"\s+|--[^\n]*|/\*.*?\*/|(\[(?:[^\]]|\]\])*\])|(N?'(?:[^']|'')*')|([A-Za-z_#@][\w$#@]*)|([\d.]+(?:[eE][+-]?\d+)?)|(.)", re.S)


def tokens_of(text):
    """Names without their brackets as ("name", x), words as ("word", X), the rest as it is."""
    for m in TOKEN.finditer(text):
        name, string, word, number, other = m.groups()
        if name:
            yield ("name", name[1:-1].replace("]]", "]"))
        elif string:
            yield ("string", string[1:] if string[0] == "N" else string)
        elif word:
            yield ("word", word)
        elif number or other:
            yield ("other", number or other)


class Reader:
    def __init__(self, text):
        self.t = list(tokens_of(text)) + [("end", "")]
        self.i = 0

    def word(self):
        kind, text = self.t[self.i]
        return text.upper() if kind == "word" else text if kind == "other" else ""

    def take(self):
        self.i += 1
        return self.t[self.i - 1]

    def accept(self, *words):
        for k, w in enumerate(words):
            kind, text = self.t[min(self.i + k, len(self.t) - 1)]
            if (text.upper() if kind == "word" else text if kind == "other" else None) != w:
                return False
        self.i += len(words)
        return True

    def name(self):
        text = self.take()[1]
        while self.accept("."):
            text = self.take()[1]
        return text

    def names(self):
        """( a, b DESC )"""
        out = []
        self.accept("(")
        while not self.accept(")"):
            n = self.name()
            out.append(n + (" desc" if self.accept("DESC") else ""))
            self.accept("ASC")
            self.accept(",")
        return "(" + ", ".join(out) + ")"

    def balanced(self):
        """What stands in parentheses, without the outermost."""
        depth, out = 0, []
        while True:
            kind, text = self.take()
            depth += (text == "(" and kind == "other") - (text == ")" and kind == "other")
            out.append("[%s]" % text if kind == "name" else text)
            if depth == 0 or kind == "end":
                break
        text = " ".join(out[1:-1])
        return re.sub(r"\s*([(),.])\s*", r"\1", text)


def unwrap(text):
    return text.replace(",", ", ")


def type_of(r):
    text = r.take()[1].lower()
    if r.word() == "(":
        text += "(" + r.balanced().lower() + ")"
    return text


def references(r, table, columns, out):
    parent = r.name()
    theirs = r.names() if r.word() == "(" else ""
    tail = ""
    while r.accept("ON"):
        event = r.take()[1].lower()
        action = "no action" if r.accept("NO", "ACTION") else "set null" if r.accept("SET", "NULL") else r.take()[1].lower()
        tail += "" if action == "no action" else " on %s %s" % (event, action)
    out.append("foreign key %s %s -> %s %s%s" % (table, columns, parent, theirs, tail))


def key_or_check(r, table, name, out):
    """After CONSTRAINT and its NAME, or without them; False: it is a column."""
    table += " " + name if name and NAMES else ""
    if r.accept("PRIMARY", "KEY"):
        kind = "primary key"
    elif r.accept("UNIQUE"):
        kind = "unique"
    elif r.accept("CHECK"):
        out.append("check %s %s" % (table, unwrap(r.balanced())))
        return True
    elif r.accept("FOREIGN", "KEY"):
        columns = r.names()
        r.accept("REFERENCES")
        references(r, table, columns, out)
        return True
    else:
        return False
    clustered = " nonclustered" if r.accept("NONCLUSTERED") else ""
    r.accept("CLUSTERED")
    out.append("%s %s %s%s" % (kind, table, r.names(), clustered))
    return True


def column(r, table, out):
    name = r.name()
    where = "%s.%s" % (table, name)
    if r.accept("AS"):
        text = "column %s as %s" % (where, r.balanced())
        text += " persisted" if r.accept("PERSISTED") else ""
    else:
        text = "column %s %s" % (where, type_of(r))
    null = " null"
    while r.word() not in (",", ")", ""):
        if r.accept("IDENTITY"):
            text += " identity(%s)" % r.balanced()
        elif r.accept("COLLATE"):
            text += " collate " + r.take()[1]
        elif r.accept("NOT", "NULL"):
            null = " not null"
        elif r.accept("NULL"):
            pass
        elif r.accept("DEFAULT"):
            text += " default " + unwrap(r.balanced())
        elif r.accept("CONSTRAINT"):
            r.name()
        elif r.accept("PRIMARY", "KEY"):
            out.append("primary key %s (%s)" % (table, name))
        elif r.accept("UNIQUE"):
            out.append("unique %s (%s)" % (table, name))
        elif r.accept("REFERENCES"):
            references(r, table, "(%s)" % name, out)
        else:
            r.take()
    out.append(text + null)


def create_table(r, out):
    table = r.name()
    out.append("table " + table)
    r.accept("(")
    while not r.accept(")"):
        name = r.name() if r.accept("CONSTRAINT") else None
        if not key_or_check(r, table, name, out):
            column(r, table, out)
        r.accept(",")


def create_index(r, unique, out):
    name = r.name()
    r.accept("ON")
    table = r.name()
    text = "index %s %s %s" % (table, name, r.names())
    where = []
    if r.accept("WHERE"):
        while r.word() not in (";", "CREATE", "ALTER", "GO", "DECLARE") and r.t[r.i][0] != "end":
            where.append(r.take()[1])
    out.append(("unique " if unique else "") + text + (" where " + " ".join(where) if where else ""))


def main():
    r, out = Reader(sys.stdin.read()), []
    while r.t[r.i][0] != "end":
        if r.accept("CREATE", "TABLE"):
            create_table(r, out)
        elif r.accept("CREATE", "UNIQUE", "INDEX"):
            create_index(r, True, out)
        elif r.accept("CREATE", "INDEX"):
            create_index(r, False, out)
        elif r.accept("ALTER", "TABLE"):
            table = r.name()
            if r.accept("ADD", "CONSTRAINT"):
                key_or_check(r, table, r.name(), out)
        else:
            r.take()
    print("\n".join(sorted(out)))


main()
