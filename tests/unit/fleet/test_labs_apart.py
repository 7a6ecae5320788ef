"""No lab sees another's past: two labs of one project, by real playbooks; and a state of before."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
import subprocess
from pathlib import Path

import fleet_samples as samples
import pytest
from history_lab import Lab as Runs
from history_lab import gpu, node
from test_plugins import Result
from test_state_playbooks import StateLab

from ansible_collections.gpulab.core.plugins.plugin_utils.admission import admission
from ansible_collections.gpulab.core.plugins.plugin_utils.history import history
from ansible_collections.gpulab.core.plugins.plugin_utils.labs import former, lab, owner
from ansible_collections.gpulab.core.plugins.plugin_utils.labs.former import Known
from ansible_collections.gpulab.core.plugins.plugin_utils.records import paths, records
from ansible_collections.gpulab.core.plugins.plugin_utils.report import report

SANDBOX = ("-i", "inventory.ini")


@pytest.fixture
def project(tmp_path: Path) -> StateLab:
    return StateLab(tmp_path)


def another(project: StateLab, path: str = "real.ini", name: str = "atelier") -> tuple[str, str]:
    """Write another lab with a node01, and give the words that choose it alone."""
    file = project.root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    text = (project.root / "inventory.ini").read_text()
    file.write_text(text.replace("lab_name=basement", f"lab_name={name}"))
    return ("-i", path)


def play(project: StateLab, chosen: tuple[str, str], *words: str) -> Result:
    """Run a playbook on one lab alone."""
    project.inventory = chosen
    try:
        return project.run(*words)
    finally:
        project.inventory = SANDBOX


VERIFY = ("verify.yml", "benchmark.yml", "report.yml", "--limit", "node01")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("real.ini", "atelier"),
        # A copy of the inventory, of the same name: beside it, and in a folder of its own.
        ("copy.ini", "basement"),
        ("inventory/mylab/hosts.ini", "basement"),
    ],
)
def test_a_node_of_the_same_name_in_another_lab_is_not_in_service(
    project: StateLab, path: str, name: str
) -> None:
    real = another(project, path, name)
    assert "In service: 1 of 1" in play(project, SANDBOX, *VERIFY).closing
    out = play(project, real, "admission.yml").out
    assert "node01  unverified" in out
    assert (
        "knows no part and no node" in play(project, real, "history.yml", "-e", "part=node01").out
    )
    # What is decided there is not decided here.
    done = play(project, real, *VERIFY, "-e", "status=fail")
    assert "In service: 0 of 1; quarantined: node01" in done.closing
    assert "node01  in service" in play(project, SANDBOX, "admission.yml").out
    play(project, SANDBOX, "admission.yml", "-e", "quarantine=node02", "-e", "reason='is loud'")
    assert "is loud" not in play(project, real, "admission.yml").out
    # Each lab's newest report is its own, and the newest of all is easy to find.
    ours, theirs = sorted(
        (folder for folder in project.reports.iterdir() if folder.name != paths.LATEST),
        key=lambda folder: (folder / "latest/lab.json").stat().st_mtime,
    )
    assert json.loads((ours / "latest/lab.json").read_text())["verdict"] == "pass"
    assert (project.reports / "latest").resolve().parent == theirs
    told = play(project, SANDBOX, "report.yml", "--limit", "node01").out
    assert f"Report: reports/{ours.name}/" in told


def test_two_names_of_an_inventory_are_one_lab_and_variables_make_none() -> None:
    def folder(*sources: str, files: tuple[str, ...] = ("/gp/inv/mylab/hosts.yml",)) -> str:
        return lab.Lab("x", lab.declared_in(sources, files), frozenset()).folder

    assert folder("/gp/inv/mylab/hosts.yml", "/gp/inv/more.yml") == folder(
        "/gp/inv/mylab/hosts.yml"
    )
    other = ("/gp/inv/other/hosts.yml",)
    assert folder("/gp/inv/other", files=other) != folder("/gp/inv/mylab")
    both = ("/gp/inv/mylab/hosts.yml", *other)
    assert folder("/gp/inv/mylab", "/gp/inv/other", files=both) == (
        folder("/gp/inv/other", "/gp/inv/mylab", files=both)
    )
    assert folder("a,b", files=("",)) != folder("a,c", files=("",))


def test_a_hosts_file_is_its_folder(tmp_path: Path) -> None:
    (tmp_path / "hosts.yml").touch()
    (tmp_path / "lab2.yml").touch()
    files = [str(tmp_path / "hosts.yml")]
    assert lab.declared_in([str(tmp_path)], files) == (str(tmp_path),)
    assert lab.declared_in([str(tmp_path / "hosts.yml")], files) == (str(tmp_path),)
    second = str(tmp_path / "lab2.yml")
    assert lab.declared_in([second], [second]) == (second,)


def test_a_checkout_that_moves_keeps_its_state_and_two_do_not_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def folder(checkout: Path, state: Path) -> str:
        monkeypatch.setenv(paths.STATE_VARIABLE, str(state))
        return lab.Lab("x", (str(checkout / "inventory/x"),), frozenset()).folder

    here, there = tmp_path / "a", tmp_path / "b"
    assert folder(here, here / "state") == folder(there, there / "state")
    assert folder(here, tmp_path / "state") != folder(there, tmp_path / "state")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("mylab", r"mylab-[0-9a-f]{6}"),
        ("", r"lab-[0-9a-f]{6}"),
        # Preflight refuses such a name, and has to tell it: its run needs a folder until then.
        ("My Lab/../..", r"my-lab-[0-9a-f]{6}"),
        ("\u0445", r"lab-[0-9a-f]{6}"),
    ],
)
def test_the_folder_is_readable_whatever_the_name(name: str, folder: str) -> None:
    made = lab.Lab(name, (), frozenset()).folder
    assert re.fullmatch(folder, made)
    assert made != lab.Lab(f"{name}!", (), frozenset()).folder


OURS, NODES = "mylab", frozenset({"head01", "gpu01"})


@pytest.mark.parametrize(
    ("labs", "seen", "admitted", "verdict"),
    [
        ({OURS}, {"head01"}, {"head01", "gpu01"}, former.OURS),
        ({OURS}, set(), set(), former.OURS),
        (set(), set(), set(), former.NOBODYS),
        # The sandbox's.
        ({"sandbox"}, {"head01", "node01"}, {"head01"}, former.ANOTHERS),
        ({"sandbox", "third"}, {"head01"}, {"head01"}, former.ANOTHERS),
        # The sandbox's and ours, and their head01 may be either's.
        ({"sandbox", OURS}, {"head01"}, {"head01"}, former.UNCLEAR),
        # A node that is gone, or another inventory of the same name.
        ({OURS}, {"head01", "gpu09"}, {"head01"}, former.UNCLEAR),
        ({OURS}, {"head01"}, {"head01", "gpu09"}, former.UNCLEAR),
        # Somebody took gpu01 out by hand before any run of our lab.
        ({"sandbox"}, {"head01"}, {"head01", "gpu01"}, former.UNCLEAR),
        (set(), set(), {"head01"}, former.UNCLEAR),
    ],
)
def test_whose_a_state_of_before_is(
    labs: set[str], seen: set[str], admitted: set[str], verdict: str
) -> None:
    told, why = former.whose(
        Known(frozenset(labs), frozenset(seen), frozenset(admitted)), OURS, NODES
    )
    assert told == verdict
    assert bool(why) == (verdict == former.UNCLEAR)


def flatten(project: StateLab) -> None:
    """Put all folders back to where everything was before each lab had its own."""
    for folder in list(project.reports.iterdir()):
        if folder.is_symlink():
            newest = folder.readlink().name
            folder.unlink()
            folder.symlink_to(newest)
            continue
        for run in folder.iterdir():
            if not run.is_symlink():
                run.rename(project.reports / run.name)
        shutil.rmtree(folder)
    for folder in list((project.root / "state").iterdir()):
        for file in folder.iterdir():
            if file.name != owner.FILE:
                file.rename(project.root / "state" / file.name)
        shutil.rmtree(folder)


def dumped(file: Path) -> list[str]:
    connection = sqlite3.connect(file)
    try:
        return list(connection.iterdump())
    finally:
        connection.close()


def test_a_state_of_before_is_taken_over(project: StateLab) -> None:
    first = project.verified()
    project.run("admission.yml", "-e", "quarantine=node02", "-e", "reason='is loud'")
    page, run = first.page, first.folder.name
    before = dumped(project.state_dir / history.FILE), project.state()
    flatten(project)
    # Checking alone moves nothing, and reads it where it is.
    told = project.run("admission.yml", "--check").out
    assert "is loud" in told
    assert (project.root / "state" / admission.FILE).exists()
    # Another lab's turn moves nothing either, and sees none of it.
    real = another(project)
    assert "is loud" not in play(project, real, "admission.yml").out
    assert (project.reports / run / "lab.json").exists()
    assert "node02  quarantined" in project.run("admission.yml").out
    assert (dumped(project.state_dir / history.FILE), project.state()) == before
    assert not list((project.root / "state").glob("history.sqlite3*"))
    assert "node02  quarantined" in project.run("admission.yml").out
    # Its report can be made again, and is found where it is looked for.
    again = project.run("report.yml", "--limit", "node01,node02")
    assert f"Report: {page}" in again.out
    assert (project.reports / "latest").resolve().name == run


def test_a_state_of_two_labs_is_refused_with_the_way_out(project: StateLab) -> None:
    real = another(project)
    project.verified(limit="node01")
    flatten(project)
    # What an earlier gpulab did then: both labs in one history.
    flat = project.root / "state"
    connection = sqlite3.connect(flat / history.FILE)
    connection.execute(
        "INSERT INTO runs VALUES ('run0', '2026-11-01T00:00:00Z', 'atelier', 'pass')"
    )
    connection.commit()
    connection.close()
    before = {path.name: path.read_bytes() for path in flat.iterdir()}
    for chosen in (SANDBOX, real):
        done = play(project, chosen, *VERIFY)
        assert done.status == 2
        assert "it has runs of several labs (atelier, basement)" in " ".join(done.out.split())
        assert "In service" not in done.out
    assert {p.name: p.read_bytes() for p in flat.iterdir() if p.is_file()} == before
    told = " ".join(done.out.split())
    aside = re.search(r"put it aside: (mkdir .*?former/) ,", told)
    assert aside
    subprocess.run(["bash", "-euc", aside[1]], cwd=project.root, check=True)
    assert (flat / "former" / history.FILE).exists()
    # The runs that are clearly its own make its history again.
    project.run("history.yml", "-e", "rebuild=true")
    assert "node01" in project.run("history.yml", "-e", "part=node01").out
    assert "node01  unverified" in project.run("admission.yml").out
    assert play(project, real, *VERIFY).status == 0


def here() -> lab.Lab:
    return lab.Lab("basement", ("/inventory",), frozenset({"node01"}))


@pytest.fixture
def flat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state of before, of one run, where nobody has it open."""
    monkeypatch.setenv(paths.REPORTS_VARIABLE, str(tmp_path / "reports"))
    Runs(tmp_path).run(node("node01", gpu()))
    own = paths.state_dir(samples.LAB)
    for file in list(own.iterdir()):
        file.rename(own.parent / file.name)
    own.rmdir()
    return own.parent


def test_a_state_that_cannot_be_read_is_refused(flat: Path) -> None:
    (flat / history.FILE).write_bytes(b"this is no database at all, is it")
    with pytest.raises(paths.FolderError, match="it cannot be read: file is not a database"):
        former.take_state(here())


def test_a_state_that_is_in_use_is_refused_and_left(
    flat: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "BUSY_S", 0.1)
    reader = sqlite3.connect(flat / history.FILE, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM runs").fetchone()
    with pytest.raises(paths.FolderError, match="locked"):
        former.take_state(here())
    reader.close()
    former.take_state(here())
    own = paths.state_dir(here().folder)
    assert sorted(path.name for path in own.iterdir()) == [admission.FILE, history.FILE]
    with history.connect(own / history.FILE) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def test_what_came_since_is_not_overwritten(flat: Path) -> None:
    own = paths.state_dir(here().folder)
    own.mkdir()
    (own / admission.FILE).write_text("{}")
    with pytest.raises(paths.FolderError, match="has a state already"):
        former.take_state(here())
    assert (own / admission.FILE).read_text() == "{}"
    assert (flat / history.FILE).exists()


@pytest.mark.parametrize(
    ("name", "inventory", "told"),
    [
        ("other", "own", True),  # its name has changed
        ("basement", "gone", True),  # its inventory was moved
        ("basement", "there", False),  # two inventories of one name
        ("other", "gone", False),
    ],
)
def test_a_lab_that_was_renamed_is_told_where_its_past_is(
    tmp_path: Path, name: str, inventory: str, told: bool
) -> None:
    for folder in ("own", "there"):
        (tmp_path / folder).mkdir()
    own = lab.Lab("basement", (str(tmp_path / "own"),), frozenset())
    owner.note(lab.Lab(name, (str(tmp_path / inventory),), frozenset()))
    assert bool(list(owner.relatives(own))) == told
    owner.note(own)
    assert bool(list(owner.relatives(own))) == told


WHERE = """
- hosts: localhost
  connection: local
  gather_facts: false
  become: false
  tasks:
    - name: Remove its reports and its state
      ansible.builtin.file: {path: "{{ item }}", state: absent}
      loop: "{{ query('gpulab.core.lab_folders') }}"
"""


def test_what_is_removed_of_one_lab_is_not_anothers(project: StateLab) -> None:
    """As `make clean` does it with the sandbox (playbooks/sandbox_down.yml)."""
    real = another(project)
    (project.root / "where.yml").write_text(f"---{WHERE}")
    for chosen in (real, SANDBOX):
        play(project, chosen, *VERIFY)
    assert play(project, SANDBOX, "where.yml").status == 0
    assert [path.name[:8] for path in (project.root / "state").iterdir()] == ["atelier-"]
    left = {path.name for path in project.reports.iterdir() if path.is_dir()}
    assert [name[:8] for name in left] == ["atelier-"]
    assert "node01  in service" in play(project, real, "admission.yml").out


WRONG = """
- hosts: all
  gather_facts: false
  become: false
  tags: [preflight]
  tasks:
    - name: Check the declaration of the lab
      gpulab.core.declaration:
      delegate_to: localhost
      run_once: true
"""


@pytest.mark.parametrize("before", [(), ("--limit", "node01,node02")])
def test_a_refused_preflight_judges_nothing(project: StateLab, before: tuple[str, ...]) -> None:
    project.verified(limit="node01")
    kept = sorted(str(path) for path in project.reports.rglob("*"))
    (project.root / "preflight.yml").write_text(f"---{WRONG}")
    zones = json.dumps({"lab_zones": {"storage": {"cidr": "10.0.0.1/33"}}})
    done = project.run("preflight.yml", "verify.yml", "report.yml", "-e", zones, *before)
    assert done.status == 2
    assert "In service" not in done.closing
    assert not re.search(r"^(PASS|WARN|FAIL|UNKNOWN) ", done.closing, re.MULTILINE)
    assert "Preflight refused the run: nothing was changed or judged." in done.closing
    # It is nobody's in particular: the whole run is repeated, within the limit that it had.
    limit = f" {' '.join(before)}" if before else ""
    assert f"then: ansible-playbook -i inventory.ini preflight.yml{limit}\n" in done.closing
    assert sorted(str(path) for path in project.reports.rglob("*")) == kept


def test_a_report_of_before_says_what_takes_it_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(paths.REPORTS_VARIABLE, str(tmp_path / "reports"))
    folder = tmp_path / "reports" / samples.RUN_ID
    folder.mkdir(parents=True)
    records.save(samples.record("node01"), folder)
    with pytest.raises(SystemExit):
        report.main([str(folder)])
    assert "any stage of its lab takes it over" in capsys.readouterr().err
