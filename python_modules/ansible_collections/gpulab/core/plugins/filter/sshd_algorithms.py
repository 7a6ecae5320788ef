# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
"""The filter ``gpulab.core.sshd_algorithms``: what this server should offer of what it can."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleFilterError


def sshd_algorithms(preferred: dict[str, list[str]], state: dict[str, Any]) -> dict[str, list[str]]:
    """Narrow the preferred algorithms to what the build knows and the system's policy allows.

    Args:
        preferred: option (lower case, as ``sshd -T`` prints it) to algorithms, the best first.
        state: what ``gpulab.core.sshd_info`` returns as ``sshd``.

    Returns:
        Option to algorithms. Where nothing preferred is left (FIPS mode knows no curve25519),
        the policy's own list, so that the policy is never widened and nobody is locked out.

    Raises:
        AnsibleFilterError: the build offers nothing that is preferred and no policy explains it.
    """
    chosen = {}
    for option, wanted in preferred.items():
        known = state["defaults"].get(option, [])
        policy = state["policy"].get(option)
        usable = [name for name in wanted if name in known and (policy is None or name in policy)]
        if not usable and policy is None:
            msg = (
                f"{option}: {state['version'] or 'this sshd'} offers none of {', '.join(wanted)} "
                f"(it offers {', '.join(known) or 'nothing'}): upgrade openssh-server, or set "
                f"ssh_algorithms.{option} to what it has"
            )
            raise AnsibleFilterError(msg)
        chosen[option] = usable or policy
    return chosen


class FilterModule:
    """What Ansible looks up in this file."""

    def filters(self) -> dict[str, Any]:
        """Name the filters."""
        return {"sshd_algorithms": sshd_algorithms}
