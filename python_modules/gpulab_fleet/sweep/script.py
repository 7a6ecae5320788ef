"""The script that is sent to a node: POSIX shell, grep, find and timeout, and nothing written.

It prints frames. Each begins on a line of its own with a word that was drawn for this run, so that
nothing that a node's file holds can be taken for one; what follows is raw, whatever bytes it has.
The whole is compressed and coded in letters, because it crosses programs that want text.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from ansible_collections.gpulab.core.plugins.module_utils.hardware.captured import Group, Tool
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import SEARCH_PATH

from .plan import Plan, with_parents

# What is needed on the node. All of it is on every Debian, Ubuntu and EL server.
_NEEDED = ("base64", "find", "grep", "gzip", "timeout")

_HEAD = """\
main() {
cd @ROOT@ || return
for need in @NEEDED@; do
  command -v "$need" >/dev/null 2>&1 || { frame lacks "$need"; return; }
done
find . -maxdepth 0 -printf '' 2>/dev/null || { frame lacks 'GNU find'; return; }
grep -aZq '^Name' /proc/self/status 2>/dev/null || { frame lacks 'GNU grep'; return; }
limit=@LIMIT@
frame node "$(id -u)" "$(uname -m)"
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
# tool NUMBER LAST WORD...: a tool's output, then what it said of errors; LAST is what was added
tool() {
  number=$1 last=$2; shift 2
  frame tool "$number" "$last"
  command -v "$1" >/dev/null 2>&1 || { frame told missing; return; }
  { said=$(limit "$@" 2>&1 >&3 3>&-); status=$?; } 3>&1
  frame told "$status"
  printf '%s' "$said"
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
    lines = [*_reading(plan.groups)]
    for number, tool in enumerate(tools_of(plan)):
        lines += _running(tool, number)
    text = _HEAD + "\n".join(lines) + "\n" + _TAIL
    for place, value in (
        ("@NEEDED@", " ".join(_NEEDED)),
        ("@MARK@", mark),
        ("@LIMIT@", f"{limit_s:g}"),
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
    files = [pattern for group in groups for pattern in group.files]
    paths = [pattern for group in groups for pattern in group.paths]
    yield f"look {' '.join(with_parents((*files, *paths, *(line[-1] for line in lined))))}"
    yield f"limit=@QUICK@; read_lines {EVERY} '' {' '.join(dict.fromkeys(files))}; limit=@LIMIT@"
    yield "if is_late; then"
    for group in groups:
        if group.files:
            yield f"  read_lines {group.name} '' {' '.join(group.files)}"
    yield "fi"
    for name, text, pattern in lined:
        yield f"read_lines {name} {shlex.quote(text)} {pattern}"


def _running(tool: Tool, number: int) -> Iterator[str]:
    words = shlex.join(tool.argv)
    when = f"[ -e {tool.only_if} ] && " if tool.only_if else ""
    if not tool.each:
        yield f"{when}tool {number} '' {words}"
        return
    yield f"for file in {' '.join(tool.each)}; do"
    yield f'  [ -e "$file" ] && {when}tool {number} "/$file" {words} "/$file"'
    yield "done"
