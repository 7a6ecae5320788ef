#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: commit
author: The gpulab maintainers
version_added: 0.1.0
short_description: Change what a node is reached by, and go back unless a new connection confirms
description:
  - With O(state=applied) it writes O(files), runs O(apply), and arms a timer of the node's own
    systemd that puts everything back after O(timeout_s) seconds, whatever becomes of this run.
  - With O(state=confirmed), in a task of its own, it closes the connection that Ansible holds,
    opens a new one, and only over that one stops the timer and writes O(persist). A connection that
    is older than the change is refused by the node, and so is one that comes too late.
  - The change wins whole or loses whole. One lock on the node keeps the confirmation, the timer and
    another run apart, and a change that was not confirmed before a reboot is undone before the
    network starts.
  - O(apply) runs after this module has answered, so the connection may break under it.
  - Role P(commit#role) calls it and installs what undoes a change; roles call that role.
options:
  subject:
    description: What is changed. A node has at most one change under way, whatever its subject.
    type: str
    required: true
    choices: [firewall, network, ssh]
  state:
    description:
      - V(applied) does nothing where O(files) and O(persist) are there and O(live) is true.
      - V(reached) waits until the change is in effect and a new connection gets through, and leaves
        it as it is, for whoever wants to try more before the confirmation.
      - V(confirmed) does the same and ends what V(applied) began.
      - V(rolled_back) puts the former state back at once, before the timer does.
    type: str
    required: true
    choices: [applied, reached, confirmed, rolled_back]
  id:
    description: What V(applied) returned as RV(id). Needed by the other states.
    type: str
  files:
    description:
      - 'Files to write before O(apply), by absolute path: C({content: text, mode: "0644"}), or
        C({link: target}), or V(null) for a file that must not be there.'
      - Put back as they were by a rollback, with owner and mode.
    type: dict
    default: {}
  persist:
    description:
      - Files that are written only at the confirmation, in the same form. A node that reboots
        before it has the former ones.
    type: dict
    default: {}
  undo_files:
    description: Texts that O(undo) needs, by file name; they lie in C({undo}).
    type: dict
    default: {}
  live:
    description: Whether what runs is already what the files say. If not, O(apply) is run anyhow.
    type: bool
    default: true
  check:
    description:
      - Commands, each a list of words, that accept or refuse the change before anything is touched.
        C({stage}) is a folder that holds the new O(files) and O(persist) under their full paths.
      - In check mode they run where their program is installed.
    type: list
    elements: list
    default: []
  apply:
    description: >-
      Commands that put O(files) into effect, after they are in place. C({stage}) as above. All of
      them together have half of O(timeout_s).
    type: list
    elements: list
    default: []
  undo:
    description: >-
      Commands that put the former files into effect, after they are back. C({undo}) is the folder
      of O(undo_files). Each is tried three times, and the ones after it run even where it fails.
    type: list
    elements: list
    default: []
  boot:
    description: >-
      Commands to run in place of O(undo) when the node rebooted in between, after the former files
      are back and before the network starts.
    type: list
    elements: list
    default: []
  timeout_s:
    description: Seconds after which the node goes back by itself; 10 or more.
    type: int
    default: 30
  reason:
    description: Why it is V(rolled_back).
    type: str
    default: the run gave it up
attributes:
  check_mode:
    description: Shows what would change and touches nothing.
    support: full
  diff_mode:
    description: Shows O(files) and O(persist).
    support: full
"""

EXAMPLES = r"""
- name: Apply the ruleset
  gpulab.core.commit:
    subject: firewall
    state: applied
    persist:
      /etc/gpulab/firewall.nft: {content: "{{ ruleset }}", mode: "0600"}
    undo_files:
      former.nft: "{{ firewall.former }}"
    live: "{{ firewall.live_is_so }}"
    check:
      - [nft, --check, --file, "{stage}/etc/gpulab/firewall.nft"]
    apply:
      - [nft, --file, "{stage}/etc/gpulab/firewall.nft"]
    undo:
      - [nft, --file, "{undo}/former.nft"]
  register: applied

- name: Confirm it over a new connection
  gpulab.core.commit:
    subject: firewall
    state: confirmed
    id: "{{ applied.id }}"
  when: applied.armed
"""

RETURN = r"""
again:
  description: Whether the node has to be asked once more; the action does that.
  type: bool
  returned: state is reached or confirmed
armed:
  description: Whether a change waits for its confirmation.
  type: bool
  returned: state is applied
id:
  description: Names the change that waits.
  type: str
  returned: armed
paths:
  description: The files of O(files) and O(persist) that differ.
  type: list
  elements: str
  returned: state is applied
proved:
  description: >-
    Whether the node could see that the confirmation came by an SSH connection that was opened after
    the change. Other connections, such as a container engine's, prove nothing about SSH access.
  type: bool
  returned: state is reached or confirmed
"""

import os
import shutil
import tempfile
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.commit import lock, request
from ..module_utils.commit.change import ChangeError, commands_of
from ..module_utils.commit.store import Store
from ..module_utils.process import run_group

ARGUMENTS = {
    "subject": {"type": "str", "required": True, "choices": ["firewall", "network", "ssh"]},
    "state": {
        "type": "str",
        "required": True,
        "choices": ["applied", "reached", "confirmed", "rolled_back"],
    },
    "id": {"type": "str"},
    "files": {"type": "dict", "default": {}},
    "persist": {"type": "dict", "default": {}},
    "undo_files": {"type": "dict", "default": {}},
    "live": {"type": "bool", "default": True},
    "check": {"type": "list", "elements": "list", "default": []},
    "apply": {"type": "list", "elements": "list", "default": []},
    "undo": {"type": "list", "elements": "list", "default": []},
    "boot": {"type": "list", "elements": "list", "default": []},
    "timeout_s": {"type": "int", "default": 30},
    "reason": {"type": "str", "default": "the run gave it up"},
}
_CHECK_S = 60.0


def verify(module: AnsibleModule, folder: Path) -> None:
    """Run the commands that accept or refuse the change, on the staged files.

    Raises:
        request.RequestError: one refuses.
    """
    for command in commands_of("check", module.params["check"], request.places(folder)):
        if module.check_mode and shutil.which(command[0]) is None:
            module.warn(f"the new files were not checked: {command[0]} is not installed yet")
            continue
        done = run_group(command, os.environ, _CHECK_S)
        if done.start_error:
            raise request.RequestError(f"nothing was changed: {done.start_error}")
        if done.timed_out:
            msg = f"nothing was changed: {command[0]} did not end within {_CHECK_S:g} s"
            raise request.RequestError(msg)
        if done.returncode != 0:
            said = (done.stderr_tail.strip() or done.stdout.strip())[-1000:]
            msg = f"nothing was changed: {command[0]} refuses the new files: {said}"
            raise request.RequestError(msg)


def applied(module: AnsibleModule) -> None:
    """Begin a change, or say that there is none to make."""
    store = Store()
    wanted = request.compare(module.params)
    if module.check_mode:
        with tempfile.TemporaryDirectory(dir=module.tmpdir) as folder:
            request.stage(wanted, Path(folder))
            verify(module, Path(folder))
        exit_applied(module, wanted, change_id=None)
    with lock.held(request.LOCK_WAIT_S):
        undone = request.make_way(store)
        if undone:
            module.warn(undone)
            wanted = request.compare(module.params)
        if not wanted.differing and module.params["live"]:
            exit_applied(module, wanted, change_id=None)
        change = request.begin(store, wanted, lambda folder: verify(module, folder))
    exit_applied(module, wanted, change_id=change.id)


def exit_applied(module: AnsibleModule, wanted: request.Wanted, change_id: str | None) -> None:
    """Answer what changes, with the files' differences."""
    shown = [
        {
            "before_header": entry["path"],
            "after_header": entry["path"],
            "before": step.before,
            "after": step.after,
        }
        for entry, step, _ in wanted.differing
        if step.action != "keep"
    ]
    answer = {"id": change_id} if change_id else {}
    module.exit_json(
        changed=bool(wanted.differing) or not module.params["live"],
        armed=change_id is not None,
        paths=[entry["path"] for entry, _, _ in wanted.differing],
        diff=shown,
        **answer,
    )


def confirmed(module: AnsibleModule) -> None:
    """Confirm a change, or see that it could be, or say why it has lost."""
    params = module.params
    answer = request.confirm(
        Store(),
        params["subject"],
        params["id"],
        params["timeout_s"],
        only_look=params["state"] == "reached",
    )
    result = {"changed": False, "again": answer.again, "proved": answer.proved}
    if answer.confirmed or answer.again:
        module.exit_json(msg=answer.text, **result)
    module.fail_json(msg=answer.text, **result)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=ARGUMENTS,
        required_if=[
            ("state", state, ("id",)) for state in ("reached", "confirmed", "rolled_back")
        ],
        supports_check_mode=True,
    )
    params = module.params
    if params["timeout_s"] < 10:
        module.fail_json(
            msg=f"timeout_s: {params['timeout_s']} leaves no time to confirm: 10 or more"
        )
    try:
        if params["state"] == "applied":
            applied(module)
        if module.check_mode:
            module.exit_json(changed=False, skipped=True, msg="check mode: nothing is under way")
        if params["state"] in ("reached", "confirmed"):
            confirmed(module)
        said = request.give_up(Store(), params["subject"], params["id"], params["reason"])
        module.exit_json(changed=True, msg=said)
    except (request.RequestError, ChangeError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
