"""Fingerprints, against the key that the role ships and against gpg's own."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.gpulab.core.plugins.filter.openpgp_fingerprints import openpgp_fingerprints

ROOT = Path(__file__).parents[3]
SHIPPED = ROOT / "roles/nvidia_container/files/nvidia-container-toolkit.asc"
# Published by those who pin it; the repository's own signatures name it (gpgv: DDCAE044F796ECB0).
NVIDIA = "C95B321B61E88C1809C4F759DDCAE044F796ECB0"


def test_the_shipped_key_is_nvidias() -> None:
    assert openpgp_fingerprints(SHIPPED.read_text()) == [NVIDIA]


def test_every_key_of_a_file_is_seen() -> None:
    """A second key behind the right one would be trusted as well."""
    assert openpgp_fingerprints(SHIPPED.read_text() * 2) == [NVIDIA, NVIDIA]


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed here")
def test_it_agrees_with_gpg(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "a test", "ed25519"], check=True, timeout=120)
    armored = subprocess.run(
        [*gpg, "--armor", "--export"], check=True, capture_output=True, text=True
    ).stdout
    listed = subprocess.run(
        [*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True
    ).stdout
    expected = [row.split(":")[9] for row in listed.splitlines() if row.startswith("fpr")]
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    assert openpgp_fingerprints(armored) == expected


@pytest.mark.parametrize("text", ["", "not a key", "-----BEGIN PGP PUBLIC KEY BLOCK-----"])
def test_what_is_no_key_is_refused(text: str) -> None:
    with pytest.raises(AnsibleFilterError, match="no armored public key"):
        openpgp_fingerprints(text)


def test_a_key_that_was_cut_is_refused() -> None:
    lines = SHIPPED.read_text().splitlines(keepends=True)
    with pytest.raises(AnsibleFilterError, match="cut short"):
        openpgp_fingerprints("".join([*lines[:10], *lines[-1:]]))
