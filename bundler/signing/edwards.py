"""Which 32 bytes are an Ed25519 public key that can be held by somebody (RFC 8032 §5.1.3).

For a key of small order anybody can write signatures that verify for every message, in `cryptography` and
in OpenSSH alike; a point written in two ways would give one key two fingerprints. Both are refused before a
key is used.
"""

from __future__ import annotations

from bundler.core.fault import Fault

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
# The y coordinates of the eight points of small order: 0 (order 4), 1 (order 1), -1 (order 2), two of 8.
_Y8 = int.from_bytes(
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"
)
ORDER = 2**252 + 27742317777372353535851937790883648493  # of the group: RFC 8032 §5.1
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


def check_point(raw: bytes) -> None:
    """Raise `Fault` unless `raw` is the one encoding of a point on the curve that is not of small order.

    With either sign bit, and counting the encodings above the prime, 14 encodings are of small order:
    those that C2SP/CCTV lists.
    """
    if len(raw) != 32:
        raise Fault(f"expected an Ed25519 key of 32 bytes, found {len(raw)}")
    y = int.from_bytes(raw, "little") & (2**255 - 1)
    if y % _P in _SMALL_ORDER:
        raise Fault("expected an Ed25519 key, found a point of small order, for which anybody can sign")
    if y >= _P:
        raise Fault("expected an Ed25519 key in its one encoding, found a coordinate beyond the prime")
    x_squared = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(x_squared, (_P - 1) // 2, _P) != 1:  # Euler's criterion
        raise Fault("expected an Ed25519 key, found 32 bytes that are no point of the curve")
