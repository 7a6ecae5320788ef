"""The text of docs/gpu-software.md, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    ARCHITECTURES,
    AS_OF,
    BRANCHES,
    CAPABILITIES,
    DEBIAN_BRANCHES,
    DEBIAN_FLAVOURS,
    DEFAULT_BRANCH,
    FIRST_BRANCH,
    SOURCES,
    TOOLKITS,
    UNCONFIRMED_CAPABILITIES,
    branch_flavours,
    branch_runs,
)
from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.chips import CHIPS, Chip
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.releases import RELEASES

LAGGING = ", ".join(
    f"the {flavour} ones of branch {branch} (its others lag behind its kernels)"
    for branch, flavour in DEBIAN_FLAVOURS.items()
)
DEBIAN = ", ".join(f"Debian {release}: {branch}" for release, branch in DEBIAN_BRANCHES.items())


INTRODUCTION = f"""\
<!-- Generated from module_utils/gpu_software/ by `make docs`. -->
# GPU software

One declaration for the whole lab, `lab_software` ([the declaration](declaration.md) lists every
key), is resolved for each node of the group `nvidia` by the GPUs on its PCI bus. A lab of V100s,
A100s and B200s needs no more than this:

```yaml
lab_software:
  nvidia_driver: {{branch: "{DEFAULT_BRANCH}"}}
  cuda: {{versions: ["12.9", "13.0"]}}
```

Preflight shows what each node gets, before anything is changed:

```text
node   …  gpu
gpu01  …  2 volta: 580 proprietary, CUDA 12.9
gpu02  …  8 hopper: 580 open, CUDA 13.0
```
"""

DECIDED = (
    (
        "architecture",
        "by the chip's name in the table of PCI ids, else by the range that the device id lies in",
    ),
    ("an id that nobody knows", "restricts nothing, and a note says so"),
    ("branch", f"the declared one, else the declared version's, else {DEFAULT_BRANCH}"),
    (
        "flavour `auto`",
        (
            "the open modules where every GPU of the node can have them, else the proprietary "
            f"ones; from Debian's own components, {LAGGING}"
        ),
    ),
    ("no GPU", "the open modules; installed, and `not loaded: no NVIDIA device on the PCI bus`"),
    (
        "source `auto`",
        (
            "NVIDIA's repository; Ubuntu's signed modules where Secure Boot is on, or where "
            "NVIDIA's repository for the release lacks the usual branch; Debian's own driver "
            f"where it is of the branch ({DEBIAN}), or where NVIDIA's repository has none for "
            "the GPUs"
        ),
    ),
    (
        "CUDA toolkit",
        (
            "usable where the release's repository has it, the branch runs it, and it compiles for "
            "every GPU of the node"
        ),
    ),
    ("default toolkit", "the declared one where it is usable, else the highest that is"),
    (
        "fabric manager",
        (
            "where an NVSwitch is on the bus, and on HGX B200 and B300 boards (with nvlsm); GB200 "
            "and GB300 run nvidia-imex"
        ),
    ),
    (
        "framework",
        (
            "held against GPUs and driver by the CUDA and cuDNN that its lock pins; what would not "
            "run is refused in preflight"
        ),
    ),
)

CLOSING = """\
What a GPU cannot have stops its node in preflight, with a message that names the GPU, the key,
the value, and what would work. Two things are no error: a toolkit that one node cannot use while
another one is left for it, and a later toolkit of the same major version than the driver's own.

`gpulab.core.nvidia_info` reads a node, the filter `gpulab.core.nvidia_plan` decides what it gets,
and `gpulab.core.nvidia_driver_state` what has to be done for its driver; none changes anything.
"""

CHANGES = """\
## A driver that is there

`gpu.yml` installs a driver, and repairs it in the version that is there. It stops, before anything
is changed, where another branch is declared, or where the declared version or flavour would replace
a module that is loaded. `playbooks/gpu_upgrade.yml` changes it: one node after the other,
drained where Slurm knows it, rebooted, verified and given back. The first failure stops it, and
leaves that node drained and the others as they were.

```console
$ ansible-playbook playbooks/gpu_upgrade.yml --check          # from what to what
$ ansible-playbook playbooks/gpu_upgrade.yml                  # the branch's newest
$ ansible-playbook playbooks/gpu_upgrade.yml -e nvidia_driver_version=580.95.05   # this, or back
```
"""

KERNELS = """\
## Kernels, modules and headers

With DKMS, what brings the headers of new kernels is installed beside what brings the kernels
(`linux-headers-generic-hwe-24.04` beside `linux-image-generic-hwe-24.04`; dnf upgrades
kernel-devel with the kernels), so that a security update of the kernel builds its modules.

Canonical's signed modules are installed for each kernel that may boot, by the kernel's own name,
and what brings new kernels (`linux-image-generic` and the like) is held with them: a kernel
without modules would boot without GPUs. To take a new kernel:

```console
# On the node:
$ sudo apt-mark unhold linux-image-generic
$ sudo apt-get install linux-image-generic
# Its modules, and the hold again:
$ ansible-playbook site.yml --tags gpu --limit gpu01
```

Where apt says that the new modules are of another driver's version, `playbooks/gpu_upgrade.yml`
brings both. A kernel whose name has no known form is taken for one that may boot, and
verification says that nobody can tell.
"""

SOURCES_OF_APT = """\
## Another source of the same repository

apt refuses everything where two sources of one URI have different keys (`Signed-By`). Before
gpulab writes a source, it reads all that are there. A file in `/etc/apt/sources.list.d` with that
repository alone, such as that of `cuda-keyring` or of the container toolkit's guide, is taken
over: it is removed as gpulab's own is written (`--check --diff` shows it). A file with other
repositories too is refused, before anything is changed.
"""

OLD_GPUS = """\
## Frameworks on old GPUs

PyTorch's wheels on PyPI (CUDA 13) need Turing or later and driver branch 580. For Volta and
Pascal there is a build with CUDA 12.6, up to PyTorch 2.14, in PyTorch's own index. Lock it on a
computer that reaches that index, and give it to these nodes:

```console
$ uv pip compile --universal --generate-hashes --no-emit-index-url --python-version 3.10 \\
    --extra-index-url https://download.pytorch.org/whl/cu126 --index-strategy unsafe-best-match \\
    --output-file inventory/mylab/files/requirements-cu126.txt \\
    roles/pytorch/files/requirements-cu126.in
```

```yaml
# inventory/mylab/host_vars/gpu01.yml, or the group_vars of a group of such nodes
pytorch_lock_cuda: "{{ inventory_dir }}/files/requirements-cu126.txt"
pytorch_version: "2.13.0"
```

The controller downloads the wheels from where its pip looks: `pip config set
global.extra-index-url https://download.pytorch.org/whl/cu126`. TensorFlow's own build ends before
Blackwell, and its lock's cuDNN begins with Turing: elsewhere `tensorflow_build: cpu`, or NVIDIA's
container.
"""

# Where each table is, and what it is compared with.
TABLES = (
    (
        "branches, their end, their CUDA",
        "`module_utils/gpu_software/catalogue.py`, `BRANCHES`",
        "source `branches`, under the newest branch's number; `releases.json` there",
    ),
    (
        "toolkits, their drivers",
        "the same, `TOOLKITS` and `CAPABILITIES`",
        "the newest toolkit's release notes, tables 2 and 3",
    ),
    (
        "chips and boards",
        "`module_utils/gpu_software/chips.py`, `module_utils/hardware/gpu_names.py`",
        "the PCI ID Repository",
    ),
    (
        "what a release can have",
        "`plugin_utils/gpu_software/releases.py`",
        "NVIDIA's repositories' lists of files; packages.ubuntu.com and packages.debian.org",
    ),
    (
        "names of the fabric's packages",
        "`plugin_utils/gpu_software/fabric.py`",
        "the same lists",
    ),
    (
        "what frameworks run on",
        "`plugin_utils/frameworks/gpus.py`",
        "PyTorch's RELEASE.md, TensorFlow's and cuDNN's release notes",
    ),
    (
        "the container toolkit's release",
        "`roles/nvidia_container/defaults/main.yml`",
        "https://github.com/NVIDIA/nvidia-container-toolkit/releases",
    ),
)

RENEW = """\
Change the value, its source and the date beside it (`AS_OF` in the catalogue, "read" elsewhere),
run `make docs` and the tests of `tests/unit/gpu_software` and `tests/unit/frameworks`: they hold
that the tables agree with each other, with the roles and with the platforms that preflight
supports.
"""

# What a reader may rely on: kept by hand, with the tests.
PROVED = (
    (
        "Debian's own driver: packages, DKMS build (that of GPUDirect Storage too), holds",
        "for real, in a container",
    ),
    (
        "blacklist and initramfs over a power cut, a kernel upgrade and a reboot by policy",
        "for real, in a virtual machine; its modules were compiled in a container",
    ),
    (
        "upgrade, the way back, another branch, the stop at the first failure, holds",
        "real apt and dnf on simulations of Ubuntu and EL, with signed stub repositories",
    ),
    (
        "draining and giving back",
        "for real (Slurm 22.05, scenario `slurm`); around an upgrade, a simulation of `scontrol`",
    ),
    (
        "other flavours, EL 9's streams, Canonical's signed modules instead of NVIDIA's",
        "as the upgrade; Canonical's packages are stubs, too",
    ),
    (
        "power limit, clocks, ECC, MIG, persistence, fabric manager, Secure Boot's refusal",
        "a simulation of `nvidia-smi`, `mokutil`, the loaded module and the PCI bus",
    ),
    ("versions that differ (NVML, fabric manager, DCGM's parts)", "put there by hand, as above"),
    (
        "a GPU, the reboot of gpu_upgrade.yml, NVIDIA's and Canonical's repositories",
        "not run",
    ),
)

UNCONFIRMED_RELEASE = """\
\\* not confirmed by the repository's list of files. Ubuntu's packages of other branches (550 to
575, 590) are empty and bring one of those that stand here. Sources:
`plugin_utils/gpu_software/releases.py`.
"""

RUNS = """\
`runs`: toolkits of the same and older major versions run on a branch by CUDA's minor version
compatibility. Beyond the branch's own CUDA, PTX and features that need a later driver do not work.
"""

CHIP_SOURCES = """\
- chips: the PCI ID Repository, https://pci-ids.ucw.cz/, version 2026.08.22
- capabilities: https://developer.nvidia.com/cuda-gpus"""


def page() -> str:
    """Return the page."""
    used = {key for entry in _entries() for key in entry}
    return "\n".join(
        [
            INTRODUCTION,
            "## How it is decided\n",
            *_table(("what", "how"), DECIDED),
            "",
            CLOSING,
            CHANGES,
            KERNELS,
            SOURCES_OF_APT,
            OLD_GPUS,
            "## What is proved, and how\n",
            *_table(("what", "where it has run"), PROVED),
            "",
            "## Architectures\n",
            *_table(
                ("architecture", "chips", "capability", "modules", "branches", "CUDA", "source"),
                (_architecture(chip) for chip in CHIPS),
            ),
            "",
            "Grace Hopper (GH200) needs the open modules too.\n",
            "## Driver branches\n",
            *_table(
                ("branch", "kind", "end of life", "its own CUDA", "runs", "modules", "source"),
                (_branch(name) for name in BRANCHES),
            ),
            "",
            RUNS,
            "## CUDA toolkits\n",
            *_table(
                ("toolkit", "branch at least", "released with driver", "source"),
                (
                    (name, str(one.branch_min), one.driver or "-", ", ".join(one.source))
                    for name, one in TOOLKITS.items()
                ),
            ),
            "",
            "## What a release can have\n",
            *_table(
                ("release", "NVIDIA's branches", "NVIDIA's toolkits", "its own", "DCGM"),
                (_release(name, version) for name, version in RELEASES),
            ),
            "",
            UNCONFIRMED_RELEASE,
            "## Bringing the tables up to date\n",
            *_table(("table", "file", "where its values are"), TABLES),
            "",
            RENEW,
            f"## Sources, as of {AS_OF}\n",
            *(f"- `{key}`: {text}" for key, text in SOURCES.items() if key in used),
            CHIP_SOURCES,
            "",
        ]
    )


def _entries() -> Iterable[tuple[str, ...]]:
    """Give the source keys of every entry; toolkits by architecture come from release notes."""
    yield ("nvcc", "debian")
    for table in (ARCHITECTURES, BRANCHES, TOOLKITS):
        for entry in table.values():
            yield entry.source


def _architecture(chip: Chip) -> Sequence[str]:
    architecture = ARCHITECTURES[chip.architecture]
    first, last = CAPABILITIES.get(chip.capability, ("", ""))
    reach = f"up to {architecture.last_branch}" if architecture.last_branch else "all"
    first_branch = FIRST_BRANCH.get(chip.capability)
    if first_branch:
        reach = f"{first_branch} and later"
    unconfirmed = ("unconfirmed",) if chip.capability in UNCONFIRMED_CAPABILITIES else ()
    return (
        architecture.title,
        " ".join(f"{name}…" if len(name) < len("GA100") else name for name in chip.names),
        chip.capability or "unknown",
        ", ".join(architecture.flavours),
        reach,
        f"{first} to {last}" if last else f"{first} and later" if first else "unknown",
        ", ".join((*architecture.source, "nvcc", *unconfirmed)),
    )


def _branch(name: str) -> Sequence[str]:
    branch = BRANCHES[name]
    runs = [version for version in TOOLKITS if branch_runs(name, version)]
    return (
        name,
        branch.kind,
        branch.end_of_life or "-",
        branch.cuda_max,
        f"{runs[0]} to {runs[-1]}",
        ", ".join(branch_flavours(name)),
        ", ".join(branch.source),
    )


def _release(name: str, version: str) -> Sequence[str]:
    one = RELEASES[name, version]
    own = [*one.own_branches, *([f"CUDA {one.own_toolkit}"] if one.own_toolkit else [])]
    return (
        f"{name} {version}" + (" \\*" if one.unconfirmed else ""),
        f"{one.first_branch} and later" if one.first_branch else "all",
        f"{one.first_toolkit} and later",
        ", ".join(own) or "-",
        "listed" if one.dcgm else "not listed",
    )


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
