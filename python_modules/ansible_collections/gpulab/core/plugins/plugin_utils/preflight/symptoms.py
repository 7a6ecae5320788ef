"""What ssh, sudo or Ansible say when they cannot go on, what it means, and what helps.

The messages are those of OpenSSH 8 to 10 (the texts in ssh 9.2 itself; sshd.c, drop_connection, of
9.8), of sudo 1.8 and 1.9 as people report them, of sudo-rs (src/common/error.rs, commit 0ec695b;
Ubuntu's sudo since 25.10), of systemd (/run/nologin) and of ansible-core 2.19.14 and 2.21.5, looked
up in December 2026. tests/unit/preflight/test_symptoms.py has them in full.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

REACH, PYTHON, SUDO = "reach", "python", "sudo"

_WHICH_KEY = "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
_LET_SUDO = "let {user} use sudo without a password (/etc/sudoers.d), or run with --ask-become-pass"
_AT_CONSOLE = "at its console, as root: "
# What ssh says besides, whatever happens.
_NOISE = re.compile(r"Warning: Permanently added|\*\* |Pseudo-terminal will not|Shared connection")
_PREFIX = re.compile(r"^(Task failed: )?Failed to connect to the host via \w+: ")
# How ssh tells that the program which makes a connection for it, a jump host's, ended before sshd
# of the node had said anything.
_JUMP_HOST_ENDED = re.compile(r"exchange_identification: .*UNKNOWN port 65535", re.DOTALL)


@dataclass(frozen=True)
class Symptom:
    """One thing that is said.

    Attributes:
        cue: a pattern of the message; upper and lower case are alike.
        check: the check that failed.
        detail: what that means, short.
        action: what to do; may name {address}, {user}, {ssh} (the command that logs in), {known}
            (the node in known_hosts), {said} (the message's first line) and the cue's groups.
    """

    cue: str
    check: str
    detail: str
    action: str


_OF_SUDO = (
    Symptom(
        r"must have a tty",
        SUDO,
        "sudo wants a terminal",
        _AT_CONSOLE + "visudo -f /etc/sudoers.d/gpulab-tty, and write: Defaults:{user} !requiretty",
    ),
    Symptom(
        r"(^|[\s/])sudo['\"]?: ((command )?not found|No such file)",
        SUDO,
        "no sudo",
        _AT_CONSOLE + "install sudo, and let {user} use it without a password (/etc/sudoers.d)",
    ),
    Symptom(
        r"(^|\n)sudo(-rs)?: \S*python\S*: command not found",
        PYTHON,
        "no usable Python",
        "install python3 (3.9 or newer), or set ansible_python_interpreter",
    ),
    Symptom(
        r"have the setuid bit set|effective uid is not 0|no new privileges",
        SUDO,
        "sudo cannot become root",
        "sudo's file lost its rights, or is where they don't count (nosuid, a container): "
        + _AT_CONSOLE
        + "reinstall the package sudo, and see findmnt -T /usr/bin/sudo",
    ),
    Symptom(
        r"no valid sudoers sources|sudoers\S*:? .*syntax error|parse error in /"
        r"|invalid configuration|sudo.* is (world|group) writable|sudo.* is owned by [ug]id",
        SUDO,
        "sudo's rules are broken",
        _AT_CONSOLE + "visudo -c, and repair the file that it names",
    ),
    Symptom(
        r"sudo: .*(expired|PAM (account|authentication)|account validation|pam_\w+)",
        SUDO,
        "sudo refuses the account",
        _AT_CONSOLE + "chage -l {user}; chage -E -1 -M -1 {user} lets it not expire",
    ),
    Symptom(
        r"sudo: .*(Read-only file system|No space left|Input/output error)",
        SUDO,
        "its disk cannot be written",
        "free space, or see why the file system is read-only (dmesg): {said}",
    ),
    Symptom(
        r"not in the sudoers|may not run |not allowed to execute|afraid I can't do that",
        SUDO,
        "no root by sudo",
        "let {user} use sudo for everything, without a password: a rule in /etc/sudoers.d",
    ),
    Symptom(
        r"waiting for (become|privilege)|timeout .*privilege escalation|missing \w+ password"
        r"|a (terminal|password) is required|incorrect \w+ password|\d incorrect \w+ attempts?"
        r"|interactive authentication is required|no password was provided|Sorry, try again",
        SUDO,
        "no root by sudo",
        _LET_SUDO,
    ),
)
_OF_PYTHON = (
    Symptom(
        r"no python interpreters? found|interpreter .* was not found|requires a minimum of python"
        r"|python[0-9.]*['\"\u2019]?: ((command )?not found|No such file|cannot execute)"
        r"|python[0-9.]*: bad interpreter",
        PYTHON,
        "no usable Python",
        "install python3 (3.9 or newer), or set ansible_python_interpreter",
    ),
    Symptom(
        r"python[0-9.]*: error while loading shared libraries|No module named '?encodings",
        PYTHON,
        "Python is broken",
        "reinstall python3 there, or set ansible_python_interpreter to another: {said}",
    ),
)
# What counts only when nothing above does: sudo goes on after the first, the others say little.
_OF_A_NODE_BESIDES = (
    Symptom(
        r"sudo: unable to resolve host (?P<own>[^\s:]+)",
        SUDO,
        "it does not know its own name",
        "add its name to its /etc/hosts (127.0.1.1 {own}); if it still fails, run: "
        "{ssh} sudo -n true; and repair what it complains of",
    ),
    Symptom(
        r"(^|\n)sudo(-rs)?: ",
        SUDO,
        "no root by sudo",
        "run: {ssh} sudo -n true; and repair what it complains of: {said}",
    ),
    Symptom(
        r"failed to create temporary directory",
        PYTHON,
        "cannot write",
        "its disk is full or read-only, or ~{user}/.ansible is another's: "
        "{ssh} 'df -h ~ /tmp; ls -ld ~ ~/.ansible'",
    ),
    Symptom(
        r"no start of json",
        PYTHON,
        "nothing ran",
        "run: {ssh} sudo -n python3 --version; and repair what it complains of",
    ),
)
# Of the way through a jump host, which answered: what it says of the way from there.
_BEHIND_JUMP_HOST = (
    Symptom(
        r"open failed: administratively prohibited",
        REACH,
        "jump host forwards nothing",
        "let the jump host forward (AllowTcpForwarding and PermitOpen in its sshd_config), to "
        "{address}",
    ),
    Symptom(
        r"open failed: connect failed: connection refused",
        REACH,
        "ssh refused",
        "the jump host reaches it, and sshd does not answer there: start sshd, or correct "
        "ansible_port",
    ),
    Symptom(
        r"open failed: connect failed: .*(not known|name resolution|no address|hostname nor)"
        r"|open failed: unknown host",
        REACH,
        "name not found",
        "the jump host cannot resolve its name: set ansible_host to the node's address",
    ),
    Symptom(
        r"open failed: |stdio forwarding failed",
        REACH,
        "jump host cannot reach it",
        "check its power and cable, that ansible_host is right, and the jump host's way to "
        "{address}",
    ),
)
_OF_THE_CONTROLLER = (
    Symptom(
        r"UNPROTECTED PRIVATE KEY|Permissions \d+ for '(?P<file>[^']+)' are too open",
        REACH,
        "private key unprotected",
        "on this controller: chmod 600 the private key that ssh names{file}",
    ),
    Symptom(
        r"Bad owner or permissions on (?P<file>\S+)",
        REACH,
        "ssh's configuration unprotected",
        "on this controller: chmod 600 and chown to yourself:{file}",
    ),
    Symptom(
        r"Bad configuration option|terminating, \d+ bad configuration|unknown option|"
        r"Unsupported option|command-line: line 0",
        REACH,
        "ssh's configuration is wrong",
        "on this controller: correct ~/.ssh/config or ansible_ssh_common_args: {said}",
    ),
    Symptom(
        r"install the sshpass program",
        REACH,
        "passwords need sshpass",
        "log in with a key (ssh-copy-id {user}@{address}), or install sshpass on this controller",
    ),
    Symptom(
        r"too long for Unix domain socket",
        REACH,
        "control socket's path too long",
        "set ANSIBLE_SSH_CONTROL_PATH_DIR to a short path, such as /tmp/cp",
    ),
    Symptom(
        r"no such identity: (?P<file>[^:\n]+)|Identity file (?P<other>\S+) not accessible",
        REACH,
        "private key missing",
        "correct ansible_ssh_private_key_file, or put the key there: {said}",
    ),
    Symptom(
        r"Load key \"(?P<file>[^\"]+)\": (invalid format|error in libcrypto)",
        REACH,
        "private key unreadable",
        "this is no whole private key (a public one, or line ends lost): ssh-keygen -yf{file}",
    ),
    Symptom(
        r"agent refused operation|incorrect passphrase supplied|read_passphrase: can't open",
        REACH,
        "private key locked",
        "unlock the key for this session: ssh-add, and the key's passphrase",
    ),
    Symptom(
        r"no mutual signature",
        REACH,
        "key too old",
        "the node takes none of this RSA key's signatures: make an Ed25519 key (ssh-keygen -t "
        "ed25519) and put its public part into authorized_keys of {user}",
    ),
)
_OF_HOST_KEYS = (
    Symptom(
        r"remote host identification has changed|host key for \S+ has changed|offending .*key",
        REACH,
        "host key changed",
        f"compare the key with the machine's own (at its console: {_WHICH_KEY}); if it is right: "
        "ssh-keygen -R {known}, and log in once: {ssh}",
    ),
    Symptom(
        r"no \S+ host key is known for|authenticity of host",
        REACH,
        "host key unknown",
        f"log in once, and compare the key with the machine's own (at its console: {_WHICH_KEY}): "
        "{ssh}",
    ),
    Symptom(
        r"host key verification failed",
        REACH,
        "host key not trusted",
        f"compare the key with the machine's own ({_WHICH_KEY}); if it is right: "
        "ssh-keygen -R {known}, and log in once: {ssh}",
    ),
    Symptom(
        r"unable to negotiate with|no matching (host key|key exchange method|cipher|mac)",
        REACH,
        "no common algorithm",
        "update OpenSSH on the older of the two; until then allow what it offers for this node "
        "alone, in ansible_ssh_common_args: {said}",
    ),
    Symptom(
        r"bad server host key|invalid key length",
        REACH,
        "host key too weak",
        _AT_CONSOLE + "remove its short RSA key (/etc/ssh/ssh_host_rsa_key*), ssh-keygen -A, and "
        "restart sshd",
    ),
)
_OF_LOGIN = (
    Symptom(
        r"pam_nologin|unprivileged users are not permitted to log in",
        REACH,
        "not open for logins",
        "it is starting or stopping: wait, and run again; if it stays so, " + _AT_CONSOLE + "see "
        "systemctl list-jobs, then remove /run/nologin and /etc/nologin",
    ),
    Symptom(
        r"please login as the user \"(?P<other>[^\"]+)\"",
        REACH,
        "login refused",
        "set ansible_user to the one that it names: {said}",
    ),
    Symptom(
        r"account has expired|account is currently not available"
        r"|account (is|has been) (locked|disabled)",
        REACH,
        "account closed",
        _AT_CONSOLE + "chage -E -1 {user}; usermod -s /bin/bash {user}",
    ),
    Symptom(
        r"password (has )?expired|password change required|required to change your password",
        REACH,
        "password expired",
        _AT_CONSOLE + "chage -M -1 {user} (keys are all that it needs)",
    ),
    Symptom(
        r"too many authentication failures",
        REACH,
        "too many keys offered",
        "the agent offers more keys than sshd tries: set ansible_ssh_private_key_file, and "
        "-o IdentitiesOnly=yes in ansible_ssh_common_args",
    ),
    Symptom(
        r"not allowed at this time|exceeded MaxStartups",
        REACH,
        "refused for a while",
        "too many logins failed or began at once (PerSourcePenalties, MaxStartups of sshd): wait a "
        "minute, and run again with fewer --forks",
    ),
    Symptom(
        r"Invalid/incorrect (username/)?password|Permission denied, please try again",
        REACH,
        "password refused",
        "give the password of {user} (--ask-pass), or put your public key into its authorized_keys",
    ),
    Symptom(
        r"permission denied \(|no supported authentication|authentication failed",
        REACH,
        "login refused",
        "put your public key into authorized_keys of {user}, or name the right ansible_user and "
        "ansible_ssh_private_key_file",
    ),
)
_NO_ANSWER = Symptom(
    r"timed out|no route to host|host is down",
    REACH,
    "no answer",
    "check power and cable, that ansible_host is right, and that {ssh} works from here",
)
_NO_SSH = Symptom(
    r"banner line contains invalid|banner line too long|invalid format"
    r"|bad remote protocol version|Protocol major versions differ",
    REACH,
    "no ssh on that port",
    "something else answers there: correct ansible_port",
)
_OF_THE_NETWORK = (
    Symptom(
        r"could not resolve hostname|(?<!connect failed: )name or service not known"
        r"|failure in name resolution",
        REACH,
        "name not found",
        "set ansible_host to the node's address, or repair DNS; a sandbox must be up: make up",
    ),
    Symptom(
        r"network is unreachable|Cannot assign requested address",
        REACH,
        "no way from here",
        "this controller has no route to {address} (ip route get {address}): repair its own "
        "network or VPN",
    ),
    Symptom(
        r"timed out during banner exchange|timed out waiting for SSH identification",
        REACH,
        "sshd is silent",
        "it takes the connection and sshd says nothing: at its console look for what holds it up "
        "(full disk, no memory, a hung mount), and restart sshd",
    ),
    _NO_SSH,
    Symptom(
        r"(?<!\): )connection refused",
        REACH,
        "ssh refused",
        "start sshd there, or correct ansible_port",
    ),
    _NO_ANSWER,
    Symptom(
        r"exchange_identification: |connection (reset|closed) by|connection closed$"
        r"|Received disconnect",
        REACH,
        "hung up before login",
        "it is there and hangs up: " + _AT_CONSOLE + "journalctl -u ssh -u sshd -n 20 says why (no "
        "host keys, MaxStartups, PerSourcePenalties, fail2ban, a firewall that resets): {said}",
    ),
    Symptom(
        r"broken pipe|server \S+ not responding|closed by remote host|connection reset",
        REACH,
        "connection lost",
        "it was there and went away: see whether it rebooted (last -x), then run again",
    ),
)
NOT_REACHED = Symptom("", REACH, "not reached", "see what it said, and try {ssh}: {said}")
NOT_RUN = Symptom("", PYTHON, "cannot run", "see what it said: {said}")
JUMP_HOST = (
    "log in to the jump host itself (ProxyJump or ProxyCommand in ansible_ssh_common_args or "
    "~/.ssh/config) with ssh, and repair what it says: {said}"
)


@dataclass(frozen=True)
class Diagnosis:
    """What failed, and what helps.

    Attributes:
        check: the check that failed.
        detail: what is wrong, short.
        action: what to do.
        specific: whether the message is known, and says more than that nothing answers.
    """

    check: str
    detail: str
    action: str
    specific: bool = True


def diagnose(message: str, *, reached: bool, address: str, user: str, port: int = 22) -> Diagnosis:
    """Tell what failed and what helps.

    Args:
        message: what ssh, sudo or Ansible said, with whatever else they say.
        reached: False when the connection itself failed.
        address: where the node should be.
        user: the login.
        port: sshd's.
    """
    lines = [_PREFIX.sub("", line.strip()) for line in message.splitlines()]
    said = next((line for line in lines if line and not _NOISE.match(line)), "nothing")
    given = {
        "address": address,
        "user": user,
        "said": said,
        "ssh": f"ssh {address}" if port == 22 else f"ssh -p {port} {address}",
        # known_hosts has a port that is not 22 with the address: sshd(8), SSH_KNOWN_HOSTS FORMAT.
        "known": address if port == 22 else f"'[{address}]:{port}'",
    }
    named = re.search(r"ssh-keygen .*-R \"?(?P<known>[^\"\s]+)\"?", message)
    if named:
        known = named["known"].strip("'")
        given["known"] = f"'{known}'" if "[" in known else known
    text = "\n".join(line for line in lines if not _NOISE.match(line))
    symptom, groups = _recognise(text, reached=reached)
    if _is_jump_hosts_own(text, symptom):
        return Diagnosis(REACH, f"jump host: {symptom.detail}", JUMP_HOST.format(**given))
    action = symptom.action.format(**{"file": ""} | given | groups)
    specific = symptom not in (_NO_ANSWER, NOT_REACHED, NOT_RUN)
    return Diagnosis(symptom.check, symptom.detail, action, specific)


def _recognise(text: str, *, reached: bool) -> tuple[Symptom, dict[str, str]]:
    """Find the first symptom, and what its cue's groups say: files with a blank before them."""
    for symptom in SYMPTOMS:
        # What a node says that was reached, it may say of others.
        if reached and symptom.check == REACH:
            continue
        if found := re.search(symptom.cue, text, re.IGNORECASE):
            groups = {name: value or "" for name, value in found.groupdict().items()}
            if groups.get("file"):
                groups["file"] = f" {groups['file']}"
            return symptom, groups
    return (NOT_RUN if reached else NOT_REACHED), {}


def _is_jump_hosts_own(text: str, symptom: Symptom) -> bool:
    """Whether what failed is the login at the jump host: not the way behind it, nor the node."""
    elsewhere = (*_BEHIND_JUMP_HOST, *_OF_THE_CONTROLLER, _NO_SSH)
    return bool(_JUMP_HOST_ENDED.search(text)) and symptom not in elsewhere


SYMPTOMS = (
    *_OF_SUDO,
    *_OF_PYTHON,
    *_OF_A_NODE_BESIDES,
    *_BEHIND_JUMP_HOST,
    *_OF_THE_CONTROLLER,
    *_OF_HOST_KEYS,
    *_OF_LOGIN,
    *_OF_THE_NETWORK,
)
