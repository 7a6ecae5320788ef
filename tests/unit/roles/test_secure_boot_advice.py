"""How a machine-owner key is enrolled: by what the platform has, and where its DKMS looks."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

VARS = Path(__file__).parents[3] / "roles/nvidia_driver/vars"


def of_platform(*files: str) -> dict[str, object]:
    found: dict[str, object] = {}
    for file in files:
        path = VARS / f"{file}.yml"
        found |= yaml.safe_load(path.read_text()) if path.is_file() else {}
    return found


@pytest.mark.parametrize(
    ("files", "words", "not_there"),
    [
        # dkms 3.0.10 has no such command.
        (("Debian", "Debian-12"), ("openssl req", "mok.pub"), "generate_mok"),
        (("Debian", "Debian-13"), ("dkms generate_mok", "/var/lib/dkms/mok.pub"), "shim-signed"),
        (
            ("Debian", "Debian-24", "Ubuntu", "Ubuntu-24"),
            ("update-secureboot-policy --new-key", "/var/lib/shim-signed/mok/MOK.der"),
            "generate_mok",
        ),
        (("RedHat", "RedHat-9"), ("epel-release", "dkms generate_mok"), "apt-get"),
        (("RedHat", "RedHat-10"), ("epel-release", "dkms generate_mok"), "apt-get"),
    ],
)
def test_the_advice_can_be_carried_out(
    files: tuple[str, ...], words: tuple[str, ...], not_there: str
) -> None:
    found = of_platform(*files)
    advice = str(found["__nvidia_driver_mok_advice"])
    assert [word for word in words if word not in advice] == []
    assert not_there not in advice
    # The key that is made is one that the role looks for.
    keys = found["__nvidia_driver_mok"]
    assert isinstance(keys, list)
    assert advice.split("mokutil --import ")[1].strip() in keys
