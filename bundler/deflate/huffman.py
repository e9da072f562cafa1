"""Code lengths and codes as zlib builds them (trees.c: build_tree, gen_bitlen, gen_codes).

Altered from zlib 1.3, Copyright (C) 1995-2024 Jean-loup Gailly and Mark Adler, zlib licence. This is
an altered version, a port of the logic to Python, and not the original software.

Many code lengths are optimal for the same frequencies. Which of them zlib takes hangs on how its heap breaks
ties and on how it shortens codes that got too long, so both are ported step by step.
"""

from __future__ import annotations


def code_lengths(freqs: list[int], max_bits: int) -> tuple[list[int], int]:
    """Return the code length of each symbol (0: unused) and the largest symbol that has one.

    At least two symbols get a code, as the format wants it; `freqs` stays as it is.
    """
    elements = len(freqs)
    heap = [0]  # from 1 on; the sons of heap[n] are heap[2 * n] and heap[2 * n + 1]
    heap += [symbol for symbol, freq in enumerate(freqs) if freq]
    # A node's weight is its frequency and then its depth: one comparison breaks ties as zlib does.
    weights = [freq << 8 for freq in freqs] + [0] * elements
    max_code = heap[-1] if len(heap) > 1 else -1
    while len(heap) < 3:
        max_code, forced = (max_code + 1, max_code + 1) if max_code < 2 else (max_code, 0)
        heap.append(forced)
        weights[forced] = 1 << 8
    for at in range((len(heap) - 1) // 2, 0, -1):
        _sift(heap, weights, at)

    fathers = [0] * (2 * elements)
    order: list[int] = []  # nodes by increasing frequency, the root last
    node = elements
    while len(heap) > 2:
        least = heap[1]
        heap[1] = heap[-1]
        heap.pop()
        _sift(heap, weights, 1)
        second = heap[1]
        order += (least, second)
        one, other = weights[least], weights[second]
        weights[node] = (one >> 8) + (other >> 8) << 8 | max(one & 255, other & 255) + 1
        fathers[least] = fathers[second] = heap[1] = node
        node += 1
        _sift(heap, weights, 1)
    order.append(heap[1])
    return _lengths(order, fathers, max_bits, elements), max_code


def _sift(heap: list[int], weights: list[int], at: int) -> None:
    """Move the node down until no son of it is smaller."""
    node, size = heap[at], len(heap)
    weight = weights[node]
    son = at << 1
    while son < size:
        if son + 1 < size and weights[heap[son + 1]] <= weights[heap[son]]:
            son += 1
        if weight <= weights[heap[son]]:
            break
        heap[at] = heap[son]
        at, son = son, son << 1
    heap[at] = node


def _lengths(order: list[int], fathers: list[int], max_bits: int, elements: int) -> list[int]:
    lengths = [0] * (2 * elements)
    counts = [0] * (max_bits + 1)
    overflow = 0
    for node in reversed(order[:-1]):
        bits = lengths[fathers[node]] + 1
        if bits > max_bits:
            bits, overflow = max_bits, overflow + 1
        lengths[node] = bits
        if node < elements:
            counts[bits] += 1
    if overflow:
        while overflow > 0:
            bits = max_bits - 1
            while not counts[bits]:
                bits -= 1
            counts[bits] -= 1  # one leaf moves down the tree, one that overflowed becomes its brother
            counts[bits + 1] += 2
            counts[max_bits] -= 1
            overflow -= 2
        leaves = (node for node in order if node < elements)
        for bits in range(max_bits, 0, -1):
            for _ in range(counts[bits]):
                lengths[next(leaves)] = bits
    return lengths[:elements]


def codes(lengths: list[int]) -> list[str]:
    """Return the canonical code of each symbol as binary digits, the bit that is sent first at the end."""
    top = max(lengths)
    following, code = [0] * (top + 1), 0
    for bits in range(1, top + 1):
        code = code + (lengths.count(bits - 1) if bits > 1 else 0) << 1
        following[bits] = code
    result = []
    for length in lengths:
        if length:
            result.append(f"{following[length]:0{length}b}"[::-1])
            following[length] += 1
        else:
            result.append("")
    return result
