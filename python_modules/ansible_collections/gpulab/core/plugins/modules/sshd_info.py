#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: sshd_info
author: The gpulab maintainers
version_added: 0.1.0
short_description: Read what the SSH server can do, has and does
description:
  - Reads the algorithms that the installed sshd offers by default, the system's crypto policy,
    the host keys, the effective configuration, and whether a user could log in by key.
  - Reads also how the server is started, by its service or by a socket.
  - Changes nothing.
options:
  user:
    description: The user to look at, normally the one that Ansible connects as.
    type: str
    required: true
  service:
    description: Name of the server's systemd unit.
    type: str
    default: sshd
  files:
    description: Files of the server's configuration to read.
    type: list
    elements: path
    default: []
attributes:
  check_mode:
    description: Reads only.
    support: full
  diff_mode:
    description: There is nothing to show.
    support: none
"""

EXAMPLES = r"""
- name: Read the SSH server's state
  gpulab.core.sshd_info:
    user: "{{ ansible_facts['user_id'] }}"
  register: __ssh_state
"""

RETURN = r"""
sshd:
  description: The state; lists are empty and texts C("") where nothing could be read.
  type: dict
  returned: always
  contains:
    installed: {description: Whether there is a server., type: bool}
    version: {description: As the client prints it., type: str, sample: OpenSSH_9.2p1}
    defaults: {description: Algorithms by option; what this build offers by itself., type: dict}
    policy: {description: "Algorithms by option; EL's crypto policy, else empty.", type: dict}
    host_keys: {description: "C(path), C(type), C(bits) of each host key.", type: list}
    reads_drop_ins: {description: Whether sshd_config reads its drop-ins first., type: bool}
    effective: {description: "Option to list of values, for O(user) (C(sshd -T -C)).", type: dict}
    error: {description: Why the configuration in place can't be read., type: str}
    missing_folder:
      description: >-
        The folder that sshd shuts its processes into, where that is missing: then it neither reads
        its configuration nor lets anybody in.
      type: str
    files: {description: "Of O(files) that are there, C(content) and C(mode).", type: dict}
    enabled: {description: Whether the service or its socket starts at boot., type: bool}
    active: {description: Whether the service or its socket is up., type: bool}
    serves: {description: Whether the service itself is up., type: bool}
    socket:
      description: >-
        C(active), C(listens) (addresses and ports), and C(follows), whether a generator makes the
        socket listen where C(Port) in sshd_config says (Ubuntu from 24.04 on).
      type: dict
    user:
      description: "C(name), C(exists), C(groups), C(authorized_keys) (how many) of O(user)."
      type: dict
"""

import grp
import os
import pwd
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.sshd import parse

#: Makes ssh.socket listen where sshd_config says (Ubuntu 24.04 and later).
GENERATORS = ("/usr/lib/systemd/system-generators", "/lib/systemd/system-generators")
GENERATOR = "sshd-socket-generator"
POLICY = Path("/etc/crypto-policies/back-ends/opensshserver.config")
CONFIG = Path("/etc/ssh/sshd_config")


def text_of(path: Path) -> str:
    """Read a file; an empty string when it isn't there."""
    return path.read_text(errors="replace") if path.is_file() else ""


def user_state(name: str) -> dict[str, Any]:
    """Tell what a user has that a login by key needs."""
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return {"name": name, "exists": False, "groups": [], "authorized_keys": 0}
    ids = os.getgrouplist(name, entry.pw_gid)
    groups = [group.gr_name for group in grp.getgrall() if group.gr_gid in ids]
    home = Path(entry.pw_dir) / ".ssh"
    keys = sum(
        parse.count_keys(text_of(home / file)) for file in ("authorized_keys", "authorized_keys2")
    )
    return {"name": name, "exists": True, "groups": sorted(groups), "authorized_keys": keys}


def file_state(path: Path) -> dict[str, str]:
    """Read a file's text, and its permissions as an octal number."""
    return {"content": text_of(path), "mode": f"{path.stat().st_mode & 0o7777:04o}"}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "user": {"type": "str", "required": True},
            "service": {"type": "str", "default": "sshd"},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    user, service = module.params["user"], module.params["service"]
    sshd = module.get_bin_path("sshd", opt_dirs=["/usr/sbin", "/usr/local/sbin"])
    state: dict[str, Any] = {
        "installed": sshd is not None,
        "version": "",
        "defaults": {},
        "policy": parse.parse_policy(text_of(POLICY)),
        "host_keys": [],
        "reads_drop_ins": parse.reads_drop_ins(text_of(CONFIG)),
        "effective": {},
        "error": "",
        "missing_folder": "",
        "files": {
            file: file_state(Path(file)) for file in module.params["files"] if Path(file).is_file()
        },
        "enabled": False,
        "active": False,
        "serves": False,
        "socket": {"active": False, "listens": [], "follows": False},
        "user": user_state(user),
    }
    if sshd is not None:
        # /dev/null: what this build offers before any file, policy or drop-in says otherwise.
        _, out, _ = module.run_command([sshd, "-T", "-f", "/dev/null"])
        state["defaults"] = parse.algorithms(parse.parse_effective(out))
        where = f"user={user},host=localhost,addr=127.0.0.1"
        rc, out, err = module.run_command([sshd, "-T", "-C", where])
        if rc == 0:
            state["effective"] = parse.parse_effective(out)
        else:
            state["error"] = err.strip() or f"sshd -T: exit status {rc}"
            state["missing_folder"] = parse.missing_folder(err)
        _, _, err = module.run_command([sshd, "-V"])
        state["version"] = next((w for w in err.replace(",", " ").split() if "SSH_" in w), "")
        for key in sorted(Path("/etc/ssh").glob("ssh_host_*_key")):
            _, out, _ = module.run_command(["ssh-keygen", "-l", "-f", str(key)])
            state["host_keys"].append(parse.parse_host_key(str(key), out))
        units = [f"{service}.service", f"{service}.socket"]
        # Both print one line per unit; Ubuntu starts sshd from its socket.
        _, enabled, _ = module.run_command(["systemctl", "is-enabled", *units])
        _, active, _ = module.run_command(["systemctl", "is-active", *units])
        state["enabled"] = "enabled" in enabled.split()
        state["active"] = "active" in active.split()
        # In the order that was asked for.
        state["serves"] = active.split()[:1] == ["active"]
        if active.split()[1:] == ["active"]:
            _, shown, _ = module.run_command(["systemctl", "show", "--property=Listen", units[1]])
            state["socket"] = {
                "active": True,
                "listens": parse.parse_listen(shown),
                "follows": any(Path(folder, GENERATOR).is_file() for folder in GENERATORS),
            }
    module.exit_json(changed=False, sshd=state)


if __name__ == "__main__":
    main()
