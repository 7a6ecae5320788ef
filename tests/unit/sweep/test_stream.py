"""What comes from a node is a whole capture or an error, whatever it is."""

from __future__ import annotations

import base64
import gzip
from pathlib import Path

import pytest
from hardware_machines import Link, Machine
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.gpulab.core.plugins.module_utils.hardware.sysfs import NotCapturedError
from ansible_collections.gpulab.core.plugins.module_utils.hardware.tools import ToolResult
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.captured import (
    CapturedTree,
    captured_tools,
)
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.plan import Plan, PlanError
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.script import MOST_OUTPUT
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.snapshot import Group, Tool
from ansible_collections.gpulab.core.plugins.plugin_utils.sweep.stream import (
    StreamError,
    parse,
    unpack,
)

from .conftest import LIMIT_S, MARK, Ask


def packed(data: bytes) -> list[str]:
    return base64.b64encode(gzip.compress(data)).decode().splitlines()


def framed(*frames: str) -> bytes:
    return "".join(f"\n{MARK} {frame}\n" for frame in frames).encode()


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([], "printed nothing"),
        (["", "  "], "printed nothing"),
        (["Welcome to node01!"], "something else"),
        ([packed(b"\n".join(str(n).encode() for n in range(3000)))[0][:400]], "broke off"),
    ],
)
def test_output_that_is_no_capture(lines: list[str], reason: str) -> None:
    with pytest.raises(StreamError, match=reason):
        parse(unpack(lines), MARK, Plan())


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "broke off"),
        (framed("node 0 x86_64 1763900000"), "broke off"),
        (framed("entries cpu", "end"), "broke off"),
        (framed("node zero x86_64 1763900000", "end"), "no sense"),
        (
            framed("node 0 x86_64 1763900000", "entries cpu", "looked cpu 0", "surprise", "end"),
            "no sense",
        ),
        (framed("node 0 x86_64 1763900000", "tool 99 ", "told 0", "end"), "no sense"),
        (
            framed("node 0 x86_64 1763900000", "contents every", "read every 126", "end"),
            "exit status 126",
        ),
        (framed("lacks GNU find", "end"), "has no GNU find"),
    ],
)
def test_frames_that_make_no_sense(data: bytes, reason: str) -> None:
    with pytest.raises(StreamError, match=reason):
        parse(data, MARK, Plan())


@given(st.binary(max_size=300))
def test_any_bytes_are_an_error_and_nothing_worse(noise: bytes) -> None:
    with pytest.raises(StreamError):
        parse(
            framed("node 0 x86_64 1763900000") + b"\n" + MARK.encode() + b" " + noise, MARK, Plan()
        )


FILES = Plan(
    [
        Group("all", files=("a/*", "a/*/deep", "etc/conf"), paths=("a/*/way",)),
        Group("tools", tools=(Tool(("say",)), Tool(("show",), each=("a/*.ko",)))),
    ]
)


def tree_of(ask: Ask, files: dict[str, object]) -> CapturedTree:
    return CapturedTree(ask(Machine(files), FILES), FILES, LIMIT_S)


def test_contents_are_what_they_are(ask: Ask) -> None:
    tree = tree_of(
        ask,
        {
            "a/empty": b"",
            "a/binary": b"\x00\x80\n\xff:\x00end",
            "a/mark": f"one\n{MARK} end\n",
            "a/lines": "one\n\nthree\n",
            "a/with: blank": "here",
        },
    )
    assert tree.data("a/empty") == b""
    assert tree.data("a/binary") == b"\x00\x80\n\xff:\x00end"
    assert tree.text("a/lines") == "one\n\nthree"
    assert tree.text("a/with: blank") == "here"
    assert tree.data("a/nowhere") is None
    assert tree.data("etc/conf") is None


def test_links_lead_where_they_lead(ask: Ask) -> None:
    tree = tree_of(
        ask, {"a/link": Link("b/real/place"), "b/real/place/deep": "found", "a/plain/deep": "here"}
    )
    assert tree.real("a/link/deep") == "b/real/place/deep"
    assert tree.text("a/link/deep") == "found"
    assert tree.link_name("a/link") == "place"
    assert tree.link_name("a/plain") is None
    assert tree.names("a") == ["link", "plain"]
    assert tree.exists("a/link/way") is False
    assert tree.changed("a/plain") is not None
    with pytest.raises(NotCapturedError, match="where /a/link leads"):
        tree.changed("a/link")


@pytest.mark.parametrize("path", ["b", "a/x/other", "etc/conf/below", "a/.hidden"])
def test_what_is_not_listed_is_an_error(ask: Ask, path: str) -> None:
    tree = tree_of(ask, {"a/x": "y"})
    for look in (tree.exists, tree.data, tree.text, tree.names, tree.changed, tree.link_name):
        with pytest.raises(NotCapturedError, match=path):
            look(path)


def test_metadata_alone_tells_no_content(ask: Ask) -> None:
    tree = tree_of(ask, {"a/x/way": "secret"})
    assert tree.exists("a/x/way")
    with pytest.raises(NotCapturedError):
        tree.text("a/x/way")


def test_tools(ask: Ask) -> None:
    said = ToolResult(3, f"out\n{MARK}\n", "sorry")
    machine = Machine({"a/x.ko": ""}, {"say": said, "show": ToolResult(0, "shown")})
    run = captured_tools(ask(machine, FILES), LIMIT_S)
    assert run(("say",)) == said
    assert run(("show", "/a/x.ko")).stdout == "shown"
    for unasked in (("say", "more"), ("show", "/a/y.ko"), ("other",)):
        with pytest.raises(NotCapturedError):
            run(unasked)


def test_an_answer_that_is_too_long_is_unknown_and_not_cut() -> None:
    def answer(length: int) -> ToolResult:
        frames = framed("node 0 x86_64 1763900000", f"tool 0 \n{'x' * length}", "told 0", "end")
        return captured_tools(parse(frames, MARK, FILES), LIMIT_S)(("say",))

    # The frame that follows begins with an end of line.
    assert len(answer(MOST_OUTPUT - 1).stdout) == MOST_OUTPUT
    with pytest.raises(NotCapturedError, match="more than the 4 MiB"):
        answer(MOST_OUTPUT)


def test_the_node_sends_no_more_than_is_read(ask: Ask, tmp_path: Path) -> None:
    endless = f"cat > {tmp_path}/bin/say <<'FAKE'\n#!/bin/sh\nexec cat /dev/urandom\nFAKE\n"
    capture = ask(Machine({}, {"say": ToolResult(0, "")}), FILES, prepare=endless)
    with pytest.raises(NotCapturedError, match="more than the 4 MiB"):
        captured_tools(capture, LIMIT_S)(("say",))


def test_a_missing_tool_is_missing(ask: Ask) -> None:
    answer = captured_tools(ask(Machine({"a/x": ""}), FILES), LIMIT_S)(("say",))
    assert answer.missing


@pytest.mark.parametrize("pattern", ["a b", "$(reboot)", "a;b", "/etc/passwd", "a'b", ""])
def test_a_pattern_that_a_shell_would_take_for_more_is_refused(pattern: str) -> None:
    with pytest.raises(PlanError):
        Plan([Group("bad", files=(pattern,))])
    if pattern:
        for tool in (
            Tool(("x",), each=(pattern,)),
            Tool(("x",), only_if=(pattern,)),
            Tool(("x",), only_with=("text", pattern)),
        ):
            with pytest.raises(PlanError):
                Plan([Group("bad", tools=(tool,))])


@pytest.mark.parametrize("text", ["a/d", "x;w file", "a'b", "$(reboot)", "", ".*"])
def test_a_text_that_grep_or_sed_would_take_for_more_is_refused(text: str) -> None:
    for group in (
        Group("bad", lines=((text, "a"),)),
        Group("bad", beside=((text, "a/b", "c"),)),
        Group("bad", tools=(Tool(("x",), keep=(text,)),)),
        Group("bad", tools=(Tool(("x",), only_with=(text, "a")),)),
    ):
        with pytest.raises(PlanError):
            Plan([group])
