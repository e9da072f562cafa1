"""cramjam as the native encoder of miniz: whether it will do, its descriptors and threads, and its failures."""

import os
import threading
import zlib

import pytest
from descriptors import open_descriptors
from minizmade import SAMPLES, encoded, needs_cramjam, needs_pipes, noise

from bundler.deflate import nativeminiz
from bundler.deflate.nativeminiz import NativeMinizEncoder, available


@needs_cramjam
def test_a_cramjam_that_encodes_as_miniz_does_is_available():
    assert available() is None


def test_without_cramjam_it_says_so(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "cramjam", None)
    assert "cramjam cannot be imported" in available()


@needs_cramjam
def test_a_cramjam_that_encodes_otherwise_is_not_available(monkeypatch):
    monkeypatch.setattr(NativeMinizEncoder, "finish", lambda _: zlib.compress(nativeminiz._CANARY)[2:-4])
    assert "does not encode as miniz_oxide" in available()


@needs_cramjam
@needs_pipes
def test_where_no_descriptor_is_found_it_says_so(monkeypatch):
    before = open_descriptors()
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", lambda _: [])
        assert "/dev/fd: expected the descriptor" in available()
    assert open_descriptors() <= before


@needs_cramjam
@pytest.mark.parametrize("name", ["nothing", "text", "noise"])
def test_the_way_of_windows_gives_the_same_bytes(name):
    assert encoded(nativeminiz._Held(6), SAMPLES[name]) == encoded(NativeMinizEncoder(), SAMPLES[name])


@needs_cramjam
@needs_pipes
def test_the_native_encoder_gives_its_output_while_it_goes():
    encoder, sizes = NativeMinizEncoder(), []
    for seed in range(30):
        sizes.append(len(encoder.feed(noise(100_000, seed))))
    assert sum(sizes) > 2_500_000
    assert len(encoder.finish()) < 500_000


@needs_cramjam
@needs_pipes
def test_encoders_leave_neither_descriptors_nor_threads_nor_files(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    threads, descriptors = set(threading.enumerate()), open_descriptors()
    for _ in range(3):
        encoded(NativeMinizEncoder(), SAMPLES["text"])
        left = NativeMinizEncoder()
        left.feed(SAMPLES["noise"])
        thread = left._way._thread
        del left
        thread.join(timeout=10)
        assert not thread.is_alive()
    assert set(threading.enumerate()) <= threads
    assert open_descriptors() <= descriptors
    assert not os.listdir(tmp_path)


@needs_cramjam
@needs_pipes
def test_a_failure_of_cramjam_is_an_error_and_no_hang(monkeypatch):
    def fail(*_args, **_options):
        raise RuntimeError("no more")

    monkeypatch.setattr("cramjam.deflate.compress_into", fail)
    with pytest.raises(OSError, match="cramjam: no more"):
        NativeMinizEncoder().feed(SAMPLES["noise"])
    with pytest.raises(OSError, match="cramjam: no more"):
        NativeMinizEncoder().finish()
