"""The fixture machines of the hardware tests serve here too."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest's importlib mode puts no test folder on the path.
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "hardware")]
