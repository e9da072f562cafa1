"""The fewest blocks that make a bundle whole again, given what its files have right (FORMAT.md §17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundler.core.cut import Layout
    from bundler.volumes.inventory import Inventory


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Blocks that have to come from elsewhere, ascending, and the layout in which they were chosen.

    With all of them every block can be read or recovered; with one less some cannot.
    """

    layout: Layout
    blocks: tuple[int, ...]


def needed(inventory: Inventory) -> Need:
    """Return what is needed.

    Volumes that are lost whole are chosen whole where each row needs a block more, the first ones first;
    otherwise a row's lowest columns are chosen. Where volumes of several cuts are there it is what the main
    one needs after the others have given what they can.
    """
    lost = _after_others(inventory)
    layout = inventory.main
    rows = layout.by_row(sorted(lost))
    short = {row: len(blocks) - inventory.good_parity(layout, *row) for row, blocks in rows.items()}
    chosen: set[int] = set()
    if not layout.cut.whole:
        for volume in range(layout.cut.volumes):
            blocks = layout.volume_blocks(volume)
            places = [(volume % layout.cut.groups, at) for at in range(len(blocks))]  # a row each
            if blocks and lost.issuperset(blocks) and all(short[one] > 0 for one in places):
                chosen.update(blocks)
                for one in places:
                    short[one] -= 1
    for row, blocks_in_row in rows.items():
        left = [block for block in blocks_in_row if block not in chosen]
        chosen.update(left[: max(0, short[row])])
    return Need(layout=layout, blocks=tuple(sorted(chosen)))


def _after_others(inventory: Inventory) -> set[int]:
    """Return the lost blocks that rows do not give, where several layouts give each other what they can."""
    lost, before = set(inventory.lost), -1
    while lost and len(lost) != before and len(inventory.layouts) > 1:
        before = len(lost)
        for layout in inventory.layouts:
            for row, blocks in layout.by_row(lost).items():
                if len(blocks) <= inventory.good_parity(layout, *row):
                    lost.difference_update(blocks)
    return lost
