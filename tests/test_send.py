"""`send`: what goes into the drop folder of a diode, in which order, and what is waited for."""

import errno
import os
import shutil
import signal
import subprocess
from dataclasses import replace
from itertools import count, pairwise

import pytest
from bundles import make_bundle
from cli import bundler, check_refusal, command, environment, process
from volumes import make_set, small_blocks

from bundler.connected import sending
from bundler.connected.parcels import gather, one_round, parse_only, rounds
from bundler.connected.sending import Sending, send
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, IncompleteFault, LockedFault, UsageFault


class Heard(Silent):
    """A progress that remembers what was said."""

    def __init__(self):
        self.notes = []

    def note(self, line):
        self.notes.append(line)


class Time:
    """A clock that only sleeping moves, and a proxy that does something each time."""

    def __init__(self, proxy=lambda: None):
        self.now, self.slept, self._proxy = 0.0, [], proxy

    def sleep(self, seconds):
        self.now += seconds
        self.slept.append(seconds)
        self._proxy()

    def options(self):
        return {"clock": lambda: self.now, "sleep": self.sleep}


@pytest.fixture(scope="module")
def set_of(tmp_path_factory):
    """Six volumes in two groups, each with a parity volume of its own."""
    folder = tmp_path_factory.mktemp("made") / "set"
    make_set(small_blocks(), folder, volumes=6, parity=1, groups=2)
    return folder


@pytest.fixture
def drop(tmp_path):
    folder = tmp_path / "drop"
    folder.mkdir()
    return folder


def names(parcels):
    return [one.path.name.removeprefix("q4.").removesuffix(".uvb") for one in parcels]


def short(parcels):
    """Return `3` and `p1` for the volumes, and `+` for anything else."""
    return [{"data": f"{one.number}", "parity": f"p{one.number}"}.get(one.kind, "+") for one in parcels]


def all_of(*paths, only=None):
    return gather(paths, only=only, note=lambda _: None)


def test_all_files_of_the_set_and_its_sums_arrive_byte_for_byte(set_of, drop):
    sent = send(all_of(set_of), Sending(drop=drop), progress=Silent())
    assert {one.name: one.read_bytes() for one in drop.iterdir()} == {
        one.name: one.read_bytes() for one in set_of.iterdir()
    }
    assert sent.files == 9
    assert sent.size == sum(one.stat().st_size for one in set_of.iterdir())


def test_a_bundle_in_one_file_is_sent_as_it_is(tmp_path, drop):
    bundle = tmp_path / "q4.uvb"
    bundle.write_bytes(make_bundle())
    assert send(all_of(bundle), Sending(drop=drop), progress=Silent()).files == 1
    assert (drop / "q4.uvb").read_bytes() == bundle.read_bytes()


def test_what_a_shell_makes_of_a_star_is_understood(set_of):
    assert all_of(*set_of.iterdir()) == all_of(set_of)


def test_volumes_go_as_they_count_and_parity_last(set_of):
    assert short(one_round(all_of(set_of), interleave=False)) == ["+", *"123456", "p1", "p2"]


def test_interleaved_parity_stands_between_the_volumes_and_groups_take_turns(set_of):
    ordered = one_round(all_of(set_of), interleave=True)
    assert short(ordered) == ["+", "1", "2", "3", "4", "p1", "p2", "5", "6"]
    volumes = ordered[1:]
    assert all(one.group != other.group for one, other in pairwise(volumes))


def test_rounds_are_whole_and_keep_two_copies_as_far_apart_as_can_be(set_of):
    sequence = [parcel for _, parcel in rounds(all_of(set_of), repeat=3, interleave=False)]
    assert sequence == one_round(all_of(set_of), interleave=False) * 3


@pytest.mark.parametrize(("files", "few"), [(7, 0), (8, 1), (20, 1), (30, 1), (60, 1), (96, 7)])
def test_what_loses_every_nth_file_does_not_lose_the_same_ones_in_each_interleaved_round(set_of, files, few):
    (one,) = all_of(set_of)
    data = tuple(replace(one.data[0], number=number) for number in range(files))
    many = replace(one, loose=(), data=data, parity=())
    sequence = [parcel.number for _, parcel in rounds([many], repeat=2, interleave=True)]
    assert sorted(sequence) == sorted([*range(files)] * 2)
    for every in range(2, files // 2):
        for first in range(every):
            come = {number for place, number in enumerate(sequence) if place % every != first}
            assert files - len(come) <= few, (every, first)


def test_only_the_volumes_that_were_asked_for_are_sent(set_of):
    wanted = all_of(set_of, only=parse_only("5, 2-3,p2"))
    assert short(one_round(wanted, interleave=False)) == ["2", "3", "5", "p2"]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("7", [("data", 7)]),
        ("p1-3", [("parity", 1), ("parity", 2), ("parity", 3)]),
        ("p1-p2,1-2,1", [("parity", 1), ("parity", 2), ("data", 1), ("data", 2)]),
    ],
)
def test_lists_of_volumes_are_read_as_people_write_them(text, meant):
    assert list(parse_only(text)) == meant


@pytest.mark.parametrize("text", ["", "0", "7,", "3-1", "1-p2", "q1", "p", "1..3", "00001", "-1"])
def test_other_lists_are_refused(text):
    with pytest.raises(UsageFault, match="--only: expected numbers of volumes such as 7,19,p2,31-33, found"):
        parse_only(text)


def test_a_volume_that_the_set_does_not_have_or_that_is_not_here_is_refused(set_of, tmp_path):
    with pytest.raises(UsageFault, match="volume 7 was asked for, but the set has 6 volumes"):
        all_of(set_of, only=parse_only("7"))
    some = tmp_path / "some"
    shutil.copytree(set_of, some)
    (some / "q4.0003-of-0006.uvb").unlink()
    with pytest.raises(IncompleteFault, match="volume 3 was asked for, and is not here"):
        all_of(some, only=parse_only("3"))


def test_what_is_not_here_is_said_and_the_others_are_sent(set_of, tmp_path):
    some, said = tmp_path / "some", []
    shutil.copytree(set_of, some)
    (some / "q4.0003-of-0006.uvb").unlink()
    (some / "q4.p0001-of-0002.uvb").unlink()
    (some / "junk.uvb").write_bytes(b"no bundle")
    (one,) = gather([some], only=None, note=said.append)
    assert short(one.parcels) == ["+", "1", "2", "4", "5", "6", "p2"]
    assert [line.removeprefix("warning: ").removeprefix(str(some)) for line in said] == [
        (
            "/junk.uvb: not sent: ends at byte 9 within a member's header, which needs 503 bytes more: the file is "
            "cut off, or is no bundle"
        ),
        ": 1 of 6 volumes is missing, and not sent: 3",
        ": 1 of 2 parity volumes is missing, and not sent: 1",
    ]
    with pytest.raises(DamagedFault, match="junk.uvb: ends at byte 9"):
        all_of(some / "junk.uvb")


def test_two_bundles_are_sent_one_after_the_other_but_not_two_cuts_or_two_of_a_name(set_of, tmp_path):
    other = tmp_path / "other"
    make_set(small_blocks(serial=8), other, volumes=2, stem="q5")
    assert short(one_round(all_of(set_of, other), interleave=False)) == [
        "+",
        *"123456",
        "p1",
        "p2",
        "+",
        "1",
        "2",
    ]
    with pytest.raises(UsageFault, match="--only: expected files of one bundle, found those of 2"):
        all_of(set_of, other, only=parse_only("1"))
    same = tmp_path / "same"
    make_set(small_blocks(serial=9), same, volumes=6, parity=1, groups=2)
    with pytest.raises(UsageFault, match="has the name of .*, expected names that differ"):
        all_of(set_of, same)
    again = tmp_path / "again"
    make_set(small_blocks(), again, volumes=3)
    with pytest.raises(UsageFault, match="are of the same bundle, cut in two ways"):
        all_of(set_of, again)


def test_a_name_that_still_lies_there_is_waited_for_and_never_replaced(set_of, drop):
    lying = drop / "q4.0002-of-0006.uvb"
    lying.write_bytes(b"not taken yet")
    looks = count(1)

    def proxy():
        assert not (drop / "q4.0003-of-0006.uvb").exists()
        if next(looks) == 3:
            assert lying.read_bytes() == b"not taken yet"
            lying.unlink()

    heard = Heard()
    send(all_of(set_of), Sending(drop=drop, **Time(proxy).options()), progress=heard)
    assert lying.read_bytes() == (set_of / lying.name).read_bytes()
    assert heard.notes == [f"waiting: {drop}: q4.0002-of-0006.uvb still lies there from before"]


def test_the_folder_never_holds_more_than_the_bound(set_of, drop):
    bound = 700_000
    most, came = [], []

    def weigh():
        return sum(one.stat().st_size for one in drop.iterdir())

    def proxy():
        most.append(weigh())
        first = min(drop.iterdir(), key=lambda one: one.stat().st_mtime_ns)
        came.append(first.name)
        first.unlink()

    heard = Heard()
    send(
        all_of(set_of),
        Sending(drop=drop, repeat=3, max_inflight=bound, **Time(proxy).options()),
        progress=heard,
    )
    assert most
    assert max(*most, weigh()) <= bound
    assert len(came) + len(list(drop.iterdir())) == 27
    assert "are in flight, and with" in heard.notes[0]


def test_a_file_above_the_bound_goes_once_the_folder_is_empty(set_of, drop):
    time = Time(lambda: [one.unlink() for one in drop.iterdir()])
    assert (
        send(all_of(set_of), Sending(drop=drop, max_inflight=10, **time.options()), progress=Silent()).files
        == 9
    )


def test_a_folder_that_nobody_empties_is_given_up(set_of, drop):
    time = Time()
    (drop / "stuck").write_bytes(bytes(100))
    with pytest.raises(HostFault) as caught:
        send(
            all_of(set_of),
            Sending(drop=drop, max_inflight=1000, give_up=50, **time.options()),
            progress=Silent(),
        )
    assert caught.value.message.startswith(f"{drop}: 2 files of ")
    assert caught.value.message.endswith("and nothing was taken from it for 50 s")
    assert 50 <= time.now < 52


def test_what_is_taken_now_and_then_is_waited_for_longer(set_of, drop):
    looks = count(1)

    def proxy():
        if next(looks) % 40 == 0:
            next(iter(sorted(drop.iterdir()))).unlink()

    time = Time(proxy)
    send(all_of(set_of), Sending(drop=drop, max_inflight=1, give_up=50, **time.options()), progress=Silent())
    assert time.now > 300


def test_there_is_a_pause_between_two_files(set_of, drop):
    time = Time()
    send(all_of(set_of), Sending(drop=drop, interval=2.5, **time.options()), progress=Silent())
    assert time.slept == [2.5] * 8


def test_a_full_disk_leaves_nothing_under_a_final_name_and_exits_6(set_of, drop, monkeypatch):
    from bundler.media import copying

    writes = count()

    def full(handle, data):
        if next(writes) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        return os.write(handle, data)

    monkeypatch.setattr(copying, "write_all", full)
    done = bundler("send", set_of, "--out", drop)
    check_refusal(done, 6, "No space left on device", "make room on that file system")
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_a_drop_folder_that_takes_no_file_of_that_size_is_exit_6(set_of, drop):
    resource = pytest.importorskip("resource", reason="needs POSIX: limits")
    most = max(one.stat().st_size for one in set_of.iterdir()) - 1
    done = process(
        "send", set_of, "--out", drop, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    )  # fmt: skip
    check_refusal(done, 6, "File too large", "choose another place")
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_a_medium_that_gives_other_bytes_in_a_later_round_is_told(set_of, drop, tmp_path):
    source = tmp_path / "failing"
    shutil.copytree(set_of, source)
    victim = source / "q4.0001-of-0006.uvb"

    def proxy():
        for one in drop.iterdir():
            one.unlink()
        data = bytearray(victim.read_bytes())
        data[-2000] ^= 1
        victim.write_bytes(data)

    how = Sending(drop=drop, repeat=2, **Time(proxy).options())
    with pytest.raises(DamagedFault, match=r"0001-of-0006.uvb: sha256 is .* in round 2, expected"):
        send(all_of(source), how, progress=Silent())


def test_only_one_sender_puts_files_into_a_folder(set_of, drop):
    with sending._alone(drop), pytest.raises(LockedFault, match="another uv-bundler sends into this folder"):
        send(all_of(set_of), Sending(drop=drop), progress=Silent())
    assert list(drop.iterdir()) == []


def test_a_folder_that_is_not_there_is_told(set_of, drop):
    check_refusal(
        bundler("send", set_of, "--out", drop / "no"), 6, "no such folder, expected the drop folder"
    )
    check_refusal(bundler("send", drop, "--out", drop), 2, "expected a bundle's files, found none")
    done = bundler("send", set_of, "--out", drop, "--max-inflight", "much")
    check_refusal(done, 2, "--max-inflight: expected a size such as 700M, found 'much'")


def test_the_command_says_what_it_sent_on_stderr_alone(set_of, drop):
    done = bundler("send", set_of, "--out", drop, "--only", "1-2")
    assert (done.code, done.stdout) == (0, "")
    assert f"{drop}: 2 files" in done.stderr
    assert sorted(os.listdir(drop)) == ["q4.0001-of-0006.uvb", "q4.0002-of-0006.uvb"]
    assert bundler("send", set_of, "--out", drop, "--only", "3", "--quiet").stderr == ""


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGKILL, -9)]
)
def test_whatever_ends_it_a_final_name_has_a_whole_file(set_of, drop, number, code):
    """The sender waits for a name that is never taken; what it did until then is whole."""
    (drop / "q4.0004-of-0006.uvb").write_bytes(b"")
    with subprocess.Popen(
        command("send", set_of, "--out", drop), env=environment(), stderr=subprocess.PIPE
    ) as run:
        line = run.stderr.readline()
        assert b"0004-of-0006.uvb still lies there" in line
        run.send_signal(number)
        run.communicate(timeout=20)
    assert run.returncode == code
    (drop / "q4.0004-of-0006.uvb").unlink()
    for one in drop.iterdir():
        assert one.read_bytes() == (set_of / one.name).read_bytes()


def test_the_folder_that_is_read_is_not_the_drop_folder(set_of):
    before = sorted(os.listdir(set_of))
    done = bundler("send", set_of, "--out", set_of, "--give-up", "0.1")
    check_refusal(
        done, 2, f"{set_of}: is read, expected another place", "the drop folder of the diode with --out"
    )
    assert sorted(os.listdir(set_of)) == before
