"""What nvidia-smi says where something is wrong or new: changes of a sound GPU's text.

A text is the answer of ``nvidia-smi -q -x``; a change is made to its last GPU.
"""

from __future__ import annotations

import re


def said(text: str, path: str, words: str) -> str:
    """Return the text with these words at a path below the last GPU; it is added if missing."""
    head, start, gpu = text.rpartition("<gpu id=")
    *above, leaf = path.split("/")
    begin = 0
    for step in above:
        found = re.compile(rf"<{step}>").search(gpu, begin)
        if found is None:
            missing = "/".join([*above[above.index(step) :], leaf])
            return head + start + _insert(gpu, begin, _nested(missing, words))
        begin = found.end()
    end = gpu.find(f"</{above[-1]}>", begin) if above else len(gpu)
    changed = re.sub(
        rf"<{leaf}>.*?</{leaf}>|<{leaf} ?/>",
        lambda _: f"<{leaf}>{words}</{leaf}>",
        gpu[begin:end],
        count=1,
        flags=re.DOTALL,
    )
    if f"<{leaf}>{words}</{leaf}>" not in changed:
        return head + start + _insert(gpu, begin, f"<{leaf}>{words}</{leaf}>")
    return head + start + gpu[:begin] + changed + gpu[end:]


def _nested(path: str, words: str) -> str:
    for step in reversed(path.split("/")):
        words = f"<{step}>{words}</{step}>"
    return words


def _insert(gpu: str, begin: int, element: str) -> str:
    # The beginning of a GPU's text is the rest of its tag.
    place = begin or gpu.index(">") + 1
    return gpu[:place] + element + gpu[place:]
