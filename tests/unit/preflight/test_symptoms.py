"""The advice that follows from what OpenSSH 8 to 10, sudo, sudo-rs and ansible-core really say.

Line ends are ssh's own (CR and LF) where it writes them.
"""

from __future__ import annotations

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.preflight.judge import judge_failure
from ansible_collections.gpulab.core.plugins.plugin_utils.preflight.symptoms import (
    SYMPTOMS,
    diagnose,
)

VIA_SSH = "Failed to connect to the host via ssh: "
ENDED = (
    "kex_exchange_identification: Connection closed by remote host\r\n"
    "Connection closed by UNKNOWN port 65535"
)
CHANGED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
IT IS POSSIBLE THAT SOMEONE IS DOING SOMETHING NASTY!
Someone could be eavesdropping on you right now (man-in-the-middle attack)!
It is also possible that a host key has just been changed.
The fingerprint for the ED25519 key sent by the remote host is
SHA256:7o0jHv0dXfrkR4CNmDmYjTo5Qq3hCh5yqQmFvcGkIUQ.
Please contact your system administrator.
Add correct host key in /home/me/.ssh/known_hosts to get rid of this message.
Offending ED25519 key in /home/me/.ssh/known_hosts:5
  remove with:
  ssh-keygen -f "/home/me/.ssh/known_hosts" -R "%s"
Host key for %s has changed and you have requested strict checking.
Host key verification failed."""
UNPROTECTED = """\
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @
@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@
Permissions 0644 for '/home/me/.ssh/id_ed25519' are too open.
It is required that your private key files are NOT accessible by others.
This private key will be ignored.
Load key "/home/me/.ssh/id_ed25519": bad permissions
alice@10.0.0.9: Permission denied (publickey)."""
BOOTING = (
    '"System is booting up. Unprivileged users are not permitted to log in yet. Please come back '
    'later. For technical details, see pam_nologin(8)."\r\nConnection closed by 10.0.0.9 port 22'
)
GOING_DOWN = (
    '"System is going down. Unprivileged users are not permitted to log in anymore. For technical '
    'details, see pam_nologin(8)."\r\nConnection closed by 10.0.0.9 port 22'
)

# What ssh says when nothing could be run → the start of the detail, and parts of the advice.
NOT_REACHED = [
    # The network.
    ("ssh: connect to host 10.0.0.9 port 22: Connection timed out", "no answer", ["power"]),
    ("ssh: connect to host 10.0.0.9 port 22: Operation timed out", "no answer", ["power"]),
    ("ssh: connect to host 10.0.0.9 port 22: No route to host", "no answer", ["power"]),
    ("ssh: connect to host 10.0.0.9 port 22: Host is down", "no answer", ["power"]),
    (
        "ssh: connect to host 10.0.0.9 port 22: Network is unreachable",
        "no way from here",
        ["ip route get 10.0.0.9"],
    ),
    ("ssh: connect to host 10.0.0.9 port 22: Connection refused", "ssh refused", ["start sshd"]),
    (
        (
            "Control socket connect(/home/me/.ansible/cp/0a1b): Connection refused\r\n"
            "ssh: connect to host 10.0.0.9 port 22: Connection timed out"
        ),
        "no answer",
        ["power"],
    ),
    (
        "ssh: Could not resolve hostname gpu01: Name or service not known",
        "name not found",
        ["ansible_host", "DNS"],
    ),
    (
        "ssh: Could not resolve hostname gpu01: Temporary failure in name resolution",
        "name not found",
        ["ansible_host"],
    ),
    (
        "ssh: Could not resolve hostname gpu01: nodename nor servname provided, or not known",
        "name not found",
        ["ansible_host"],
    ),
    (
        "ssh: Could not resolve hostname gpu01: No address associated with hostname",
        "name not found",
        ["ansible_host"],
    ),
    # It is there and hangs up.
    (
        (
            "kex_exchange_identification: read: Connection reset by peer\r\n"
            "Connection reset by 10.0.0.9 port 22"
        ),
        "hung up before login",
        ["journalctl -u ssh"],
    ),
    (
        (
            "kex_exchange_identification: Connection closed by remote host\r\n"
            "Connection closed by 10.0.0.9 port 22"
        ),
        "hung up before login",
        ["MaxStartups"],
    ),
    (
        "ssh_exchange_identification: Connection closed by remote host",
        "hung up before login",
        ["journalctl"],
    ),
    ("Connection closed by 10.0.0.9 port 22", "hung up before login", ["journalctl"]),
    (
        (
            "kex_exchange_identification: banner line 0: Not allowed at this time\r\n"
            "kex_exchange_identification: Connection closed by remote host\r\n"
            "Connection closed by 10.0.0.9 port 22"
        ),
        "refused for a while",
        ["PerSourcePenalties", "--forks"],
    ),
    (
        (
            "kex_exchange_identification: banner line 0: Exceeded MaxStartups\r\n"
            "Connection closed by 10.0.0.9 port 22"
        ),
        "refused for a while",
        ["MaxStartups"],
    ),
    (
        "Connection timed out during banner exchange\r\nConnection to 10.0.0.9 port 22 timed out",
        "sshd is silent",
        ["restart sshd"],
    ),
    (
        (
            "kex_exchange_identification: banner line contains invalid characters\r\n"
            "banner exchange: Connection to 10.0.0.9 port 80: invalid format"
        ),
        "no ssh on that port",
        ["ansible_port"],
    ),
    ("client_loop: send disconnect: Broken pipe", "connection lost", ["last -x"]),
    ("Timeout, server 10.0.0.9 not responding.", "connection lost", ["rebooted"]),
    ("Connection to 10.0.0.9 closed by remote host.", "connection lost", ["rebooted"]),
    # The two do not understand each other.
    (
        (
            "Unable to negotiate with 10.0.0.9 port 22: no matching host key type found. Their "
            "offer: "
            "ssh-rsa"
        ),
        "no common algorithm",
        ["update OpenSSH", "Their offer: ssh-rsa", "ansible_ssh_common_args"],
    ),
    (
        (
            "Unable to negotiate with 10.0.0.9 port 22: no matching key exchange method found. "
            "Their "
            "offer: diffie-hellman-group1-sha1"
        ),
        "no common algorithm",
        ["diffie-hellman-group1-sha1"],
    ),
    (
        "Unable to negotiate with 10.0.0.9 port 22: no matching cipher found. Their offer: aes-cbc",
        "no common algorithm",
        ["aes-cbc"],
    ),
    ("Bad server host key: Invalid key length", "host key too weak", ["ssh-keygen -A"]),
    # Not open for logins.
    (BOOTING, "not open for logins", ["wait", "/run/nologin"]),
    (GOING_DOWN, "not open for logins", ["wait"]),
    (
        'Please login as the user "ubuntu" rather than the user "root".',
        "login refused",
        ["ansible_user", "ubuntu"],
    ),
    ("This account is currently not available.", "account closed", ["usermod -s /bin/bash alice"]),
    (
        (
            "Your account has expired; please contact your system administrator.\r\n"
            "Connection closed by 10.0.0.9 port 22"
        ),
        "account closed",
        ["chage -E -1 alice"],
    ),
    (
        "WARNING: Your password has expired.\r\nPassword change required but no TTY available.",
        "password expired",
        ["chage -M -1 alice"],
    ),
    # Logins refused.
    (
        "alice@10.0.0.9: Permission denied (publickey,gssapi-keyex,gssapi-with-mic).",
        "login refused",
        ["authorized_keys of alice"],
    ),
    (
        (
            "Received disconnect from 10.0.0.9 port 22:2: Too many authentication failures\r\n"
            "Disconnected from 10.0.0.9 port 22"
        ),
        "too many keys offered",
        ["IdentitiesOnly=yes"],
    ),
    (
        "Invalid/incorrect password: Permission denied, please try again.",
        "password refused",
        ["--ask-pass"],
    ),
    (
        (
            "sign_and_send_pubkey: no mutual signature supported\r\n"
            "alice@10.0.0.9: Permission denied (publickey)."
        ),
        "key too old",
        ["ssh-keygen -t ed25519"],
    ),
    (
        (
            'sign_and_send_pubkey: signing failed for ED25519 "/home/me/.ssh/id_ed25519" from '
            "agent: "
            "agent refused operation\r\nalice@10.0.0.9: Permission denied (publickey)."
        ),
        "private key locked",
        ["ssh-add"],
    ),
    # This controller.
    (UNPROTECTED, "private key unprotected", ["chmod 600", "on this controller"]),
    (
        (
            "Permissions 0640 for '/srv/keys/lab' are too open.\r\n"
            "alice@10.0.0.9: Permission denied (publickey)."
        ),
        "private key unprotected",
        ["/srv/keys/lab"],
    ),
    (
        "Bad owner or permissions on /home/me/.ssh/config",
        "ssh's configuration unprotected",
        ["chmod 600", "/home/me/.ssh/config"],
    ),
    (
        (
            "/home/me/.ssh/config: line 3: Bad configuration option: hostnam\r\n"
            "/home/me/.ssh/config: terminating, 1 bad configuration options"
        ),
        "ssh's configuration is wrong",
        ["line 3"],
    ),
    (
        "command-line: line 0: Bad configuration option: proxyjmp",
        "ssh's configuration is wrong",
        ["ansible_ssh_common_args"],
    ),
    (
        (
            "no such identity: /home/me/.ssh/lab: No such file or directory\r\n"
            "alice@10.0.0.9: Permission denied (publickey)."
        ),
        "private key missing",
        ["ansible_ssh_private_key_file", "/home/me/.ssh/lab"],
    ),
    (
        (
            "Warning: Identity file /home/me/.ssh/lab not accessible: No such file or directory.\n"
            "alice@10.0.0.9: Permission denied (publickey)."
        ),
        "private key missing",
        ["ansible_ssh_private_key_file"],
    ),
    (
        (
            'Load key "/home/me/.ssh/lab": error in libcrypto\r\n'
            "alice@10.0.0.9: Permission denied (publickey)."
        ),
        "private key unreadable",
        ["ssh-keygen -yf /home/me/.ssh/lab"],
    ),
    (
        (
            'unix_listener: path "/home/me/.ansible/cp/0123456789.abcdefghijklmnop" too long for '
            "Unix "
            "domain socket"
        ),
        "control socket's path too long",
        ["ANSIBLE_SSH_CONTROL_PATH_DIR"],
    ),
    (
        (
            "to use the 'ssh' connection type with passwords or pkcs11_provider, you must install "
            "the "
            "sshpass program"
        ),
        "passwords need sshpass",
        ["ssh-copy-id alice@10.0.0.9"],
    ),
    # Host keys.
    (CHANGED % ("10.0.0.9", "10.0.0.9"), "host key changed", ["ssh-keygen -R 10.0.0.9,"]),
    (
        (
            "No ED25519 host key is known for 10.0.0.9 and you have requested strict checking.\r\n"
            "Host key verification failed."
        ),
        "host key unknown",
        ["log in once", "ssh_host_ed25519_key", "ssh 10.0.0.9"],
    ),
    ("Host key verification failed.", "host key not trusted", ["ssh-keygen -R 10.0.0.9"]),
    # The way behind a jump host.
    (
        (
            "channel 0: open failed: connect failed: Connection refused\r\n"
            f"stdio forwarding failed\r\n{ENDED}"
        ),
        "ssh refused",
        ["jump host reaches it", "ansible_port"],
    ),
    (
        (
            "channel 0: open failed: connect failed: No route to host\r\n"
            f"stdio forwarding failed\r\n{ENDED}"
        ),
        "jump host cannot reach it",
        ["power", "jump host's way to 10.0.0.9"],
    ),
    (
        (
            "channel 0: open failed: connect failed: Name or service not known\r\n"
            f"stdio forwarding failed\r\n{ENDED}"
        ),
        "name not found",
        ["ansible_host", "jump host cannot resolve"],
    ),
    (
        (
            "channel 0: open failed: administratively prohibited: open failed\r\n"
            f"stdio forwarding failed\r\n{ENDED}"
        ),
        "jump host forwards nothing",
        ["AllowTcpForwarding"],
    ),
    # The jump host itself.
    (
        f"ssh: connect to host bastion port 22: Connection refused\r\n{ENDED}",
        "jump host: ssh refused",
        ["ProxyJump", "bastion"],
    ),
    (
        f"ssh: connect to host bastion port 22: Connection timed out\r\n{ENDED}",
        "jump host: no answer",
        ["ProxyJump", "bastion"],
    ),
    (
        f"alice@bastion: Permission denied (publickey).\r\n{ENDED}",
        "jump host: login refused",
        ["alice@bastion"],
    ),
    (
        f"Host key verification failed.\r\n{ENDED}",
        "jump host: host key not trusted",
        ["log in to the jump host itself"],
    ),
    (f"{BOOTING}\r\n{ENDED}", "jump host: not open for logins", ["ProxyJump"]),
    # Through a jump host, and the node's own.
    (
        BOOTING.replace("10.0.0.9 port 22", "UNKNOWN port 65535"),
        "not open for logins",
        ["wait"],
    ),
    (
        (
            "Received disconnect from UNKNOWN port 65535:2: Too many authentication failures\r\n"
            "Disconnected from UNKNOWN port 65535"
        ),
        "too many keys offered",
        ["IdentitiesOnly"],
    ),
    (
        "Unable to negotiate with UNKNOWN port 65535: no matching MAC found. Their offer: hmac-md5",
        "no common algorithm",
        ["hmac-md5"],
    ),
    (
        (
            "kex_exchange_identification: banner line contains invalid characters\r\n"
            "banner exchange: Connection to UNKNOWN port 65535: invalid format"
        ),
        "no ssh on that port",
        ["ansible_port"],
    ),
    # Nobody knows it.
    ("something that nobody has seen", "not reached", ["something that nobody has seen"]),
    ("", "not reached", ["ssh 10.0.0.9"]),
]


@pytest.mark.parametrize("prefix", ["", VIA_SSH, f"Task failed: {VIA_SSH}"])
@pytest.mark.parametrize(("message", "detail", "advice"), NOT_REACHED)
def test_what_ssh_says_leads_to_what_helps(
    message: str, detail: str, advice: list[str], prefix: str
) -> None:
    noise = "Warning: Permanently added '10.0.0.9' (ED25519) to the list of known hosts.\r\n"

    for text in (prefix + message, prefix + noise + message):
        found = diagnose(text, reached=False, address="10.0.0.9", user="alice")
        assert (found.check, found.detail) == ("reach", detail)
        assert [part for part in advice if part not in found.action] == []
        assert "{" not in found.action
        # Nobody goes to a machine that answers, or whose way ends before it.
        assert ("check power" in found.action) is (detail == "no answer")


AS_ROOT = [
    # No rights.
    ("sudo: a password is required", "sudo", ["/etc/sudoers.d", "--ask-become-pass"]),
    (
        (
            "sudo: a terminal is required to read the password; either use the -S option to read "
            "from "
            "standard input or configure an askpass helper\nsudo: a password is required"
        ),
        "sudo",
        ["--ask-become-pass"],
    ),
    ("sudo: interactive authentication is required", "sudo", ["--ask-become-pass"]),
    ("Missing sudo password", "sudo", ["--ask-become-pass"]),
    ("Sorry, try again.\nsudo: 3 incorrect password attempts", "sudo", ["--ask-become-pass"]),
    ("sudo: Maximum 3 incorrect authentication attempts", "sudo", ["--ask-become-pass"]),
    (
        "Timeout (12s) waiting for privilege escalation prompt: ",
        "sudo",
        ["--ask-become-pass"],
    ),
    (
        "alice is not in the sudoers file.  This incident will be reported.",
        "sudo",
        ["let alice use sudo"],
    ),
    (
        (
            "Sorry, user alice is not allowed to execute '/bin/sh -c echo BECOME-SUCCESS-abc ; "
            "/usr/bin/python3' as root on gpu01."
        ),
        "sudo",
        ["let alice use sudo", "/etc/sudoers.d"],
    ),
    ("Sorry, user alice may not run sudo on gpu01.", "sudo", ["let alice use sudo"]),
    ("sudo: I'm sorry alice. I'm afraid I can't do that", "sudo", ["let alice use sudo"]),
    # It wants a terminal.
    ("sudo: sorry, you must have a tty to run sudo", "sudo", ["Defaults:alice !requiretty"]),
    ("sudo: you must have a tty to run sudo", "sudo", ["!requiretty"]),
    # It is not there, or broken.
    ("/bin/sh: 1: sudo: not found", "sudo", ["install sudo"]),
    ("bash: line 1: sudo: command not found", "sudo", ["install sudo"]),
    ("/bin/sh: line 1: /usr/bin/sudo: No such file or directory", "sudo", ["install sudo"]),
    (
        "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set",
        "sudo",
        ["reinstall the package sudo"],
    ),
    (
        (
            "sudo: effective uid is not 0, is /usr/bin/sudo on a file system with the 'nosuid' "
            "option "
            "set or an NFS file system without root privileges?"
        ),
        "sudo",
        ["nosuid"],
    ),
    (
        (
            'sudo: The "no new privileges" flag is set, which prevents sudo from running as root.\n'
            "sudo: If sudo is running in a container, you may need to adjust the container "
            "configuration to disable the flag."
        ),
        "sudo",
        ["container"],
    ),
    (
        (
            ">>> /etc/sudoers.d/lab: syntax error near line 3 <<<\n"
            "sudo: parse error in /etc/sudoers.d/lab near line 3\n"
            "sudo: no valid sudoers sources found, quitting"
        ),
        "sudo",
        ["visudo -c"],
    ),
    ("/etc/sudoers.d/lab:3:12: syntax error", "sudo", ["visudo -c"]),
    ("sudo: /etc/sudoers.d/lab is world writable", "sudo", ["visudo -c"]),
    ("sudo: /etc/sudo.conf is owned by uid 1000, should be 0", "sudo", ["visudo -c"]),
    (
        "sudo: Account or password is expired, reset your password and try again",
        "sudo",
        ["chage"],
    ),
    (
        (
            "sudo: PAM account management error: Authentication service cannot retrieve "
            "authentication "
            "info"
        ),
        "sudo",
        ["chage -l alice"],
    ),
    ("sudo: unable to open /run/sudo/ts/alice: Read-only file system", "sudo", ["read-only"]),
    # It only complains, or there is nothing else.
    (
        "sudo: unable to resolve host gpu01: Name or service not known",
        "sudo",
        ["/etc/hosts", "127.0.1.1 gpu01"],
    ),
    (
        (
            "sudo: unable to resolve host gpu01: Temporary failure in name resolution\n"
            "sudo: a password is required"
        ),
        "sudo",
        ["--ask-become-pass"],
    ),
    (
        (
            "sudo: unable to resolve host gpu01: Name or service not known\n"
            "/bin/sh: 1: /usr/bin/python3: not found"
        ),
        "python",
        ["install python3"],
    ),
    ("sudo: something new", "sudo", ["ssh 10.0.0.9 sudo -n true", "something new"]),
    # No interpreter.
    ("/bin/sh: 1: /usr/bin/python3.12: not found", "python", ["ansible_python_interpreter"]),
    (
        "/bin/sh: line 1: /opt/lab/bin/python: No such file or directory",
        "python",
        ["ansible_python_interpreter"],
    ),
    ("bash: line 1: python3: command not found", "python", ["install python3"]),
    ("sudo: /usr/bin/python3: command not found", "python", ["install python3"]),
    ("sudo: '/usr/bin/python3': command not found", "python", ["install python3"]),
    ("/usr/bin/env: 'python3': No such file or directory", "python", ["install python3"]),
    ("/usr/bin/env: \u2018python3\u2019: No such file or directory", "python", ["install python3"]),
    ("The module interpreter '/usr/bin/python9' was not found.", "python", ["install python3"]),
    ("No python interpreters found for host 'gpu01' (tried ['python3.13'])", "python", ["3.9"]),
    (
        "ansible-core requires a minimum of Python version 3.8. Current version: 3.6.8",
        "python",
        ["3.9 or newer"],
    ),
    (
        (
            "/usr/bin/python3: error while loading shared libraries: libpython3.11.so.1.0: cannot "
            "open "
            "shared object file: No such file or directory"
        ),
        "python",
        ["reinstall python3"],
    ),
    ("No start of json char found", "python", ["sudo -n python3 --version"]),
    # What was reached speaks of others.
    ("urlopen error [Errno 111] Connection refused", "python", ["Connection refused"]),
    ("Name or service not known", "python", ["see what it said"]),
]


@pytest.mark.parametrize(("message", "check", "advice"), AS_ROOT)
def test_what_sudo_and_python_say_leads_to_what_helps(
    message: str, check: str, advice: list[str]
) -> None:
    found = diagnose(message, reached=True, address="10.0.0.9", user="alice")

    assert found.check == check
    assert [part for part in advice if part not in found.action] == []
    assert "DNS" not in found.action
    assert "{" not in found.action


@pytest.mark.parametrize("end", ["", ": exited with result 1, stderr output: "])
def test_a_folder_that_cannot_be_made_is_no_missing_power(end: str) -> None:
    message = (
        "Failed to create temporary directory. In some cases, you may have been able to "
        f"authenticate and did not have permissions on the target directory{end}"
    )

    found = diagnose(message, reached=False, address="10.0.0.9", user="alice")

    assert found.check == "python"
    assert "df -h" in found.action


@pytest.mark.parametrize(
    ("message", "known"),
    [
        ("Host key verification failed.", "'[10.0.0.9]:2222'"),
        (CHANGED % ("[10.0.0.9]:2222", "[10.0.0.9]:2222"), "'[10.0.0.9]:2222'"),
        # ssh knows better: HostKeyAlias, or a port in its own configuration.
        (CHANGED % ("gpu01-alias", "gpu01-alias"), "gpu01-alias"),
    ],
)
def test_a_port_is_in_the_advice(message: str, known: str) -> None:
    row = judge_failure(message, reached=False, address="10.0.0.9", user="alice", port=2222)

    action = row["checks"][0]["action"]
    assert f"ssh-keygen -R {known}," in action
    assert "ssh -p 2222 10.0.0.9" in action


def test_every_symptom_is_met_by_a_message() -> None:
    said = [message for message, _, _ in (*NOT_REACHED, *AS_ROOT)]
    details = {
        diagnose(message, reached=reached, address="a", user="u").detail.removeprefix("jump host: ")
        for message in said
        for reached in (True, False)
    }

    assert {symptom.detail for symptom in SYMPTOMS} - details == {"cannot write"}
