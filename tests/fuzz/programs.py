"""Programs of recipes: what is read has one way to be written, and stays within what it may copy."""

from __future__ import annotations

from bundler.core.fault import Fault
from bundler.core.program import MAX_NESTING, Copy, Encode, End, Step, dump_program, parse_program

SOURCES, ENCODERS = (1000, 2**53 - 1, 0, 7), 3


def check_program(data: bytes) -> bool:
    """Whatever is accepted is what we would write, and every step of it can be done."""
    steps: list[Step] = []
    try:
        steps.extend(parse_program(data, sources=SOURCES, encoders=ENCODERS))
    except Fault:
        return False
    assert dump_program(steps, sources=len(SOURCES)) == data
    depth = 0
    for step in steps:
        if isinstance(step, Copy):
            assert step.length >= 1
            assert 0 <= step.offset <= step.offset + step.length <= SOURCES[step.source]
        elif isinstance(step, Encode):
            assert 0 <= step.encoder < ENCODERS
            depth += 1
        else:
            depth -= 1
        assert 0 <= depth <= MAX_NESTING
    assert depth == 0
    return True


def samples() -> dict[str, bytes]:
    """Return programs."""
    near = [
        Copy(0, 5, 300),
        Encode(1),
        Copy(0, 300, 1),
        Encode(2),
        Copy(3, 0, 7),
        End(),
        End(),
        Copy(0, 0, 1),
    ]
    far = [Copy(1, 2**53 - 2, 1), Copy(1, 0, 2**53 - 1), Copy(1, 2**40, 2**40)]
    return {
        "ok-near": dump_program(near, sources=4),
        "ok-far": dump_program(far, sources=4),
        "ok-empty": b"\0",
        "ok-encoders": dump_program([Encode(0), End(), Encode(2), End()], sources=4),
        "no-end": dump_program(near, sources=4)[:-1],
        "no-more": dump_program(near, sources=4) + b"\0",
        "no-source": dump_program([Copy(4, 0, 1)], sources=5),
        "no-encoder": dump_program([Encode(3), End()], sources=4),
        "no-range": dump_program([Copy(3, 0, 8)], sources=4),
        "no-content": dump_program([Copy(2, 0, 1)], sources=4),
        "no-length": dump_program([Copy(0, 0, 0)], sources=4),
        "no-begin": dump_program([Copy(0, -1, 1)], sources=4),
        "no-nesting": dump_program([Encode(0)] * 3 + [End()] * 3, sources=4),
        "no-short": b"\x81\x00\x00\x01\x00",
        "no-number": b"\xff" * 12,
    }
