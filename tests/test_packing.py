"""Where `pack` keeps what it works on, and what it says when there is no room."""

import errno
import os
import threading
from pathlib import Path

import pytest
from quarters import Series, archive, python

from bundler.connected import delta, packing, recompress
from bundler.connected.heaviest import Left
from bundler.errors import HostFault, UsageFault
from bundler.volumes.placing import check_output


@pytest.fixture
def series(tmp_path):
    return Series(tmp_path)


def test_nothing_lies_beside_the_bundle_while_it_is_packed(series, monkeypatch):
    """What is packed is inflated meanwhile, and the bundle's place may be a small stick."""
    inner, seen = packing.recompress, []

    def watched(*words, **named):
        done = inner(*words, **named)
        seen.extend(sorted(one.name for one in series.folder.iterdir()))
        assert any((series.folder / "in-1").glob("tmp*"))
        return done

    monkeypatch.setattr(packing, "recompress", watched)
    series.pack(archive(python()), serial=1)
    assert seen == ["in-1", "mirror"]
    assert not any((series.folder / "in-1").glob("tmp*"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_the_bundle_does_not_take_the_place_of_a_device_or_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(UsageFault) as caught:
            check_output(place)
        assert caught.value.message == f"{place}: is a device or a pipe, expected a file or a folder"
    (tmp_path / "old.uvb").touch()
    for place in (tmp_path / "new.uvb", tmp_path / "old.uvb", tmp_path):
        check_output(place)


@pytest.mark.parametrize("since", [False, True])
def test_ctrl_c_does_not_wait_for_a_stream_that_takes_a_minute(series, monkeypatch, since):
    first = [series.pack(archive(python()), serial=1)] if since else []
    begun, left = threading.Event(), []

    def endless(*_words, advance, **_named):
        begun.set()
        try:
            while True:
                advance(1)
        except Left:
            left.append(True)
            raise

    def interrupted(*_words):
        assert begun.wait(30)
        raise KeyboardInterrupt

    monkeypatch.setattr(recompress.streamzstd, "compress", endless)
    monkeypatch.setattr(delta.prefixzstd, "compress_after", endless)
    monkeypatch.setattr(recompress, "yields", interrupted)
    with pytest.raises(KeyboardInterrupt):
        series.pack(archive(python(seed=1), "3.13.6"), serial=2, since=first)
    assert left
    assert not (series.folder / "q2.uvb").exists()
    assert not any((series.folder / "in-2").glob("tmp*"))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_says_what_the_room_is_for_and_how_to_take_another(series, monkeypatch, number):
    def full(*_words, **_named):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(packing, "recompress", full)
    with pytest.raises(HostFault) as caught:
        series.pack(archive(python()), serial=1)
    assert (
        caught.value.message
        == f"{series.folder}/in-1: {os.strerror(number)}, expected room for what is packed, inflated"
    )
    assert caught.value.hint == (
        "that is several times the size of the archives: make room, or name a folder on another file system "
        "with --cache-dir"
    )
    assert not list(series.folder.glob("*.uvb"))
    assert not any((series.folder / "in-1").glob("tmp*"))
