"""`send`: files arrive in the drop folder whole, a name that lies there is waited for, and the folder is never too full."""

import shutil
from itertools import count

import pytest
from bundles import make_bundle
from senders import Heard, Time, all_of
from volumes import make_set, small_blocks

from bundler.connected import sending
from bundler.connected.sending import Sending, send
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, HostFault, LockedFault


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
    for name in "abc":  # for the first file alone it waits longer than after which it would give up
        (drop / name).write_bytes(b"from before")

    def proxy():
        if next(looks) % 40 == 0:
            next(iter(sorted(drop.iterdir()))).unlink()

    time = Time(proxy)
    send(all_of(set_of), Sending(drop=drop, max_inflight=1, give_up=50, **time.options()), progress=Silent())
    assert time.now > 400


def test_there_is_a_pause_between_two_files(set_of, drop):
    time = Time()
    send(all_of(set_of), Sending(drop=drop, interval=2.5, **time.options()), progress=Silent())
    assert time.slept == [2.5] * 8


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
