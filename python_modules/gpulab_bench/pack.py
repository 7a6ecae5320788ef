"""Pack the benchmark into one file that runs anywhere: ``python -m gpulab_bench.pack OUT.pyz``.

The same source gives the same bytes on any node, so Ansible sees no change where there is none.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from pathlib import Path

from ansible_collections.gpulab.core.plugins.module_utils.atomic_write import replacing

PACKAGE = Path(__file__).parent

# What the benchmark has in common with the collection's modules: how the hardware is read, programs
# are run and files written.
_MODULE_UTILS = "ansible_collections/gpulab/core/plugins/module_utils"
SHARED = tuple(
    f"{_MODULE_UTILS}/{name}.py"
    for name in (
        "atomic_write",
        "hardware/gpu_facts",
        "hardware/gpu_ignored",
        "hardware/nvidia_smi",
        "hardware/nvml",
        "hardware/nvml_fabric",
        "hardware/nvml_library",
        "hardware/nvml_reader",
        "hardware/smi_element",
        "hardware/smi_health",
        "hardware/smi_memory",
        "hardware/sysfs",
        "process",
    )
)

# The earliest time that a zip file can hold.
TIMESTAMP = (1980, 1, 1, 0, 0, 0)
SHEBANG = b"#!/usr/bin/env python3\n"
ENTRY = "import sys\n\nfrom gpulab_bench.__main__ import main\n\nsys.exit(main())\n"


def members() -> dict[str, bytes]:
    """What goes into the archive: names, sorted, and contents. The packer itself stays out."""
    files = [
        *PACKAGE.rglob("*.py"),
        *PACKAGE.glob("schemas/*.json"),
        *(PACKAGE.parent / name for name in SHARED),
    ]
    content = {
        path.relative_to(PACKAGE.parent).as_posix(): path.read_bytes()
        for path in files
        if path != Path(__file__)
    }
    content["__main__.py"] = ENTRY.encode()
    # Folders have an entry of their own: without it zipimport sees no namespace package.
    for name in list(content):
        content |= {f"{folder.as_posix()}/": b"" for folder in Path(name).parents if folder.name}
    return dict(sorted(content.items()))


def pack(target: Path) -> None:
    """Write the archive, replacing ``target`` in one step.

    Raises:
        OSError: the target's folder is missing or not writable.
    """
    with replacing(target) as draft:
        with draft.open("wb") as stream:
            stream.write(SHEBANG)
            # Stored, not deflated: zlib's versions compress the same bytes differently.
            with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
                for name, content in members().items():
                    info = zipfile.ZipInfo(name, TIMESTAMP)
                    info.create_system = 3  # Unix, wherever it is packed
                    info.external_attr = 0o644 << 16
                    archive.writestr(info, content)
        draft.chmod(0o755)


def main(argv: list[str] | None = None) -> int:
    """Pack from the command line."""
    parser = argparse.ArgumentParser(prog="gpulab_bench.pack", description=__doc__)
    parser.add_argument("target", type=Path, metavar="OUT.pyz")
    pack(parser.parse_args(sys.argv[1:] if argv is None else argv).target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
