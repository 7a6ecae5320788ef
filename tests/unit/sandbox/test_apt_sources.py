"""The machine's own apt configuration, in both of its formats."""

from __future__ import annotations

from ansible_collections.gpulab.core.plugins.module_utils.sandbox.apt_sources import (
    carried_settings,
    sources_for,
)

DEB822 = """\
Types: deb
# a comment inside a stanza
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/security
Suites: bookworm-security
Components: main

Types: deb
Enabled: no
URIs: http://off.example/debian
Suites: bookworm
Components: main
"""
ONE_LINE = """\
# deb http://commented.example/debian bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://old.example/debian bookworm main # trailing
deb-src http://src.example/debian bookworm main
deb https://packages.example/docker bookworm stable
deb http://other.example/debian trixie main
"""


def test_deb822_stanzas_become_lines() -> None:
    signed = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert sources_for("bookworm", {"debian.sources": DEB822}).splitlines() == [
        f"deb {signed} http://mirror.example/debian bookworm main contrib",
        f"deb {signed} http://mirror.example/debian bookworm-updates main contrib",
        "deb http://mirror.example/security bookworm-security main",
    ]


def test_third_parties_sources_and_other_releases_are_left_out() -> None:
    assert sources_for("bookworm", {"sources.list": ONE_LINE}) == (
        "deb [arch=amd64 signed-by=/k.gpg] http://old.example/debian bookworm main\n"
    )


def test_an_embedded_key_is_not_mistaken_for_a_path() -> None:
    text = (
        "Types: deb\nURIs: http://m.example/debian\nSuites: bookworm\nComponents: main\n"
        "Signed-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n mQ==\n"
    )
    assert sources_for("bookworm", {"a.sources": text}) == (
        "deb http://m.example/debian bookworm main\n"
    )


def test_a_release_that_the_host_does_not_have_gives_nothing() -> None:
    assert sources_for("noble", {"sources.list": ONE_LINE, "debian.sources": DEB822}) == ""


def test_only_settings_that_reach_the_mirror_are_carried() -> None:
    dump = (
        'Acquire::http::Proxy "http://proxy.example:3128";\nAcquire::https "";\n'
        'Acquire::Check-Valid-Until "false";\nAcquire::https::Proxy "";\nAPT::Install "1";\n'
    )
    assert carried_settings(dump) == [
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
    ]
