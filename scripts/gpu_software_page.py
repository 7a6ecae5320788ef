"""The text of docs/gpu-software.md, made from the catalogue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ansible_collections.gpulab.core.plugins.module_utils.gpu_software.catalogue import (
    ARCHITECTURES,
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
            "NVIDIA's repository; Ubuntu's signed modules where Secure Boot is on; Debian's own "
            f"driver where it is of the branch ({DEBIAN})"
        ),
    ),
    (
        "CUDA toolkit",
        "usable where the branch runs it and it compiles for every GPU of the node",
    ),
    ("default toolkit", "the declared one where it is usable, else the highest that is"),
    (
        "fabric manager",
        (
            "where an NVSwitch is on the bus, and on HGX B200 and B300 boards (with nvlsm); GB200 "
            "and GB300 run nvidia-imex"
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
    ("draining and giving back", "a simulation of `scontrol` and `squeue`"),
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
        "a GPU, the reboot of gpu_upgrade.yml, Slurm itself, NVIDIA's and Canonical's repositories",
        "not run",
    ),
)

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
            "## Sources\n",
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


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    lines = [head, ["---"] * len(head), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
