"""Fifty small nodes with a real SSH server each, and a few that are ill in one way each.

They are containers of the sandbox's image in which sshd is the first process: no systemd, so that
fifty of them start in half a minute and stay within a gigabyte.
"""

from __future__ import annotations

import json
import os
import re
import secrets
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import images, keys, seed
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import (
    Engine,
    find_engine,
    ulimit_args,
)

ROOT = Path(__file__).resolve().parents[2]
SIZE = 50
# Longer than any sweep here takes on a loaded node; one that hangs is a failure.
_SWEEP_S = 300

# What a node does before it serves, by what ails it. Root runs it.
_ILL = {
    "well": "",
    # Without a Python on it.
    "pythonless": "rm -rf /usr/bin/python3* /usr/lib/python3*",
    # sudo wants a password.
    "plain": "rm /etc/sudoers.d/*",
    # Answers nobody: what it sends back to the controller goes nowhere.
    "silent": "ip route add blackhole $(ip route show default | cut -d' ' -f3)",
    # Lets one in, and then nothing happens.
    "hanging": "echo 'ForceCommand sleep 3600' >> /etc/ssh/sshd_config",
    # Has no SSH server.
    "refusing": "exec sleep infinity",
    # Has another host key than the known one.
    "stranger": "ssh-keygen -q -t ed25519 -N '' -f /k && mv /k /etc/ssh/ssh_host_ed25519_key",
}
_SERVE = (
    f"mkdir -p /run/sshd && chown -R {images.LOGIN}: /home/{images.LOGIN}/.ssh && "
    "exec /usr/sbin/sshd -D -e -h /etc/ssh/ssh_host_ed25519_key"
)


@dataclass
class Swept:
    """What a sweep left: exit status, output, wall time in s, and its run folder."""

    status: int
    output: str
    seconds: float
    folder: Path

    def record(self, name: str) -> dict[str, Any]:
        """Return a node's record."""
        record: dict[str, Any] = json.loads((self.folder / f"{name}.json").read_text())
        return record

    def node(self, name: str) -> dict[str, Any]:
        """Return what the report says of a machine."""
        nodes: list[dict[str, Any]] = json.loads((self.folder / "lab.json").read_text())["nodes"]
        return next(node for node in nodes if node["name"] == name)


@dataclass
class Fleet:
    """The machines: name → what ails them."""

    folder: Path
    machines: Mapping[str, str]
    engine: Engine = field(default_factory=find_engine)
    lab: str = field(default_factory=lambda: f"gpulab-sweep-{secrets.token_hex(3)}")

    def up(self) -> None:
        """Start all nodes and write the inventory."""
        recipe = images.choose_recipe(
            "auto", ROOT / "playbooks/files/sandbox", images.host_release()
        )
        if not self.engine.image_exists(recipe.reference):
            images.build(self.engine, recipe)
        self.engine.run("network", "create", "--label", f"gpulab.lab={self.lab}", self.lab)
        public = keys.ensure_key(self.folder / "id_ed25519", "ed25519", "sweep")
        # One host key for all: what is checked is that it is checked.
        host_key = self.folder / "host_keys"
        trusted = keys.ensure_key(host_key / "ssh_host_ed25519_key", "ed25519", "fleet")
        archive = seed.pack(seed.access_files(host_key, public), seed.ACCESS_FOLDERS)
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda name: self._start(name, recipe.reference, archive), self.machines))
        addresses = self._addresses()
        names = {
            name: ([name, address], {"ed25519": trusted}) for name, address in addresses.items()
        }
        (self.folder / "known_hosts").write_text(keys.known_hosts(names))
        config = keys.ssh_config(
            images.LOGIN,
            self.folder,
            {name: ([name, address], address) for name, address in addresses.items()},
        )
        (self.folder / "ssh_config").write_text(config)
        self._declare(addresses)

    def _start(self, name: str, image: str, archive: bytes) -> None:
        container = self.container(name)
        runtime = ["--runtime", self.engine.runtime] if self.engine.runtime else []
        ill = _ILL[self.machines[name]]
        self.engine.run(
            *runtime,
            *("create", "--name", container, "--hostname", name, "--network", self.lab),
            *("--label", f"gpulab.lab={self.lab}", "--cap-add", "NET_ADMIN"),
            *("--cap-add", "AUDIT_WRITE", *ulimit_args(), image),
            *("sh", "-ec", f"{ill}\n{_SERVE}"),
        )
        self.engine.run("cp", "-", f"{container}:/", stdin=archive)
        self.engine.run("start", container)

    def container(self, name: str) -> str:
        """Name a node's container."""
        return f"{self.lab}-{name}"

    def _addresses(self) -> dict[str, str]:
        found = self.engine.inspect("inspect", *(self.container(name) for name in self.machines))
        return {
            entry["Name"].lstrip("/").removeprefix(f"{self.lab}-"): next(
                iter(entry["NetworkSettings"]["Networks"].values())
            )["IPAddress"]
            for entry in found
        }

    def _declare(self, addresses: Mapping[str, str]) -> None:
        inventory = {
            "all": {
                "vars": {
                    "lab_name": "fleet",
                    "ansible_user": images.LOGIN,
                    # A template, as a group's variables may hold one.
                    "fleet_folder": str(self.folder),
                    "ansible_ssh_common_args": "-F '{{ fleet_folder }}/ssh_config'",
                    "node_hardware_spec": "container",
                    "lab_hardware_specs": {
                        "container": {
                            "description": "A container on any machine",
                            "cpu": {"cores_min": 1},
                            "memory": {"gib_min": 1},
                            "network": {"links_min": 1},
                            "gpu": {"count": 0},
                        }
                    },
                },
                "children": {
                    "compute": {
                        "hosts": {name: {"ansible_host": at} for name, at in addresses.items()}
                    }
                },
            }
        }
        (self.folder / "hosts.yml").write_text(yaml.safe_dump(inventory))

    def sweep(self, *words: str) -> Swept:
        """Run a sweep as a user does."""
        run_id = f"run-{time.monotonic_ns()}"
        reports = self.folder / "reports"
        began = time.monotonic()
        done = subprocess.run(
            ["ansible-playbook", "playbooks/sweep.yml", "-i", str(self.inventory), *words],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=_SWEEP_S,
            check=False,
            env={
                **os.environ,
                "ANSIBLE_NOCOLOR": "1",
                "GPULAB_REPORTS_DIR": str(reports),
                "GPULAB_RUN_ID": run_id,
            },
        )
        took = time.monotonic() - began
        # What is refused keeps nothing.
        folder = next(reports.glob(f"*/{run_id}"), reports / run_id)
        return Swept(done.returncode, done.stdout, took, folder)

    @property
    def inventory(self) -> Path:
        """The inventory file."""
        return self.folder / "hosts.yml"

    def hardware_info(self, name: str) -> dict[str, Any]:
        """Return what the module reads on a node, by Ansible."""
        done = subprocess.run(
            [
                *("ansible", name, "-i", str(self.inventory), "-m", "gpulab.core.hardware_info"),
                *("-e", "ansible_python_interpreter=/usr/bin/python3", "-o"),
            ],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SWEEP_S,
            check=False,
            env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        )
        found = re.search(r"SUCCESS => (\{.*\})", done.stdout)
        assert found, done.stdout + done.stderr
        facts: dict[str, Any] = json.loads(found.group(1))["hardware"]
        return facts

    def shell(self, name: str, script: str) -> str:
        """Run a script as root inside a node, past SSH."""
        return self.engine.run("exec", self.container(name), "sh", "-ec", script).stdout

    def down(self) -> None:
        """Remove all nodes and their network."""
        names: Sequence[str] = [self.container(name) for name in self.machines]
        at_once = ["--time", "0"] if self.engine.name == "podman" else []
        self.engine.run("rm", "--force", *at_once, *names, check=False)
        self.engine.run("network", "rm", self.lab, check=False)
