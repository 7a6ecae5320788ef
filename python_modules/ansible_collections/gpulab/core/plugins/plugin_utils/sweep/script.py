"""The script that is sent to a node: POSIX shell, GNU tools, and nothing written.

It prints frames. Each begins on a line of its own with a word that was drawn for this run, so that
nothing that a node's file holds can be taken for one; what follows is raw, whatever bytes it has.
The whole is compressed and coded in letters, because it crosses programs that want text.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ...module_utils.hardware.nic_counters import PAUSE_S
from ...module_utils.hardware.tools import SEARCH_PATH
from .plan import AGAIN, Plan, with_parents
from .snapshot import Group, Tool

# What is needed on the node. All of it is on every Debian, Ubuntu and EL server.
_NEEDED = ("base64", "cat", "date", "find", "grep", "gzip", "head", "sed", "sleep", "timeout", "tr")
# What a tool may say at most: ten times what a large node's package database does. What is longer
# is unknown, not cut.
MOST_OUTPUT = 4 * 1024 * 1024

_HEAD = """\
main() {
cd @ROOT@ || return
for need in @NEEDED@; do
  command -v "$need" >/dev/null 2>&1 || { frame lacks "$need"; return; }
done
find . -maxdepth 0 -printf '' 2>/dev/null || { frame lacks 'GNU find'; return; }
grep -aZq '^Name' /proc/self/status 2>/dev/null || { frame lacks 'GNU grep'; return; }
limit=@LIMIT@
frame node "$(id -u)" "$(uname -m)" "$(date +%s)"
"""
_TAIL = """\
frame end
}
frame() { printf '\\n@MARK@ %s\\n' "$*"; }
limit() { timeout -k 1 "$limit" "$@"; }
# look PATH...: what each is, when it changed, and where a link leads
look() {
  frame entries @EVERY@
  limit find "$@" -maxdepth 0 -printf '%y%Y %T@ %C@ %p\\0%l\\0' 2>/dev/null
  frame looked @EVERY@ $?
}
# read_lines GROUP TEXT PATH...: the lines with the text, each behind its file's name
read_lines() {
  group=$1 text=$2; shift 2
  frame contents "$group"
  { said=$(limit grep -aZH -e "$text" -- "$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
  frame read "$group" "$status"
  printf '%s' "$said"
}
is_late() { [ "$status" = 124 ] || [ "$status" = 137 ]; }
# has TEXT PATH...: whether one of these files has the text
has() {
  text=$1; shift
  limit grep -q -e "$text" -- "$@" 2>/dev/null
}
# beside TEXT NAME PATH...: where NAME lies beside the files that have the text
beside() {
  text=$1 name=$2; shift 2
  limit grep -l -e "$text" -- "$@" 2>/dev/null | while read -r file; do
    printf '%s\\n' "${file%/*}/$name"
  done
}
# pause: begin to wait for the second reading
pause() { sleep @PAUSE@ >/dev/null 2>&1 & pausing=$!; }
# kept KEEP: no more than is read; with KEEP the first line, and the lines that match. A variable
# holds no NUL.
kept() {
  if [ "$1" ]; then sed -n -e '1{p;d}' -e "/$1/p"; else cat; fi |
    tr -d '\\000' | head -c @MOST@
}
newline='
'
# tool NUMBER LAST KEEP WORD...: a tool's output, then what it said of errors; LAST is what was
# added. Its errors come with its exit status as their last line: its output goes through others.
tool() {
  number=$1 last=$2 keep=$3; shift 3
  frame tool "$number" "$last"
  { said=$({ { limit "$@" 3>&- 4>&-; printf '\\n%s' "$?" >&2; } 2>&4 |
    kept "$keep" >&3 2>/dev/null 3>&- 4>&-; } 4>&1); } 3>&1
  frame told "${said##*"$newline"}"
  printf '%s' "${said%"$newline"*}"
}
# hold NUMBER LAST KEEP WORD...: run a tool as a part of a pipeline, which runs side by side; then
# hand on what the parts before it said, and what it did. Nothing is written to a file for that.
hold() {
  if command -v "$4" >/dev/null 2>&1; then
    # A shell may complain of a NUL in what a tool says of errors.
    { held=$(tool "$@" </dev/null; printf .); } 2>/dev/null
  else
    held=$(frame tool "$1" "$2"; frame told missing; printf .)
  fi
  cat
  printf '%s' "${held%.}"
}
export LC_ALL=C PATH=@PATH@
main </dev/null | gzip -c -1 | base64
"""

# The name of all groups together.
EVERY = "every"
# The first try at all files has this part of the time limit, so that with it a second one, group by
# group, ends in time: files that answer at all do so in milliseconds.
_QUICK = 3

# Root reads serial numbers. A refused sudo has read nothing of its input, so the second shell gets
# the script whole; after a sudo that ran there is nothing left to read.
_AS_ROOT = 'if [ "$(id -u)" = 0 ]; then sh -s; else sudo -n sh -s 2>/dev/null || sh -s; fi'
_AS_USER = "sh -s"


def tools_of(plan: Plan) -> list[Tool]:
    """Return all tools of a plan, in the order of their numbers in the script."""
    return [tool for group in plan.groups for tool in group.tools]


def build(
    plan: Plan, mark: str, limit_s: float, root: str = "/", search_path: str = SEARCH_PATH
) -> str:
    """Return the script.

    Args:
        plan: What to read.
        mark: The word that begins frames: letters and digits that nobody can foresee.
        limit_s: Seconds after which a group's files, or a tool, are given up.
        root: Where the node's files are; tests replace it.
        search_path: Where tools are looked for.
    """
    lines = [
        # The last part of the pipeline reads the files while the tools run in those before it.
        *_running(tools_of(plan)),
        "{",
        *_reading(plan.groups),
        *_pausing(plan),
        "cat",
        *_again(plan),
        "}",
    ]
    text = _HEAD + "\n".join(lines) + "\n" + _TAIL
    for place, value in (
        ("@NEEDED@", " ".join(_NEEDED)),
        ("@MARK@", mark),
        ("@LIMIT@", f"{limit_s:g}"),
        ("@PAUSE@", f"{PAUSE_S:g}"),
        # One more than may be, so that what is too long shows.
        ("@MOST@", str(MOST_OUTPUT + 1)),
        ("@QUICK@", f"{limit_s / _QUICK:g}"),
        ("@EVERY@", EVERY),
        ("@ROOT@", shlex.quote(root)),
        ("@PATH@", shlex.quote(search_path)),
    ):
        text = text.replace(place, value)
    return text


def command(script: str, mark: str, *, become: bool) -> str:
    """Return the command that runs the script, as root where that is wanted and can be had.

    The script goes in by standard input, so that sudo's log holds no page of shell.
    """
    return f"{_AS_ROOT if become else _AS_USER} <<'{mark}'\n{script}{mark}\n"


def _reading(groups: Sequence[Group]) -> Iterator[str]:
    """Give the lines that read files: all at once, and group by group only where that hangs.

    Processes are what a script's time goes into, and hardly any node has a file that hangs.
    """
    lined = [(group.name, *line) for group in groups for line in group.lines]
    besides = [(group.name, *beside) for group in groups for beside in group.beside]
    files = [pattern for group in groups for pattern in _files(group)]
    paths = [
        *(pattern for group in groups for pattern in group.paths),
        *(f"{pattern.rpartition('/')[0]}/{name}" for _, _, pattern, name in besides),
    ]
    yield f"look {' '.join(with_parents((*files, *paths, *(line[-1] for line in lined))))}"
    yield f"limit=@QUICK@; read_lines {EVERY} '' {' '.join(dict.fromkeys(files))}; limit=@LIMIT@"
    yield "if is_late; then"
    for group in groups:
        if _files(group):
            yield f"  read_lines {shlex.quote(group.name)} '' {' '.join(_files(group))}"
    yield "fi"
    for name, text, pattern in lined:
        yield f"read_lines {shlex.quote(name)} {shlex.quote(text)} {pattern}"
    for name, text, pattern, there in besides:
        yield f"found=$(beside {shlex.quote(text)} {there} {pattern})"
        yield f"[ -z \"$found\" ] || read_lines {shlex.quote(name)} '' $found"


def _files(group: Group) -> tuple[str, ...]:
    return (*group.files, *group.twice)


def _pausing(plan: Plan) -> Iterator[str]:
    """Give the lines that begin to wait for the second reading, where there is something to read.

    What runs meanwhile costs no time of its own.
    """
    yield "pausing="
    for pattern in dict.fromkeys(group.twice_if for group in plan.groups if group.twice):
        yield f"for file in {pattern}; do"
        yield '  [ -n "$pausing" ] || [ ! -e "$file" ] || pause'
        yield "done"


def _again(plan: Plan) -> Iterator[str]:
    """Give the lines that read a second time."""
    files = [pattern for group in plan.groups for pattern in group.twice]
    if files:
        yield '[ -z "$pausing" ] || {'
        yield f"  wait \"$pausing\"; read_lines {AGAIN} '' {' '.join(files)}"
        yield "}"


def _running(tools: Sequence[Tool]) -> Iterator[str]:
    """Give the lines that run the tools, all at once: each is a part of one pipeline, less its end.

    So tools that hang cost the time limit once, however many they are.
    """
    parts = []
    for number, tool in enumerate(tools):
        keep = shlex.quote("\\|".join(tool.keep))
        words = shlex.join(tool.argv)
        part = f"hold {number} '' {keep} {words}"
        if tool.each:
            # One file is taken, and the others are parts of the pipeline before it.
            last = f'"{tool.below}/${{file##*/}}"' if tool.below else '"/$file"'
            yield f"each_{number}() {{"
            yield "  [ $# -gt 0 ] || { cat; return; }"
            yield "  file=$1; shift"
            yield f'  [ -e "$file" ] || {{ each_{number} "$@"; return; }}'
            yield f'  each_{number} "$@" | hold {number} {last} {keep} {words} {last}'
            yield "}"
            part = f"each_{number} {' '.join(tool.each)}"
        conditions = []
        if tool.only_if:
            conditions.append(" || ".join(f"[ -e {path} ]" for path in tool.only_if))
        if tool.only_with:
            text, pattern = tool.only_with
            conditions.append(f"has {shlex.quote(text)} {pattern}")
        for condition in conditions:
            part = f"if {condition}; then {part}; else cat; fi"
        parts.append(part)
    yield from (f"{part} |" for part in parts)
