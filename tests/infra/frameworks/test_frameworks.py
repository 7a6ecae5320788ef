"""The node's environment, looked at without the role's own proof."""

from __future__ import annotations

import json
from pathlib import Path

from testinfra.host import Host

TARGETS = ["compute"]

LOCK = Path(__file__).parents[3] / "roles/pytorch/files/requirements-cpu.txt"
PREFIX = "/opt/gpulab/pytorch"
PROGRAM = """
import json, numpy, torch
torch.manual_seed(1)
left, right = torch.rand(40, 30), torch.rand(30, 20)
print(json.dumps({
    "torch": torch.__version__,
    "numpy": numpy.__version__,
    "cuda": torch.version.cuda,
    "error": float(abs((left @ right).numpy() - left.numpy() @ right.numpy()).max()),
}))
"""


def test_torch_computes_as_numpy_does_for_an_ordinary_user(host: Host) -> None:
    done = host.run("runuser -u nobody -- %s/bin/python -c %s", PREFIX, PROGRAM)
    assert done.rc == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["torch"] == "2.13.0+cpu"
    assert f"numpy=={found['numpy']} ;" in LOCK.read_text()
    assert found["cuda"] is None
    assert found["error"] < 1e-5


def test_torch_warns_of_nothing(host: Host) -> None:
    done = host.run("%s/bin/python -W error -c 'import torch; torch.ones(1).numpy()'", PREFIX)
    assert done.rc == 0, done.stderr


def test_the_environment_is_the_only_one_and_whole(host: Host) -> None:
    prefix = host.file(PREFIX)
    assert prefix.is_symlink
    assert host.file(f"{PREFIX}-versions").listdir() == [prefix.linked_to.rpartition("/")[2]]
    assert host.run("%s/bin/python -m pip check", PREFIX).rc == 0


def test_pip_knows_no_index_on_this_node(host: Host) -> None:
    """So that what is installed came from the head."""
    assert host.file("/etc/pip.conf").contains("http://127.0.0.1:9/simple")
    assert host.run("%s/bin/python -m pip download --retries 0 filelock", PREFIX).rc != 0


def test_every_file_of_the_environment_is_roots(host: Host) -> None:
    strange = host.check_output("find %s-versions ! -user root -o -perm -o+w ! -type l", PREFIX)
    assert strange == ""
