#!/usr/bin/python
# Copyright: The gpulab maintainers
# Apache License 2.0 (https://www.apache.org/licenses/LICENSE-2.0)
from __future__ import annotations

DOCUMENTATION = r"""
module: mirror_fetch
short_description: Fetch packages through a lab's mirror and list them in its manifest
version_added: "0.1.0"
description:
  - Reads every package through the mirror to its end, which makes the mirror keep it, and compares
    it with size and SHA-256 of its repository's lists.
  - Writes the manifest only after all of them were read.
author: gpulab
options:
  proxy:
    description: Address of the mirror, as in V(http://10.0.0.1:3142).
    type: str
    required: true
  uris:
    description: >-
      Lines of C(apt-get --print-uris), or of M(gpulab.core.dnf_wanted); each file is fetched once.
    type: list
    elements: str
    required: true
  manifest:
    description: File that lists what was fetched, now and before.
    type: path
    required: true
attributes:
  check_mode:
    support: full
    description: Nothing is fetched and nothing is written.
"""

EXAMPLES = r"""
- name: Fetch ahead
  gpulab.core.mirror_fetch:
    proxy: http://10.0.0.1:3142
    uris: "{{ wanted }}"
    manifest: /var/lib/gpulab/mirror.json
"""

RETURN = r"""
fetched:
  description: Packages that were read.
  returned: success
  type: int
fetched_bytes:
  description: Their size together, bytes.
  returned: success
  type: int
"""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule

from ..module_utils.atomic_write import write_text
from ..module_utils.mirror.manifest import MirrorError, fetch, merge, parse_uris

PIECE_BYTES = 1024 * 1024
# A mirror answers only when its own server does.
TIMEOUT_S = 120


class Reader:
    """Reads addresses through one proxy, whatever the environment says."""

    def __init__(self, proxy: str) -> None:
        """Remember the proxy."""
        handler = urllib.request.ProxyHandler({"http": proxy})
        self._opener = urllib.request.build_opener(handler)

    def read(self, uri: str) -> Iterator[bytes]:
        """Give the content in pieces."""
        with self._opener.open(uri, timeout=TIMEOUT_S) as answer:
            while piece := answer.read(PIECE_BYTES):
                yield piece


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "proxy": {"type": "str", "required": True},
            "uris": {"type": "list", "elements": "str", "required": True},
            "manifest": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    path = Path(module.params["manifest"])
    try:
        packages = parse_uris(module.params["uris"])
        merged = merge(path, packages)
        text = json.dumps(merged, indent=1) + "\n"
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        if not module.check_mode:
            fetch(packages, Reader(module.params["proxy"]).read)
            if changed:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_text(path, text)
    except MirrorError as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=changed,
        fetched=len(packages),
        fetched_bytes=sum(package.bytes for package in packages),
    )


if __name__ == "__main__":
    main()
