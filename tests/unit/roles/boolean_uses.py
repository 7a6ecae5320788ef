"""Find uses of options that are not converted by a filter: of true-or-false options by `bool`.

``-e x=false`` and ``x=false`` in an INI inventory are strings, and a string counts as true: ``not
x`` and ``x if`` are wrong without a word. What is safe without it, with ansible-core 2.19.14: an
argument of type bool, which the module converts, and a bare ``when: x``, which is refused ("must
have a boolean result"). One rule for all uses is simpler than to know which is which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import yaml
from jinja2 import nodes

# Keys whose strings are expressions without braces.
CONDITIONS = frozenset({"when", "that", "until", "failed_when", "changed_when"})
# What stays a string that says true or false: these pass it on to the conversion.
PASSING_ON = frozenset({"default", "d"})
# A register or an internal value of a role: made by an expression, never given with -e.
INTERNAL = "__"
# It parses; nothing is rendered.
ENVIRONMENT = jinja2.Environment(autoescape=True, extensions=["jinja2.ext.do"])


class _Loader(yaml.SafeLoader):
    """Reads Ansible's YAML with whatever tags."""


def _nothing(_loader: yaml.Loader, _suffix: str, _node: yaml.Node) -> None:
    """Stand for a value with a tag of Ansible's, such as ``!vault``."""


_Loader.add_multi_constructor("", _nothing)


def bool_options(argument_specs: Path) -> set[str]:
    """The options of type bool of a role's entry points."""
    document = yaml.safe_load(argument_specs.read_text(encoding="utf-8"))
    return {
        name
        for entry in document["argument_specs"].values()
        for name, option in (entry.get("options") or {}).items()
        if option.get("type") == "bool"
    }


def word_options(argument_specs: Path) -> set[str]:
    """The options whose choices are texts that YAML reads as truth values without their quotes."""
    document = yaml.safe_load(argument_specs.read_text(encoding="utf-8"))
    return {
        name
        for entry in document["argument_specs"].values()
        for name, option in (entry.get("options") or {}).items()
        if any(isinstance(yaml.safe_load(str(word)), bool) for word in option.get("choices", ()))
    }


def unconverted(file: Path, options: set[str], by: str = "bool") -> list[str]:
    """The uses in a playbook, a file of a role or a template: ``option in its expression``.

    Args:
        file: the file.
        options: the options that must be converted.
        by: the filter that does; with ``bool``, what has a default of true or false is an option.
    """
    text = file.read_text(encoding="utf-8")
    if file.suffix == ".j2":
        return sorted(_in_template(text, options, by))
    documents = yaml.load_all(text, Loader=_Loader)
    return sorted(use for document in documents for use in _in_yaml(document, "", options, by))


def _in_yaml(value: object, key: str, options: set[str], by: str) -> Iterator[str]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _in_yaml(name, "", options, by)
            yield from _in_yaml(item, str(name), options, by)
    elif isinstance(value, list):
        for item in value:
            yield from _in_yaml(item, key, options, by)
    elif isinstance(value, str):
        if "{{" in value or "{%" in value:
            yield from _in_template(value, options, by)
        elif key in CONDITIONS:
            yield from _in_template(f"{{{{ {value} }}}}", options, by)


def _in_template(text: str, options: set[str], by: str) -> Iterator[str]:
    shown = re.sub(r"\s+", " ", text).strip()[:120]
    for name in _uses(ENVIRONMENT.parse(text), options, by, converted=False):
        yield f"{name} in {shown}"


def _uses(node: nodes.Node, options: set[str], by: str, *, converted: bool) -> Iterator[str]:
    name = _name(node)
    if name in options and not converted:
        yield name
    if isinstance(node, nodes.Filter) and node.node is not None:
        passed = converted and node.name in PASSING_ON
        subject = _name(node.node)
        told = by == "bool" and node.name in PASSING_ON and any(map(_is_bool, node.args[:1]))
        # `x | default(false)` says of x that it is true or false.
        if told and subject and not subject.startswith(INTERNAL) and not converted:
            yield subject
            passed = True  # Told once.
        yield from _uses(node.node, options, by, converted=passed or node.name == by)
        for child in node.iter_child_nodes(exclude=["node"]):
            yield from _uses(child, options, by, converted=False)
        return
    # `x is defined` asks for no value.
    asks = isinstance(node, nodes.Test) and node.name in {"defined", "undefined"}
    for child in node.iter_child_nodes():
        yield from _uses(child, options, by, converted=asks)


def _name(node: nodes.Node) -> str:
    """The variable that a node reads by its name: itself, or one of ``hostvars[…]`` or ``vars``."""
    if isinstance(node, nodes.Name):
        return node.name
    if isinstance(node, nodes.Getattr):
        return node.attr if _of_variables(node.node) else ""
    if isinstance(node, nodes.Getitem) and isinstance(node.arg, nodes.Const):
        return str(node.arg.value) if _of_variables(node.node) else ""
    return ""


def _of_variables(node: nodes.Node) -> bool:
    if isinstance(node, (nodes.Getitem, nodes.Getattr)):
        node = node.node
        return isinstance(node, nodes.Name) and node.name == "hostvars"
    return isinstance(node, nodes.Name) and node.name == "vars"


def _is_bool(node: nodes.Node) -> bool:
    return isinstance(node, nodes.Const) and isinstance(node.value, bool)
