"""The text of docs/verification.md, made from the catalogue of checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible_collections.gpulab.core.plugins.plugin_utils.checks.finding import (
    DECLARED,
    HardwareCheck,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.catalogue import (
    ALL_CHECKS,
    CATALOGUE,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.hardware.gpu_load import (
    LOAD_CHECKS,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.checks.specs import (
    BUILTIN_SPECS,
    REQUIREMENTS,
)

INTRODUCTION = """\
<!-- Generated from the catalogue of checks by `make docs`. -->
# Hardware verification

Every node is compared with the spec that the inventory declares for it, before it counts as fit:

```console
ansible-playbook site.yml --tags verify --limit node01
```

- `gpulab.core.hardware_info` reads the facts, from `/sys` and `/proc` wherever the kernel knows
  them. Each part is read by a probe of its own, all at once, each under a time-out, so a dead disk
  or GPU cannot hang it. It changes nothing and loads no driver. Only the disks' own health (SMART)
  opens disks, each by a process of its own; `smart: false` leaves it out. GPUs are read
  through NVML's Python binding `pynvml` where the node has it, else through `nvidia-smi`; both give
  the same facts. Where the lab declares the container toolkit and an image to try it with, it also
  starts a container with each engine, which takes longer than all the rest.
- `gpulab.core.hardware_verify` compares the facts with the spec, and gives for each requirement
  and part a finding: the physical part (serial number, PCI address, slot), what was found, what was
  declared, and the next action.

`ansible-doc -t module gpulab.core.hardware_info` lists the facts; their JSON Schema is
`plugin_utils/records/schemas/hardware.schema.json`.

## Verdict

| verdict | when |
|---|---|
| `fail` | a check failed |
| `unknown` | none failed, but one that can fail could not be judged, or nothing is required |
| `warn` | neither, but a check warned, or one that can only warn could not be judged |
| `pass` | everything required was read and is there |

What can't be read is unknown, never passed: a probe that timed out, a virtual disk that does not
know whether it is an SSD, a network card that does not tell its speed.

## Specs

A node names its spec in `node_hardware_spec`; the lab's own specs stand in `lab_hardware_specs`
([the declaration](declaration.md) lists every key). What a spec does not name is not required. A
spec may extend another, built-in ones included; its own requirements win:

```yaml
lab_hardware_specs:
  a100-pair:
    description: Two A100 with 80 GB in an EPYC server
    extends: compute-minimum
    cpu: {architecture: x86_64, cores_min: 64}
    gpu: {count: 2, models: [A100], memory_gib_min: 80}
```

`gpu.count` is exact, `gpu.count_min` the least. `gpu.models` are whole words of the model's name,
upper and lower case alike: `A100` matches `NVIDIA A100-SXM4-80GB`, `A10` does not. USB and iSCSI
disks do not count as the node's, nor do bridges, bonds and virtual functions as network links.

A spec that asks anything of GPUs asks that they are sound, too: no fault in the kernel's log, no
memory error, no failed repair, the NVLinks of the model, ECC on data-centre GPUs, the default power
limit. A check that does not apply to a board (NVLink on one without) gives no finding; nor do the
other checks of GPUs where the bus shows none, because `gpu.count` has said so.
"""

UNDER_LOAD = """\
Under load, on what the [benchmark](benchmark.md) sampled while it trained; a GPU of the bus that
was not sampled, or that was idle, is `unknown`:
"""

CLOSING = """\
## Which machine answers

A node that declares `node_serial` or `node_mac` is compared with what the machine says of itself,
whatever its spec is: `identity.serial` and `identity.mac` fail where another machine answers under
its name. The history keeps the serial number that was read.

## A chassis that was opened

`bmc.intrusion` fails when a sensor of the BMC or its event log tells that the chassis was opened.
It fails until a person has looked, also where the sensor is quiet again or the log was cleared: the
history remembers. To acknowledge it, declare until when you know of each opening:

```yaml
# host_vars/gpu02.yml
node_intrusion_acknowledged: "2026-12-01T09:30:00Z"  # date -u +%FT%TZ
```

Then reset the sensor on the BMC's web page: as long as it says so, nobody sees the next opening,
and the check warns. A later opening fails again. A time to come acknowledges nothing.
A board without a switch at its lid says so for ever: `system.intrusion: false` in its spec.

## A spec from a node that is known to be good

```console
ansible-playbook playbooks/spec_from_node.yml --limit node01 -e spec_name=a100-pair \\
  -e spec_file=inventory/mylab/group_vars/all/a100-pair.yml
```

prints a spec that this node meets, every requirement with the value that was found, and writes it
to the file, if one is named. What the node does not meet is not made a rule; a comment says why. A
file that is there is not replaced (`-e spec_overwrite=true` does), and a node that could not be
read whole is refused (`-e spec_allow_unread=true` leaves out what is missing).

## What only a tool can tell

The role `hardware_tools` installs these; without one, what is declared of its facts is `unknown`.

| tool | tells |
|---|---|
| dmidecode | memory modules by slot, names of the expansion slots |
| smartctl (smartmontools 7 or later) | health of each disk |
| ipmitool | power supplies, fans, sensors, event log (needs a BMC) |
| lldpcli (lldpd, where `hardware_tools_lldp` is set) | switch and port of each cable |

Counters of network cards, RDMA ports and memory controllers have counted since their driver
started or since somebody reset them. A fault of last month is in them until the next boot; one that
is going on shows in the second reading, a second after the first.

## A GPU that is there and not there

The PCI bus shows what is plugged in, NVIDIA's library (NVML) what the driver can talk to; they are
compared with each other, by address. `gpu.driver` says which of these it is:

| seen | meaning |
|---|---|
| not on the bus | `gpu.count` fails: power, seating, or a dead board |
| on the bus, bound to nouveau or vfio-pci | the wrong driver has it |
| on the bus, no driver | NVIDIA's driver is not installed, or the kernel refused it |
| bound to nvidia, not in NVML | it fell off after the start, or its firmware does not start |
| module and library differ | the driver was upgraded under a running module: reboot |
| `gpu.software` fails | module, library, fabric manager or DCGM are of different versions |
| `gpu.software` warns | a reboot is pending: a new kernel, a new module, nouveau still bound |
| `not loaded: no NVIDIA device on the PCI bus` | there is nothing for the driver to load for |
"""


def page() -> str:
    """Return the page."""
    reasons = [
        f"- `{check.id}`: {check.threshold_source}."
        for check in ALL_CHECKS
        if check.threshold_source != DECLARED
    ]
    actions = [f"- `{check.id}`: {check.action}" for check in ALL_CHECKS]
    specs = [_spec(name, spec) for name, spec in BUILTIN_SPECS.items()]
    return "\n".join(
        [
            INTRODUCTION,
            "## Built-in specs\n",
            *specs,
            "## Checks\n",
            *_table(CATALOGUE),
            "",
            UNDER_LOAD,
            *_table(LOAD_CHECKS),
            "",
            f"The limits come from {DECLARED}; besides:\n",
            *reasons,
            "",
            "What to do when a check is `unknown`:\n",
            *actions,
            "",
            CLOSING,
        ]
    )


def _table(checks: Sequence[HardwareCheck]) -> list[str]:
    """Return the rows of a table of checks, in the order of their parts."""
    order: list[str] = []
    for check in checks:
        if check.part not in order:
            order.append(check.part)
    rows = [_row(("check", "requires", "threshold", "read from", "weight")), _row(("---",) * 5)]
    rows += [
        _row(_cells(check)) for check in sorted(checks, key=lambda check: order.index(check.part))
    ]
    return rows


def _cells(check: HardwareCheck) -> tuple[str, ...]:
    keys = ", ".join(f"`{check.section}.{key}`" for key in check.requires)
    if len(check.requires) > 1 and set(check.requires) == set(REQUIREMENTS[check.section]):
        keys = f"anything of `{check.section}`"
    return (
        f"**{check.title}** `{check.id}`",
        keys,
        check.threshold,
        f"`{check.source}`",
        check.severity,
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _spec(name: str, spec: Mapping[str, Any]) -> str:
    """Return one built-in spec as YAML, a section a line."""
    lines = [f"  {name}:", f"    description: {spec['description']}"]
    for section, content in spec.items():
        if isinstance(content, Mapping):
            lines.append(f"    {section}:")
            lines += [f"      {key}: {_yaml(value)}" for key, value in content.items()]
    return "\n".join(["```yaml", *lines, "```", ""])


def _yaml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"[{', '.join(value)}]" if isinstance(value, list) else str(value)
