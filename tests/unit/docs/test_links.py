"""What the documentation names is there: links, headings, paths, commands, plugins."""

from __future__ import annotations

from pathlib import Path

import pytest
import references

ROOT = references.ROOT
PAGES = sorted(
    [
        ROOT / "README.md",
        *ROOT.glob("CONTRIBUTING.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("roles/*/README.md"),
        *ROOT.glob("molecule/**/README.md"),
        *(ROOT / references.COLLECTION).glob("*.md"),
    ]
)


def faults(page: Path, text: str) -> list[str]:
    return [
        *references.dead_links(page, text),
        *references.missing_paths(text),
        *references.missing_modules(text),
        *references.missing_plugins(text),
        *references.missing_commands(text),
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    assert faults(page, page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("folder", [*references.FOLDERS, *map(str, references.SHORT.values())])
def test_the_folders_that_are_looked_for_are_there(folder: str) -> None:
    assert (ROOT / folder).is_dir()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[page](nowhere.md)", "link to nowhere.md"),
        ("[page](report.md#no-such-heading)", "link to report.md#no-such-heading"),
        ("[here](#gone)\n# Here\n", "link to #gone"),
        ("![picture](images/none.png)", "link to images/none.png"),
        ("see `docs/none.md`", "path docs/none.md"),
        ("see `roles/<role>/none.yml`", "path roles/<role>/none.yml"),
        ("see `plugins/modules/none.py`", "path plugins/modules/none.py"),
        ("see `module_utils/none/`", "path module_utils/none/"),
        ("see `…/none.py`", "path …/none.py"),
        (
            "```console\n$ ansible-playbook playbooks/none.yml -e x=1\n```\n",
            "path playbooks/none.yml",
        ),
        ("```\nPYTHONPATH=python_modules/none python\n```\n", "path python_modules/none"),
        ("`ansible_collections.gpulab.core.plugins.none.none`", "module plugins.none.none"),
        ("`ansible-doc gpulab.core.none`", "plugin none"),
        ("`make none`", "make none"),
        ("```console\n$ make lab none\n```\n", "make none"),
        ("`molecule test -s none`", "scenario none"),
        ("`scripts/run_tests.sh molecule:none`", "scenario none"),
        ("`scripts/run_tests.sh lint none`", "part none"),
    ],
)
def test_a_fault_is_found(text: str, fault: str) -> None:
    assert faults(ROOT / "docs/page.md", text) == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "[page](report.md#the-page) and [home](../README.md)",
        "# A *loud* `name`, twice\n[up](#a-loud-name-twice)",
        "`roles/<role>/meta/argument_specs.yml`, `scripts/*_page.py`, `tests/unit/`",
        "`inventory/mylab/hosts.yml`, `inventory/sandbox/machines.yml`",
        "`https://example.org/docs/none.md`, `/docs/none.md`, `reports/latest`",
        "`ansible_collections.gpulab.core.plugins.plugin_utils.sweep.nodes.Answer`",
        "`make lab`, `scripts/run_tests.sh molecule:site units`, `molecule test -s site`",
        "we make none of it: docs/none.md is not in code",
    ],
)
def test_what_is_right_or_nobodys_is_left_alone(text: str) -> None:
    assert faults(ROOT / "docs/page.md", text) == []
