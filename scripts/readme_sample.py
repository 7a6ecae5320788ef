#!/usr/bin/env python3
"""Write README's sample of the report from a finished run (``make lab``, ``make readme-sample``).

    PYTHONPATH=python_modules python scripts/readme_sample.py [FOLDER]

FOLDER is the run's folder, reports/latest by default.

What is written is what the run printed on the terminal. Exit status 2: there is no such run.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ansible_collections.gpulab.core.plugins.plugin_utils.records import runs
from ansible_collections.gpulab.core.plugins.plugin_utils.report import (
    metric_table,
    report,
    terminal,
)

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "README.md"
BEGIN = "<!-- The report below is written by `make readme-sample`, after `make lab`. -->\n"
END = "<!-- End of the report. -->\n"


def sample(folder: Path) -> str:
    """Return the report of a run as the terminal shows it.

    Args:
        folder: The run's folder; its report has been written.

    Raises:
        OSError: the folder has no report.
        ValueError: it is no run's folder, or its report cannot be used.
    """
    run = runs.read(folder)
    summary = report.read_summary(folder)
    page = Path("reports") / folder.resolve().parent.name / run.run_id / report.PAGE
    lines = terminal.lines(summary, metric_table.table(run.records), page)
    return "".join(f"{line.text}\n" for line in lines)


def replace(text: str, shown: str) -> str:
    """Return a page in which ``shown`` stands between the markers.

    Raises:
        ValueError: the page does not have each marker once.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        msg = f"the page must have each of these lines once: {BEGIN}{END}"
        raise ValueError(msg)
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```text\n{shown}```\n\n{END}{after}"


def shown(text: str) -> str:
    """Return what stands between the markers of a page."""
    block = text.partition(BEGIN)[2].partition(END)[0]
    return block.partition("```text\n")[2].partition("```\n")[0]


def main() -> int:
    """Write README's sample; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=ROOT / "reports" / "latest")
    folder = parser.parse_args().folder
    try:
        told = sample(folder.resolve())
    except (OSError, ValueError) as error:
        sys.stderr.write(f"there is no report of a run in {folder}: {error}\nRun make lab first.\n")
        return 2
    PAGE.write_text(replace(PAGE.read_text(encoding="utf-8"), told), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
