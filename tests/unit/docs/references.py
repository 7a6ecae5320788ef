"""Finds what a Markdown page names: links, paths of the repository, commands, plugins.

Each function takes a page's text and returns what does not exist, in words; [] where all is there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
COLLECTION = Path("python_modules/ansible_collections/gpulab/core")
#: A word in code that begins with one of these is taken for a path of the repository.
FOLDERS = (
    ".ci",
    ".config",
    "docs",
    "inventory",
    "molecule",
    "playbooks",
    "python_modules",
    "roles",
    "scripts",
    "tests",
)
#: Short forms: where a path that begins so stands in the repository.
SHORT = {
    "plugins": COLLECTION / "plugins",
    "module_utils": COLLECTION / "plugins/module_utils",
    "plugin_utils": COLLECTION / "plugins/plugin_utils",
    "gpulab_bench": Path("python_modules/gpulab_bench"),
}
#: Names that the pages invent for what a reader makes.
INVENTED = ("inventory/mylab", "roles/myrole", "playbooks/mystage.yml", "molecule/myrole")
# Written by playbooks, and not in the repository.
WRITTEN = ("machines.yml",)

_FENCE = re.compile(r"^ *```.*?\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_SPAN = re.compile(r"`([^`\n]+)`")
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_DOTTED = re.compile(r"\bansible_collections\.gpulab\.core\.([\w.]+)")
_PLUGIN = re.compile(r"(?<![\w.])gpulab\.core\.(\w+)\b")
_MAKE = re.compile(r"^ *(?:\$ )?(?:[A-Z_]+=\S+ )*make ((?:[a-z][a-z-]*\b ?)+)", re.MULTILINE)
_SCENARIO = re.compile(r"molecule [a-z]+ -s (\w+)|\bmolecule:(\w+)")
_PARTS = re.compile(r"scripts/run_tests\.sh((?: [a-z][a-z:_-]*)+)")


def code(text: str) -> str:
    """Return all that stands in backticks, one span or fenced block after the other."""
    blocks = _FENCE.findall(text)
    return "\n".join([*blocks, *_SPAN.findall(_FENCE.sub("", text))])


def dead_links(page: Path, text: str) -> list[str]:
    """Return the relative links whose file or heading is not there."""
    return [
        f"link to {target}"
        for target in _LINK.findall(_SPAN.sub("", _FENCE.sub("", text)))
        if not re.match(r"[a-z]+:", target) and not _leads_somewhere(page, text, target)
    ]


def _leads_somewhere(page: Path, text: str, target: str) -> bool:
    name, _, anchor = target.partition("#")
    file = page.parent / name
    if not file.exists():
        return False
    content = file.read_text(encoding="utf-8") if name and anchor else text
    return not anchor or anchor in anchors(content)


def anchors(text: str) -> set[str]:
    """Return the anchors that a forge gives to a page's headings."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ +(.+?) *$", _FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).lower()
        slug = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 1
        while slug in found:
            slug, number = f"{slug.rstrip('-0123456789')}-{number}", number + 1
        found.add(slug)
    return found


def missing_paths(text: str) -> list[str]:
    """Return the words in code that look like paths of the repository and are none."""
    return [f"path {path}" for path in _paths(code(text)) if not _exists(path)]


def _paths(told: str) -> Iterator[str]:
    for word in told.split():
        path = word.strip("\"'(),;$[]").rpartition("=")[2].strip("\"'").partition("::")[0]
        path = re.sub(r":\d+$", "", path).rstrip(":.")
        first, slash, _ = path.partition("/")
        ours = first in FOLDERS or first in SHORT or first == "…"
        if slash and ours and not path.startswith(INVENTED) and not path.endswith(WRITTEN):
            yield path


def _exists(path: str) -> bool:
    first, _, rest = path.partition("/")
    # What stands for a name: <role>, {a,b}, NAME.
    pattern = re.sub(r"<[^>]*>|\{[^}]*\}|\b[A-Z]{3,}\b(?=/|$)", "*", rest).strip("/")
    base = ROOT / SHORT.get(first, Path(first))
    if not pattern:
        return base.exists()
    return base.is_dir() and next(base.glob(pattern), None) is not None


def missing_modules(text: str) -> list[str]:
    """Return the dotted names of the collection that no file or folder is behind."""
    return [
        f"module {name}"
        for name in _DOTTED.findall(text)
        if not any(_importable(part) for part in (name, name.rpartition(".")[0]) if part)
    ]


def _importable(dotted: str) -> bool:
    path = ROOT / COLLECTION / dotted.rstrip(".").replace(".", "/")
    return path.is_dir() or path.with_name(f"{path.name}.py").is_file()


def missing_plugins(text: str) -> list[str]:
    """Return the plugins of the collection that are named and have no file."""
    folder = ROOT / COLLECTION / "plugins"
    names = set(_PLUGIN.findall(text)) - {"plugins"}
    return sorted(f"plugin {name}" for name in names if not any(folder.glob(f"*/{name}.*")))


def missing_commands(text: str) -> list[str]:
    """Return the make targets, molecule scenarios and parts of the tests that are not there."""
    told = code(text)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))
    script = (ROOT / "scripts/run_tests.sh").read_text(encoding="utf-8")
    parts = {"fast", "emulated", *re.findall(r"^([a-z][a-z-]*)\(\)", script, re.MULTILINE)}
    asked = {word for words in _MAKE.findall(told) for word in words.split()}
    scenarios = {first or second for first, second in _SCENARIO.findall(told)}
    run = {word for words in _PARTS.findall(told) for word in words.split()}
    return [
        *(f"make {name}" for name in sorted(asked - targets)),
        *(f"scenario {name}" for name in sorted(scenarios) if not _scenario(name)),
        *(f"part {name}" for name in sorted(run - parts) if ":" not in name),
    ]


def _scenario(name: str) -> bool:
    return (
        f"molecule/{name}".startswith(INVENTED)
        or (ROOT / "molecule" / name / "molecule.yml").is_file()
    )
