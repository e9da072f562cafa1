"""The erasure code used wrongly: told at once, and what was expected."""

import re

import pytest

from bundler.core.erasure import Encoder, Recovery


def recovery():
    return Recovery(lost=[1], parity=[2], size=8)


@pytest.mark.parametrize(
    ("use", "message"),
    [
        (lambda: Encoder(parity=[0], size=7), "size of a row: expected a multiple of 8, found 7"),
        (lambda: Encoder(parity=[0], size=-8), "size of a row: expected a multiple of 8, found -8"),
        (lambda: Encoder(parity=[100], size=8), "parity cell 100: "),
        (lambda: Encoder(parity=[3, 3], size=8), "parity cell 3: "),
        (lambda: Encoder(parity=[0], size=8).add(128, b""), "column 128: "),
        (lambda: Encoder(parity=[0], size=8).add(-1, b""), "column -1: "),
        (
            lambda: Encoder(parity=[0], size=8).add(0, bytes(9)),
            "data cell: expected at most 8 bytes, found 9",
        ),
        (
            lambda: Encoder(parity=[0], size=0).add(0, b"a"),
            "data cell: expected at most 0 bytes, found 1",
        ),
        (lambda: [(one := Encoder(parity=[0], size=8)).add(0, b""), one.add(0, b"")], "column 0: "),
        (lambda: [(one := Encoder(parity=[0], size=8)).finish(), one.add(0, b"")], "column 0: "),
        (lambda: [(one := Encoder(parity=[0], size=8)).finish(), one.finish()], "finish: expected once"),
        (lambda: Recovery(lost=[128], parity=[0], size=8), "column 128: "),
        (lambda: Recovery(lost=[1, 1], parity=[0, 1], size=8), "column 1: "),
        (lambda: Recovery(lost=[1, 2], parity=[0, 0], size=8), "parity cell 0: "),
        (
            lambda: Recovery(lost=[1, 2], parity=[0], size=8),
            "2 lost cells: expected as many parity cells, found 1",
        ),
        (lambda: recovery().add_data(1, b""), "column 1: "),
        (lambda: recovery().add_parity(1, bytes(8)), "parity cell 1: "),
        (lambda: recovery().add_parity(2, bytes(7)), "parity cell 2: expected 8 bytes, found 7"),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.add_parity(2, bytes(8))],
            "parity cell 2: ",
        ),
        (lambda: recovery().finish(), "parity cell 2: expected before the end"),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.finish(), one.finish()],
            "finish: expected once",
        ),
        (
            lambda: [(one := recovery()).add_parity(2, bytes(8)), one.finish(), one.add_data(0, b"")],
            "column 0: ",
        ),
    ],
)
def test_wrong_use_is_told(use, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        use()
