"""What a sandbox writes: keys, ssh_config, known_hosts, state and the inventory."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import keys, state
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.containers import seed_archive
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.inventory_file import render
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.plan import Machine, Plan

PLAN = Plan(
    {"management": "10.192.0.0/24"},
    {"node01": {"management": "10.192.0.11"}},
    {"management": "fd01:2:3:4::/64"},
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A path as a user may have it: with a space and a percent sign."""
    path = tmp_path / "my lab 100%"
    path.mkdir()
    return path


def test_ssh_itself_reads_the_config_from_a_path_with_a_space(folder: Path) -> None:
    config = folder / "ssh_config"
    config.write_text(
        keys.ssh_config("gpulab", folder, {"node01": (["node01", "10.192.0.11"], "10.192.0.11")})
    )
    shown = subprocess.run(
        ["ssh", "-G", "-F", str(config), "node01"], capture_output=True, text=True, check=True
    ).stdout
    options = dict(line.split(" ", 1) for line in shown.splitlines() if " " in line)
    assert options["hostname"] == "10.192.0.11"
    assert options["user"] == "gpulab"
    assert options["stricthostkeychecking"] in ("yes", "true")
    assert options["userknownhostsfile"].replace("%%", "%").strip('"') == f"{folder}/known_hosts"


def test_keys_are_made_once_and_kept(tmp_path: Path) -> None:
    first = keys.ensure_key(tmp_path / "id_ed25519", "ed25519", "who")
    assert keys.ensure_key(tmp_path / "id_ed25519", "ed25519", "who") == first
    assert stat.S_IMODE((tmp_path / "id_ed25519").stat().st_mode) == 0o600


def test_half_a_key_pair_is_made_anew(tmp_path: Path) -> None:
    keys.ensure_key(tmp_path / "id_ed25519", "ed25519", "who")
    (tmp_path / "id_ed25519.pub").unlink()
    assert keys.ensure_key(tmp_path / "id_ed25519", "ed25519", "who").startswith("ssh-ed25519 ")


def test_known_hosts_names_every_address_and_key() -> None:
    text = keys.known_hosts(
        {"node01": (["node01", "10.0.0.11"], {"rsa": "ssh-rsa AAAA c", "ed25519": "ssh-e BBBB c"})}
    )
    assert text == "node01,10.0.0.11 ssh-e BBBB\nnode01,10.0.0.11 ssh-rsa AAAA\n"


def test_the_seed_keeps_private_keys_private(tmp_path: Path) -> None:
    keys.ensure_key(tmp_path / "ssh_host_ed25519_key", "ed25519", "root@node01")
    with tarfile.open(fileobj=io.BytesIO(seed_archive(tmp_path, "ssh-ed25519 AAAA me"))) as seed:
        modes = {entry.name: entry.mode for entry in seed.getmembers()}
        authorized = seed.extractfile("home/gpulab/.ssh/authorized_keys")
        assert authorized is not None
        assert authorized.read() == b"ssh-ed25519 AAAA me\n"
    assert modes["etc/ssh/ssh_host_ed25519_key"] == 0o600
    assert modes["etc/ssh/ssh_host_ed25519_key.pub"] == 0o644
    assert modes["home/gpulab/.ssh"] == 0o700


def test_the_inventory_is_yaml_and_survives_odd_paths(folder: Path) -> None:
    machine = Machine("node01", "container", ("management",))
    text = render([machine], PLAN, {"node01": {"eth0": "management"}}, folder / "ssh_config")
    data = yaml.safe_load(text)["all"]
    assert data["hosts"]["node01"]["ansible_host"] == "10.192.0.11"
    assert data["hosts"]["node01"]["node_interfaces"] == {
        "eth0": {
            "zone": "management",
            "address": "10.192.0.11",
            "address6": "fd01:2:3:4::11",
        }
    }
    assert data["vars"]["ansible_ssh_common_args"] == f'-F "{folder}/ssh_config"'
    assert data["vars"]["sandbox_subnets"] == {"management": "10.192.0.0/24"}
    assert data["vars"]["sandbox_subnets6"] == {"management": "fd01:2:3:4::/64"}
    assert data["vars"]["sandbox_gateways"] == {"management": "10.192.0.1"}
    assert data["vars"]["sandbox_gateways6"] == {"management": "fd01:2:3:4::1"}


def test_state_survives_and_damage_is_named(tmp_path: Path) -> None:
    assert state.read(tmp_path) == Plan()
    state.write(tmp_path, PLAN)
    assert state.read(tmp_path) == Plan(PLAN.subnets, PLAN.addresses)
    (tmp_path / "state.json").write_text(json.dumps({"subnets": {}})[:-1])
    with pytest.raises(SandboxError, match=r"state\.json is damaged .*`make down`"):
        state.read(tmp_path)


def test_an_unchanged_file_is_not_written(tmp_path: Path) -> None:
    file = tmp_path / "f"
    assert state.replace_text(file, "a")
    before = file.stat().st_ino
    assert not state.replace_text(file, "a")
    assert file.stat().st_ino == before
