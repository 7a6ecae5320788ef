"""What a node's own Debian sources leave out, by what apt lists of them."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.debian_components import (
    debian_components,
)

WANTED = ["contrib", "non-free", "non-free-firmware"]
OWN = "/etc/apt/sources.list.d/gpulab-debian.sources"
FILE = "/etc/apt/sources.list.d/debian.sources"
KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"


def lacking(*targets: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = debian_components(targets, "bookworm", WANTED, OWN)["lacking"]
    return found


def test_each_suite_is_completed_with_its_own_key() -> None:
    assert lacking(
        f"{FILE}:1 http://deb.example/debian bookworm main {KEY}",
        f"{FILE}:1 http://deb.example/debian bookworm contrib {KEY}",
        "/etc/apt/sources.list:3 http://deb.example/debian-security/ bookworm-security main ",
    ) == [
        {
            "uri": "http://deb.example/debian",
            "suite": "bookworm",
            "key": KEY,
            "components": ["non-free", "non-free-firmware"],
        },
        {
            "uri": "http://deb.example/debian-security/",
            "suite": "bookworm-security",
            "key": "",
            "components": WANTED,
        },
    ]


def test_what_leaves_nothing_out_is_left_alone() -> None:
    targets = [f"{FILE}:1 http://deb.example/debian bookworm {name}" for name in ("main", *WANTED)]
    assert debian_components(targets, "bookworm", WANTED, OWN) == {"found": True, "lacking": []}


@pytest.mark.parametrize(
    "target",
    [
        "x.list:1 http://vendor.example/apt stable main",
        "x.list:1 http://deb.example/debian trixie main",
        "x.list:1 http://deb.example/debian bookworm-backports main",
        # What this role wrote.
        f"{OWN}:1 http://deb.example/debian bookworm contrib",
    ],
)
def test_other_sources_do_not_count(target: str) -> None:
    assert debian_components([target], "bookworm", WANTED, OWN) == {"found": False, "lacking": []}
