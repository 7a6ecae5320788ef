#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sandbox_image
short_description: Build the images that a sandbox's machines start from
description:
  - Builds a small installation of systemd, sshd and Python, and keeps it in the store of the
    container engine of this host (podman, or docker) under a tag that is a hash of its recipe.
  - For virtual machines that installation also gets a kernel and a boot loader, and becomes
    a disk in an image that has QEMU.
  - Does nothing when an image of that recipe is there.
options:
  kinds:
    description: The kinds of machine to build an image for.
    type: list
    elements: str
    choices: [container, vm]
    default: [container]
  state:
    description:
      - Whether the images should be there.
      - V(absent) removes all that any sandbox has left in the engine's store, of other recipes
        and kinds too. It fails while machines use one.
    type: str
    choices: [present, absent]
    default: present
  source:
    description:
      - V(packages) builds the distribution of this host from the mirror that its apt is configured
        for, without a registry. V(auto) does so where mmdebstrap can be run, and takes
        a Containerfile otherwise.
      - Any other value names a file C(<source>.Containerfile) in O(containerfiles), whose base
        image is pulled from a registry.
    type: str
    default: auto
  containerfiles:
    description: The folder of the Containerfiles.
    type: path
    required: true
author: The gpulab maintainers
attributes:
  check_mode:
    support: full
    description: Says whether the image would be built.
"""

EXAMPLES = r"""
- name: Build the images of both kinds of machine
  gpulab.core.sandbox_image:
    kinds: [container, vm]
    containerfiles: "{{ playbook_dir }}/files/sandbox"
  delegate_to: localhost
"""

RETURN = r"""
images:
  description: Kind of machine → its image's reference in the engine's store.
  type: dict
  returned: always
  sample:
    container: localhost/gpulab-sandbox-debian-12:0c6f2a9d41b7
engine:
  description: The engine in use.
  type: str
  returned: always
  sample: podman
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.file_lock import exclusive_lock
from ..module_utils.sandbox import images, vm_images
from ..module_utils.sandbox.engine import Engine, find_engine
from ..module_utils.sandbox.errors import SandboxError


@dataclass(frozen=True)
class Kind:
    """How the image of a kind of machine is called, and how it is built."""

    reference: Callable[[images.Recipe], str]
    build: Callable[[Engine, images.Recipe], None]


KINDS = {
    "container": Kind(lambda recipe: recipe.reference, images.build),
    "vm": Kind(vm_images.reference, vm_images.build),
}


def main() -> None:
    """Build or remove the images."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "kinds": {
                "type": "list",
                "elements": "str",
                "choices": sorted(KINDS),
                "default": ["container"],
            },
            "source": {"type": "str", "default": "auto"},
            "containerfiles": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    try:
        engine = find_engine()
        recipe = images.choose_recipe(
            module.params["source"], Path(module.params["containerfiles"]), images.host_release()
        )
        references = {kind: KINDS[kind].reference(recipe) for kind in module.params["kinds"]}
        if module.params["state"] == "absent":
            to_do = images.cached(engine)
            if to_do and not module.check_mode:
                engine.run("image", "rm", *to_do)
        else:
            # Two scenarios that start at once need one image.
            with exclusive_lock(Path(module.params["containerfiles"]), 2 * images.BUILD_TIMEOUT_S):
                to_do = [kind for kind, name in references.items() if not engine.image_exists(name)]
                for kind in to_do if not module.check_mode else ():
                    KINDS[kind].build(engine, recipe)
    except (SandboxError, TimeoutError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(to_do), images=references, engine=engine.name)


if __name__ == "__main__":
    main()
