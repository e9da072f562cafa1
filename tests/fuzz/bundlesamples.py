"""Seeds: whole bundles."""

from __future__ import annotations

import json

from bundles import PACKER, Packer, archive, make_bundle, small_content

from bundler.connected.bundlewriter import front
from bundler.core import ustar
from bundler.signing.trustdoc import SignedDocument

from .containers import FILL
from .samples import LINUX, frame, whole_index


def bundles():
    """Return bundles; those that are accepted have one content."""
    content = archive(small_content(size=300), platform=LINUX)
    made = {"archives": [content], "uv_for": (LINUX,), "platforms": (LINUX,)}
    whole, stranger = make_bundle(**made), Packer(seed=9, name="stranger")
    header, size = ustar.BLOCK, ustar.parse_header(whole[: ustar.BLOCK])[1]
    raw = whole[header : header + size]
    rest = whole[len(b"".join(front(raw, [PACKER.sign(raw)]))) :]
    steps = [SignedDocument(raw=b"%d" % n, signatures=(b"unread",) * 2, number=n) for n in (2, 3)]

    def by(*signatures):
        return b"".join(front(raw, signatures)) + rest

    return {
        "ok-whole": whole,
        "ok-two": by(stranger.sign(raw), PACKER.sign(raw)),
        "ok-chain": b"".join(front(raw, [PACKER.sign(raw)], steps)) + rest,
        "no-stranger": by(stranger.sign(raw)),
        "no-gap": b"".join(front(raw, [PACKER.sign(raw)], steps[::-1])) + rest,
        "no-signature": by(),
        "no-armor": by(b"signed, honestly"),
        "no-other": b"".join(front(raw.replace(b'"serial": 7', b'"serial": 8'), [PACKER.sign(raw)])) + rest,
        "no-padding": whole[: header + size] + b"x" + whole[header + size + 1 :],
        "no-end": whole[: -ustar.BLOCK],
        "no-more": whole + b"\0",
        "no-header": whole[:300],
    }


def signed():
    """Return indexes whose digests are put in before they are signed, and what they speak of."""
    plain = b"an archive, or so"
    stored = frame(b"{}\n")
    paths = ("SHA256SUMS", "payload/mirror/1/a.tar.gz", "payload/download-metadata.json.zst")
    sizes, encodings = (0, len(plain), len(stored)), ("identity", "identity", "zstd")
    document = json.loads(whole_index().to_bytes()) | {
        "members": [
            {"path": path, "size": size, "sha256": FILL, "encoding": encoding, "blocks": []}
            for path, size, encoding in zip(paths, sizes, encodings, strict=True)
        ],
        "artifacts": [
            {"path": paths[1][8:], "size": len(plain), "sha256": FILL, "role": "archive", "member": paths[1]},
            {"path": paths[2][8:-4], "size": 3, "sha256": FILL, "role": "metadata", "member": paths[2]},
        ],
    }

    def said(**changes):
        return json.dumps(document | changes).encode() + b"\0"

    def of_member(number, **changes):
        members = [dict(one) for one in document["members"]]
        members[number] |= changes
        return said(members=members)

    unchecked = frame(b"{}\n", checksum=False)
    unlike = [document["artifacts"][0], document["artifacts"][1] | {"size": 4}]
    return {
        "ok-whole": said() + plain + stored,
        "no-index": b"[]\0" + ustar.header(paths[0], 0),
        "no-feature": said(requires=["volumes"]) + plain + stored,
        "no-bomb": of_member(2, size=len(frame(bytes(99_999)))) + plain + frame(bytes(99_999)),
        "no-checksum": of_member(2, size=len(unchecked)) + plain + unchecked,
        "no-frame": said() + plain + bytes(len(stored)),
        "no-size": said(artifacts=unlike) + plain + stored,
        "no-sums": of_member(0, size=5) + b"lies\n" + plain + stored,
        "no-digest": of_member(2, sha256="1" * 64, blocks=["1" * 64]) + plain + stored,
        "no-member": said() + plain,
        "no-more": said() + plain + stored + b"x",
    }
