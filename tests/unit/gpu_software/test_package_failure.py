"""What package managers say when they fail, as their modules and commands leave it."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.gpu_software.package_failure import (
    package_failure,
)

OTHERWISE = "Check the name."


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (
            {
                "msg": "'/usr/bin/apt-get -y install x=1' failed: E: Version '1' was not found",
                "stderr": "E: Version '1' was not found\n",
            },
            "E: Version '1' was not found",
        ),
        (
            {"msg": "Failed to install", "failures": ["No package x available.", "nor y"]},
            "Failed to install No package x available. nor y",
        ),
        (
            {"msg": "non-zero return code", "stderr": "E: bad\n", "stdout": "Hit:1"},
            "non-zero return code E: bad",
        ),
        (
            {
                "msg": "non-zero return code",
                "stdout": "Loading\nError! Bad return status for module build on kernel: 6.1\n"
                "Consult /var/lib/dkms/nvidia/1/build/make.log for more information.\n",
            },
            (
                "non-zero return code Bad return status for module build on kernel: 6.1 "
                "Consult /var/lib/dkms/nvidia/1/build/make.log"
            ),
        ),
        (
            {"msg": "failed", "stdout": "The following packages have unmet dependencies:\n x: y\n"},
            "failed unmet dependencies:\n x: y",
        ),
        ({"msg": None}, ""),
    ],
)
def test_what_was_said(result: dict[str, Any], said: str) -> None:
    assert package_failure(result, OTHERWISE)["said"] == said


@pytest.mark.parametrize(
    ("message", "advice"),
    [
        (
            "No package matching 'linux-modules-nvidia-580-server-open-6.17.0-99-generic' is there",
            "Canonical has no signed modules",
        ),
        (
            "linux-modules-nvidia-580-server-6.17 : Depends: nvidia-kernel-common-580-server",
            "The modules for a newer kernel are of another version",
        ),
        (
            "No package kernel-devel-5.14.0-503.11.1.el9_5.x86_64 available.",
            "The mirror has no headers of this kernel any more",
        ),
        ("Unable to find a match: kernel-64k-devel-5.14.0-503", "The mirror has no headers"),
        ("The following signatures couldn't be verified: NO_PUBKEY A4B4", "The repository is not"),
        (
            "E: Conflicting values set for option Signed-By regarding source https://a/ /: b != c",
            "Two files under /etc/apt name one repository",
        ),
        ("repomd.xml GPG signature verification error: Bad GPG signature", "The repository is not"),
        # A name is no signature.
        ("No package matching 'linux-signatures-nvidia-6.8' is available", OTHERWISE),
        (
            "You don't have enough free space in /var/cache/apt/archives/.",
            "Free some space (3 GB).",
        ),
        ("Could not get lock /var/lib/dpkg/lock-frontend.", "Another package run holds the lock"),
        ("the proxy has blocked it", OTHERWISE),
        ("Build of nvidia.ko failed for: 6.1", "The modules do not build for this kernel"),
        ("No package matching 'nvidia-open' is available", OTHERWISE),
        ("503  offline mode", "The head does not keep it"),
        ("All mirrors were already tried without success", "The head does not keep it"),
        ("nvidia-open-580.15030 was not found", OTHERWISE),
    ],
)
def test_what_to_do_about_it(message: str, advice: str) -> None:
    found = package_failure({"msg": message}, OTHERWISE, mirror=True, size="3 GB")["advice"]
    assert found.startswith(advice)


@pytest.mark.parametrize("message", ["503  offline mode", "mirrors were already tried"])
def test_the_head_is_named_only_where_it_keeps_packages(message: str) -> None:
    assert package_failure({"msg": message}, OTHERWISE)["advice"] == OTHERWISE


def test_a_size_that_nobody_knows_is_left_out() -> None:
    assert package_failure({"msg": "No space left on device"}, "")["advice"] == "Free some space."
