#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: files
author: The gpulab maintainers
version_added: 0.1.0
short_description: Write the files of a role in one round trip, all validated before any is replaced
description:
  - Writes, links and removes a list of small text files.
  - Every new content is validated before the first file is replaced, so one refused file leaves
    all of them, and the daemon that reads them, as they were.
  - A role's five files cost one task instead of ten round trips, which is most of the time of a
    run that has nothing to change.
options:
  files:
    description: The files, each with its whole content or with what it is to have among others.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description: Absolute path.
        type: str
        required: true
      state:
        description: Whether the file is to be there.
        type: str
        choices: [present, absent]
        default: present
      content:
        description: >-
          The whole text. A file that is present has exactly one of O(files[].content),
          O(files[].link), O(files[].public_keys) and O(files[].ini).
        type: str
      link:
        description: What a symbolic link at O(files[].path) points at. The target must exist.
        type: str
      public_keys:
        description: >-
          Keys that an authorized_keys file is to have, among others. A key that is there with
          other options or another comment gets these; every other line stays.
        type: list
        elements: str
      ini:
        description: One option that an INI file is to have. Every other line stays.
        type: dict
        suboptions:
          section:
            description: Its section, which is added where it is missing.
            type: str
            required: true
          option:
            description: Its name.
            type: str
            required: true
          value:
            description: Its value.
            type: str
            required: true
      owner:
        description: Owner of the file and of folders that have to be made for it.
        type: str
        default: root
      group:
        description: Group of the file and of folders that have to be made for it.
        type: str
      mode:
        description: Permissions of the file.
        type: str
        default: "0644"
      directory_mode:
        description: Permissions of folders that have to be made for it.
        type: str
        default: "0755"
      validate:
        description: >-
          Command that accepts or refuses the new content; C(%s) stands for the name of a
          temporary file that holds it. No shell is involved.
        type: str
      follow:
        description: >-
          Write through a link at O(files[].path) instead of replacing it. Never for files in
          folders that others than root may write.
        type: bool
        default: false
      unsafe_writes:
        description: Write in place where a rename is refused, as on a bind-mounted file.
        type: bool
        default: false
  daemon_reload:
    description: >-
      Let systemd read its units again where one of the files that changed is below
      C(/etc/systemd/system).
    type: bool
    default: false
attributes:
  check_mode:
    description: Validates and reports; writes nothing.
    support: full
  diff_mode:
    description: Shows each file.
    support: full
"""

EXAMPLES = r"""
- name: Write the files of the time service
  gpulab.core.files:
    files:
      - path: /etc/chrony/chrony.conf
        content: "{{ lookup('ansible.builtin.template', 'chrony.conf.j2') }}"
        validate: /usr/sbin/chronyd -p -f %s
      - path: /etc/chrony/conf.d/old.conf
        state: absent
  register: __time_files
  notify: Restart chrony
"""

RETURN = r"""
paths:
  description: The paths that changed (or would, in check mode), for handlers that care which.
  type: list
  elements: str
  returned: always
  sample: [/etc/chrony/chrony.conf]
"""

import os
import shlex
import shutil
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.atomic_write import replace_link
from ..module_utils.files.inspect import look
from ..module_utils.files.plan import Step, plan, problem

UNITS = "/etc/systemd/system/"
SUBOPTIONS: dict[str, dict[str, Any]] = {
    "path": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "content": {"type": "str"},
    "link": {"type": "str"},
    "public_keys": {"type": "list", "elements": "str"},
    "ini": {
        "type": "dict",
        "options": {
            name: {"type": "str", "required": True} for name in ("section", "option", "value")
        },
    },
    "owner": {"type": "str", "default": "root"},
    "group": {"type": "str"},
    "mode": {"type": "str", "default": "0644"},
    "directory_mode": {"type": "str", "default": "0755"},
    "validate": {"type": "str"},
    "follow": {"type": "bool", "default": False},
    "unsafe_writes": {"type": "bool", "default": False},
}


def stage(module: AnsibleModule, entry: dict[str, Any], content: bytes) -> str:
    """Write the content to a temporary file and validate it; returns the file's name."""
    with tempfile.NamedTemporaryFile(dir=module.tmpdir, delete=False) as file:
        file.write(content)
    if not entry["validate"]:
        return file.name
    argv = [word.replace("%s", file.name) for word in shlex.split(entry["validate"])]
    if module.check_mode and shutil.which(argv[0]) is None:
        module.warn(f"{entry['path']} was not validated: {argv[0]} is not installed yet")
        return file.name
    rc, out, err = module.run_command(argv)
    if rc != 0:
        module.fail_json(
            msg=f"{entry['path']}: {argv[0]} refuses the new content, nothing was written: "
            + (err.strip() or out.strip() or f"exit status {rc}"),
            rc=rc,
        )
    return file.name


def make_parents(module: AnsibleModule, entry: dict[str, Any], path: Path) -> None:
    """Make the missing folders above ``path``, the outermost first."""
    missing = [folder for folder in path.parents if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir()
        # It has its parent's SELinux context, and ~/.ssh one of its own.
        module.set_default_selinux_context(str(folder), False)
        own(module, {**entry, "mode": entry["directory_mode"]}, folder)


def own(module: AnsibleModule, entry: dict[str, Any], path: Path) -> bool:
    """Set owner, group and mode; returns whether anything differed."""
    wanted = module.load_file_common_arguments(entry, path=str(path))
    return bool(module.set_fs_attributes_if_different(wanted, False))


def apply(
    module: AnsibleModule, entry: dict[str, Any], path: Path, step: Step, staged: str
) -> bool:
    """Carry out one step; returns whether anything changed."""
    if step.action != "keep" and module.check_mode:
        return True
    if step.action == "remove":
        path.unlink()
        return True
    if step.action == "link":
        if not (path.parent / entry["link"]).exists():
            module.fail_json(msg=f"{path} cannot link to {entry['link']}: it does not exist")
        make_parents(module, entry, path)
        replace_link(path, entry["link"])
        return True
    if step.action == "write":
        make_parents(module, entry, path)
        module.atomic_move(staged, str(path), unsafe_writes=entry["unsafe_writes"])
    if entry["state"] == "absent" or entry["link"] is not None:
        return False
    return own(module, entry, path) or step.action == "write"


def detour(entry: dict[str, Any]) -> str:
    """Say which folder above a file is a link that somebody else than root made.

    Root would follow it and write where that user cannot, such as into another user's home.
    """
    for folder in Path(entry["path"]).parents:
        if folder.is_symlink() and folder.lstat().st_uid != 0:
            return f"{entry['path']}: {folder} is a link of a user's making: remove it"
    return ""


def reload_units(module: AnsibleModule, changed: list[str]) -> None:
    """Let systemd read its units again where one of them changed."""
    if module.check_mode or not any(path.startswith(UNITS) for path in changed):
        return
    rc, _, err = module.run_command(["systemctl", "daemon-reload"])
    if rc != 0:
        module.fail_json(msg=f"systemctl daemon-reload: {err.strip()}", rc=rc, paths=changed)


def main() -> None:
    """Run the module."""
    os.umask(0o077)  # what carries a secret is never readable in between
    module = AnsibleModule(
        argument_spec={
            "files": {"type": "list", "elements": "dict", "required": True, "options": SUBOPTIONS},
            "daemon_reload": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    entries: list[dict[str, Any]] = module.params["files"]
    problems = [said for said in (*map(problem, entries), *map(detour, entries)) if said]
    if problems:
        module.fail_json(msg="; ".join(problems))

    planned: list[tuple[dict[str, Any], Path, Step, str]] = []
    for entry in entries:
        path = Path(entry["path"])
        if entry["follow"]:
            path = path.resolve()
        try:
            step = plan(entry, look(path))
        except ValueError as error:
            module.fail_json(msg=str(error))
        staged = stage(module, entry, step.content) if step.action == "write" else ""
        planned.append((entry, path, step, staged))

    changed = [
        (entry["path"], step)
        for entry, path, step, staged in planned
        if apply(module, entry, path, step, staged)
    ]
    paths = [path for path, _ in changed]
    if module.params["daemon_reload"]:
        reload_units(module, paths)
    module.exit_json(
        changed=bool(changed),
        paths=paths,
        diff=[
            {
                "before_header": path,
                "after_header": path,
                "before": step.before,
                "after": step.after,
            }
            for path, step in changed
            if step.action != "keep"
        ],
    )


if __name__ == "__main__":
    main()
