"""What to do next after a change that nobody confirmed, by what the new connections met. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_NEXT = {
    "firewall": "correct lab_zones or lab_flows; playbooks/firewall_show.yml shows what they allow",
    "network": "correct node_interfaces or lab_zones",
    "ssh": "correct ssh_* in the inventory; the node's journal says what its sshd did",
}


@dataclass(frozen=True)
class _Advice:
    """What helps where OpenSSH's client (8.7 to 10.2) says one of these, in lower case."""

    signs: tuple[str, ...]
    text: str


#: The first that fits counts.
_SSH = (
    _Advice(
        ("too many authentication failures",),
        "the agent offers more keys than ssh_max_auth_tries: raise it above what `ssh-add -l` "
        "lists, or set IdentitiesOnly and IdentityFile for the lab's nodes in ~/.ssh/config",
    ),
    _Advice(
        (
            "host key verification failed",
            "no matching host key type",
            "remote host identification has changed",
            "host key is known for",
        ),
        "the controller knows another host key than the server now offers: take the type that it "
        "knows into ssh_algorithms.hostkeyalgorithms, or add the node's "
        "/etc/ssh/ssh_host_ed25519_key.pub to known_hosts, read over a connection that you trust",
    ),
    _Advice(
        ("no matching key exchange", "no matching cipher", "no matching mac"),
        "the controller's ssh knows none of them: add one of `ssh -Q` to ssh_algorithms, or "
        "upgrade the controller's OpenSSH",
    ),
    _Advice(
        ("permission denied",),
        "the server refuses the user or its key: see ssh_allow_users, ssh_allow_groups and "
        "ssh_extra_options",
    ),
    _Advice(
        ("connection refused", "timed out", "no route to host"),
        "nothing answers where Ansible connects: keep its port (ansible_port) in ssh_ports beside "
        "the new one, and let lab_flows open both",
    ),
)


def next_action(subject: str, last_error: str = "") -> str:
    """Say what to do next.

    Args:
        subject: what was changed: ``firewall``, ``network`` or ``ssh``.
        last_error: what the last connection that failed said, or "".
    """
    said = last_error.lower()
    for advice in _SSH if subject == "ssh" else ():
        if any(sign in said for sign in advice.signs):
            return advice.text
    return _NEXT[subject]
