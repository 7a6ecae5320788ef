"""Which sources of a node name a repository with another key, by the files' own text."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.install.apt_sources import (
    Source,
    apt_source_conflicts,
    parse_sources,
)

CUDA = "https://developer.download.nvidia.com/compute/cuda/repos/ubuntu2404/x86_64/"
TOOLKIT = "https://nvidia.github.io/libnvidia-container/stable/deb/$(ARCH)"
KEY, OWN = "/etc/apt/keyrings/gpulab-nvidia.asc", "/etc/apt/sources.list.d/gpulab-nvidia.sources"
KEYRING = "/usr/share/keyrings/cuda-archive-keyring.gpg"
LISTS = "/etc/apt/sources.list.d"
UBUNTU = "deb http://archive.ubuntu.com/ubuntu noble main\n"


def files(**content: str) -> str:
    """Files of sources.list.d as the role reads them: ``cuda_list`` is cuda.list."""
    named = {f"{LISTS}/{name.replace('_', '.')}": text for name, text in content.items()}
    return "".join(f"#gpulab-file {path}\n{text}\n" for path, text in named.items())


def conflicts(text: str, uri: str = CUDA, architecture: str = "amd64") -> tuple[list[str], str]:
    found = apt_source_conflicts(text, uri, KEY, OWN, architecture=architecture)
    assert all(one["state"] == "absent" for one in found["gone"])
    return [one["path"].rpartition("/")[2] for one in found["gone"]], " ".join(found["refused"])


@pytest.mark.parametrize(
    "line",
    [
        f"deb [signed-by={KEYRING}] {CUDA} /",
        f"deb [arch=amd64 signed-by={KEYRING} trusted=no] {CUDA} /",
        f"deb [ Signed-By={KEYRING} ] {CUDA.rstrip('/')} /",
        f"deb {CUDA} /",
        f"deb-src [signed-by={KEYRING}] {CUDA} /",
        f"  deb [signed-by={KEYRING}] {CUDA} / # NVIDIA",
    ],
)
def test_the_vendors_own_list_is_taken_over(line: str) -> None:
    assert conflicts(files(cuda_list=f"# comment\n{line}\n")) == (["cuda.list"], "")


@pytest.mark.parametrize(
    "text",
    [
        f"Types: deb\nURIs: {CUDA}\nSuites: /\nSigned-By: {KEYRING}\n",
        f"# comment\nTypes: deb deb-src\nURIs:\n {CUDA}\nSuites: /\nsigned-by:\n {KEYRING}\n",
        f"Types: deb\nURIs: {CUDA}\nSuites: /\n",
        f"Types: deb\nURIs: {CUDA}\nSuites: /\nEnabled: yes\nSigned-By:\n -----BEGIN PGP\n .\n x\n",
    ],
)
def test_so_is_one_of_the_other_format(text: str) -> None:
    assert conflicts(files(cuda_sources=text)) == (["cuda.sources"], "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        files(cuda_list=f"# deb [signed-by={KEYRING}] {CUDA} /\n"),
        files(cuda_list=f"deb [signed-by={KEY}] {CUDA} /\n"),
        files(cuda_list=f"deb [signed-by={KEYRING}] {CUDA.replace('2404', '2204')} /\n"),
        files(cuda_list=f"deb [signed-by={KEYRING}] {CUDA} stable main\n"),
        files(cuda_sources=f"URIs: {CUDA}\nSuites: /\nEnabled: no\nSigned-By: {KEYRING}\n"),
        files(ubuntu_list=UBUNTU),
        files(**{"gpulab-nvidia_sources": f"URIs: {CUDA}\nSuites: /\nSigned-By: /former.asc\n"}),
    ],
)
def test_what_does_not_contradict_stays(text: str) -> None:
    assert conflicts(text) == ([], "")


def test_a_file_with_other_repositories_is_refused() -> None:
    text = files(mixed_list=f"{UBUNTU}deb [signed-by={KEYRING}] {CUDA} /\n")
    gone, refused = conflicts(text)
    assert gone == []
    assert f"{LISTS}/mixed.list has {CUDA} too, signed by {KEYRING}, and other" in refused

    one = f"#gpulab-file /etc/apt/sources.list\ndeb {CUDA} /\n"
    assert "/etc/apt/sources.list has" in conflicts(one)[1]
    assert "without a key" in conflicts(one)[1]


@pytest.mark.parametrize(
    ("there", "gone"),
    [
        (TOOLKIT, ["toolkit.list"]),
        (f"{TOOLKIT}/", ["toolkit.list"]),
        (TOOLKIT.replace("$(ARCH)", "amd64"), ["toolkit.list"]),
        (TOOLKIT.replace("$(ARCH)", "arm64"), []),
    ],
)
def test_the_architecture_is_filled_in(there: str, gone: list[str]) -> None:
    text = files(toolkit_list=f"deb [signed-by=/usr/share/keyrings/toolkit.gpg] {there} /\n")
    assert conflicts(text, TOOLKIT) == (gone, "")


def test_several_files_and_stanzas_are_read() -> None:
    text = files(
        a_list=UBUNTU,
        b_sources=f"URIs: http://one/ http://two/\nSuites: x y\n\nURIs: {CUDA}\nSuites: /\n",
    )
    assert list(parse_sources(text))[:2] == [
        Source(f"{LISTS}/a.list", "http://archive.ubuntu.com/ubuntu", "noble", ""),
        Source(f"{LISTS}/b.sources", "http://one/", "x", ""),
    ]
    assert len(list(parse_sources(text))) == 6
    assert "b.sources has" in conflicts(text)[1]
