#!/usr/bin/env python3
"""json_judge.py RULES|all|but:RULES IN OUT: is the tree OUT, which was exported, equal by value to the tree IN in all that the rules name?

A line of RULES is "FILES PATH", with * for any folder and for any member or element, {a,b} for several members, and a last ** for all
that is below; or "FILES PATH = JSON": what the export says where the input has nothing or null; or "FILES PATH = .MEMBER": what
that member beside it says. Every value of the input that a rule names has to be in the export at the same path, and every value
of the export has to be the input's at the same path. Null and absent are one here; 5 and 5.0 too, true and 1 are not.

With "all" both trees have to be the same files with the same values, null and absent told apart; of .jsonl each line is a value.

With but:RULES they have to be so in all that no rule names. What a rule names has to be in the input, and nowhere in the export, so
that the rules are the whole list of what does not come back, and no more than that.
"""
import fnmatch
import json
import os
import re
import sys
from decimal import Decimal


def load(path):
    with open(path, encoding="utf-8-sig") as f:
        text = f.read()
    if path.endswith(".jsonl"):
        return [json.loads(line, parse_float=Decimal, parse_int=Decimal) for line in text.split("\n") if line]
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def files(root):
    return {os.path.relpath(os.path.join(folder, name), root)
            for folder, _, names in os.walk(root) for name in names if name.endswith((".json", ".jsonl"))}


def leaves(value, path=()):
    """Every scalar, and every array and object with nothing in it."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    empty = True
    for step, one in inner:
        empty = False
        yield from leaves(one, path + (step,))
    if empty:
        yield path, value


def at(value, path):
    for step in path:
        if isinstance(value, dict) and isinstance(step, str):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value


def same(a, b):
    return type(a) is type(b) and a == b


def steps(text):
    """The paths that a rule stands for: one for each name in braces."""
    braces = re.search(r"\{([^}]*)\}", text)
    if braces:
        for name in braces.group(1).split(","):
            yield from steps(text[:braces.start()] + name.strip() + text[braces.end():])
    else:
        yield text.lstrip("$").replace("[*]", ".*").split(".")[1:] if text != "$" else []


def matches(rule, path):
    for i, step in enumerate(rule):
        if step == "**":
            return True
        if i >= len(path) or (step != "*" and step != path[i]):
            return False
    return len(rule) == len(path)


class Rules:
    def __init__(self, path):
        self.rules = []
        with open(path, encoding="utf-8") as f:
            for line in f:
                line, _, default = line.strip().partition(" = ")
                if line:
                    pattern, path_text = line.split(None, 1)
                    self.rules += [(pattern, path, default) for path in steps(path_text)]

    def names(self, file, path):
        return [default for pattern, rule, default in self.rules
                if fnmatch.fnmatch(file, pattern) and matches(rule, path)]

    def rules_of(self, file):
        return [rule for pattern, rule, _ in self.rules if fnmatch.fnmatch(file, pattern)]


def allowed(defaults, whole, path, value):
    for default in defaults:
        if default.startswith("."):
            other = at(whole, path[:-1] + (default[1:],))
            if other is not None and same(other, value):
                return True
        elif default and same(json.loads(default, parse_float=Decimal, parse_int=Decimal), value):
            return True
    return False


def judge(rules, source, export):
    wrong, count = [], 0
    for file in sorted(files(source) | files(export)):
        there = os.path.exists(os.path.join(source, file))
        before = load(os.path.join(source, file)) if there else None
        after = load(os.path.join(export, file)) if os.path.exists(os.path.join(export, file)) else None
        for path, value in leaves(before) if there else ():
            if value is not None and rules.names(file, path):
                count += 1
                if not same(at(after, path), value):
                    wrong.append("%s %s: %r became %r" % (file, path, value, at(after, path)))
        for path, value in leaves(after) if after is not None else ():
            was = at(before, path)
            if value is None or same(was, value) or (was is None and allowed(rules.names(file, path), before, path, value)):
                continue
            wrong.append("%s %s: %r is not in the input, which has %r" % (file, path, value, was))
    return wrong, count


def differences(a, b, path=()):
    if isinstance(a, dict) and isinstance(b, dict):
        for name in sorted(set(a) | set(b)):
            if name not in a or name not in b:
                yield "%s is only in the %s" % (path + (name,), "input" if name in a else "export")
            else:
                yield from differences(a[name], b[name], path + (name,))
    elif isinstance(a, list) and isinstance(b, list):
        if len(a) != len(b):
            yield "%s: %d elements became %d" % (path, len(a), len(b))
        for i, (one, other) in enumerate(zip(a, b)):
            yield from differences(one, other, path + (i,))
    elif not same(a, b):
        yield "%s: %r became %r" % (path, a, b)


def judge_all(source, export):
    wrong, count = [], 0
    for file in sorted(files(source) | files(export)):
        there = [os.path.exists(os.path.join(root, file)) for root in (source, export)]
        if all(there):
            before, after = load(os.path.join(source, file)), load(os.path.join(export, file))
            count += sum(1 for _ in leaves(before))
            wrong += ["%s %s" % (file, one) for one in differences(before, after)]
        else:
            wrong.append("%s is only in the %s" % (file, "input" if there[0] else "export"))
    return wrong, count


def without(rules, file, value, named, path=()):
    """The value with nothing in it that a rule names; named gets the rules that found something."""
    if isinstance(value, list):
        return [without(rules, file, one, named, path + (i,)) for i, one in enumerate(value)]
    if not isinstance(value, dict):
        return value
    left = {}
    for name, one in value.items():
        found = {rule for rule in map(tuple, rules.rules_of(file)) if matches(rule, path + (name,))}
        named.update((file, rule) for rule in found)
        if not found:
            left[name] = without(rules, file, one, named, path + (name,))
    return left


def judge_but(rules, source, export):
    wrong, count = [], 0
    for file in sorted(files(source) | files(export)):
        there = [os.path.exists(os.path.join(root, file)) for root in (source, export)]
        if not all(there):
            wrong.append("%s is only in the %s" % (file, "input" if there[0] else "export"))
            continue
        missing, kept = set(), set()
        before = without(rules, file, load(os.path.join(source, file)), missing)
        after = without(rules, file, load(os.path.join(export, file)), kept)
        count += sum(1 for _ in leaves(before))
        wrong += ["%s %s" % (file, one) for one in differences(before, after)]
        wrong += ["%s %s is in the export, and a rule says that it is not" % (file, list(rule)) for _, rule in kept]
        wrong += ["%s %s is not in the input, and a rule says that it is" % (file, list(rule))
                  for rule in map(tuple, rules.rules_of(file)) if (file, rule) not in missing]
    return wrong, count


def main():
    if sys.argv[1].startswith("but:"):
        wrong, count = judge_but(Rules(sys.argv[1][4:]), sys.argv[2], sys.argv[3])
    elif sys.argv[1] == "all":
        wrong, count = judge_all(sys.argv[2], sys.argv[3])
    else:
        wrong, count = judge(Rules(sys.argv[1]), sys.argv[2], sys.argv[3])
    for line in wrong[:20]:
        print(line)
    print("%d values were looked for, %d are wrong" % (count, len(wrong)))
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    sys.exit(main())
