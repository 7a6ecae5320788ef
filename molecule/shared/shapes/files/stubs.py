#!/usr/bin/python3
"""Build the signed stub repositories of a shaped node (a simulation: see ../README.md).

Runs on the node, as root, with what Debian packages: dpkg-deb and apt-ftparchive, or rpmbuild,
rpmsign, createrepo_c and modifyrepo_c, and gpg. ``spec.json`` beside it says what to build::

    {"format": "deb" | "rpm",
     "repositories": [{"id", "path", "origin", "suite", "codename", "packages": [PACKAGE],
                       "key_files": [names], "lent": bool, "modules": [MODULE]}]}

PACKAGE is ``{"name", "version", "arch", "depends", "provides", "conflicts", "replaces", "files",
"scripts", "debian", "keep", "streams", "later"}``, all but the first two optional; versions and
relations are written as the format writes them, a version of an RPM is ``epoch:version-release``.

- ``files``: path → text, or path → ``{"modinfo": {field: value}}`` for a file that modinfo reads as
  a kernel module;
- ``scripts``: maintainer script (deb: postinst …, rpm: post …) → shell;
- ``debian``: the files ``keep`` (paths) of that Debian package in apt's cache belong to it too;
- ``streams``: ["name:stream"] of the MODULEs it belongs to;
- ``later``: whether the vendor publishes it only with ``--later``.

``lent`` adds all Debian packages of apt's cache to a repository. MODULE is ``{"name", "stream",
"profile" (names of packages), "default" (bool)}``.
"""

from __future__ import annotations

import argparse
import glob
import json
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ARCHIVES = Path("/var/cache/apt/archives")
KEYS = HERE / "keys"

Package = dict[str, Any]
Repository = dict[str, Any]


def run(*command: str | Path, **options: Any) -> str:
    """Run a command and give what it prints.

    Raises:
        SystemExit: with what it said, when it fails.
    """
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        check=False,
        **options,
    )
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return str(done.stdout)


# --- contents ----------------------------------------------------------------------------------


def module_file(fields: dict[str, str]) -> bytes:
    """Compose an ELF object that has nothing but a ``.modinfo`` section.

    Enough for modinfo, which reads that section (elf(5); entries end with a zero byte); no kernel
    would load it.
    """
    info = b"".join(f"{key}={value}\0".encode() for key, value in fields.items())
    names = b"\0.modinfo\0.shstrtab\0"
    header, entry = 64, 64
    table = header + len(info) + len(names)
    # Little-endian, 64 bit, relocatable (1), x86-64 (62); three sections, names in the last.
    elf = b"\x7fELF\x02\x01\x01" + bytes(9)
    elf += struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, table, 0, header, 0, 0, entry, 3, 2)
    sections = bytes(entry)
    # Name, type (1: data, 3: strings), flags, address, offset, size, link, info, align, entry size.
    sections += struct.pack("<IIQQQQIIQQ", 1, 1, 2, 0, header, len(info), 0, 0, 1, 0)
    names_at = header + len(info)
    sections += struct.pack("<IIQQQQIIQQ", 10, 3, 0, 0, names_at, len(names), 0, 0, 1, 0)
    return elf + info + names + sections


def cached(name: str) -> Path:
    """Find a Debian package in apt's cache.

    Raises:
        SystemExit: when prepare did not download it.
    """
    found = sorted(ARCHIVES.glob(f"{glob.escape(name)}_*.deb"))
    if not found:
        sys.exit(f"the Debian package {name} is not in {ARCHIVES}: list it in shape_debian")
    return found[-1]


def fill(root: Path, package: Package) -> list[str]:
    """Write a package's contents under a folder; give the paths of its files and links."""
    root.mkdir(parents=True)
    if "debian" in package:
        with tempfile.TemporaryDirectory() as folder:
            run("dpkg-deb", "--extract", cached(package["debian"]), folder)
            for path in package["keep"]:
                target = root / path.lstrip("/")
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(Path(folder) / path.lstrip("/"), target)
    for path, content in package.get("files", {}).items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            target.write_text(content)
        else:
            target.write_bytes(module_file(content["modinfo"]))
        # Programs are those that begin like one.
        executable = isinstance(content, str) and content.startswith("#!")
        target.chmod(0o755 if executable else 0o644)
    return sorted(
        f"/{path.relative_to(root)}"
        for path in root.rglob("*")
        if path.is_symlink() or path.is_file()
    )


# --- packages ----------------------------------------------------------------------------------


def control(package: Package) -> str:
    """Write the control file of a Debian package."""
    lines = [
        f"Package: {package['name']}",
        f"Version: {package['version']}",
        f"Architecture: {package.get('arch', 'amd64')}",
        "Maintainer: gpulab <root@localhost>",
        "Section: misc",
        "Priority: optional",
    ]
    relations = [
        name for name in ("depends", "provides", "conflicts", "replaces") if package.get(name)
    ]
    lines += [f"{name.capitalize()}: {', '.join(package[name])}" for name in relations]
    return "\n".join([*lines, "Description: stub of gpulab's simulation, no vendor's software", ""])


def build_deb(package: Package, out: Path) -> None:
    """Build one Debian package into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        paths = fill(root, package)
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(control(package))
        configs = [path for path in paths if path.startswith("/etc/")]
        (root / "DEBIAN/conffiles").write_text("".join(f"{path}\n" for path in configs))
        for name, text in package.get("scripts", {}).items():
            script = root / "DEBIAN" / name
            script.write_text(f"#!/bin/sh\nset -e\n{text}\n")
            script.chmod(0o755)
        run("dpkg-deb", "--root-owner-group", "-Znone", "--build", root, out)


def rpm_spec(package: Package, paths: Iterable[str]) -> str:
    """Write the spec file of an RPM."""
    epoch, _, rest = package["version"].rpartition(":")
    version, _, release = rest.partition("-")
    lines = [
        f"Name: {package['name']}",
        f"Epoch: {epoch}" if epoch else "",
        f"Version: {version}",
        f"Release: {release or '1'}",
        f"BuildArch: {package.get('arch', 'noarch')}",
        f"ModularityLabel: {package['streams'][0]}:1:stub" if package.get("streams") else "",
        "Summary: stub of gpulab's simulation, no vendor's software",
        "License: none",
        # Only what is written here, nothing that rpmbuild finds in scripts.
        "AutoReqProv: no",
        *(f"Requires: {item}" for item in package.get("depends", [])),
        *(f"Provides: {item}" for item in package.get("provides", [])),
        *(f"Conflicts: {item}" for item in package.get("conflicts", [])),
        "%description",
        "Stub.",
        *(f"%{name}\n{text}" for name, text in package.get("scripts", {}).items()),
        "%files",
        "%defattr(-,root,root)",
        *(
            f'%config(noreplace) "{path}"' if path.startswith("/etc/") else f'"{path}"'
            for path in paths
        ),
    ]
    return "\n".join(line for line in lines if line) + "\n"


def build_rpm(package: Package, out: Path) -> None:
    """Build one RPM into a folder."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        paths = fill(root, package)
        spec = Path(folder) / "stub.spec"
        spec.write_text(rpm_spec(package, paths))
        run(
            "rpmbuild", "-bb", "--quiet", "--buildroot", root,
            "--define", f"_topdir {folder}/top", "--define", f"_rpmdir {out}",
            "--define", "_rpmfilename %%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
            "--define", "_build_id_links none", "--define", "debug_package %{nil}",
            # The contents are there already: no clean-up before, no stripping after.
            "--define", "__spec_install_pre %{nil}", "--define", "__os_install_post %{nil}",
            "--define", "_binary_payload w0.gzdio",
            spec,
        )  # fmt: skip


# --- repositories ------------------------------------------------------------------------------


def key(name: str) -> Path:
    """Give the GnuPG home of a throw-away signing key, made on first use."""
    home = KEYS / name
    if not home.is_dir():
        home.mkdir(parents=True, mode=0o700)
        user = f"gpulab stub key {name} (simulation) <{name}@localhost>"
        gpg(name, "--passphrase", "", "--quick-generate-key", user, "rsa3072", "sign", "never")
    return home


def gpg(name: str, *arguments: str | Path) -> str:
    """Run gpg with a key's home."""
    return run("gpg", "--batch", "--yes", "--homedir", KEYS / name, *arguments)


def fingerprint(name: str) -> str:
    """Give a key's fingerprint."""
    key(name)
    lines = gpg(name, "--with-colons", "--list-keys").splitlines()
    return next(line.split(":")[9] for line in lines if line.startswith("fpr:"))


def index_deb(folder: Path, repository: Repository, signer: str) -> None:
    """Write and sign the index of a flat apt repository."""
    packages = run("apt-ftparchive", "packages", ".", cwd=folder)
    (folder / "Packages").write_text(packages)
    fields = [name for name in ("origin", "label", "suite", "codename") if name in repository]
    options = [f"-oAPT::FTPArchive::Release::{n.capitalize()}={repository[n]}" for n in fields]
    release = run("apt-ftparchive", *options, "release", ".", cwd=folder)
    (folder / "Release").write_text(release)
    gpg(signer, "--clearsign", "--output", folder / "InRelease", folder / "Release")


def module_document(module: dict[str, Any], packages: list[Package]) -> str:
    """Write the modulemd (version 2) document of one stream, as JSON, which YAML contains."""
    stream = f"{module['name']}:{module['stream']}"
    members = [package for package in packages if stream in package.get("streams", [])]
    data = {
        "name": module["name"], "stream": module["stream"], "version": 1, "context": "stub",
        "arch": "x86_64", "summary": "stub", "description": "stub of gpulab's simulation",
        "license": {"module": ["MIT"]},
        "dependencies": [{"requires": {"platform": []}}],
        "profiles": {"default": {"rpms": module.get("profile", [])}},
        "artifacts": {"rpms": [nevra(package) for package in members]},
    }  # fmt: skip
    return json.dumps({"document": "modulemd", "version": 2, "data": data})


def nevra(package: Package) -> str:
    """Name an RPM as modulemd does, epoch included."""
    epoch, _, rest = package["version"].rpartition(":")
    return f"{package['name']}-{epoch or '0'}:{rest}.{package.get('arch', 'noarch')}"


def index_rpm(folder: Path, repository: Repository, packages: list[Package], signer: str) -> None:
    """Sign the RPMs of a repository and write its index, modules included."""
    rpms = sorted(folder.glob("*.rpm"))
    run("rpmsign", "--define", "__gpg /usr/bin/gpg", "--define", f"_gpg_path {KEYS / signer}",
        "--define", f"_gpg_name {fingerprint(signer)}", "--resign", *rpms)  # fmt: skip
    run("createrepo_c", "--quiet", folder)
    if repository.get("modules"):
        documents = [module_document(m, packages) for m in repository["modules"]]
        defaults = {
            "document": "modulemd-defaults", "version": 1,
            "data": {"module": repository["modules"][0]["name"],
                     "stream": repository["modules"][0]["stream"], "profiles": {}},
        }  # fmt: skip
        if repository["modules"][0].get("default"):
            documents.append(json.dumps(defaults))
        text = "".join(f"---\n{document}\n...\n" for document in documents)
        (folder / "modules.yaml").write_text(text)
        run("modifyrepo_c", "--mdtype=modules", folder / "modules.yaml", folder / "repodata")
    # For repo_gpgcheck.
    repomd = folder / "repodata/repomd.xml"
    gpg(signer, "--armor", "--detach-sign", "--output", f"{repomd}.asc", repomd)


def build(
    spec: dict[str, Any],
    repository: Repository,
    renames: dict[str, str],
    drags: dict[str, str],
    signer: str,
    *,
    later: bool,
) -> None:
    """Build one repository afresh; it takes the place of the old one only when it is whole."""
    final = HERE / repository["path"]
    fresh = final.with_name(f"{final.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    key(signer)
    is_deb = spec["format"] == "deb"
    packages = [
        {
            **package,
            "name": renames.get(package["name"], package["name"]),
            "depends": [
                *package.get("depends", []),
                *(drags[name] for name in [package["name"]] if name in drags),
            ],
        }
        for package in repository.get("packages", [])
        if later or not package.get("later")
    ]
    for package in packages:
        (build_deb if is_deb else build_rpm)(package, fresh)
    if repository.get("lent"):
        for archive in ARCHIVES.glob("*.deb"):
            shutil.copy2(archive, fresh)
    if is_deb:
        index_deb(fresh, repository, signer)
    else:
        index_rpm(fresh, repository, packages, signer)
    # What clients are told to trust is always the vendor's key, whoever signed.
    public = gpg_export(repository["id"])
    for name in ["stub-key.asc", *repository.get("key_files", [])]:
        (fresh / name).write_text(public)
    shutil.rmtree(final, ignore_errors=True)
    fresh.rename(final)


def gpg_export(name: str) -> str:
    """Give a public key in ASCII armour."""
    key(name)
    return gpg(name, "--armor", "--export")


def main() -> None:
    """Build all repositories, or one, perhaps with a fault."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repository", help="only the one with this id")
    parser.add_argument("--rename", action="append", default=[], metavar="OLD=NEW")
    parser.add_argument(
        "--drag",
        action="append",
        default=[],
        metavar="PACKAGE=ANOTHER",
        help="let the package depend on another one, too",
    )
    parser.add_argument("--signer", help="sign with the key of this name, not the repository's")
    parser.add_argument("--later", action="store_true", help="with what is published later")
    parser.add_argument("--fingerprints", action="store_true", help="only print id → fingerprint")
    arguments = parser.parse_args()
    spec = json.loads((HERE / "spec.json").read_text())
    if arguments.fingerprints:
        found = {
            repository["id"]: fingerprint(repository["id"]) for repository in spec["repositories"]
        }
        sys.stdout.write(f"{json.dumps(found)}\n")
        return
    renames = dict(pair.split("=", 1) for pair in arguments.rename)
    drags = dict(pair.split("=", 1) for pair in arguments.drag)
    for repository in spec["repositories"]:
        if arguments.repository in (None, repository["id"]):
            signer = arguments.signer or repository["id"]
            build(spec, repository, renames, drags, signer, later=arguments.later)


if __name__ == "__main__":
    main()
