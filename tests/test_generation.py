import errno

import pytest
from bundles import make_bundle, unpack_bytes

from bundler.errors import DamagedFault, HostFault
from bundler.offline.generation import active_generation
from bundler.offline.prefix import Prefix


def test_a_device_error_is_no_reason_to_throw_the_generation_away(tmp_path, monkeypatch):
    unpack_bytes(make_bundle(), tmp_path / "p")

    def broken(*_, **__):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("bundler.offline.generation.read_own", broken)
    with pytest.raises(HostFault, match=r"generation.json: Input/output error$") as caught:
        active_generation(Prefix(tmp_path / "p"))
    assert "remove" not in caught.value.hint


def test_a_generation_without_its_record_is_damaged(tmp_path):
    generation, _ = unpack_bytes(make_bundle(), tmp_path / "p")
    (generation.folder / "generation.json").unlink()
    with pytest.raises(
        DamagedFault, match="No such file or directory, expected the record of an unpacked generation"
    ):
        active_generation(Prefix(tmp_path / "p"))
