"""A change that nobody confirms goes back, whatever has happened meanwhile; measured in seconds."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from firewall.nodes import CONFIRM_S, LITTLE_S, PATIENCE_S, Controller, Node, Watch
from playbook_run import PROJECT, Converge, Play

TABLE = "table inet gpulab {}\ndelete table inet gpulab\ntable inet gpulab {\n%s\n}\n"
#: Nobody gets in any more, and no reply gets out.
LOCKOUT = TABLE % "  chain input { type filter hook input priority filter; policy drop; }"
#: Everybody gets in: what is wrong with it is only that nobody confirms it.
OPEN = TABLE % "  chain input { type filter hook input priority filter; policy accept; }"
SYNTAX = TABLE % "  chain input { type filter hook input priority filter; policy drp; }"
APPLIED = "TASK [commit : Confirm the change over a new connection]"
#: What a change and its end may leave below /etc and the like: nothing but this.
OUTCOME = "/var/lib/gpulab/commit"


@pytest.fixture
def node01(node: Callable[[str], Node]) -> Iterator[Node]:
    """A node that must be afterwards as it was before, with the tables of others, byte for byte."""
    machine = node("node01")
    yield from kept(machine)


@pytest.fixture
def node02(node: Callable[[str], Node]) -> Iterator[Node]:
    yield from kept(node("node02"))


def kept(machine: Node) -> Iterator[Node]:
    rules, files = machine.table(), relevant(machine)
    others = machine.ruleset().replace(rules, "")
    assert rules != ""
    yield machine
    assert machine.table() == rules
    assert relevant(machine) == files
    assert not machine.is_under_way()
    assert machine.shell("systemctl list-units --plain --no-legend 'gpulab-rollback-*'") == ""
    # A boot empties the kernel's tables; ours is loaded again, others' by whom they belong to.
    if machine.name != "node02":
        assert machine.ruleset().replace(rules, "") == others


def relevant(machine: Node) -> list[str]:
    return [line for line in machine.files().splitlines() if OUTCOME not in line]


def test_a_ruleset_that_locks_us_out(
    converge: Converge,
    node01: Node,
    node02: Node,
    measured: Callable[[str, float], None],
) -> None:
    journal = node02.shell("journalctl --output=cat | wc -l")
    with Watch(node01) as watch:
        run = converge("--limit=node01,node02", __firewall_ruleset=LOCKOUT)
        node01.wait_until(node01.greets, LITTLE_S)
    measured("locked out: node01 was unreachable for", watch.outage_s)
    assert run.returncode != 0
    assert f"nobody confirmed it within {CONFIRM_S} s; the former state is back" in run.said
    assert "No new connection could be opened for" in run.said
    assert CONFIRM_S - LITTLE_S < watch.outage_s < CONFIRM_S + LITTLE_S
    # The mistake has stopped at the first machine.
    assert "node02 : ok=" not in run.said.partition("PLAY [Firewall]")[2].partition("RECAP")[0]
    assert "gpulab-rollback-" not in node02.shell(
        f"journalctl --output=cat | tail --lines=+{journal.strip()}"
    )


def test_a_ruleset_with_a_syntax_error_is_never_applied(converge: Converge, node01: Node) -> None:
    with Watch(node01) as watch:
        run = converge("--limit=node01", __firewall_ruleset=SYNTAX)
    assert run.returncode != 0
    assert "nothing was changed: nft refuses the new files" in run.said
    assert "drp" in run.said
    assert watch.outage_s < LITTLE_S


def test_the_controller_is_killed_between_apply_and_confirm(
    start: Callable[..., Controller],
    converge: Converge,
    node01: Node,
    measured: Callable[[str, float], None],
) -> None:
    with Watch(node01) as watch:
        run = start("converge.yml", "--limit=node01", __firewall_ruleset=LOCKOUT)
        run.read_until("changed: [node01]")
        run.read_until(APPLIED)
        run.kill()
        node01.wait_until(node01.is_applied, LITTLE_S)
        assert not node01.greets(), "the ruleset that locks out is in effect"
        node01.wait_until(lambda: not node01.is_under_way(), CONFIRM_S + LITTLE_S)
        node01.wait_until(node01.greets, LITTLE_S)
    measured("controller killed: node01 was unreachable for", watch.outage_s)
    assert CONFIRM_S - LITTLE_S < watch.outage_s < CONFIRM_S + LITTLE_S
    # And the next run finds nothing in its way.
    again = converge("--limit=node01")
    assert again.returncode == 0, again.said
    assert "changed=0" in again.said.partition("RECAP")[2]


def test_a_second_run_does_not_meddle_with_a_change_under_way(
    start: Callable[..., Controller], converge: Converge, node01: Node
) -> None:
    # Longer than the second run takes to come to it, on a loaded host too.
    run = start(
        "converge.yml",
        "--limit=node01",
        __firewall_ruleset=OPEN,
        firewall_confirm_timeout=300,
    )
    run.read_until(APPLIED)
    run.kill()
    node01.wait_until(node01.is_applied, LITTLE_S)
    opened = node01.table()
    second = converge("--limit=node01")
    assert second.returncode != 0
    assert "another change of the firewall" in second.said
    assert "goes back by itself in" in second.said
    assert node01.table() == opened
    assert "the former state is back" in node01.shell("gpulab-rollback now")


def test_the_network_is_unplugged_meanwhile(
    start: Callable[..., Controller], node01: Node, measured: Callable[[str, float], None]
) -> None:
    index = node01.shell("cat /sys/class/net/eth0/iflink").strip()
    links = subprocess.run(
        ["ip", "-oneline", "link"], capture_output=True, text=True, check=True
    ).stdout
    (plug,) = (
        line.split(": ")[1].partition("@")[0]
        for line in links.splitlines()
        if line.startswith(f"{index}: ")
    )
    run = start("converge.yml", "--limit=node01", __firewall_ruleset=OPEN)
    run.read_until(APPLIED)
    subprocess.run(["ip", "link", "set", plug, "down"], check=True)
    try:
        back_s = node01.wait_until(lambda: not node01.is_under_way(), CONFIRM_S + LITTLE_S)
    finally:
        subprocess.run(["ip", "link", "set", plug, "up"], check=True)
    measured("unplugged: node01 had gone back after", back_s)
    reached_s = node01.wait_until(node01.greets, LITTLE_S)
    measured("unplugged: node01 was reachable again, once plugged in, after", reached_s)
    said = run.end()
    assert run.process.returncode != 0
    assert "nobody confirmed it within" in said


def test_a_reboot_in_between(
    start: Callable[..., Controller], node02: Node, measured: Callable[[str, float], None]
) -> None:
    run = start("converge.yml", "--limit=node02", __firewall_ruleset=LOCKOUT)
    run.read_until(APPLIED)
    run.kill()
    node02.wait_until(node02.is_applied, LITTLE_S)
    assert not node02.greets()
    # A container boots systemd again; molecule/network_vm does it with a kernel of its own.
    node02.engine.run("kill", node02.container)
    node02.engine.run("start", node02.container)
    measured(
        "rebooted: node02 was reachable again after", node02.wait_until(node02.greets, CONFIRM_S)
    )
    node02.wait_until(
        lambda: node02.shell("systemctl is-system-running || true").strip() == "running",
        PATIENCE_S,
    )
    assert "the node rebooted before anybody confirmed it" in node02.shell("gpulab-rollback status")
    assert node02.shell("systemctl is-active gpulab-firewall.service").strip() == "active"


def test_a_connection_from_before_cannot_confirm(
    start: Callable[..., Controller], node01: Node, ssh_config: str, tmp_path: Path
) -> None:
    """The old connection runs the module's own code; Ansible's action would never let it."""
    module_utils = "ansible_collections/gpulab/core/plugins/module_utils"
    with tarfile.open(tmp_path / "code.tar", "w") as tar:
        tar.add(PROJECT / "python_modules" / module_utils, module_utils)
    node01.engine.run("cp", str(tmp_path / "code.tar"), f"{node01.container}:/root/code.tar")
    node01.shell("mkdir -p /root/code && tar -C /root/code -xf /root/code.tar; rm -f /root/go")
    script = (
        "from ansible_collections.gpulab.core.plugins.module_utils.commit import request, store\n"
        "change, = store.Store().under_way()\n"
        "print(request.confirm(store.Store(), 'firewall', change.id, 5))\n"
    )
    ssh = ["ssh", "-F", ssh_config, "-o", "ControlPath=none", "node01"]
    python = f'PYTHONPATH=/root/code python3 -c \\"{script}\\"'
    waits = f'sudo sh -c "until test -e /root/go; do sleep 0.1; done; {python}"'
    with subprocess.Popen([*ssh, waits], stdout=subprocess.PIPE, text=True) as old:
        run = start("converge.yml", "--limit=node01", __firewall_ruleset=OPEN)
        run.read_until(APPLIED)
        run.kill()
        node01.wait_until(node01.is_applied, LITTLE_S)
        node01.shell("touch /root/go")
        said, _ = old.communicate(timeout=PATIENCE_S)
    assert "confirmed=False, again=True" in said
    assert "opened before the change" in said
    assert node01.is_under_way(), "and the change still waits"
    node01.wait_until(lambda: not node01.is_under_way(), CONFIRM_S + LITTLE_S)
    node01.shell("rm -rf /root/code /root/code.tar /root/go")


def test_check_mode_shows_the_difference_and_touches_nothing(
    converge: Converge, node01: Node
) -> None:
    before = node01.ruleset(), node01.files(), node01.shell("systemctl list-units --no-legend")
    run = converge("--limit=node01", "--check", "--diff", __firewall_ruleset=OPEN)
    assert run.returncode == 0, run.said
    assert "+ chain input { type filter hook input priority filter; policy accept; }" in run.said
    after = node01.ruleset(), node01.files(), node01.shell("systemctl list-units --no-legend")
    assert after[:2] == before[:2]
    assert "gpulab-" not in set(after[2].splitlines()) - set(before[2].splitlines())


@pytest.mark.parametrize(
    "drift",
    [
        "nft flush chain inet gpulab refused_source",
        "nft delete table inet gpulab",
        "nft insert rule inet gpulab input counter accept",
    ],
)
def test_what_somebody_did_to_our_table_is_put_right(
    converge: Converge, node01: Node, drift: str
) -> None:
    whole = node01.table()
    node01.shell(drift)
    assert node01.table() != whole
    run = converge("--limit=node01")
    assert run.returncode == 0, run.said
    assert node01.table() == whole
    assert "changed=1 " in run.said.partition("RECAP")[2]


def test_a_lockout_is_refused_before_anything_is_applied(
    converge: Converge, node: Callable[[str], Node]
) -> None:
    edge = node("edge01")
    before = edge.ruleset(), edge.files()
    run = converge("--limit=edge01", lab_flows=[])
    assert run.returncode != 0
    assert "this would lock out Ansible" in run.said
    assert "let it in in lab_flows, such as: {name: administer-edge01, from: gateways" in run.said
    assert (edge.ruleset(), edge.files()) == before


def test_the_head_is_confirmed_by_another_machine_too(
    converge: Converge, node: Callable[[str], Node]
) -> None:
    head, compiled = node("head01"), node("head01").shell("cat /etc/gpulab/firewall.nft")
    rules = head.table()
    # The controller gets in, the nodes do not.
    gateway = head.address.rpartition(".")[0] + ".1"
    only_us = TABLE % (
        "  chain input { type filter hook input priority filter; policy drop;\n"
        f"    ct state established,related accept\n    ip saddr {gateway} accept\n  }}"
    )
    run = converge("--limit=head01,node01", __firewall_ruleset=only_us)
    assert run.returncode != 0
    assert "node01 does not reach" in run.said
    assert "The controller still got in" in run.said
    assert head.table() == rules
    assert head.shell("cat /etc/gpulab/firewall.nft") == compiled


class TestChange:
    """Changes of the tests' own: what the firewall does not need of role commit."""

    PLAY = str(PROJECT / "molecule/firewall/change.yml")

    @pytest.fixture(autouse=True)
    def file(self, node01: Node) -> Iterator[None]:
        node01.shell(
            "mkdir /srv/guarded && cd /srv/guarded && echo former > file && chmod 600 file"
        )
        yield
        node01.shell("rm -rf /srv/guarded")

    def change(self, play: Play, **more: object) -> str:
        run = play(
            self.PLAY,
            "--limit=node01",
            commit_subject="network",
            commit_files={"/srv/guarded/file": {"content": "new\n", "mode": "0644"}},
            **more,
        )
        return f"{run.returncode} {run.said}"

    def test_it_is_confirmed(self, play: Play, node01: Node) -> None:
        said = self.change(play, commit_apply=[["cp", "/srv/guarded/file", "/srv/guarded/seen"]])
        assert said.startswith("0 "), said
        assert node01.shell("cat /srv/guarded/file /srv/guarded/seen") == "new\nnew\n"
        assert "changed=0" in self.change(play).partition("RECAP")[2]

    def test_commands_that_fail_half_way_are_undone_at_once(self, play: Play, node01: Node) -> None:
        said = self.change(
            play,
            commit_apply=[["touch", "/srv/guarded/half"], ["sh", "-c", "echo no link >&2; exit 4"]],
            commit_undo=[["rm", "-f", "/srv/guarded/half"]],
        )
        assert "exit status 4: no link; the former state is back" in said
        assert node01.shell("ls /srv/guarded; cat /srv/guarded/file") == "file\nformer\n"
        assert node01.shell("stat -c %a /srv/guarded/file") == "600\n"

    def test_what_cannot_be_undone_says_what_to_do_by_hand(self, play: Play, node01: Node) -> None:
        said = self.change(
            play, commit_apply=[["false"]], commit_undo=[["test", "-e", "/srv/guarded/mended"]]
        )
        assert "NOT wholly back: test -e /srv/guarded/mended: exit status 1" in said
        assert "run /usr/local/sbin/gpulab-rollback now" in said
        assert node01.shell("cat /srv/guarded/file") == "former\n"
        refused = self.change(play)
        assert "an earlier run left it without a timer" in refused
        assert "NOT wholly back" in refused
        node01.shell("touch /srv/guarded/mended; gpulab-rollback now")
        assert self.change(play).startswith("0 ")

    def test_no_space_for_the_copies_means_no_change(self, play: Play, node01: Node) -> None:
        node01.shell("mount -t tmpfs -o size=4k tmpfs /var/lib/gpulab/commit")
        try:
            said = self.change(play)
        finally:
            node01.shell("umount /var/lib/gpulab/commit")
        assert "nothing was changed" in said
        assert "No space left on device" in said
        assert node01.shell("cat /srv/guarded/file") == "former\n"
