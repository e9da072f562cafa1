import io
import itertools
import subprocess

import pytest
from bundles import HOST, OTHER, PACKER, archive, make_bundle, small_content
from recompressed import delta_box, full_box

from bundler.connected.rehearse import rehearse
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault


def steps(data):
    return [
        (step.what, step.result)
        for step in rehearse(io.BytesIO(data), name="q.uvb", trust=PACKER.trust, progress=Silent())
    ]


def test_a_foreign_bundle_is_checked_by_uvs_names():
    data = make_bundle(
        archives=[archive(small_content(), platform=OTHER)], uv_for=(OTHER,), platforms=(OTHER,)
    )
    assert steps(data)[1:] == [
        ("names", "mirror and cache have the files of 1 row, 1 of them foreign"),
        ("uv", f"none for {HOST} in the bundle: nothing can be run here"),
    ]


def test_a_uv_that_does_not_list_the_interpreters_fails_the_rehearsal():
    # The uv of the test bundle is a script that lists nothing.
    with pytest.raises(DamagedFault) as caught:
        steps(make_bundle())
    assert "lists 0 of 1 interpreter, expected cpython-3.13.5" in str(caught.value)
    assert caught.value.hint.startswith("do not send this bundle")


def test_an_archive_that_uv_does_not_install_sends_the_packer_back_to_pack(monkeypatch):
    def refused(*_, **__):
        raise DamagedFault(
            "cpython-3.13.5: uv python install ended with 1: Invalid tar file", hint="of unpack"
        )

    listing = subprocess.CompletedProcess([], 0, stdout=f"cpython-3.13.5-{HOST}    <download available>\n")
    monkeypatch.setattr("bundler.connected.rehearse.run_uv", lambda *_, **__: listing)
    monkeypatch.setattr("bundler.connected.rehearse.install_one", refused)
    with pytest.raises(DamagedFault, match=r"^uv \S+: cpython-3.13.5: uv python install ended") as caught:
        steps(make_bundle())
    assert caught.value.hint.startswith("do not send this bundle")


def test_an_untrusted_bundle_is_not_rehearsed():
    from bundles import Packer

    with pytest.raises(SignatureFault):
        steps(make_bundle(packers=(Packer(2),)))


def test_a_delta_is_rehearsed_after_what_it_builds_on(tmp_path):
    before = full_box().seal()
    data, earlier = delta_box(before).seal(), tmp_path / "q3.uvb"
    earlier.write_bytes(before)

    def unpacked(*since):
        tried = rehearse(io.BytesIO(data), name="q.uvb", trust=PACKER.trust, progress=Silent(), since=since)
        return [(step.what, step.result) for step in itertools.islice(tried, 1 + len(since))]

    with pytest.raises(IncompleteFault, match=r"^q\.uvb: builds on plant-7 2026Q4 \(serial 7\)") as caught:
        unpacked()
    assert caught.value.hint == "name that bundle with --since: it is unpacked there before"
    assert unpacked(earlier) == [
        ("unpack", "plant-7 2026Q4 (serial 7), which it builds on"),
        ("unpack", "plant-7 2026Q4 (serial 8) in a scratch prefix"),
    ]
