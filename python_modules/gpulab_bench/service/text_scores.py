"""How right an answer in words is. Pure functions.

Two texts are compared by their tokens, as the evaluation of SQuAD does (Rajpurkar et al., "SQuAD:
100,000+ Questions for Machine Comprehension of Text", 2016, section 6.1): in lower case, without
punctuation and without the English articles. Japanese and Chinese are written without spaces, so
there each character is a token; and full-width forms are taken for their usual ones (NFKC).
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from gpulab_bench.scores import macro

_ARTICLES = frozenset({"a", "an", "the"})
# Hiragana and katakana, CJK ideographs with extension A and the compatibility ones, and the planes
# of the further extensions: a token each.
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")


class Scores(NamedTuple):
    """Of one answer, or their means over several; each from 0 to 1."""

    precision: float
    recall: float
    f1: float
    exact: float


def tokens(text: str) -> tuple[str, ...]:
    """Split a text into the tokens that are compared."""
    found: list[str] = []
    for word in unicodedata.normalize("NFKC", text).lower().split():
        kept = "".join(sign for sign in word if not unicodedata.category(sign).startswith("P"))
        pieces = _WIDE.sub(lambda match: f" {match.group()} ", kept).split()
        found += [piece for piece in pieces if piece not in _ARTICLES]
    return tuple(found)


def score(answer: str | None, references: Sequence[str]) -> Scores:
    """Compare an answer with the reference that it is most like.

    Precision is the share of the answer's tokens that are in the reference, recall the share of the
    reference's tokens that are in the answer, each token as often as it occurs.

    Args:
        answer: what was said; None, for no answer, is wrong in everything.
        references: right answers, one at least.
    """
    if answer is None:
        return Scores(0.0, 0.0, 0.0, 0.0)
    said = tokens(answer)
    return max((_against(said, tokens(each)) for each in references), key=lambda one: one[2:])


def mean_scores(scores: Sequence[Scores]) -> Scores:
    """Average over answers, one at least."""
    n = len(scores)
    return Scores(*(sum(values) / n for values in zip(*scores)))


def label_scores(answers: Sequence[str | None], references: Sequence[Sequence[str]]) -> Scores:
    """Precision, recall and F1 of answers that are labels: macro averages over the labels.

    An answer that is one of its references counts as that one; else the first reference is what was
    due. No answer is no label: it costs recall and no precision.

    Args:
        answers: what was said.
        references: the right labels of each, one at least.
    """
    said = [None if answer is None else " ".join(tokens(answer)) for answer in answers]
    right = [[" ".join(tokens(label)) for label in labels] for labels in references]
    due = [answer if answer in labels else labels[0] for answer, labels in zip(said, right)]
    names = sorted({*due, *(answer for answer in said if answer is not None)})
    precision, recall, f1 = macro(
        [sum(a == d == name for a, d in zip(said, due)) for name in names],
        [said.count(name) for name in names],
        [due.count(name) for name in names],
    )
    return Scores(precision, recall, f1, sum(a == d for a, d in zip(said, due)) / len(due))


def _against(said: tuple[str, ...], due: tuple[str, ...]) -> Scores:
    if not said or not due:
        # As SQuAD 2.0 has it: to say nothing is right where nothing is to be said.
        same = float(said == due)
        return Scores(same, same, same, same)
    common = sum((Counter(said) & Counter(due)).values())
    return Scores(
        common / len(said),
        common / len(due),
        2 * common / (len(said) + len(due)),
        float(said == due),
    )
