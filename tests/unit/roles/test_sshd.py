"""What the role ssh reads and decides, for the OpenSSH of each platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.gpulab.core.plugins.filter.sshd_algorithms import sshd_algorithms
from ansible_collections.gpulab.core.plugins.filter.sshd_lockouts import sshd_lockouts
from ansible_collections.gpulab.core.plugins.module_utils.sshd import parse

DEFAULTS = yaml.safe_load(
    (Path(__file__).parents[3] / "roles" / "ssh" / "defaults" / "main.yml").read_text()
)
PREFERRED: dict[str, list[str]] = DEFAULTS["ssh_algorithms"]

# Key exchanges that each release offers by default: myproposal.h of the release's tag.
CURVE = ["curve25519-sha256", "curve25519-sha256@libssh.org"]
NIST = ["ecdh-sha2-nistp256", "ecdh-sha2-nistp384", "ecdh-sha2-nistp521"]
OLD_NAME = "sntrup761x25519-sha512@openssh.com"
KEX = {
    "8.7": [*CURVE, *NIST, "diffie-hellman-group16-sha512"],
    "8.9": [*CURVE, *NIST, OLD_NAME, "diffie-hellman-group16-sha512"],
    "9.2": [OLD_NAME, *CURVE, *NIST, "diffie-hellman-group16-sha512"],
    "9.6": [OLD_NAME, *CURVE, *NIST, "diffie-hellman-group16-sha512"],
    "10.0": ["mlkem768x25519-sha256", "sntrup761x25519-sha512", OLD_NAME, *CURVE, *NIST],
}


def state(kex: list[str], policy: dict[str, list[str]] | None = None) -> dict[str, Any]:
    defaults = {**PREFERRED, "kexalgorithms": kex}
    return {"version": "OpenSSH_x", "defaults": defaults, "policy": policy or {}}


@pytest.mark.parametrize(
    ("release", "chosen"),
    [
        ("8.7", CURVE),
        ("8.9", [OLD_NAME, *CURVE]),
        ("9.2", [OLD_NAME, *CURVE]),
        ("9.6", [OLD_NAME, *CURVE]),
        ("10.0", ["mlkem768x25519-sha256", "sntrup761x25519-sha512", OLD_NAME, *CURVE]),
    ],
)
def test_key_exchanges_by_release(release: str, chosen: list[str]) -> None:
    assert sshd_algorithms(PREFERRED, state(KEX[release]))["kexalgorithms"] == chosen


def test_a_policy_narrows() -> None:
    policy = {"kexalgorithms": [CURVE[0], *NIST], "ciphers": ["aes256-gcm@openssh.com"]}
    chosen = sshd_algorithms(PREFERRED, state(KEX["8.7"], policy))
    assert chosen["kexalgorithms"] == [CURVE[0]]
    assert chosen["ciphers"] == ["aes256-gcm@openssh.com"]
    assert chosen["macs"] == PREFERRED["macs"]


def test_a_policy_that_allows_nothing_preferred_is_kept() -> None:
    # FIPS mode: no curve25519.
    chosen = sshd_algorithms(PREFERRED, state(KEX["8.7"], {"kexalgorithms": NIST}))
    assert chosen["kexalgorithms"] == NIST


def test_nothing_left_names_the_key() -> None:
    with pytest.raises(AnsibleFilterError, match=r"set\s+ssh_algorithms\.kexalgorithms"):
        sshd_algorithms(PREFERRED, state(NIST))


def test_parse_policy_of_el9() -> None:
    # The shape of /usr/share/crypto-policies/DEFAULT/opensshserver.txt on EL 9.
    text = (
        "Ciphers aes256-gcm@openssh.com,aes256-ctr\n"
        "MACs hmac-sha2-256-etm@openssh.com\n"
        "GSSAPIKexAlgorithms gss-curve25519-sha256-\n"
        "KexAlgorithms curve25519-sha256,ecdh-sha2-nistp256\n"
        "HostKeyAlgorithms ssh-ed25519,rsa-sha2-512\n"
        "RequiredRSASize 2048\n"
    )
    assert parse.parse_policy(text) == {
        "ciphers": ["aes256-gcm@openssh.com", "aes256-ctr"],
        "macs": ["hmac-sha2-256-etm@openssh.com"],
        "kexalgorithms": ["curve25519-sha256", "ecdh-sha2-nistp256"],
        "hostkeyalgorithms": ["ssh-ed25519", "rsa-sha2-512"],
    }
    assert parse.parse_policy("") == {}


def test_parse_effective_keeps_repeated_options() -> None:
    text = "port 22\nhostkey /a\nhostkey /b\nallowusers alice\nx11forwarding no\n"
    assert parse.parse_effective(text)["hostkey"] == ["/a", "/b"]
    assert parse.parse_effective(text)["x11forwarding"] == ["no"]


@pytest.mark.parametrize(
    ("line", "kind", "bits"),
    [
        ("3072 SHA256:x root@node01 (RSA)\n", "rsa", 3072),
        ("256 SHA256:x no comment (ED25519)\n", "ed25519", 256),
        ("", "unknown", 0),
        ("/etc/ssh/k is not a public key file.\n", "unknown", 0),
    ],
)
def test_parse_host_key(line: str, kind: str, bits: int) -> None:
    assert parse.parse_host_key("/k", line) == {"path": "/k", "type": kind, "bits": bits}


@pytest.mark.parametrize(
    ("config", "first"),
    [
        ("# comment\n\nInclude /etc/ssh/sshd_config.d/*.conf\nPort 22\n", True),
        ("include /etc/ssh/other.conf /etc/ssh/sshd_config.d/*.conf\n", True),
        ("Port 22\nInclude /etc/ssh/sshd_config.d/*.conf\n", False),
        ("#Include /etc/ssh/sshd_config.d/*.conf\nPort 22\n", False),
        ("", False),
    ],
)
def test_reads_drop_ins(config: str, first: bool) -> None:
    assert parse.reads_drop_ins(config) is first


def test_count_keys() -> None:
    assert parse.count_keys("# none\n\nssh-ed25519 AAAA a\n  ssh-rsa AAAA b\n") == 2
    assert parse.count_keys("") == 0


def user(name: str = "ops", keys: int = 1, groups: tuple[str, ...] = ("ops",)) -> dict[str, Any]:
    return {"user": {"name": name, "authorized_keys": keys, "groups": list(groups)}}


@pytest.mark.parametrize(
    ("info", "users", "groups", "require", "said"),
    [
        (user(), [], [], True, []),
        (user(keys=0), [], [], False, []),
        (user(), ["ops"], ["ops"], True, []),
        (user(keys=0), [], [], True, ["has no key"]),
        (user(name="root"), [], [], True, ["connects as root"]),
        (user(), ["alice"], [], True, ["not in ssh_allow_users"]),
        (user(), [], ["wheel"], True, ["none of ssh_allow_groups (wheel)"]),
        (
            user(keys=0),
            ["alice"],
            ["wheel"],
            True,
            ["has no key", "not in ssh_allow_users", "none of ssh_allow_groups"],
        ),
    ],
)
def test_lockouts(
    info: dict[str, Any], users: list[str], groups: list[str], require: bool, said: list[str]
) -> None:
    found = sshd_lockouts(info, users, groups, require)
    assert len(found) == len(said)
    assert all(words in reason for words, reason in zip(said, found))
