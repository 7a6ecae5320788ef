"""Text and marks of the page can be told from what is behind them, in both themes (WCAG 2.2)."""

from __future__ import annotations

import re

import pytest

from ansible_collections.gpulab.core.plugins.plugin_utils.report import heatmap, page

CSS = (page.TEMPLATES / "report.css").read_text(encoding="utf-8")
LIGHT, DARK = "light", "dark"

TEXT = 4.5  # success criterion 1.4.3, level AA
MARK = 3.0  # success criterion 1.4.11: what is needed to understand a drawing

VERDICTS = ("pass", "warn", "fail", "unknown")
BEHIND_TEXT = ("paper", "card", "head")
TEXTS = [
    *((ink, behind) for ink in ("ink", "soft") for behind in BEHIND_TEXT),
    *(("link", behind) for behind in ("paper", "card")),
    *((verdict, f"{verdict}-bg") for verdict in VERDICTS),
    *((verdict, "card") for verdict in VERDICTS),
    *(("ink", f"{scale}{shade}") for scale in "hr" for shade in range(heatmap.SHADES)),
]
MARKS = [
    *((f"c{hue}", "card") for hue in range(6)),
    ("many", "card"),
    ("fail", "h0"),
    ("fail", "r4"),
    ("c0", "box"),
]


def themes() -> dict[str, dict[str, str]]:
    """Return the colours of both themes, by name."""
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([\w-]+): (#[0-9a-f]+);", block)) for block in blocks)
    return {LIGHT: light, DARK: dark}


def luminance(colour: str) -> float:
    """Return the relative luminance of ``#rgb`` or ``#rrggbb``, as WCAG defines it."""
    digits = colour[1:]
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    channels = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def test_the_ratio_is_the_one_that_wcag_defines() -> None:
    assert contrast("#000", "#ffffff") == pytest.approx(21)
    assert contrast("#777", "#fff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize(("ink", "behind"), TEXTS)
def test_text_can_be_read(theme: str, ink: str, behind: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[ink], colours[behind]) >= TEXT


@pytest.mark.parametrize("theme", [LIGHT, DARK])
@pytest.mark.parametrize(("mark", "behind"), MARKS)
def test_marks_can_be_seen(theme: str, mark: str, behind: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[mark], colours[behind]) >= MARK


def test_the_themes_have_the_same_colours_and_no_other_is_used() -> None:
    light, dark = themes()[LIGHT], themes()[DARK]
    assert set(light) == set(dark)
    rest = re.sub(r":root \{.*?\}", "", CSS, flags=re.DOTALL)
    assert not re.findall(r"#[0-9a-f]{3,8}\b|\brgba?\(|\bhsla?\(", rest)
    own = {"hue", "tone", "tint"}
    assert set(re.findall(r"var\(--([\w-]+)", rest)) - own <= set(light)
    drawn = {name for name, _ in (*TEXTS, *MARKS)} | {behind for _, behind in (*TEXTS, *MARKS)}
    # A rule and the tints of a box are decoration.
    assert set(light) - drawn == {"rule"}


def test_neighbouring_shades_of_a_heat_map_differ() -> None:
    for colours in themes().values():
        for scale in "hr":
            shades = [luminance(colours[f"{scale}{n}"]) for n in range(heatmap.SHADES)]
            assert shades in (sorted(shades), sorted(shades, reverse=True))
            assert len(set(shades)) == heatmap.SHADES
