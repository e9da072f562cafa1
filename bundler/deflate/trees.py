"""Blocks as the zlib family writes them (trees.c): dynamic, static or stored, whichever is shortest.

Altered from zlib 1.3, Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler, zlib licence. This is
an altered version, a port of the logic to Python, and not the original software.

zlib, zlib-ng and zlib-rs differ in the matches that they find and agree on how blocks are written.
Bits are held as text of binary digits, the bit that is sent first at the end: joining such texts and reading
them as one number is the fastest way that CPython has to pack bits.
"""

from __future__ import annotations

from collections import Counter

from bundler.deflate.huffman import code_lengths, codes

SHIFT = 9  # a match is one number: distance << SHIFT | length
_END = 256
_STORED, _STATIC, _DYNAMIC = "00", "01", "10"
_EXTRA_LENGTH = (0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0)
_EXTRA_DISTANCE = tuple(max(0, code // 2 - 1) for code in range(30))
_EXTRA_RUN = {16: 2, 17: 3, 18: 7}
_RUN_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_MAX_BITS, _MAX_RUN_BITS = 15, 7

# The code of each length (index 3 to 258; 258 has a code of its own) and of each distance (index 1 to 32768).
_LENGTH_CODE = b"\0\0\0" + b"".join(bytes([c]) * (1 << _EXTRA_LENGTH[c]) for c in range(28))[:-1] + b"\x1c"
_DISTANCE_CODE = b"\0" + b"".join(bytes([c]) * (1 << _EXTRA_DISTANCE[c]) for c in range(30))
_LENGTH_BASE = tuple(_LENGTH_CODE.index(c, 3) for c in range(29))
_DISTANCE_BASE = tuple(_DISTANCE_CODE.index(c, 1) for c in range(30))
_STATIC_LENGTHS = [8] * 144 + [9] * 112 + [7] * 24 + [8] * 8
_STATIC_CODES = codes(_STATIC_LENGTHS)
_STATIC_DISTANCES = codes([5] * 30)


class BlockWriter:
    """Collects literals and matches, and writes them as blocks of raw deflate.

    A block is due when `len(symbols) == capacity`. Encoders append to `symbols`: a byte's value, or
    `distance << SHIFT | length`. The list object stays the same for the writer's life.
    """

    def __init__(self, *, mem_level: int = 8) -> None:
        self.symbols: list[int] = []
        self.capacity = (1 << mem_level + 6) - 1
        self._out = bytearray()
        self._bits = ""  # fewer than eight that wait for their byte

    def flush_block(self, content: bytes | None, *, last: bool) -> None:
        """Write the symbols as one block; `content` is what they stand for, None if it left the window.

        The last block ends on a byte.
        """
        counts = Counter(self.symbols)
        literals, distances, extra = _frequencies(counts)
        lengths, max_literal = code_lengths(literals, _MAX_BITS)
        distance_lengths, max_distance = code_lengths(distances, _MAX_BITS)
        lengths, distance_lengths = lengths[: max_literal + 1], distance_lengths[: max_distance + 1]
        trees, trees_size = _trees(lengths, distance_lengths)
        dynamic = extra + trees_size + _size(literals, lengths) + _size(distances, distance_lengths)
        static = extra + _size(literals, _STATIC_LENGTHS) + 5 * sum(distances)
        dynamic_bytes, static_bytes = dynamic + 3 + 7 >> 3, static + 3 + 7 >> 3

        bit = "1" if last else "0"
        if content is not None and len(content) + 4 <= min(dynamic_bytes, static_bytes):
            self._store(content, bit)
        elif static_bytes <= dynamic_bytes:
            self._encode(counts, [_STATIC + bit], _STATIC_CODES, _STATIC_DISTANCES)
        else:
            self._encode(counts, [_DYNAMIC + bit, *trees], codes(lengths), codes(distance_lengths))
        if last:
            self._put("0" * (-len(self._bits) % 8))
        self.symbols.clear()

    def take(self) -> bytes:
        """Return what was written since the last call, whole bytes only."""
        out = bytes(self._out)
        self._out.clear()
        return out

    def _store(self, content: bytes, bit: str) -> None:
        self._put(_STORED + bit)
        self._put("0" * (-len(self._bits) % 8))
        size = len(content)
        self._out += size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little") + content

    def _encode(
        self, counts: Counter[int], head: list[str], literal_codes: list[str], distance_codes: list[str]
    ) -> None:
        length_texts = [
            f"{length - _LENGTH_BASE[code]:0{_EXTRA_LENGTH[code]}b}" * (_EXTRA_LENGTH[code] > 0)
            + literal_codes[257 + code]
            if 257 + code < len(literal_codes)
            else ""
            for length, code in enumerate(_LENGTH_CODE)
        ]
        texts = {}
        for symbol in counts:
            if symbol < _END:
                texts[symbol] = literal_codes[symbol]
            else:
                distance = symbol >> SHIFT
                code = _DISTANCE_CODE[distance]
                text = distance_codes[code] + length_texts[symbol & 511]
                if code >= 4:
                    text = f"{distance - _DISTANCE_BASE[code]:0{_EXTRA_DISTANCE[code]}b}{text}"
                texts[symbol] = text
        body = "".join(map(texts.__getitem__, reversed(self.symbols)))
        self._put(literal_codes[_END] + body + "".join(reversed(head)))

    def _put(self, text: str) -> None:
        """Write bits; the ones that do not fill a byte wait."""
        text += self._bits
        waiting = len(text) % 8
        if len(text) > waiting:
            self._out += int(text[waiting:], 2).to_bytes(len(text) // 8, "little")
        self._bits = text[:waiting]


def _frequencies(counts: Counter[int]) -> tuple[list[int], list[int], int]:
    """Return how often each literal or length code and each distance code occurs, and their extra bits."""
    literals, distances = [0] * 286, [0] * 30
    literals[_END] = 1
    extra = 0
    for symbol, count in counts.items():
        if symbol < _END:
            literals[symbol] = count
        else:
            length, distance = _LENGTH_CODE[symbol & 511], _DISTANCE_CODE[symbol >> SHIFT]
            literals[257 + length] += count
            distances[distance] += count
            extra += (_EXTRA_LENGTH[length] + _EXTRA_DISTANCE[distance]) * count
    return literals, distances, extra


def _size(freqs: list[int], lengths: list[int]) -> int:
    return sum(freq * length for freq, length in zip(freqs, lengths, strict=False))


def _trees(lengths: list[int], distance_lengths: list[int]) -> tuple[list[str], int]:
    """Return the head of a dynamic block after its first three bits, and its size in bits."""
    runs = _runs(lengths) + _runs(distance_lengths)
    freqs = [0] * 19
    for code, _ in runs:
        freqs[code] += 1
    run_lengths, _ = code_lengths(freqs, _MAX_RUN_BITS)
    sent = 19
    while sent > 4 and not run_lengths[_RUN_ORDER[sent - 1]]:
        sent -= 1
    texts = [f"{len(lengths) - 257:05b}", f"{len(distance_lengths) - 1:05b}", f"{sent - 4:04b}"]
    texts += [f"{run_lengths[code]:03b}" for code in _RUN_ORDER[:sent]]
    run_codes = codes(run_lengths)
    texts += [more + run_codes[code] for code, more in runs]
    return texts, sum(map(len, texts))


def _runs(lengths: list[int]) -> list[tuple[int, str]]:
    """Return the code lengths as codes of the third tree, with their extra bits."""
    runs: list[tuple[int, str]] = []
    before, count = -1, 0
    for at, length in enumerate(lengths):
        following = lengths[at + 1] if at + 1 < len(lengths) else -1
        # A length is repeated by a code that says "once more", so the first of a run is sent as it is.
        most, least = (138, 3) if not length else (6, 3) if length == before else (7, 4)
        count += 1
        if count < most and length == following:
            continue
        if count < least:
            runs += [(length, "")] * count
        elif length:
            if length != before:
                runs.append((length, ""))
                count -= 1
            runs.append((16, f"{count - 3:02b}"))
        elif count <= 10:
            runs.append((17, f"{count - 3:03b}"))
        else:
            runs.append((18, f"{count - 11:07b}"))
        before, count = length, 0
    return runs
