# Tells what gcovr counted: for each folder the lines that no test reaches, then a line of sums.
import json
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


def excluded(path):
    with open(path, encoding="utf-8") as text:
        return [line.strip() for line in text if "GCOVR_EXCL" in line]


with open(sys.argv[1], encoding="utf-8") as text:
    files = json.load(text)["files"]
root = sys.argv[2]
for folder in sys.argv[3:]:
    sums = [0, 0, 0, 0]
    marks = 0
    for file in sorted(files, key=lambda f: f["file"]):
        if not file["file"].startswith(folder + "/"):
            continue
        lines, missed, branches, taken = counted(file)
        marks += len(excluded(root + "/" + file["file"]))
        sums = [sums[0] + lines, sums[1] + len(missed), sums[2] + branches, sums[3] + taken]
        if missed:
            print(f"{file['file']:34} {percent(taken, branches):5.1f} % of branches; lines: {spans(missed)}")
    print(f"{folder + ':':9} lines {percent(sums[0] - sums[1], sums[0]):.1f} % ({sums[0] - sums[1]} of {sums[0]}), "
          f"branches {percent(sums[3], sums[2]):.1f} % ({sums[3]} of {sums[2]}), {marks} marks of lines that no test can reach")
