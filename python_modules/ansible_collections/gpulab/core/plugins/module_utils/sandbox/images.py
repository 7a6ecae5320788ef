"""The container image that sandbox machines start from.

Two ways to get one: *packages* builds this host's own distribution with mmdebstrap out of the
mirror that its apt is configured for (no registry needed); *registry* builds a Containerfile on
an image pulled from a registry. Both are kept in the engine's store under a tag that is a hash of
the recipe, so that a second start finds it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from ..process import Group, run
from . import apt_sources
from .engine import Engine
from .errors import SandboxError

#: What the references of all of the sandbox's images begin with.
PREFIX = "localhost/gpulab-sandbox-"
#: What a fresh server installation has and Ansible needs; the rest is the roles' work.
PACKAGES = (
    "ca-certificates",
    "dbus",
    "iproute2",
    "iputils-ping",
    "libpam-systemd",
    "openssh-server",
    "procps",
    "python3-apt",
    "python3-minimal",
    "sudo",
    "systemd",
    "systemd-sysv",
)
#: The account that Ansible logs in with, like the first user of a server installation.
LOGIN = "gpulab"
#: Run in the new root, ``$1``. Host keys are made per machine, so the package's are removed.
CUSTOMIZE = (
    f'chroot "$1" useradd --create-home --uid 1000 --shell /bin/bash {LOGIN}',
    f'echo "{LOGIN} ALL=(ALL) NOPASSWD: ALL" > "$1/etc/sudoers.d/{LOGIN}"',
    f'chmod 0440 "$1/etc/sudoers.d/{LOGIN}"',
    'rm -f "$1"/etc/ssh/ssh_host_*',
    # Injected files belong to root; sshd wants the folder to be its user's own.
    f'echo "Z /home/{LOGIN}/.ssh - {LOGIN} {LOGIN} -" > "$1/etc/tmpfiles.d/{LOGIN}.conf"',
    # The engine writes these for each machine; an image's own would be shared by all.
    'rm -f "$1/etc/hostname"; : > "$1/etc/machine-id"',
)
#: Building takes under a minute on two cores and a near mirror; a slow mirror may need long.
BUILD_TIMEOUT_S = 1200


@dataclass(frozen=True)
class Recipe:
    """How an image is made.

    Attributes:
        name: the platform, such as ``debian-12``.
        source: ``packages`` or ``registry``.
        codename: the release that mmdebstrap builds, or an empty string.
        text: what the image's tag is a hash of: sources and settings, or the Containerfile.
        settings: apt settings (*packages*).
    """

    name: str
    source: str
    codename: str
    text: str
    settings: tuple[str, ...] = ()

    @property
    def reference(self) -> str:
        """The image's reference in the engine's store."""
        parts = (self.text, *PACKAGES, *CUSTOMIZE, *self.settings)
        digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
        return f"{PREFIX}{self.name}:{digest}"


def choose_recipe(source: str, containerfiles: Path, release: dict[str, str]) -> Recipe:
    """Choose how to make the image on this host.

    Args:
        source: ``auto``, ``packages``, or the name of a Containerfile such as ``ubuntu-24.04``.
        containerfiles: the folder of ``<platform>.Containerfile``.
        release: this host's os-release.

    Raises:
        SandboxError: when the host cannot make the image; the message says what would help.
    """
    debian_family = {release.get("ID", ""), *release.get("ID_LIKE", "").split()} & {"debian"}
    if source == "auto":
        if debian_family and shutil.which("mmdebstrap"):
            source = "packages"
        else:
            source = "ubuntu-24.04" if debian_family else "centos-10"
    if source != "packages":
        file = containerfiles / f"{source}.Containerfile"
        if not file.is_file():
            known = sorted(path.name.split(".Container")[0] for path in containerfiles.iterdir())
            msg = f"sandbox_image is {source!r}: use auto, packages or one of {', '.join(known)}"
            raise SandboxError(msg)
        return Recipe(source, "registry", "", file.read_text())
    if not shutil.which("mmdebstrap"):
        msg = "mmdebstrap is missing: apt-get install mmdebstrap, or set sandbox_image=ubuntu-24.04"
        raise SandboxError(msg)
    codename = release.get("VERSION_CODENAME", "")
    sources = apt_sources.sources_for(codename, apt_sources.read_sources())
    if not sources:
        msg = (
            f"no apt source of {codename or 'this release'} with the component main in /etc/apt: "
            "sandbox images are built from the machine's own mirror"
        )
        raise SandboxError(msg)
    name = f"{release.get('ID', 'debian')}-{release.get('VERSION_ID', codename)}"
    return Recipe(name, "packages", codename, sources, tuple(apt_sources.read_settings()))


def mmdebstrap_command(
    recipe: Recipe,
    sources: Path,
    extra_packages: tuple[str, ...] = (),
    extra_hooks: tuple[str, ...] = (),
    target: str = "-",
) -> list[str]:
    """Compose the mmdebstrap call that writes a root file system as a tar archive to ``target``."""
    return [
        "mmdebstrap",
        "--variant=minbase",
        # A fresh server has the lists, and --check on one needs them to know a package's name.
        "--skip=cleanup/apt/lists",
        f"--include={','.join((*PACKAGES, *extra_packages))}",
        *(f"--aptopt={setting}" for setting in recipe.settings),
        *(f"--customize-hook={hook}" for hook in (*CUSTOMIZE, *extra_hooks)),
        recipe.codename,
        target,
        str(sources),
    ]


def build(engine: Engine, recipe: Recipe) -> None:
    """Make the image and put it into the engine's store.

    Raises:
        SandboxError: when a step fails; it carries the last lines that the step printed.
    """
    # A folder that root's mmdebstrap and the engine can both read, without spaces in its path.
    with tempfile.TemporaryDirectory(prefix="gpulab-image-") as scratch:
        folder = Path(scratch)
        if recipe.source == "registry":
            file = folder / "Containerfile"
            file.write_text(recipe.text)
            engine.run(
                "build",
                "--tag",
                recipe.reference,
                "--file",
                str(file),
                str(folder),
                timeout_s=BUILD_TIMEOUT_S,
            )
            return
        sources = folder / "sources.list"
        sources.write_text(recipe.text)
        archive = folder / "root.tar"
        run_as_root(engine, mmdebstrap_command(recipe, sources, target=str(archive)))
        engine.run(
            "import",
            "--change",
            'CMD ["/sbin/init"]',
            str(archive),
            recipe.reference,
            timeout_s=BUILD_TIMEOUT_S,
        )


def cached(engine: Engine) -> list[str]:
    """List the references of all images that a sandbox has ever left in the engine's store."""
    listed = engine.run("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
    return sorted(name for name in listed.stdout.split() if name.startswith(PREFIX))


def run_as_root(engine: Engine, command: list[str]) -> None:
    """Run a build step with the engine's own privilege.

    Raises:
        SandboxError: when it fails or takes longer than ``BUILD_TIMEOUT_S``.
    """
    # In the caller's group: a Ctrl-C ends the build as well.
    argv = [*engine.command[:-1], *command]
    done = run(argv, os.environ, BUILD_TIMEOUT_S, group=Group.CALLERS)
    if done.timed_out:
        msg = f"{command[0]} took longer than {BUILD_TIMEOUT_S} s: is the mirror reachable?"
        raise SandboxError(msg)
    if done.returncode != 0:
        said = done.start_error or done.stderr_tail.strip()
        raise SandboxError(f"{command[0]} failed: {said[-2000:]}")


def host_release() -> dict[str, str]:
    """Read this host's os-release as a dictionary.

    Raises:
        SandboxError: when there is none (the sandbox runs on Linux only).
    """
    try:
        return platform.freedesktop_os_release()
    except OSError as missing:
        msg = "this host has no os-release: the sandbox needs Linux (containers with systemd)"
        raise SandboxError(msg) from missing
