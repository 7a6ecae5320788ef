#!/bin/sh
# Install what gpulab needs on this host: system packages, then a virtual environment.
#
#   scripts/bootstrap.sh lab      what `make lab` needs
#   scripts/bootstrap.sh test     the same and what `make test` needs
#   scripts/bootstrap.sh dev      the environment of lint, types and units alone: no root needed
#   scripts/bootstrap.sh bench    the environment of tests/bench, with the nodes' own PyTorch
#   scripts/bootstrap.sh tensorflow   the same with TensorFlow, for tests/tensorflow
#
# The environment is .venv (GPULAB_VENV names another); the Python is the first one on PATH that is
# new enough (PYTHON names another).
#
# Nothing is installed twice. When packages are missing and neither root nor sudo is there, it says
# which and stops before it has done anything. An interrupted run is completed by the next one.
set -eu
purpose=${1:?usage: bootstrap.sh lab|test|dev|bench|tensorflow}
cd "$(dirname "$0")/.."

say() { printf 'gpulab: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The environment's own Python must not be taken for the host's: it may be about to be replaced.
PATH=$(printf '%s' "$PATH" | tr ':' '\n' | grep -vxF "$PWD/.venv/bin" |
    grep -vxF "$PWD/.venv-second/bin" | paste -sd: -)

# --- which Python ---------------------------------------------------------------------------------
# $PYTHON when given, else the first on PATH that ansible-core 2.19 can run on.
new_enough='import sys; sys.exit(sys.version_info < (3, 11))'
find_python() {
    for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
        if command -v "$candidate" >/dev/null 2>&1 && "$candidate" -c "$new_enough" 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
}

# --- which packages are missing -------------------------------------------------------------------
# One line per need: a test that succeeds when it is met, then the package on apt and on dnf.
unmet() {
    manager=$1
    need() { eval "$1" >/dev/null 2>&1 || if [ "$manager" = apt-get ]; then echo "$2"; else echo "$3"; fi; }
    python=$(find_python)
    need '[ -n "$python" ]' python3 python3.12
    # Debian and Ubuntu ship Python's ensurepip apart.
    need '[ -n "$python" ] && "$python" -c "import ensurepip, venv"' python3-venv python3.12
    need 'command -v ssh-keygen' openssh-client openssh-clients
    if ! { command -v docker && docker info; } >/dev/null 2>&1; then
        need 'command -v podman' podman podman
        # Debian and Ubuntu only recommend podman's network tools, and what those call.
        if [ "$manager" = apt-get ]; then
            need '[ -x /usr/lib/podman/netavark ]' netavark ''
            need '[ -x /usr/lib/podman/aardvark-dns ]' aardvark-dns ''
            need 'command -v iptables || [ -x /usr/sbin/iptables ]' iptables ''
        fi
        # On a hybrid cgroup tree, crun (podman's first choice) refuses to start systemd.
        need '[ -f /sys/fs/cgroup/cgroup.controllers ] || command -v runc' runc runc
    fi
    if [ "$manager" = apt-get ]; then
        need 'command -v mmdebstrap' mmdebstrap ''
    fi
    if [ "$purpose" = test ]; then
        # Ubuntu's package has the other name, and brings the browser as a snap.
        browser=chromium
        [ "$(. /etc/os-release && echo "$ID")" != ubuntu ] || browser=chromium-browser
        need 'command -v "${CHROMIUM:-chromium}" || command -v chromium-browser ||
            command -v google-chrome' \
            "$browser" chromium
        # Rulesets are loaded into network namespaces.
        need 'command -v nft || [ -x /usr/sbin/nft ]' nftables nftables
        need 'command -v ip || [ -x /usr/sbin/ip ]' iproute2 iproute
    fi
}

# Whether this user can become root, now or after sudo has asked at the terminal.
can_be_root() {
    [ "$(id -u)" = 0 ] && return 0
    command -v sudo >/dev/null 2>&1 || return 1
    sudo -n true 2>/dev/null || { [ -t 0 ] && sudo -v; }
}

install_packages() {
    if command -v apt-get >/dev/null 2>&1; then manager=apt-get
    elif command -v dnf >/dev/null 2>&1; then manager=dnf
    else die "neither apt-get nor dnf here: install Python 3.11+ with venv, podman 4+ and ssh-keygen"
    fi
    packages=$(unmet "$manager" | sort -u | tr '\n' ' ')
    [ -n "${packages% }" ] || return 0
    can_be_root || die "these packages are missing and this user can neither be root nor use sudo.
Ask an administrator to run:  $manager install -y $packages
Nothing was changed."
    sudo=$([ "$(id -u)" = 0 ] || echo sudo)
    say "installing $packages"
    if [ "$manager" = apt-get ]; then
        $sudo apt-get update -q >&2
        # shellcheck disable=SC2086 # a list of words
        $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $packages >&2
    else
        # shellcheck disable=SC2086
        $sudo dnf install -y -q $packages >&2
    fi
}

# --- the virtual environment ----------------------------------------------------------------------
# A stamp with the lock's checksum is written last, so that a half-made environment is made again.
install_requirements() {
    stamp=$1/.$(basename "$2").installed
    wanted=$(cksum <"$2")
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    if ! [ -f "$1/.created" ] || ! "$1/bin/python" -c '' 2>/dev/null; then
        rm -rf "$1"
        say "creating $1 with $("$3" --version)"
        "$3" -m venv "$1"
        : >"$1/.created"
    fi
    say "installing $2 into $1"
    "$1/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
        --no-compile --requirement "$2"
    printf '%s' "$wanted" >"$stamp"
}

# Compile what is installed, once and on all cores: pip is told not to (it uses one), and nobody else
# would where PYTHONDONTWRITEBYTECODE is set, as CI likes to. It costs 9 CPU seconds and 56 MB for .venv,
# and saves half a second at each start of Ansible (`ansible-playbook --version` 0.9 -> 0.4 CPU s,
# `--list-tasks site.yml` 1.45 -> 0.85). python_modules would gain nothing: what a collection's plugin
# imports, Ansible compiles from its source each time, whatever lies beside it.
compile_environment() {
    stamp=$1/.compiled
    wanted=$(cat "$1"/.*.installed)
    [ "$(cat "$stamp" 2>/dev/null)" = "$wanted" ] && return 0
    say "compiling $1"
    # What this Python can't compile was written for another, and stays source.
    "$1/bin/python" -m compileall -qq -j 0 "$1/lib" || :
    printf '%s' "$wanted" >"$stamp"
}

case $purpose in lab | test) install_packages ;; esac
if { [ "$purpose" = lab ] || [ "$purpose" = test ]; } && ! can_be_root; then
    die "the sandbox's machines run systemd in containers, which needs root or sudo, and this user
has neither. Ask an administrator for sudo, or run this as root. To run the playbooks on a lab of
your own, an environment is enough:
  python3 -m venv .venv && .venv/bin/pip install --require-hashes -r requirements.txt
Nothing was changed."
fi
python=$(find_python)
[ -n "$python" ] || die "no Python 3.11 or newer on PATH: install one, or name it: PYTHON=python3.12 make lab"
venv=${GPULAB_VENV:-.venv}
mitogen=${GPULAB_MITOGEN:+requirements-mitogen.txt}
case $purpose in
    lab) locks="requirements.txt $mitogen" ;;
    # Tests use mitogen where it is not what they prove.
    test) locks="requirements-dev.txt requirements-mitogen.txt" ;;
    dev) locks="requirements-dev.txt $mitogen" ;;
    bench)
        venv=.venv-bench
        locks="roles/pytorch/files/requirements-cpu.txt requirements-bench.txt"
        ;;
    tensorflow)
        venv=.venv-tensorflow
        locks="roles/tensorflow/files/requirements-cpu.txt requirements-bench.txt"
        ;;
    *) die "usage: bootstrap.sh lab|test|dev|bench|tensorflow" ;;
esac
for lock in $locks; do
    install_requirements "$venv" "$lock" "$python"
done
compile_environment "$venv"
