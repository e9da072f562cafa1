"""README.md as text: its fences, with what is to be done with each, and its sections."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
_FENCE = re.compile(r"(?:<!-- (run|file): (\S+) -->\n)?^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
FENCES = _FENCE.findall(README)


def section(title):
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]
