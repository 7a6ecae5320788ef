"""Secrets: refused as placeholders, defaults and plain text; never shown."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.check import block
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.model import Secret, show
from ansible_collections.gpulab.core.plugins.plugin_utils.declaration.sources import Sources

if TYPE_CHECKING:
    from tests.unit.declaration.conftest import Lab


def sources_of(text: str) -> Sources:
    sources = Sources()
    sources.add_text(textwrap.dedent(text), "group_vars/all/vault.yml", ("group", "all"))
    return sources


def give_everybody(sound: Lab, password: str) -> None:
    for variables in sound.hosts.values():
        if "node_bmc" in variables:
            variables["node_bmc"]["password"] = password


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("CHANGE-ME", "the secret is still the example's placeholder"),
        ("replace_me", "the secret is still the example's placeholder"),
        ("ADMIN", "the secret is a well-known default"),
        ("calvin", "the secret is a well-known default"),
    ],
)
def test_a_bad_secret_is_told_once_where_it_stands(sound: Lab, password: str, wrong: str) -> None:
    give_everybody(sound, password)
    sources = sources_of(f"---\n# note\nvault_bmc_password: {password}\n")

    (error,) = sound.check(sources)

    assert (error["file"], error["line"]) == ("group_vars/all/vault.yml", 3)
    assert (error["key"], error["wrong"]) == ("vault_bmc_password", wrong)
    assert "ansible-vault encrypt_string --prompt --name 'vault_bmc_password'" in error["right"]
    assert error["hosts"] == ["head01", "node01", "node02", "store01"]


def test_a_vaulted_variable_in_plain_text_is_refused(sound: Lab) -> None:
    (error,) = sound.check(sources_of("vault_bmc_password: correct horse battery\n"))

    assert error["wrong"] == "the secret stands in plain text"
    assert "correct horse" not in block(error)


def test_an_encrypted_variable_is_fine(sound: Lab) -> None:
    text = """\
        vault_bmc_password: !vault |
          $ANSIBLE_VAULT;1.1;AES256
          3030
        """
    assert sound.check(sources_of(text)) == []


def test_an_encrypted_file_is_fine(sound: Lab) -> None:
    sources = sources_of("$ANSIBLE_VAULT;1.1;AES256\n3030\n")

    assert sources.encrypted == ["group_vars/all/vault.yml"]
    assert sound.check(sources) == []


def test_a_lookup_is_fine(sound: Lab) -> None:
    sound.raw["node01"] = {"node_bmc": {"password": "{{ lookup('env', 'BMC_PASSWORD') }}"}}

    assert sound.check() == []


def test_a_literal_at_the_key_is_refused_with_both_steps(sound: Lab) -> None:
    del sound.raw["node01"]

    (error,) = sound.check()

    assert (error["key"], error["hosts"]) == ("node_bmc.password", ["node01"])
    assert error["wrong"] == "the secret stands in plain text"
    assert "--name 'vault_password'" in error["right"]
    assert "{{ vault_password }}" in error["right"]


def test_a_login_password_in_the_inventory_is_refused(sound: Lab) -> None:
    sound.hosts["node01"] |= {"ansible_become_password": "hunter2-and-more"}

    (error,) = sound.check()

    assert (error["key"], error["wrong"]) == (
        "ansible_become_password",
        "the secret stands in plain text",
    )


def test_a_password_too_long_for_ipmi_is_refused(sound: Lab) -> None:
    sound.hosts["node01"]["node_bmc"] |= {"protocol": "ipmi", "password": "x" * 21}

    (error,) = sound.check()

    assert error["wrong"] == "the password has 21 bytes, IPMI takes 20"


def test_no_message_ever_shows_a_secret(sound: Lab) -> None:
    hidden = Secret("s3cr3t-value")
    sound.hosts["node01"]["node_bmc"] = {
        "address": hidden,
        "protocol": hidden,
        "username": [hidden],
        "password": [hidden],
    }
    sound.hosts["node02"]["node_bmc"]["password"] = 12345678
    sound.lab["lab_zones"]["edge"] |= {"cidr": hidden, "gateway": hidden}

    errors = sound.check()

    text = "\n".join(map(block, errors))
    assert len(errors) >= 6
    assert "s3cr3t" not in text
    assert "12345678" not in text
    assert show({"deep": [hidden]}) == '{"deep": ["(secret)"]}'
