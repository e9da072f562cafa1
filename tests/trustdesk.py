"""A medium with three trust documents on it, and a machine with a trust store that takes them or does not."""

from __future__ import annotations

import re

import pytest
from bundles import tree
from threedocuments import FIRST, SECOND, THIRD

from bundler.signing.trustimport import import_trust
from bundler.signing.trustload import load_trust, signature_places


def print_of(packer):
    return packer.key.fingerprint


class Desk:
    """A medium with documents, and a machine with a store."""

    def __init__(self, folder):
        self.medium, self.store = folder / "usb", folder / "etc" / "uv-bundler"
        self.medium.mkdir()
        for number, signed in enumerate((FIRST, SECOND, THIRD), start=1):
            self.put(signed, f"trust-{number}.json")

    def put(self, signed, name, *, many=None):
        path = self.medium / name
        path.write_bytes(signed.raw)
        for place, data in zip(signature_places(path), signed.signatures[:many], strict=False):
            place.write_bytes(data)
        return path

    def path(self, name):
        return self.medium / name

    def take(self, *names, told=(), confirm=None, store=None):
        return import_trust(
            [name if hasattr(name, "parts") else self.path(name) for name in names],
            store=store or self.store,
            expect=[one if isinstance(one, str) else print_of(one) for one in told],
            confirm=confirm,
        )

    def refused(self, kind, *names, **options):
        before = tree(self.medium.parent)
        with pytest.raises(kind) as caught:
            self.take(*names, **options)
        assert caught.value.hint
        assert tree(self.medium.parent) == before
        message = caught.value.message.replace(f"{self.medium}/", "").replace(f"{self.store}/", "STORE/")
        return re.sub(r"SHA256:\S{43}", "KEY", message)

    @property
    def version(self):
        return load_trust(self.store).document.version
