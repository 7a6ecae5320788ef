"""The node's environments, looked at without the roles' own proofs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from testinfra.host import Host

TARGETS = ["compute"]

ROLES = Path(__file__).parents[3] / "roles"
OPT = "/opt/gpulab"
NAMES = ["pytorch", "tensorflow"]
TORCH = """
import json, numpy, torch
torch.manual_seed(1)
left, right = torch.rand(40, 30), torch.rand(30, 20)
print(json.dumps({
    "version": torch.__version__,
    "numpy": numpy.__version__,
    "cuda": bool(torch.version.cuda),
    "error": float(abs((left @ right).numpy() - left.numpy() @ right.numpy()).max()),
}))
"""
TENSORFLOW = """
import json, numpy, tensorflow
left, right = tensorflow.random.uniform((40, 30)), tensorflow.random.uniform((30, 20))
product = tensorflow.matmul(left, right).numpy()
print(json.dumps({
    "version": tensorflow.__version__,
    "numpy": numpy.__version__,
    "cuda": tensorflow.test.is_built_with_cuda(),
    "error": float(abs(product - left.numpy() @ right.numpy()).max()),
}))
"""
# One step of gradient descent on y = 3x, whose result is known: w goes from 0 to 2 * 0.1 * 3 * mean
# of x^2, and the loss falls.
TRAIN = """
import json, tensorflow
x = tensorflow.constant([[1.0], [2.0], [3.0]])
model = tensorflow.keras.Sequential(
    [tensorflow.keras.layers.Dense(1, use_bias=False, kernel_initializer="zeros")]
)
model.compile(optimizer=tensorflow.keras.optimizers.SGD(0.1), loss="mse")
before = float(model.evaluate(x, 3 * x, verbose=0))
model.train_on_batch(x, 3 * x)
after = float(model.evaluate(x, 3 * x, verbose=0))
weight = float(model.get_weights()[0][0, 0])
print(json.dumps({"before": before, "after": after, "weight": weight}))
"""


@pytest.mark.parametrize(
    ("name", "program", "version"),
    [("pytorch", TORCH, "2.13.0+cpu"), ("tensorflow", TENSORFLOW, "2.21.0")],
)
def test_it_computes_as_numpy_does_for_an_ordinary_user(
    host: Host, name: str, program: str, version: str
) -> None:
    done = host.run("runuser -u nobody -- %s/%s/bin/python -c %s", OPT, name, program)
    assert done.rc == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["version"] == version
    lock = (ROLES / name / "files/requirements-cpu.txt").read_text()
    assert f"numpy=={found['numpy']} ;" in lock
    assert found["cuda"] is False
    assert found["error"] < 1e-4


def test_torch_warns_of_nothing(host: Host) -> None:
    program = "import torch; torch.ones(1).numpy()"
    done = host.run("%s/pytorch/bin/python -W error -c %s", OPT, program)
    assert done.rc == 0, done.stderr


def test_tensorflow_trains_a_step_on_the_cpu(host: Host) -> None:
    done = host.run("env HOME=/tmp runuser -u nobody -- %s/tensorflow/bin/python -c %s", OPT, TRAIN)
    assert done.rc == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    mean_of_squares = (1 + 4 + 9) / 3
    assert found["weight"] == pytest.approx(2 * 0.1 * 3 * mean_of_squares, rel=1e-4)
    assert found["before"] == pytest.approx(9 * mean_of_squares, rel=1e-4)
    assert found["after"] < found["before"]


@pytest.mark.parametrize("name", NAMES)
def test_the_environment_is_the_only_one_and_whole(host: Host, name: str) -> None:
    prefix = host.file(f"{OPT}/{name}")
    assert prefix.is_symlink
    assert host.file(f"{OPT}/{name}-versions").listdir() == [prefix.linked_to.rpartition("/")[2]]
    assert host.run("%s/%s/bin/python -m pip check", OPT, name).rc == 0


def test_pip_knows_no_index_on_this_node(host: Host) -> None:
    """So that what is installed came from the head."""
    assert host.file("/etc/pip.conf").contains("http://127.0.0.1:9/simple")
    assert host.run("%s/pytorch/bin/python -m pip download --retries 0 filelock", OPT).rc != 0


def test_every_file_of_the_environments_is_roots(host: Host) -> None:
    assert host.check_output("find %s ! -user root -o -perm -o+w ! -type l", OPT) == ""


@pytest.mark.parametrize(
    ("name", "title", "module"),
    [("pytorch", "PyTorch", "torch"), ("tensorflow", "TensorFlow", "tensorflow")],
)
def test_the_kernel_starts_and_has_the_framework(
    host: Host, name: str, title: str, module: str
) -> None:
    """What Jupyter does: it runs the argv with a connection file and talks to it."""
    file = host.file(f"/usr/local/share/jupyter/kernels/gpulab-{name}/kernel.json")
    assert (file.user, file.mode) == ("root", 0o644)
    kernel = json.loads(file.content_string)
    assert (kernel["display_name"], kernel["language"]) == (f"{title} (gpulab)", "python")
    program, *rest = kernel["argv"]
    assert rest == ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
    # jupyter_client is in the environment; it is the client that every Jupyter has.
    talk = (
        "import json, sys\n"
        "from jupyter_client import KernelManager\n"
        "from jupyter_client.kernelspec import KernelSpecManager\n"
        "specs = KernelSpecManager(kernel_dirs=['/usr/local/share/jupyter/kernels'])\n"
        f"manager = KernelManager(kernel_name='gpulab-{name}', kernel_spec_manager=specs)\n"
        "manager.start_kernel()\n"
        "client = manager.blocking_client()\n"
        "client.start_channels()\n"
        "client.wait_for_ready(timeout=60)\n"
        "said = []\n"
        "def hook(message):\n"
        "    if message['msg_type'] == 'stream': said.append(message['content']['text'])\n"
        f"code = 'import {module}; print({module}.__version__)'\n"
        "client.execute_interactive(code, timeout=90, output_hook=hook)\n"
        "manager.shutdown_kernel(now=True)\n"
        "print(json.dumps(''.join(said)))\n"
    )
    done = host.run("env HOME=/tmp %s -c %s", program, talk)
    assert done.rc == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.splitlines()[-1].startswith({"pytorch": "2.13.0", "tensorflow": "2.21.0"}[name])


LINES = [
    "PyTorch 2.13.0: source /opt/gpulab/pytorch/bin/activate",
    "TensorFlow 2.21.0: source /opt/gpulab/tensorflow/bin/activate",
]


def test_an_interactive_login_is_told_once_how_to_activate(host: Host) -> None:
    """`script` gives it a terminal; the second shell is a child of the first."""
    program = "bash -lic 'bash -lic true'"
    shown = host.check_output("script --quiet --return --command %s /dev/null", program)
    assert [line.strip() for line in shown.splitlines() if "activate" in line] == LINES


@pytest.mark.parametrize("shell", ["bash -lc true", "sh -lc true", "bash -lic true </dev/null"])
def test_a_login_without_a_terminal_is_told_nothing(host: Host, shell: str) -> None:
    """A copy over SSH breaks on a word too many."""
    done = host.run(f"env -i HOME=/tmp PATH=/usr/bin:/bin {shell}")
    assert done.stdout == ""


@pytest.mark.parametrize(("name", "module"), [("pytorch", "torch"), ("tensorflow", "tensorflow")])
def test_what_the_message_says_works(host: Host, name: str, module: str) -> None:
    (line,) = host.file(f"/etc/gpulab/frameworks/{name}").content_string.splitlines()
    command = line.partition(": ")[2]
    program = f"import sys, importlib.util as u; print(sys.prefix, bool(u.find_spec('{module}')))"
    shown = host.check_output("bash -c %s", f'{command} && python -c "{program}"')
    assert shown == f"{host.file(f'{OPT}/{name}').linked_to} True"


def test_without_environment_modules_there_is_no_modulefile(host: Host) -> None:
    assert not host.exists("modulecmd")
    assert not host.file("/etc/environment-modules").exists
