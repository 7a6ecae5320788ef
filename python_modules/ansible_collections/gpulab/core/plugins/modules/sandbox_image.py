#!/usr/bin/python
# Copyright: the gpulab maintainers
# Apache License 2.0 (see LICENSE or https://www.apache.org/licenses/LICENSE-2.0)

from __future__ import annotations

DOCUMENTATION = r"""
---
module: sandbox_image
short_description: Build the image that a sandbox's machines start from
description:
  - Builds a small installation of systemd, sshd and Python, and keeps it in the store of the
    container engine of this host (podman, or docker) under a tag that is a hash of its recipe.
  - Does nothing when an image of that recipe is there.
options:
  state:
    description: Whether the image should be there.
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
- name: Build the image
  gpulab.core.sandbox_image:
    containerfiles: "{{ playbook_dir }}/files/sandbox"
  delegate_to: localhost
"""

RETURN = r"""
image:
  description: The image's reference in the engine's store.
  type: str
  returned: always
  sample: localhost/gpulab-sandbox-debian-12:0c6f2a9d41b7
engine:
  description: The engine in use.
  type: str
  returned: always
  sample: podman
"""

from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ansible_collections.gpulab.core.plugins.module_utils.sandbox import images
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.engine import find_engine
from ansible_collections.gpulab.core.plugins.module_utils.sandbox.errors import SandboxError


def main() -> None:
    """Build or remove the image."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
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
        wanted = module.params["state"] == "present"
        changed = engine.image_exists(recipe.reference) != wanted
        if changed and not module.check_mode:
            if wanted:
                images.build(engine, recipe)
            else:
                engine.run("image", "rm", recipe.reference)
    except SandboxError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, image=recipe.reference, engine=engine.name)


if __name__ == "__main__":
    main()
