"""What ``gpulab.core.files`` decides."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.files.plan import (
    Present,
    Step,
    plan,
    problem,
)

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIN2l2UhmgsLGQ2lRCbVX4mO1J4oHVnXyPNtAJlP8Fb0Q alice"
LINE = f"{KEY}\n".encode()
PROXY = {"section": "main", "option": "proxy", "value": "x"}


def entry(**keys: Any) -> dict[str, Any]:
    return {"path": "/etc/x", "state": "present", "content": None, "link": None, **keys}


@pytest.mark.parametrize(
    ("wanted", "present", "step"),
    [
        (entry(content="a\n"), Present("absent"), Step("write", "", "a\n", b"a\n")),
        (entry(content="a\n"), Present("file", b"a\n"), Step("keep")),
        (entry(content="a\n"), Present("file", b"b\n"), Step("write", "b\n", "a\n", b"a\n")),
        (entry(content=""), Present("absent"), Step("write", "", "", b"")),
        # A link is replaced by a file, even when its target has the wanted content.
        (
            entry(content="a\n"),
            Present("link", target="/t"),
            Step("write", "link to /t\n", "a\n", b"a\n"),
        ),
        (entry(link="/t"), Present("link", target="/t"), Step("keep")),
        (
            entry(link="/t"),
            Present("link", target="/u"),
            Step("link", "link to /u\n", "link to /t\n"),
        ),
        (entry(link="/t"), Present("file", b"a\n"), Step("link", "a\n", "link to /t\n")),
        (entry(state="absent"), Present("absent"), Step("keep")),
        (entry(state="absent"), Present("file", b"a\n"), Step("remove", "a\n", "")),
        (entry(state="absent"), Present("link", target="/t"), Step("remove", "link to /t\n", "")),
        (
            entry(content="ä\n"),
            Present("file", b"\xff"),
            Step("write", "\ufffd", "ä\n", "ä\n".encode()),
        ),
        (entry(public_keys=[KEY]), Present("absent"), Step("write", "", f"{KEY}\n", LINE)),
        (entry(public_keys=[KEY]), Present("file", LINE), Step("keep")),
        # What is kept is kept byte by byte.
        (
            entry(public_keys=[KEY]),
            Present("file", b"# \xff\n"),
            Step("write", "# \ufffd\n", f"# \ufffd\n{KEY}\n", b"# \xff\n" + LINE),
        ),
        (entry(ini=PROXY), Present("file", b"[main]\nproxy=x\n"), Step("keep")),
        (
            entry(ini=PROXY),
            Present("file", b"[main]\n"),
            Step("write", "[main]\n", "[main]\nproxy=x\n", b"[main]\nproxy=x\n"),
        ),
    ],
)
def test_plan(wanted: dict[str, Any], present: Present, step: Step) -> None:
    assert plan(wanted, present) == step


@pytest.mark.parametrize("wanted", [entry(public_keys=[KEY]), entry(ini=PROXY)])
def test_what_is_kept_is_not_read_through_a_link(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="/etc/x is a link: put a copy of what it points at"):
        plan(wanted, Present("link", target="/etc/shadow"))


@pytest.mark.parametrize("wanted", [entry(content="a"), entry(link="/t"), entry(state="absent")])
def test_a_directory_is_never_replaced(wanted: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="/etc/x is a directory"):
        plan(wanted, Present("directory"))


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (entry(content="a"), None),
        (entry(link="/t"), None),
        (entry(state="absent"), None),
        (entry(content="a", validate="visudo -cf %s"), None),
        (entry(public_keys=[f"{KEY}\n"]), None),
        (entry(ini=PROXY), None),
        (entry(), "needs exactly one of content, link, public_keys, ini"),
        (entry(content="a", link="/t"), "needs exactly one of content, link, public_keys, ini"),
        (entry(content="a", ini=PROXY), "needs exactly one of content, link, public_keys, ini"),
        (entry(public_keys=[KEY, "# none"]), "public_keys[1] of /etc/x is not one public key"),
        (entry(public_keys=[f"{KEY}\n{KEY}"]), "public_keys[0] of /etc/x is not one public key"),
        (entry(state="absent", content="a"), "takes no content"),
        (entry(path="etc/x", content="a"), "is not absolute"),
        (entry(content="a", validate="visudo -c"), "needs %s"),
    ],
)
def test_problem(wanted: dict[str, Any], said: str | None) -> None:
    found = problem(wanted)
    assert (found is None) if said is None else (found is not None and said in found)
