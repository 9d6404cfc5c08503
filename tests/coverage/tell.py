# Tells what gcovr counted: tell.py COVERAGE.json ROOT REASONS FOLDER… For each folder the lines that no test reaches
# and that REASONS does not name, then a line of sums. Of the first folder none may be left: exit 1.
import fnmatch
import json
import re
import sys


def spans(numbers):
    out = []
    for n in sorted(numbers):
        if out and n == out[-1][1] + 1:
            out[-1][1] = n
        else:
            out.append([n, n])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in out)


def percent(part, whole):
    return 100.0 * part / whole if whole else 100.0


def counted(file):
    lines = [l for l in file["lines"] if not l.get("gcovr/noncode")]
    missed = [l["line_number"] for l in lines if l["count"] == 0]
    branches = [b for l in lines for b in l.get("branches", [])]
    taken = sum(1 for b in branches if b["count"] > 0)
    return len(lines), missed, len(branches), taken


# "core/exec.c | child() | why": a function; "core/* | /text/ | why": lines that match the expression.
class Reason:
    def __init__(self, line):
        self.line = line
        self.files, self.where, self.why = (part.strip() for part in line.split(" | "))
        self.uses = 0
        self.text = re.compile(self.where[1:-1]) if self.where.startswith("/") else None

    def names(self, path, function, text):
        if not fnmatch.fnmatch(path, self.files):
            return False
        if self.text:
            return self.text.search(text) is not None
        return self.where == function + "()"


def read_reasons(path):
    with open(path, encoding="utf-8") as text:
        return [Reason(line.strip()) for line in text if line.strip() and not line.startswith("#")]


# The function that each line of a C file in this project's style is in: its head stands at the margin.
def functions(lines):
    name, out = "", []
    for line in lines:
        head = re.match(r"(?:[A-Za-z_][\w ]*[ *])(\w+)\(", line)
        if head:
            name = head.group(1)
        out.append(name)
    return out


def unnamed(root, path, missed, reasons):
    with open(root + "/" + path, encoding="utf-8") as text:
        lines = text.read().split("\n")
    inside, left = functions(lines), []
    for number in missed:
        why = next((r for r in reasons if r.names(path, inside[number - 1], lines[number - 1].strip())), None)
        if why:
            why.uses += 1
        else:
            left.append(number)
    return left


def tell(folder, files, root, reasons):
    lines = hit = branches = taken = left = 0
    for file in sorted(files, key=lambda f: f["file"]):
        if not file["file"].startswith(folder + "/"):
            continue
        all_lines, missed, all_branches, taken_here = counted(file)
        rest = unnamed(root, file["file"], missed, reasons)
        lines, hit = lines + all_lines, hit + all_lines - len(missed)
        branches, taken, left = branches + all_branches, taken + taken_here, left + len(rest)
        if rest:
            print(f"{file['file']:34} {percent(taken_here, all_branches):5.1f} % of branches; lines: {spans(rest)}")
    print(f"{folder + ':':9} lines {percent(hit, lines):.1f} % ({hit} of {lines}), {lines - hit - left} more are named "
          f"with a reason, {left} are not; branches {percent(taken, branches):.1f} % ({taken} of {branches})")
    return left


with open(sys.argv[1], encoding="utf-8") as coverage:
    found = json.load(coverage)["files"]
known = read_reasons(sys.argv[3])
rests = [tell(folder, found, sys.argv[2], known) for folder in sys.argv[4:]]
for reason in known:
    if not reason.uses:
        print(f"named for nothing: {reason.line}")
sys.exit(1 if rests[0] else 0)
