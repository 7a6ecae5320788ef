"""Which dnf repositories can't come through a lab's head, and what their owner is told."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.mirror.repositories import (
    parse,
    past_the_head,
)

FILE = "/etc/yum.repos.d/lab.repo"
#: As Rocky Linux 9 and CentOS Stream 9 are installed.
ROCKY = """
[baseos]
name=Rocky Linux $releasever - BaseOS
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever$rltype
#baseurl=http://dl.rockylinux.org/$contentdir/$releasever/BaseOS/$basearch/os/
gpgcheck=1
enabled=1
countme=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-Rocky-9

[baseos-debug]
name=Rocky Linux $releasever - BaseOS - Debug
mirrorlist=https://mirrors.rockylinux.org/mirrorlist?arch=$basearch&repo=BaseOS-$releasever-debug
gpgcheck=1
enabled=0
"""
STREAM = """
[appstream]
name=CentOS Stream $releasever - AppStream
metalink=https://mirrors.centos.org/metalink?repo=centos-appstream-$stream&arch=$basearch
gpgcheck=1
repo_gpgcheck=0
metadata_expire=6h
enabled=1
"""


def said(text: str) -> list[str]:
    return past_the_head(parse(FILE, text))


def test_the_file_of_a_fresh_rocky_is_refused_by_name() -> None:
    fix = "write baseurl=http://… of one server in its place"
    assert said(ROCKY) == [f"baseos ({FILE}) chooses a server by its mirrorlist: {fix}"]


def test_the_file_of_a_fresh_stream_is_refused_by_name() -> None:
    assert [text.split(": ")[0] for text in said(STREAM)] == [
        f"appstream ({FILE}) chooses a server by its metalink"
    ]


@pytest.mark.parametrize(
    "lines",
    [
        "baseurl=http://dl.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os/",
        "baseurl=HTTP://dl.rockylinux.org/pub/rocky/9/BaseOS/x86_64/os/",
        "baseurl=file:///srv/packages",
        "baseurl=http://127.0.0.1:8000/packages\nproxy=",
        "baseurl=http://localhost/packages\nproxy=_none_",
        "baseurl=https://somewhere.test/\nenabled=0",
        "baseurl=https://somewhere.test/\nenabled=False",
    ],
)
def test_what_the_head_can_keep_or_has_no_part_in_passes(lines: str) -> None:
    assert said(f"[lab]\nname=lab\n{lines}\n") == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (
            "baseurl=https://somewhere.test/9",
            "is fetched by https (https://somewhere.test/9): write http:// in its baseurl",
        ),
        (
            "baseurl=http://one.test/ https://two.test/",
            "is fetched by https (https://two.test/): write http:// in its baseurl",
        ),
        (
            "baseurl=http://one.test/,\n  ftp://two.test/",
            "is fetched by ftp (ftp://two.test/): write http:// in its baseurl",
        ),
        (
            "baseurl=http://localhost:8000/",
            "is on this machine (http://localhost:8000/): add proxy= with nothing behind it",
        ),
        ("baseurl=http://one.test/\nproxy=", "asks no proxy: remove its line proxy="),
        (
            "baseurl=http://one.test/\nmirrorlist=http://two.test/list",
            "chooses a server by its mirrorlist: write baseurl=http://… of one server in its place",
        ),
    ],
)
def test_what_would_go_past_it_is_refused_with_the_fix(lines: str, problem: str) -> None:
    assert said(f"[lab]\nname=lab\n{lines}\n") == [f"lab ({FILE}) {problem}"]


def test_the_main_section_is_no_repository() -> None:
    assert said("[main]\nproxy=http://10.0.0.1:3142\n") == []


def test_a_file_that_is_none_is_named() -> None:
    with pytest.raises(ValueError, match=r"/etc/yum\.repos\.d/lab\.repo is no repository file"):
        parse(FILE, "baseurl=http://one.test/\n")
