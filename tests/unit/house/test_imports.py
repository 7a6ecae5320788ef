"""The law of the house holds for the project, and each rule of it can fail."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import import_law
import pytest
from import_law import MODULE_UTILS, MODULES, PLUGIN_UTILS, Tree, read_tree

from ansible_collections.gpulab.core.plugins.plugin_utils.node_programs import PROGRAMS
from gpulab_bench.pack import SHARED

PROJECT = Path(__file__).resolve().parents[3]
PYTHON_MODULES = PROJECT / "python_modules"
BENCH = "gpulab_bench"
PACKER = f"{BENCH}.pack"

# What nodes need beside the standard library: package → what it may import. Ansible sends what
# modules import of its own; dnf belongs to the Python of the systems that have it; the benchmark
# runs under the Python that has the framework.
FOREIGN = {
    MODULES: ["ansible.module_utils", "dnf"],
    MODULE_UTILS: [],
    BENCH: ["torch", "tensorflow", "keras"],
}

# What there is one place for: what it takes → where it is done, and why elsewhere.
ONE_PLACE = {
    "fcntl": [f"{MODULE_UTILS}.file_lock"],
    "subprocess": [
        f"{MODULE_UTILS}.process",
        # Its workers live as long as it does, and their lines are passed on as they come.
        f"{BENCH}.children",
        # It waits for fifty nodes at once, in one thread.
        f"{PLUGIN_UTILS}.sweep",
        # The ssh that it starts outlives the worker that started it.
        f"{PLUGIN_UTILS}.engine.resident_client",
    ],
}
RENAMING = [
    f"{MODULE_UTILS}.atomic_write",
    # The new files are laid out first, all of them, and renamed later.
    f"{MODULE_UTILS}.commit.disk",
    # A record's name says how far a change is; renaming it needs no space.
    f"{MODULE_UTILS}.commit.store",
]


def dotted(path: str) -> str:
    return path.removesuffix(".py").replace("/", ".")


# Stands in for an interpreter: what a module finds below the path must be found there, too.
READING_PATH = "module_utils/engine/resident.py"

PROGRAM_STARTS = [f"{MODULE_UTILS}.{dotted(path)}" for path in PROGRAMS.values()]
SHIPPED = [dotted(path) for path in SHARED]


@pytest.fixture(scope="module")
def tree() -> Tree:
    return read_tree(PYTHON_MODULES)


@pytest.fixture(scope="module")
def sources() -> list[Path]:
    """Every Python file of the project that is our own."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    files = [PROJECT / line for line in listed.stdout.splitlines()]
    return [file for file in files if file.exists()]


def test_what_is_sent_to_nodes_is_needed_there(tree: Tree) -> None:
    assert import_law.unreached(tree, [*PROGRAM_STARTS, *SHIPPED]) == []


def test_what_the_benchmark_imports_of_the_collection_goes_with_it(tree: Tree) -> None:
    assert import_law.not_shipped(tree, BENCH, PACKER, SHIPPED) == []


def test_nodes_measure_and_the_controller_judges(tree: Tree) -> None:
    assert import_law.judging_on_nodes(tree) == []


def test_nothing_imports_a_plugin(tree: Tree) -> None:
    assert import_law.imported_plugins(tree) == []


def test_imports_inside_the_collection_are_relative(tree: Tree) -> None:
    assert import_law.absolute_inside(tree) == []


def test_no_folder_imports_in_a_circle(tree: Tree) -> None:
    assert import_law.circle(tree) == []


@pytest.mark.parametrize("package", FOREIGN)
def test_nodes_need_the_standard_library_alone(tree: Tree, package: str) -> None:
    assert import_law.foreign(tree, package, FOREIGN[package]) == []


def test_what_nodes_run_is_written_in_their_python(tree: Tree, sources: list[Path]) -> None:
    files = [
        PYTHON_MODULES / file.path
        for name, file in tree.items()
        if any(name.startswith(f"{package}.") for package in FOREIGN)
    ]
    roles = [file for file in sources if file.is_relative_to(PROJECT / "roles")]
    assert import_law.unparsable([*files, *roles]) == []


def test_nothing_touches_the_path_that_python_imports_from(sources: list[Path]) -> None:
    others = [file for file in sources if not file.as_posix().endswith(READING_PATH)]
    assert len(others) == len(sources) - 1
    assert import_law.path_changes(others) == []


@pytest.mark.parametrize("target", ONE_PLACE)
def test_one_lock_and_one_way_to_run_programs(tree: Tree, target: str) -> None:
    assert import_law.elsewhere(tree, target, ONE_PLACE[target]) == []


def test_one_way_to_replace_a_file(tree: Tree) -> None:
    others = [PYTHON_MODULES / file.path for name, file in tree.items() if name not in RENAMING]
    assert import_law.renames(others) == []


# --- each rule can fail -------------------------------------------------------------------------

PLACES = {
    "utils": "ansible_collections/gpulab/core/plugins/module_utils",
    "judges": "ansible_collections/gpulab/core/plugins/plugin_utils",
    "modules": "ansible_collections/gpulab/core/plugins/modules",
    "action": "ansible_collections/gpulab/core/plugins/action",
    "bench": "gpulab_bench",
}
ABSOLUTE = dotted(PLACES["utils"])
# A small house in which all is as it should be.
SOUND = {
    "modules/look.py": "import os\nfrom ..module_utils.hardware import cpu\n",
    "utils/hardware/cpu.py": "from ..process import call\n",
    "utils/process.py": "import subprocess\n",
    "utils/program/start.py": "from . import state\n",
    "utils/program/state.py": "",
    "judges/checks/cpu.py": "from ..words import count\n",
    "judges/words.py": "import jsonschema\n",
    "action/look.py": "from ..plugin_utils.checks import cpu\n",
    "bench/__init__.py": "",
    "bench/__main__.py": "from gpulab_bench import run\nfrom gpulab_bench.stages import train\n",
    "bench/pack.py": f"from {ABSOLUTE}.program import state\n",
    "bench/run.py": f"from {ABSOLUTE}.hardware import cpu\n",
    "bench/stages/train.py": "import torch\nfrom gpulab_bench import run\n",
}

Rule = Callable[[Tree], list[str]]
RULES: dict[str, Rule] = {
    "unreached": lambda tree: import_law.unreached(
        tree, [f"{MODULE_UTILS}.program.start", f"{MODULE_UTILS}.hardware.cpu"]
    ),
    "shipped": lambda tree: import_law.not_shipped(
        tree, BENCH, PACKER, [f"{MODULE_UTILS}.hardware.cpu", f"{MODULE_UTILS}.process"]
    ),
    "judging": import_law.judging_on_nodes,
    "plugins": import_law.imported_plugins,
    "absolute": import_law.absolute_inside,
    "circle": import_law.circle,
    "foreign": lambda tree: import_law.foreign(tree, MODULE_UTILS, []),
    "elsewhere": lambda tree: import_law.elsewhere(tree, "subprocess", [f"{MODULE_UTILS}.process"]),
}


def build(root: Path, **changed: str) -> Tree:
    """Write the small house, with some files changed or added, and read it."""
    for name, text in {**SOUND, **changed}.items():
        place, _, rest = name.partition("/")
        path = root / PLACES[place] / rest
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_tree(root)


def test_the_small_house_is_sound(tmp_path: Path) -> None:
    tree = build(tmp_path)
    assert {name: rule(tree) for name, rule in RULES.items()} == {name: [] for name in RULES}


@pytest.mark.parametrize(
    ("rule", "changed", "told"),
    [
        ("unreached", {"utils/attic.py": ""}, "attic.py is reached from no module"),
        ("unreached", {"modules/look.py": "", "utils/old.py": "from . import process"}, "old.py"),
        # What only an action needs is no reason to send it.
        ("unreached", {"utils/a.py": "", "action/look.py": "from ..module_utils import a"}, "a.py"),
        ("shipped", {"bench/run.py": f"from {ABSOLUTE}.program import state"}, "state is imported"),
        ("shipped", {"utils/hardware/cpu.py": ""}, "process goes with gpulab_bench and is not"),
        ("judging", {"utils/process.py": "from ..plugin_utils import words"}, "process.py:1"),
        ("judging", {"modules/look.py": "\nfrom ..plugin_utils.words import a"}, "look.py:2"),
        ("judging", {"utils/process.py": "def a():\n from ..plugin_utils import words"}, ":2"),
        ("plugins", {"judges/words.py": "from ..action import look"}, "words.py:1"),
        ("plugins", {"action/look.py": "from ..modules.look import main"}, "modules.look"),
        (
            "plugins",
            {"bench/run.py": "import ansible_collections.gpulab.core.plugins.filter.a"},
            "",
        ),
        ("absolute", {"action/look.py": f"from {ABSOLUTE} import process"}, "process absolutely"),
        ("absolute", {"action/look.py": f"import {ABSOLUTE}.process"}, "process absolutely"),
        ("circle", {"utils/process.py": "from .hardware import cpu"}, "process.py:1 imports"),
        ("circle", {"judges/words.py": "from .checks.cpu import a"}, "plugin_utils.checks.cpu"),
        ("circle", {"bench/run.py": "from gpulab_bench.stages import train"}, "stages.train"),
        ("circle", {"bench/stages/train.py": "from gpulab_bench.__main__ import a"}, "__main__"),
        ("foreign", {"utils/process.py": "import requests"}, "process.py:1 imports requests"),
        ("foreign", {"utils/process.py": "from yaml import load"}, "imports yaml"),
        ("foreign", {"utils/process.py": "import tomllib"}, "imports tomllib"),
        ("foreign", {"utils/process.py": "from ansible.errors import E"}, "ansible.errors"),
        ("elsewhere", {"judges/words.py": "from subprocess import run"}, "words.py:1 imports"),
        ("elsewhere", {"bench/run.py": "def a():\n    import subprocess"}, "run.py:2 imports"),
    ],
)
def test_a_rule_tells_what_breaks_it(
    tmp_path: Path, rule: str, changed: dict[str, str], told: str
) -> None:
    problems = RULES[rule](build(tmp_path, **changed))
    assert problems
    assert any(told in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("match 1:\n    case 1:\n        pass\n", True),
        ("try:\n    pass\nexcept* OSError:\n    pass\n", True),
        ("type A = int\n", True),
        ("with open('a') as a, open('b') as b:\n    pass\n", False),
        ("def f(a: int | None, /) -> list[int]: ...\n", False),
    ],
)
def test_newer_grammar_is_told(tmp_path: Path, source: str, is_told: bool) -> None:
    file = tmp_path / "new.py"
    file.write_text(source)
    assert bool(import_law.unparsable([file])) is is_told


@pytest.mark.parametrize(
    ("source", "is_told"),
    [
        ("import sys\nsys.path.insert(0, 'x')\n", True),
        ("import sys\nsys.path += ['x']\n", True),
        ("import sys\nfolders = sys.path\n", True),
        ("from sys import path\n", True),
        ("def test(monkeypatch):\n    monkeypatch.syspath_prepend('x')\n", True),
        ("import site\nsite.addsitedir('x')\n", True),
        ("import os, sys\nos.path.join(sys.prefix, 'x')\n", False),
    ],
)
def test_a_change_of_the_path_is_told(tmp_path: Path, source: str, is_told: bool) -> None:
    file = tmp_path / "path.py"
    file.write_text(source)
    assert bool(import_law.path_changes([file])) is is_told


@pytest.mark.parametrize(
    ("call", "is_told"),
    [
        ("fresh.replace(path)", True),
        ("fresh.rename(path)", True),
        ("os.replace(fresh, path)", True),
        ("shutil.move(fresh, path)", True),
        ("text.replace('a', 'b')", False),
        ("date.replace(microsecond=0)", False),
        ("replace(item, count=1)", False),
    ],
)
def test_a_rename_is_told(tmp_path: Path, call: str, is_told: bool) -> None:
    file = tmp_path / "rename.py"
    file.write_text(f"{call}\n")
    assert bool(import_law.renames([file])) is is_told
