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


def entry(**keys: Any) -> dict[str, Any]:
    return {"path": "/etc/x", "state": "present", "content": None, "link": None, **keys}


@pytest.mark.parametrize(
    ("wanted", "present", "step"),
    [
        (entry(content="a\n"), Present("absent"), Step("write", "", "a\n")),
        (entry(content="a\n"), Present("file", b"a\n"), Step("keep")),
        (entry(content="a\n"), Present("file", b"b\n"), Step("write", "b\n", "a\n")),
        (entry(content=""), Present("absent"), Step("write", "", "")),
        # A link is replaced by a file, even when its target has the wanted content.
        (
            entry(content="a\n"),
            Present("link", target="/t"),
            Step("write", "link to /t\n", "a\n"),
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
        (entry(content="ä\n"), Present("file", b"\xff"), Step("write", "\ufffd", "ä\n")),
    ],
)
def test_plan(wanted: dict[str, Any], present: Present, step: Step) -> None:
    assert plan(wanted, present) == step


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
        (entry(), "needs exactly one of content and link"),
        (entry(content="a", link="/t"), "needs exactly one of content and link"),
        (entry(state="absent", content="a"), "takes no content"),
        (entry(path="etc/x", content="a"), "is not absolute"),
        (entry(content="a", validate="visudo -c"), "needs %s"),
    ],
)
def test_problem(wanted: dict[str, Any], said: str | None) -> None:
    found = problem(wanted)
    assert (found is None) if said is None else (found is not None and said in found)
