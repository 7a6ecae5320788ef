"""What ``gpulab.core.files`` adds to files whose other lines are somebody else's."""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.module_utils.files.authorized_keys import (
    Key,
    parse,
    with_keys,
)
from ansible_collections.gpulab.core.plugins.module_utils.files.ini import with_option

A = "ssh-ed25519 AAAAalpha alice@desk"
B = "ssh-rsa AAAAB3beta== bob"
SAID = r'command="echo \"ssh-rsa AAAAno\" #",no-pty'


@pytest.mark.parametrize(
    ("line", "key"),
    [
        (A, Key("", "ssh-ed25519", "AAAAalpha", "alice@desk")),
        ("  ssh-rsa\tAAAAB3beta==  \r", Key("", "ssh-rsa", "AAAAB3beta==", "")),
        ("ssh-rsa AAAAx  my   old key", Key("", "ssh-rsa", "AAAAx", "my old key")),
        ("sk-ssh-ed25519@openssh.com AAAAG", Key("", "sk-ssh-ed25519@openssh.com", "AAAAG", "")),
        ("cert-authority ssh-rsa AAAAca", Key("cert-authority", "ssh-rsa", "AAAAca", "")),
        (
            'from="10.0.0.0/8, ::1" ssh-rsa AAAAx',
            Key('from="10.0.0.0/8, ::1"', "ssh-rsa", "AAAAx", ""),
        ),
        # A key within an option is none.
        (f"{SAID} {A}", Key(SAID, "ssh-ed25519", "AAAAalpha", "alice@desk")),
        ("ssh-rsa AAAAx ssh-rsa AAAAy", Key("", "ssh-rsa", "AAAAx", "ssh-rsa AAAAy")),
        ("", None),
        (f"# {A}", None),
        (f"#{A}", None),
        ("ssh-rsa", None),
        ("AAAAx", None),
        ('command="open ssh-rsa AAAAx', None),
        # SSH's first protocol.
        ("1024 35 1490 old", None),
    ],
)
def test_parse(line: str, key: Key | None) -> None:
    assert parse(line) == key


@pytest.mark.parametrize(
    ("text", "keys", "after"),
    [
        ("", [A], f"{A}\n"),
        ("", [f" {A}\n", B], f"{A}\n{B}\n"),
        (f"{A}\n", [A], f"{A}\n"),
        (f"{B}\n", [A], f"{B}\n{A}\n"),
        # Whatever else there is stays, and in its order.
        (f"# ours\n\nbroken\n{B}\n", [A], f"# ours\n\nbroken\n{B}\n{A}\n"),
        (f"#{A}\n", [A], f"#{A}\n{A}\n"),
        (B, [A], f"{B}\n{A}\n"),
        # The same key with other rights, or another comment.
        (f"{SAID} {A}\n{B}\n", [A], f"{A}\n{B}\n"),
        (f"{A}\n{B}\n", [f"{SAID} {A}"], f"{SAID} {A}\n{B}\n"),
        ("ssh-ed25519 AAAAalpha\n", [A], f"{A}\n"),
        # Blanks are nothing to change.
        ("ssh-ed25519  AAAAalpha alice@desk \r\n", [A], "ssh-ed25519  AAAAalpha alice@desk \r\n"),
        # What stands twice would still open by its other line.
        (f"{SAID} {A}\n{B}\n{A}\n", [A], f"{A}\n{B}\n"),
        (f"{A}\n{B}\n{A}\n", [A], f"{A}\n{B}\n"),
    ],
)
def test_with_keys(text: str, keys: list[str], after: str) -> None:
    assert with_keys(text, keys) == after
    assert with_keys(after, keys) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", "[main]\nproxy=new\n"),
        ("[main]\n", "[main]\nproxy=new\n"),
        ("[main]", "[main]\nproxy=new\n"),
        ("[main]\nproxy=new\n", "[main]\nproxy=new\n"),
        ("[main]\na=1\nproxy = old\nb=2\n", "[main]\na=1\nproxy=new\nb=2\n"),
        ("[main]\nproxy\nb=2\n", "[main]\nproxy=new\nb=2\n"),
        ("[main]\nproxy=1\na=1\nproxy=2\n", "[main]\nproxy=new\na=1\n"),
        # At the section's end, before the blank lines and comments that belong to what follows.
        ("[main]\na=1\n\n# repo\n[repo]\nb=2\n", "[main]\na=1\nproxy=new\n\n# repo\n[repo]\nb=2\n"),
        ("[main]\n# none\n", "[main]\nproxy=new\n# none\n"),
        # Another section's, or another option.
        ("[a]\nproxy=1\n[ main ]\n", "[a]\nproxy=1\n[ main ]\nproxy=new\n"),
        ("[a]\nproxy=1\n", "[a]\nproxy=1\n[main]\nproxy=new\n"),
        ("[maintenance]\n", "[maintenance]\n[main]\nproxy=new\n"),
        ("[main]\nproxy_username=x\n", "[main]\nproxy_username=x\nproxy=new\n"),
        ("[main]\n#proxy=old\n;proxy=x\nb=2\n", "[main]\n#proxy=old\n;proxy=x\nb=2\nproxy=new\n"),
        # A value that goes on on the next line.
        ("[main]\nexclude=a\n proxy=b\n", "[main]\nexclude=a\n proxy=b\nproxy=new\n"),
        ("[main]\nproxy=a\n b\n\tc\nd=1\n", "[main]\nproxy=new\nd=1\n"),
    ],
)
def test_with_option(text: str, after: str) -> None:
    assert with_option(text, "main", "proxy", "new") == after
    assert with_option(after, "main", "proxy", "new") == after
