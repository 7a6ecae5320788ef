"""From what is declared and what the node is to a guarded change of its network."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ...module_utils.network.programs import IFUPDOWN
from ..declaration.interfaces import is_managed
from . import commands
from .backends import choose, in_use, is_ours
from .files import Files
from .foreign import Foreign, find, words
from .ifupdown import MAIN, MAIN_TEXT
from .machine import Present, Way, differences, parse_links, parse_routes, problems, stale
from .model import NetworkError, build

REFUSE, TAKE_OVER = "refuse", "take_over"
#: Where files that were taken over are kept for whoever misses something of them.
KEPT = "/var/lib/gpulab/network/former"
#: cloud-init(5): without it, it writes its file again at the next boot.
CLOUD_INIT = "/etc/cloud/cloud.cfg.d/99-gpulab-network.cfg"
CLOUD_INIT_TEXT = "# Written by gpulab (role network), which sets this machine's addresses.\n"
CLOUD_INIT_TEXT += "network: {config: disabled}\n"


@dataclass(frozen=True)
class Options:
    """What the role's options say.

    Attributes:
        backend: which back end to write for, or "" for the one in use.
        existing: what becomes of other files about the same interfaces: `REFUSE`, `TAKE_OVER`.
        nameservers: addresses of DNS servers.
        search: domains in which short names are looked for.
    """

    backend: str = ""
    existing: str = REFUSE
    nameservers: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


def plan(
    info: Mapping[str, Any],
    interfaces: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Mapping[str, Any]],
    options: Options,
) -> dict[str, Any]:
    """Decide what has to be done.

    Args:
        info: what the module ``gpulab.core.network_info`` read.
        interfaces: ``node_interfaces``.
        zones: ``lab_zones``.
        options: the role's.

    Returns:
        ``backend``; ``problems``: what forbids the change, each with its fix; ``differences``:
        where what runs is not what is declared; ``taken_over``: files of others that go;
        ``files``, ``check``, ``apply``, ``undo`` and ``boot`` for the module
        ``gpulab.core.commit``. With problems the last five are empty.
    """
    there = links(info)
    ways = _ways(info)
    infiniband = [name for name, link in there.items() if link.infiniband]
    done = {"backend": "", "problems": [], "differences": [], "taken_over": []}
    nothing: dict[str, Any] = {"files": {}, "check": [], "apply": [], "undo": [], "boot": []}
    used = in_use(info["units"], info["programs"], info["files"])
    try:
        model = build(interfaces, zones, infiniband, options.nameservers, options.search)
        backend = choose(options.backend, used, info["programs"])
        wanted = backend.render(model)
    except NetworkError as error:
        return {**done, "problems": [str(error)], **nothing}
    found = find(
        info["files"],
        [*used, backend.name],
        model,
        {name: link.mac for name, link in there.items() if link.physical},
    )
    wrong = [*problems(model, there), *_foreign_problems(found, options, info["secret"])]
    if backend.name == IFUPDOWN and not _reads_ours(info["files"].get(MAIN, "")):
        wrong += _main_problems(found, options)
    done.update(backend=backend.name, differences=list(differences(model, there, ways)))
    if wrong:
        return {**done, "problems": wrong, **nothing}
    former = set[str]().union(*(words(text) for text in info["files"].values()))
    own = set[str]().union(*(words(text) for path, text in info["files"].items() if is_ours(path)))
    foreign = [name for name, body in interfaces.items() if not is_managed(body)]
    going = stale(model, there, own, foreign)
    return {
        **done,
        "taken_over": [file.path for file in found],
        "files": _files(wanted, found, info["files"]),
        "check": commands.check(backend.name),
        "apply": commands.apply(backend.name, model, there, going),
        "undo": commands.undo(backend.name, model, there, ways, former, going),
        "boot": commands.boot(backend.name),
    }


def compare(
    info: Mapping[str, Any],
    interfaces: Mapping[str, Mapping[str, Any]],
    zones: Mapping[str, Mapping[str, Any]],
) -> list[str]:
    """Say where the node's network is not what is declared; nothing where it is.

    Raises:
        NetworkError: the declaration gives no working network.
    """
    there = links(info)
    return list(differences(build(interfaces, zones), there, _ways(info)))


def _ways(info: Mapping[str, Any]) -> list[Way]:
    return parse_routes(info["routes4"], 4) + parse_routes(info["routes6"], 6)


def links(info: Mapping[str, Any]) -> dict[str, Present]:
    """Give the node's interfaces as the module ``gpulab.core.network_info`` read them."""
    return parse_links(info["links"], info["cards"], info["permanent"])


def _foreign_problems(
    found: list[Foreign], options: Options, secret: Collection[str]
) -> Iterator[str]:
    for file in found:
        about = ", ".join(file.links)
        if options.existing == REFUSE:
            yield (
                f"{file.path} is not gpulab's and is about {about}, too: remove {about} from it, "
                "or set network_existing to take_over, which moves the whole file to "
                f"{KEPT}{file.path}"
            )
            continue
        if file.path in secret:
            yield (
                f"{file.path} cannot be taken over: it holds a password, which would pass through "
                f"the controller: remove {about} from it by hand"
            )
            continue
        if file.others:
            others = ", ".join(file.others)
            yield (
                f"{file.path} cannot be taken over: it is about {others}, too, which gpulab does "
                f"not set: declare {others} in node_interfaces (without managed: false), or move "
                "what is about it to a file of its own"
            )
        if file.nameservers and not options.nameservers:
            servers = ", ".join(file.nameservers)
            yield (
                f"{file.path} cannot be taken over: the DNS servers {servers} would be lost: set "
                f"network_nameservers: [{servers}], or to those that the machine should use"
            )


def _reads_ours(main: str) -> bool:
    """Say whether ifupdown's main file reads the folder that ours lies in."""
    said = words(main)
    return bool({"source", "source-directory"} & said) and any(
        word.startswith((f"{MAIN}.d", "interfaces.d")) for word in said
    )


def _main_problems(found: list[Foreign], options: Options) -> Iterator[str]:
    if options.existing == TAKE_OVER and any(file.path == MAIN for file in found):
        return
    yield f"{MAIN} does not read {MAIN}.d: add the line `source {MAIN}.d/*` to it"


def _files(
    wanted: Files, found: list[Foreign], present: Mapping[str, str]
) -> dict[str, dict[str, str] | None]:
    """Give the files of the change: ours, what of ours goes, and what is taken over."""
    files: dict[str, dict[str, str] | None] = {}
    for path in present:
        if is_ours(path):
            files[path] = None
    for file in found:
        files[file.path] = None
        files[f"{KEPT}{file.path}"] = {"content": present[file.path], "mode": "0600"}
        if file.path == MAIN:
            files[MAIN] = {"content": MAIN_TEXT, "mode": "0644"}
        if "cloud-init" in file.path.rpartition("/")[2]:
            files[CLOUD_INIT] = {"content": CLOUD_INIT_TEXT, "mode": "0644"}
    for path, (content, mode) in wanted.items():
        files[path] = {"content": content, "mode": mode}
    return files
