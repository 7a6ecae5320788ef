"""The example inventory, run by the real ansible-playbook; ssh is replaced by a tell-tale.

As shipped it is refused for its placeholders alone; filled in, it is sound.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = pytest.mark.ansible

ROOT = Path(__file__).resolve().parents[3]
PLACEHOLDER_KEYS = (
    *(r"lab_users\[\d\]\.ssh_keys\[0\]", r"lab_zones\.\w+\.cidr6?", r"vault_\w+"),
    *(r"node_serial", r"node_mac", r"node_root_disk\.serial"),
)
# What a user puts in place of the placeholders.
FILLED_IN = (
    ("192.0.2.", "10.20.0."),
    ("198.51.100.", "10.20.1."),
    ("203.0.113.", "10.20.2."),
    ("2001:db8:", "fd12:3456:"),
    ("00:00:5e:00:53:", "3c:ec:ef:00:00:"),
    ("EXAMPLE-", "SN-"),
    ("REPLACE-WITH-THE-PUBLIC-KEY-OF-ALICE", "AAAAC3NzaC1lZDI1NTE5AAAAIA" + "A" * 41 + "B"),
    ("REPLACE-WITH-THE-PUBLIC-KEY-OF-BOB", "AAAAC3NzaC1lZDI1NTE5AAAAIA" + "A" * 41 + "C"),
)


@dataclass(frozen=True)
class Run:
    """What a run of preflight left: its exit status and output, and whether ssh was called."""

    status: int
    output: str
    touched: bool

    def mistakes(self) -> list[str]:
        """The mistakes, ``file:line key``."""
        return re.findall(r"^\s*(\S+:\d+ \S+)(?: \(.*\))?\n\s+wrong: ", self.output, re.M)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of the example, as the documentation tells to make one."""
    return Path(shutil.copytree(ROOT / "inventory" / "example", tmp_path / "mylab"))


def fill_in(inventory: Path) -> None:
    for file in inventory.rglob("*.yml"):
        text = file.read_text()
        for placeholder, own in FILLED_IN:
            text = text.replace(placeholder, own)
        file.write_text(text)


def line_of(file: Path, text: str, which: int = 0) -> int:
    """The number of the first (or last, -1) line that holds a text."""
    lines = file.read_text().splitlines()
    return [number for number, line in enumerate(lines, 1) if text in line][which]


def vault(inventory: Path, secret: str) -> Path:
    """Vault the example's secrets one by one; return the file with the vault's password."""
    password = inventory.parent / "vault-password"
    password.write_text("for this test")
    command = [sys.executable, "-m", "ansible", "vault", "encrypt_string"]
    command += ["--vault-password-file", str(password), "--name", "NAME", secret]
    made = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    file = inventory / "group_vars" / "all" / "vault.yml"
    file.write_text(
        re.sub(
            r"^(vault_\w+): CHANGE-ME$",
            lambda line: made.stdout.replace("NAME", line[1], 1),
            file.read_text(),
            flags=re.M,
        )
    )
    return password


def preflight(inventory: Path, *options: str) -> Run:
    """Run preflight in check mode, with an ssh that only leaves a trace."""
    trace, ssh = inventory.parent / "ssh-was-called", inventory.parent / "ssh"
    trace.unlink(missing_ok=True)
    ssh.write_text(f"#!/bin/sh\ntouch {trace}\necho 'No route to host' >&2\nexit 255\n")
    ssh.chmod(0o755)
    command = [sys.executable, "-m", "ansible", "playbook", "playbooks/preflight.yml", "--check"]
    command += ["-i", str(inventory), *options]
    environment = os.environ | {
        "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        "ANSIBLE_SSH_RETRIES": "0",
    }
    done = subprocess.run(
        command,
        check=False,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment,
        timeout=120,
    )
    return Run(done.returncode, done.stdout + done.stderr, trace.exists())


def test_as_shipped_it_is_refused_for_its_placeholders_alone(example: Path) -> None:
    run = preflight(example)

    keys = [mistake.partition(" ")[2] for mistake in run.mistakes()]
    assert run.status == 2
    assert f"The declaration has {len(keys)} mistakes" in run.output
    assert all(any(re.fullmatch(known, key) for known in PLACEHOLDER_KEYS) for key in keys)
    assert all(any(re.fullmatch(known, key) for key in keys) for known in PLACEHOLDER_KEYS)
    assert len(keys) == len(set(run.mistakes()))
    assert not run.touched


def test_filled_in_it_is_sound_and_nodes_are_asked(example: Path) -> None:
    fill_in(example)
    password = vault(example, "a secret of 20 chars")

    run = preflight(example, "--vault-password-file", str(password), "--limit", "gpu01,pi01")

    assert run.mistakes() == []
    assert run.touched
    assert re.search(r"gpu01 +FAIL no answer", run.output)
    assert re.search(r"pi01 +FAIL no answer", run.output)
    assert "0 of 2 nodes can go on." in run.output
    # What of it has no effect yet is said.
    assert "lab_upses, node_power_feeds, group ups_attached: no UPS is watched" in run.output
    assert run.status == 4


def test_mistakes_are_refused_before_any_machine_is_touched(example: Path) -> None:
    fill_in(example)
    password = vault(example, "calvin")
    vaulted = example / "group_vars" / "all" / "vault.yml"
    flows = example / "group_vars" / "all" / "zones.yml"
    flows.write_text(flows.read_text().replace("    to: edge\n", "    to: egde\n"))
    host = example / "host_vars" / "gpu02.yml"
    host.write_text(host.read_text() + "node_rak: R1\nnode_unit: '{{ nowhere }}'\n")
    spec = example / "group_vars" / "h100_nodes.yml"
    spec.write_text(spec.read_text().replace("h100-node", "h100-nodes"))

    run = preflight(
        example, "--vault-password-file", str(password), "--limit", "head01", "--tags", "verify"
    )

    unit = f"{host}:{line_of(host, 'nowhere')} node_unit (gpu02)"
    assert run.status == 2
    assert not run.touched
    assert "The declaration has 8 mistakes" in run.output
    assert run.mistakes() == [
        f"{vaulted}:{line_of(vaulted, 'vault_bmc_password: ')} vault_bmc_password",
        f"{vaulted}:{line_of(vaulted, 'vault_ups_community: ')} vault_ups_community",
        f"{flows}:{line_of(flows, 'to: egde')} lab_flows[0].to",
        f"{flows}:{line_of(flows, 'to: egde', -1)} lab_flows[4].to",
        f"{spec}:{line_of(spec, 'h100-nodes')} node_hardware_spec",
        f"{host}:{line_of(host, 'node_rak')} node_rak",
        *[unit.removesuffix(" (gpu02)")] * 2,
    ]
    assert unit in run.output
    assert "node_hardware_spec (gpu03, gpu04)" in run.output
    assert "stands twice" in run.output
    assert "'nowhere' is undefined" in run.output
    assert "did you mean 'h100-node'?" in run.output
    assert "calvin" not in run.output


def test_without_the_vault_password_the_secrets_are_named(example: Path) -> None:
    fill_in(example)
    vault(example, "a secret of 20 chars")

    run = preflight(example)

    keys = [mistake.partition(" ")[2] for mistake in run.mistakes()]
    assert run.status == 2
    assert not run.touched
    assert keys == ["vault_bmc_password", "vault_ups_community"]
    assert "--ask-vault-pass" in run.output
    assert "Traceback" not in run.output


def test_the_graph_reads_like_the_lab() -> None:
    command = [sys.executable, "-m", "ansible", "inventory", "-i", "inventory/example", "--graph"]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)

    groups = ("controllers", "compute", "storage", "edge", "nvidia", "ups_attached", "monitored")
    assert all(f"@{group}:" in done.stdout for group in groups)
    assert all(f"--{name}" in done.stdout for name in ("head01", "gpu04", "store01", "jetson01"))
