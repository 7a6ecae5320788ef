"""The manifest of a lab's mirror: what is asked for, what comes, and what does not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ansible_collections.gpulab.core.plugins.filter.management_address import management_address
from ansible_collections.gpulab.core.plugins.module_utils.mirror.manifest import (
    MirrorError,
    Package,
    fetch,
    merge,
    parse_uris,
    uri_line,
)

CONTENT = b"a package"
SUM = hashlib.sha256(CONTENT).hexdigest()
LINE = f"'http://archive.invalid/pool/a_1_amd64.deb' a_1_amd64.deb {len(CONTENT)} SHA256:{SUM}"
PACKAGE = Package("http://archive.invalid/pool/a_1_amd64.deb", "a_1_amd64.deb", len(CONTENT), SUM)


def test_what_two_machines_want_is_one_package() -> None:
    assert parse_uris([LINE, f"{LINE}\n"]) == [PACKAGE]


def test_a_package_without_a_sum_is_refused() -> None:
    with pytest.raises(MirrorError, match="no SHA-256"):
        parse_uris(["'http://archive.invalid/a.deb' a.deb 3 MD5Sum:00"])


@pytest.mark.parametrize("scheme", ["file", "copy", "cdrom"])
def test_what_is_on_a_machines_own_disk_is_not_the_heads(scheme: str) -> None:
    assert parse_uris([f"'{scheme}:/srv/a.deb' a.deb 3 SHA256:{SUM}", LINE]) == [PACKAGE]


def test_what_dnf_wants_is_written_as_apt_writes_it() -> None:
    line = uri_line(PACKAGE.uri, PACKAGE.name, PACKAGE.bytes, "sha256", PACKAGE.sha256)
    assert line == LINE
    with pytest.raises(MirrorError, match=r"no SHA-256 of a package.*SHA1:00"):
        parse_uris([uri_line("http://archive.invalid/a.rpm", "a.rpm", 3, "sha1", "00")])


def test_every_package_is_read_to_its_end() -> None:
    asked = []

    def read(uri: str) -> Iterator[bytes]:
        asked.append(uri)
        yield from (CONTENT[:4], CONTENT[4:])

    fetch([PACKAGE], read)
    assert asked == [PACKAGE.uri]


@pytest.mark.parametrize("content", [b"another", CONTENT[:-1], b""])
def test_what_is_not_in_the_lists_is_refused(content: bytes) -> None:
    with pytest.raises(MirrorError, match="repository's lists say 9 bytes"):
        fetch([PACKAGE], lambda _uri: iter([content]))


def test_a_mirror_that_does_not_answer_is_named() -> None:
    def read(_uri: str) -> Iterator[bytes]:
        raise OSError("HTTP Error 503: offline")
        yield b""

    with pytest.raises(MirrorError, match=r"a_1_amd64\.deb: HTTP Error 503"):
        fetch([PACKAGE], read)


def test_the_manifest_keeps_what_was_fetched_before(tmp_path: Path) -> None:
    path = tmp_path / "mirror.json"
    path.write_text(json.dumps(merge(path, [PACKAGE])))
    other = Package("http://archive.invalid/pool/b.deb", "b.deb", 1, SUM)
    names = [entry["name"] for entry in merge(path, [other])["packages"]]
    assert names == ["a_1_amd64.deb", "b.deb"]


@pytest.mark.parametrize("text", ["", "{}", '{"packages": [{"uri": "x"}]}', "[]"])
def test_a_file_that_is_no_manifest_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mirror.json"
    path.write_text(text)
    with pytest.raises(MirrorError, match="is no manifest"):
        merge(path, [PACKAGE])


@pytest.mark.parametrize(
    ("variables", "address"),
    [
        ({"node_interfaces": {"eno1": {"zone": "management", "address": "10.0.0.1"}}}, "10.0.0.1"),
        ({"node_interfaces": {"eno1": {"zone": "fabric", "address": "10.1.0.1"}}}, "head01"),
        ({"ansible_facts": {"default_ipv4": {"address": "10.2.0.1"}}}, "10.2.0.1"),
        ({"ansible_facts": {"default_ipv4": {}}, "node_interfaces": None}, "head01"),
    ],
)
def test_the_address_of_a_machine(variables: dict[str, object], address: str) -> None:
    assert management_address({"inventory_hostname": "head01", **variables}) == address
