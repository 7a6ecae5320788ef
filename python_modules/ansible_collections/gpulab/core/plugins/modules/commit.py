#!/usr/bin/python
from __future__ import annotations

DOCUMENTATION = r"""
module: commit
author: The gpulab maintainers
version_added: 0.1.0
short_description: Change what a node is reached through, and go back unless a new connection confirms it
description:
  - With O(state=applied) it writes O(files), runs O(apply), and arms a timer of the node's own
    systemd that puts everything back after O(timeout_s) seconds, whatever becomes of this run.
  - With O(state=confirmed), in a task of its own, it closes the connection that Ansible holds, opens
    a new one, and only over that one stops the timer and writes O(persist). A connection that is
    older than the change is refused by the node, and so is one that comes too late.
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
    choices: [firewall, network]
  state:
    description:
      - V(applied) does nothing where O(files) and O(persist) are there and O(live) is true.
      - V(confirmed) ends what V(applied) began.
      - V(rolled_back) puts the former state back at once, before the timer does.
    type: str
    required: true
    choices: [applied, confirmed, rolled_back]
  id:
    description: What V(applied) returned as RV(id). Needed by the other two states.
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
      - Files that are written only at the confirmation, in the same form. A node that reboots before
        it has the former ones.
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
      Commands that put O(files) into effect, after they are in place. C({stage}) as above. All of them
      together have half of O(timeout_s).
    type: list
    elements: list
    default: []
  undo:
    description: >-
      Commands that put the former files into effect, after they are back. C({undo}) is the folder of
      O(undo_files). Each is tried three times, and the ones after it run even where it fails.
    type: list
    elements: list
    default: []
  boot:
    description: >-
      Commands to run in place of O(undo) when the node rebooted in between, after the former files are
      back and before the network starts.
    type: list
    elements: list
    default: []
  timeout_s:
    description: Seconds after which the node goes back by itself.
    type: int
    default: 30
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
    Whether the node could see that the confirmation came by an SSH connection that was opened after the
    change. Other connections, such as a container engine's, prove nothing about the way in.
  type: bool
  returned: state is confirmed
"""
