import errno
import os

import pytest
from losing import files_of, put
from volumes import small_blocks, source_of

from bundler.core import ustar
from bundler.core.cut import Cut
from bundler.core.volumehead import DATA, RESEND, VOLUME_NAME, Head
from bundler.errors import HostFault, UsageFault
from bundler.volumes import survey
from bundler.volumes.survey import Seen, list_files, look, look_at

CUT = Cut(volumes=5)


class BadSector:
    """A file of which some bytes cannot be read."""

    def __init__(self, stream, at):
        self._stream, self._at = stream, at

    def read(self, count):
        at = self._stream.tell()
        if at <= self._at < at + count:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return self._stream.read(count)

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()


@pytest.fixture
def sick(monkeypatch):
    """Make a byte of one file unreadable, or with None the file itself."""
    real, ills = survey.open_regular, {}

    def opening(path, *, follow=True):
        if ills.get(path.name, 0) is None:
            raise HostFault(f"{path}: Input/output error")
        stream = real(path, follow=follow)
        return BadSector(stream, ills[path.name]) if path.name in ills else stream

    monkeypatch.setattr(survey, "open_regular", opening)
    return ills


def test_a_bad_sector_anywhere_in_front_of_the_cells_makes_a_file_doubtful_and_no_fault(tmp_path, sick):
    name, data = next(iter(files_of(CUT).items()))
    put(tmp_path, {name: data})
    volume = data.index(b"uv-bundler.volume.v1")
    for at in (0, 600, volume - 512, volume, volume + 300):
        sick[name] = at
        seen = look(tmp_path / name)
        assert (seen.fault, seen.unread, seen.index) == ("Input/output error", True, None), at
        assert seen.size == len(data)
    sick[name] = volume + 1024
    assert look(tmp_path / name).head.number == 1


def test_a_file_that_cannot_be_opened_is_one_of_them_and_the_others_are_used(tmp_path, sick):
    files = put(tmp_path, files_of(CUT))
    first, second, *_ = sorted(files.iterdir())
    sick[first.name] = None
    seen = look_at(list_files([files]))
    assert [one.unread for one in seen] == [True, False, False, False, False]
    assert seen[0].fault == "Input/output error"
    assert seen[1].path == second


def test_where_nothing_can_be_read_the_system_is_to_blame(tmp_path, sick):
    put(tmp_path, files_of(CUT))
    sick.update(dict.fromkeys(files_of(CUT)))
    with pytest.raises(HostFault, match=r"q4.0001-of-0005.uvb: Input/output error"):
        look_at(list_files([tmp_path]))
    sick.update(dict.fromkeys(files_of(CUT), 0))
    with pytest.raises(HostFault, match=r"q4.0001-of-0005.uvb: Input/output error"):
        look_at(list_files([tmp_path]))
    assert look_at([]) == []


def test_what_is_no_part_of_a_bundle_says_why(tmp_path):
    data = next(iter(files_of(CUT).values()))
    volume = data.index(b"uv-bundler.volume.v1")
    cases = {
        "empty.uvb": (b"", "ends"),
        "text.uvb": (b"x" * 4096, "expected"),
        "cut.uvb": (data[: volume + 5], "expected the first line of VOLUME"),
        "line.uvb": (data[:volume] + b"V" + data[volume + 1 :], "expected the first line of VOLUME"),
        "hostile.uvb": (
            data.replace(b"data 1 volumes 5 parity 0 groups 1", b"data 1 volumes 5 parity 0 groups 6"), "expected the first"),
        "header.uvb": (data[: volume - 512] + data[volume:], "expected"),
    }  # fmt: skip
    put(tmp_path, {called: content for called, (content, _) in cases.items()})
    for called, (_, why) in cases.items():
        seen = look(tmp_path / called)
        assert (seen.index, seen.intact, seen.unread) == (None, False, False), called
        assert why in seen.fault, called


@pytest.mark.parametrize(
    ("name", "head", "misnamed"),
    [
        ("any.0002-of-0005.uvb", Head(kind=DATA, number=2, cut=CUT, index="0"), False),
        ("any.0003-of-0005.uvb", Head(kind=DATA, number=2, cut=CUT, index="0"), True),
        ("any.p0002-of-0005.uvb", Head(kind=DATA, number=2, cut=CUT, index="0"), True),
        ("any.uvb", Head(kind=DATA, number=2, cut=CUT, index="0"), False),
        ("any.0002-of-0005.uvb", None, True),
        ("any.uvb", None, False),
        ("any.0002-of-0005.uvb", Head(kind=RESEND, number=1, cut=CUT, index="0"), False),
    ],
)
def test_a_file_is_misnamed_where_it_is_called_as_another_volume(tmp_path, name, head, misnamed):
    assert Seen(path=tmp_path / name, size=1, head=head).misnamed is misnamed


def test_volume_has_4096_bytes_at_most(tmp_path):
    source = source_of(small_blocks())
    head = Head(kind=DATA, number=1, cut=CUT, index=source.digest)
    for size, title in ((4096, head.title), (4097, "the whole bundle")):
        text = head.to_bytes(source.index).ljust(size, b"x")
        put(tmp_path, {"a.uvb": source.front + ustar.member(VOLUME_NAME, text) + ustar.END})
        assert look(tmp_path / "a.uvb").title == title
    assert look(tmp_path / "a.uvb").fault == "expected SHA256SUMS or VOLUME after the front, found 'VOLUME'"


def test_a_folder_with_too_many_entries_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "MAX_FILES", 3)
    put(tmp_path, {f"{number}.txt": b"" for number in range(4)})
    with pytest.raises(UsageFault, match="has more than 3 entries"):
        list(list_files([tmp_path]))


@pytest.mark.skipif(os.name == "nt", reason="Windows makes links for administrators only")
def test_in_a_folder_only_regular_files_that_may_be_of_a_bundle_are_looked_at(tmp_path):
    folder = put(
        tmp_path / "set",
        {"a.uvb": b"", "b.UVB": b"", "._a.uvb": b"", ".a.uvb.tmp": b"", "notes": b"x", "named": small_blocks()},
    )  # fmt: skip
    (folder / "link.uvb").symlink_to(folder / "a.uvb")
    os.mkfifo(folder / "pipe.uvb")
    (folder / "deep.uvb").mkdir()
    assert [one.name for one in list_files([folder])] == ["a.uvb", "b.UVB", "named"]
    assert len(list(list_files([folder, folder / "a.uvb", folder / "link.uvb"]))) == 3
    with pytest.raises(UsageFault, match="is no regular file"):
        look(folder / "pipe.uvb")


def test_beside_a_file_that_was_named_nothing_is_opened_that_is_not_called_a_bundle(tmp_path, monkeypatch):
    put(tmp_path, files_of(CUT))
    (tmp_path / "letters.txt").write_bytes(b"nobody's business")
    looked = []
    monkeypatch.setattr(survey, "open_regular", lambda path, **_: looked.append(path.name))
    names = [one.name for one in list_files([tmp_path], by_name=True)]
    assert len(names) == CUT.volumes
    assert looked == []
    with pytest.raises((TypeError, AttributeError)):
        list(list_files([tmp_path]))
    assert looked == ["letters.txt"]
