"""Fingerprints of key files, compared with what gpg says of the same keys."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from ansible_collections.gpulab.core.plugins.filter.openpgp_problem import openpgp_problem
from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.openpgp import (
    block_sha256,
    fingerprints,
)

ROOT = Path(__file__).parents[3]
# A key made for this test and never used, with gpg's own statement of its fingerprint.
FINGERPRINT = "7B526BAA54325B6E65C621E7F40E879B2CC52E95"
KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mQENBGsExecBCADSYgmX0K02jNqWQzV/p7X5WU2diyZNJT2esjC8WqVrdpTU+Y32
sf/7zTJo5cmaKlqICwTroI4ww/hU4Rfbqp0VFvnNmrPfqpaWzg/beJyuLN+zp/2x
kjEIypJN/1CVaZeScUFwRkBnrgBfrrUuVeV9iT80T3wlvMW9sSOvzO9EVdjJukI4
W0TyeYqx6wtvWzlCW8j2MRKlIGRV+1cl3nOq134ZvIO4Dr+iQnk3XacAJYoQEuVd
4W01sW6IDjGRzsBOGRMm5J6ln3dPyCvxj8Jzrl3XdNLqURsuE6kEo/KbejxkBgNL
F7T8pIZRYNrUgZDkl/eKNBaDNV1Lic8i/XtpABEBAAG0GFRocm93LWF3YXkga2V5
IG9mIGEgdGVzdIkBTgQTAQoAOBYhBHtSa6pUMltuZcYh5/QOh5ssxS6VBQJrBMXn
AhsDBQsJCAcCBhUKCQgLAgQWAgMBAh4BAheAAAoJEPQOh5ssxS6VyLsH/3wYzDj+
ZDc7rZWhTvBFOavsK9yDQTrzq5Zu7Z5VHyG+1O+rqsfwrTCMbN0jJjx9CR4j+iw6
dhQCl+3N68nmlSNYP53ZP7pp0wv/ou7zgfLTGqZ/9KMD7BB1M1jcjtiarpEcA/O/
CT2UfBcYvXpAr+y0BgXX7u8kiKNwbhwlbYH333Utlo/yBDtQ7evgGj2demjM7NDD
qmGXjcBStVW8HDT/eRvyQlb/vQauK8vZcUeZdRuxekhToPcVVWA8l+gcYWQh9/LP
IGNaOJ40mX5Gx7AQCfVVO90V7RXPKdoubdY6DP6SYajSIztVkL7kZVx917bsQJ0Q
tEVY5cNQyeMK1a8=
=+kS8
-----END PGP PUBLIC KEY BLOCK-----
"""


def armored(data: bytes) -> str:
    text = base64.b64encode(data).decode()
    return f"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n{text}\n-----END PGP PUBLIC KEY BLOCK-----\n"


def test_a_key_has_the_fingerprint_that_gpg_states() -> None:
    assert fingerprints(KEY) == [FINGERPRINT]


def test_the_pinned_key_is_accepted() -> None:
    spaced = " ".join(FINGERPRINT[at : at + 4] for at in range(0, 40, 4)).lower()
    assert openpgp_problem(KEY, FINGERPRINT) == ""
    assert openpgp_problem(KEY, spaced) == ""


def test_another_key_is_refused() -> None:
    assert openpgp_problem(KEY, "0" * 40) == f"its fingerprint is {FINGERPRINT}"


def test_a_short_id_is_no_pin() -> None:
    assert openpgp_problem(KEY, FINGERPRINT[-8:]) != ""


def test_a_second_key_beside_the_pinned_one_is_refused() -> None:
    assert openpgp_problem(KEY + KEY, FINGERPRINT) != ""


def test_a_sum_is_a_pin_whatever_version_line_there_is() -> None:
    pin = f"sha256:{block_sha256(KEY)}"
    versioned = KEY.replace("BLOCK-----\n", "BLOCK-----\nVersion: GnuPG v2.0.22\n", 1)
    assert openpgp_problem(KEY, pin) == ""
    assert openpgp_problem(versioned, pin) == ""
    assert "SHA-256" in openpgp_problem(KEY + "\n", pin)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<html>404</html>", "no armored OpenPGP public key"),
        ("", "no armored OpenPGP public key"),
        (armored(b"\x99\x00\x40\x04"), "ends in the middle"),
        (armored(b"\x01\x02\x03"), "not a row of OpenPGP packets"),
        (armored(b"\xc6\x01\x03"), "version that is not supported"),
        (armored(b"\xc6\xe1\x03"), "no definite length"),
        (KEY.replace("m", "~", 1), "armor is damaged"),
    ],
)
def test_what_is_no_key_is_refused(text: str, said: str) -> None:
    assert said in openpgp_problem(text, FINGERPRINT)


def test_a_file_without_a_primary_key_is_refused() -> None:
    # Tag 13: a user ID alone.
    assert openpgp_problem(armored(b"\xcd\x01a"), FINGERPRINT) == "its fingerprint is missing"


def test_the_key_that_ships_with_the_container_toolkit_is_the_pinned_one() -> None:
    role = ROOT / "roles/nvidia_container"
    defaults = yaml.safe_load((role / "defaults/main.yml").read_text())
    shipped = (role / "files/nvidia-container-toolkit.asc").read_text()
    assert openpgp_problem(shipped, defaults["nvidia_container_key_fingerprint"]) == ""


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_gpg_agrees_on_a_key_of_another_algorithm(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--quiet", "--passphrase", ""]
    subprocess.run([*gpg, "--quick-gen-key", "a test", "ed25519"], check=True, timeout=120)
    exported, listed = (
        subprocess.run([*gpg, *asked], check=True, capture_output=True, text=True).stdout
        for asked in (["--armor", "--export"], ["--with-colons", "--list-keys"])
    )
    subprocess.run(["gpgconf", "--homedir", str(home), "--kill", "all"], check=True)
    expected = [row.split(":")[9] for row in listed.splitlines() if row.startswith("fpr")]
    assert fingerprints(exported) == expected


@pytest.mark.skipif(shutil.which("gpg") is None, reason="gpg is not installed")
def test_gpg_agrees(tmp_path: Path) -> None:
    said = subprocess.run(
        ["gpg", "--homedir", str(tmp_path), "--show-keys", "--with-colons"],
        input=KEY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    rows = [row.split(":") for row in said.splitlines()]
    assert next(row[9] for row in rows if row[0] == "fpr") == FINGERPRINT
