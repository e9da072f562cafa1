"""Four people, and three trust documents of theirs that follow each other."""

from __future__ import annotations

import re

from bundles import Packer, make_document

ANNA, BEN, CARL, EVE = (Packer(seed) for seed in (11, 12, 13, 14))
TWO, THREE = {"anna": ANNA, "ben": BEN}, {"anna": ANNA, "carl": CARL}


def document(version, people, *, by=None, **facts):
    return make_document(version, **{"people": people, "root": 2, "release": 2, "by": by, **facts})


FIRST = document(1, TWO)
SECOND = document(2, THREE, by=[ANNA, BEN, CARL])
THIRD = document(3, THREE)


def without_prints(message):
    return re.sub(r"SHA256:\S{43}", "KEY", message)
