"""Set one option of an INI file: whose other lines are somebody else's."""

from __future__ import annotations

import re


def with_option(text: str, section: str, option: str, value: str) -> str:
    """Set an option in what a file says, once and without blanks around the equals sign.

    Args:
        text: the file as it is, or "".
        section: name of the section; added at the end where there is none.
        option: name of the option, which stands at the start of its line.
        value: what it is to be.

    Returns:
        The file with the option in the place of the one that was there, else at the section's end;
        every other line, comments too, as it was.
    """
    lines = text.split("\n")
    if lines[-1] == "":
        lines.pop()
    header = re.compile(rf"\[\s*{re.escape(section)}\s*\]")
    start = next((at for at, line in enumerate(lines) if header.match(line)), None)
    if start is None:
        lines += [f"[{section}]", f"{option}={value}"]
    else:
        start += 1
        end = next((at for at in range(start, len(lines)) if lines[at][:1] == "["), len(lines))
        lines[start:end] = _set(lines[start:end], option, f"{option}={value}")
    return "".join(f"{line}\n" for line in lines)


def _set(body: list[str], option: str, wanted: str) -> list[str]:
    """Set the option in the lines of its section."""
    is_option = re.compile(rf"{re.escape(option)}[ \t]*(=|$)")
    kept: list[str] = []
    place = None
    dropping = False
    for line in body:
        if is_option.match(line):
            place = len(kept) if place is None else place
            dropping = True
        elif not (dropping and line[:1] in (" ", "\t")):  # an indented line goes on with the value
            kept.append(line)
            dropping = False
    if place is None:
        said = [at for at, line in enumerate(kept) if re.match(r"[ \t]*[^ \t#;]", line)]
        place = said[-1] + 1 if said else 0
    return [*kept[:place], wanted, *kept[place:]]
