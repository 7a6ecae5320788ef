"""What the role ssh reads and decides, for the OpenSSH of each platform."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleFilterError

from ansible_collections.gpulab.core.plugins.filter.sshd_algorithms import sshd_algorithms
from ansible_collections.gpulab.core.plugins.filter.sshd_change import (
    sshd_change,
    sshd_port_problems,
)
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


# What sshd -t of OpenSSH 9.2 and 10.0 says on standard error.
@pytest.mark.parametrize(
    ("said", "folder"),
    [
        ("Missing privilege separation directory: /run/sshd\r\n", "/run/sshd"),
        (
            "Missing privilege separation directory: /usr/share/empty.sshd\n",
            "/usr/share/empty.sshd",
        ),
        ("/run/sshd must be owned by root and not group or world-writable.\r\n", "/run/sshd"),
        ("/etc/ssh/sshd_config: line 3: Bad configuration option: Prot\n", ""),
        ("sshd: no hostkeys available -- exiting.\n", ""),
        ("", ""),
    ],
)
def test_the_folder_that_sshd_misses_is_no_mistake_of_the_configuration(
    said: str, folder: str
) -> None:
    assert parse.missing_folder(said) == folder


def test_where_a_socket_listens() -> None:
    # systemctl show --property=Listen ssh.socket, systemd 255.
    shown = "Listen=0.0.0.0:2222 (Stream)\nListen=[::]:2222 (Stream)\nListen=/run/x (Stream)\n"
    assert parse.parse_listen(shown) == ["0.0.0.0:2222", "[::]:2222"]
    assert parse.parse_listen("") == []


DROP_IN = "/etc/ssh/sshd_config.d/00-gpulab.conf"
RELOAD = ["systemctl", "try-reload-or-restart", "ssh.service"]


def server(content: str | None = "MaxAuthTries 4\n", **different: Any) -> dict[str, Any]:
    """A server of Debian 12, as the module tells it."""
    ours = {} if content is None else {DROP_IN: {"content": content, "mode": "0600"}}
    return {
        "reads_drop_ins": True,
        "files": {**ours, "/etc/ssh/sshd_config": {"content": "UsePAM yes\n", "mode": "0644"}},
        "effective": {"port": ["22"]},
        "serves": True,
        "socket": {"active": False, "listens": [], "follows": False},
        **different,
    }


SOCKET = {"active": True, "listens": ["0.0.0.0:22", "[::]:22"], "follows": True}


class TestChange:
    def test_what_is_there_is_not_written_again(self) -> None:
        assert sshd_change(server(), "ssh", DROP_IN, "MaxAuthTries 4\n")["files"] == {}

    @pytest.mark.parametrize(
        "state",
        [
            server(None),
            server("MaxAuthTries 6\n"),
            server(files={DROP_IN: {"content": "MaxAuthTries 4\n", "mode": "0644"}}),
        ],
    )
    def test_what_differs_is(self, state: dict[str, Any]) -> None:
        change = sshd_change(state, "ssh", DROP_IN, "MaxAuthTries 4\n")
        assert change["files"] == {DROP_IN: {"content": "MaxAuthTries 4\n", "mode": "0600"}}
        assert change["check"] == [["sshd", "-t", "-f", f"{{stage}}{DROP_IN}"]]

    def test_a_configuration_that_reads_no_drop_ins_does_so_first(self) -> None:
        change = sshd_change(server(reads_drop_ins=False), "ssh", DROP_IN, "MaxAuthTries 4\n")
        assert change["files"] == {
            "/etc/ssh/sshd_config": {
                "content": "Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n",
                "mode": "0644",
            }
        }

    def test_all_files_together_are_tried_before_the_server_reads_them(self) -> None:
        change = sshd_change(server(), "sshd", DROP_IN, "Port 2222\n")
        assert change["apply"][:2] == [
            ["sshd", "-t"],
            ["systemctl", "try-reload-or-restart", "sshd.service"],
        ]

    def test_a_server_that_ended_is_started_by_the_way_back(self) -> None:
        change = sshd_change(server(), "ssh", DROP_IN, "X11Forwarding no\n")
        assert change["undo"] == [["systemctl", "reload-or-restart", "ssh.service"]]

    def test_where_a_socket_starts_a_server_for_each_connection_none_is_started_beside(
        self,
    ) -> None:
        state = server(serves=False, socket={**SOCKET, "follows": False})
        change = sshd_change(state, "ssh", DROP_IN, "X11Forwarding no\n")
        assert (change["apply"][1], change["undo"]) == (RELOAD, [RELOAD])

    @pytest.mark.parametrize(
        "line", ["Port 2222", "port 22\nPort 2222", "ListenAddress 10.0.0.1", "AddressFamily inet"]
    )
    def test_a_socket_listens_where_the_change_says(self, line: str) -> None:
        change = sshd_change(server(socket=SOCKET), "ssh", DROP_IN, f"{line}\n")
        moves = [
            ["systemctl", "daemon-reload"],
            ["systemctl", "stop", "ssh.service"],
            ["systemctl", "restart", "ssh.socket"],
        ]
        assert change["apply"][1:4] == moves == change["undo"]
        assert change["boot"] == [["systemctl", "daemon-reload"]]

    def test_a_socket_stays_where_it_listens_otherwise(self) -> None:
        change = sshd_change(server(socket=SOCKET), "ssh", DROP_IN, "LogLevel INFO\n")
        assert (change["apply"][1], change["boot"]) == (RELOAD, [])


@pytest.mark.parametrize(
    ("state", "ports", "extra", "said"),
    [
        (server(), [22], {}, []),
        (server(None), [22, 2222], {}, []),
        (server("Port 2222\n", effective={"port": ["2222"]}), [2222], {}, []),
        # The port that is about to go.
        (server("Port 22\nPort 2222\n", effective={"port": ["22", "2222"]}), [2222], {}, []),
        (server(), [22], {"port": 2222}, ["ssh_extra_options.port"]),
        (server(), [], {}, ["is no list of ports"]),
        (server(), [0], {}, ["is no list of ports"]),
        (server(effective={"port": ["2222"]}), [22], {}, ["port 2222 too, by another file"]),
        (server(effective={"port": ["22", "443"]}), [22], {}, ["port 443 too, by another file"]),
        (server(socket=SOCKET), [2222], {}, []),
        (server(socket={**SOCKET, "follows": False}), [22], {}, []),
        (
            server(socket={**SOCKET, "follows": False}),
            [2222],
            {},
            ["ssh.socket listens on 0.0.0.0:22"],
        ),
    ],
)
def test_ports_that_would_not_be_in_effect(
    state: dict[str, Any], ports: list[int], extra: dict[str, Any], said: list[str]
) -> None:
    found = sshd_port_problems(state, "ssh", ports, extra)
    assert len(found) == len(said)
    assert all(words in reason for words, reason in zip(said, found))
