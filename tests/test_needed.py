import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from losing import CUTS, bundle, files_of, look_at, losses, put, supplement, verify
from volumes import source_of

from bundler.core.cut import Cut, Layout
from bundler.core.ticketfit import exact_ticket
from bundler.errors import DamagedFault, IncompleteFault, SignatureFault, UsageFault
from bundler.volumes.inventory import Inventory
from bundler.volumes.losses import losses as told_losses
from bundler.volumes.needed import needed

WIDE, BARE, GROUPS, WHOLE = CUTS


def need_of(folder):
    found, inventory = look_at(folder)
    return found, inventory, needed(inventory)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.filter_too_much])
@given(losses(), st.randoms(use_true_random=False))
def test_what_is_needed_makes_the_set_whole_and_one_block_less_does_not(case, chance):
    _, files = case
    with tempfile.TemporaryDirectory() as scratch:
        folder = put(Path(scratch) / "set", files)
        try:
            found, _, need = need_of(folder)
        except (DamagedFault, SignatureFault, UsageFault):
            assume(False)  # no front is left that says what bundle this is
        if not need.blocks:
            verify(folder)
            return
        with pytest.raises((DamagedFault, IncompleteFault)):
            verify(folder)
        digest = found.signed.digest
        path = folder / "more.uvb"
        supplement(path, exact_ticket(need.blocks, layout=need.layout, index=digest))
        assert not need_of(folder)[2].blocks
        verify(folder)
        path.unlink()
        fewer = [one for one in need.blocks if one != chance.choice(need.blocks)]
        if len(fewer) == len(need.blocks):
            fewer = fewer[1:]
        if fewer:
            supplement(path, exact_ticket(fewer, layout=need.layout, index=digest))
        with pytest.raises((DamagedFault, IncompleteFault)):
            verify(folder)
        assert need_of(folder)[2].blocks


def test_without_parity_a_lost_volume_is_needed_whole(tmp_path):
    files = files_of(BARE)
    names = list(files)
    del files[names[2]]
    found, _, need = need_of(put(tmp_path / "set", files))
    assert need.blocks == tuple(need.layout.volume_blocks(2))
    ticket = exact_ticket(need.blocks, layout=need.layout, index=found.signed.digest)
    assert str(ticket).split(" ")[2:-1] == ["5+0", "V3"]


def test_as_many_volumes_as_parity_may_go_and_nothing_is_needed(tmp_path):
    for cut in (WIDE, GROUPS):
        files = dict(list(files_of(cut).items())[cut.parity :])
        _, inventory, need = need_of(put(tmp_path / f"{cut.volumes}", files))
        assert inventory.lost
        assert need.blocks == ()


def test_the_first_volume_is_asked_for_whole_where_one_too_many_is_gone(tmp_path):
    files = files_of(WIDE)
    for name in list(files)[1:4]:
        del files[name]
    _, inventory, need = need_of(put(tmp_path / "set", files))
    blocks = need.layout.volume_blocks(1)
    assert set(need.blocks) <= inventory.lost
    assert need.blocks == tuple(blocks)


def test_a_volume_that_is_lost_whole_is_preferred_to_blocks_of_others():
    layout = Layout(source_of(bundle()).index, WIDE)
    third, fourth = layout.volume_blocks(2), layout.volume_blocks(3)
    parity = [[0b01] * layout.rows(0)]  # so each row lacks a block where two are lost,
    parity[0][0] = 0b11  # and the first one, too, for it lost one of the first volume beside them
    inventory = Inventory(
        index=source_of(bundle()).index,
        copies=(),
        lost=frozenset({0, *third, *fourth}),
        layouts=(layout,),
        parity={WIDE: parity},
    )
    assert len(third) == len(fourth)
    assert needed(inventory).blocks == tuple(third)


def test_two_damaged_copies_of_a_volume_make_one_good_one(tmp_path):
    files = files_of(BARE)
    name, data = next(iter(files.items()))
    files["again.uvb"] = data[: len(data) // 2]
    files[name] = data[:6000] + bytes(80) + data[6080:]
    _, inventory, need = need_of(put(tmp_path / "set", files))
    assert sum(one.wrong is not None for one in inventory.copies) == 2
    assert need.blocks == () or set(need.blocks) == inventory.lost


def test_a_bundle_in_one_file_without_parity_is_asked_for_by_block(tmp_path):
    data = next(iter(files_of(WHOLE).values()))
    found, _, need = need_of(put(tmp_path / "one", {"q4.uvb": data[:-100_000]}))
    ticket = exact_ticket(need.blocks, layout=need.layout, index=found.signed.digest)
    assert str(ticket).split(" ")[2] == "1+0"
    assert len(ticket.blocks) == 1
    supplement(tmp_path / "one" / "more.uvb", ticket)
    verify(tmp_path / "one")


def test_losses_are_told_by_file_and_drive(tmp_path):
    files = files_of(BARE)
    first, second, third, *_ = files
    files[first] = files[first][:-70_000]
    files[second] = files[second][:-3000] + b"x" + files[second][-2999:]
    del files[third]
    files["other.uvb"] = b"something else"
    files["q4.drives"] = f"A: {first} {second}\nB: {third}\n".encode()
    folder = put(tmp_path / "set", files)
    found, inventory = look_at(folder)
    told = list(told_losses(inventory, found))
    assert told[0].startswith(f"{folder / 'other.uvb'}: foreign: ")
    assert told[1].startswith(f"{folder / first}: cut off: 2 of ")
    assert told[2].startswith(f"{folder / second}: damaged: 1 of ")
    assert told[3] == f"volume 3 of 5 is missing: {third}, on drive B by the packing list"
    assert len(told) == 4


def test_a_bundle_in_one_file_with_a_wrong_byte_between_its_members_is_no_good_copy(tmp_path):
    files = files_of(WHOLE)
    name, data = next(iter(files.items()))
    at = data.rindex(b"ustar\0")
    files[name] = data[:at] + b"U" + data[at + 1 :]
    _, inventory, need = need_of(put(tmp_path / "set", files))
    assert need.blocks == ()
    (copy,) = (one for one in inventory.copies if one.seen.head is None)
    assert "the header or the padding of payload/" in copy.wrong
    assert [name for _, name in inventory.wanting("0" * 64)] == ["q4.uvb"]


def test_every_wrong_byte_of_a_volume_makes_it_wanting(tmp_path):
    files = files_of(WIDE)
    for name in (next(iter(files)), list(files)[-1]):
        data = files[name]
        for at in (0, 600, 3000, len(data) // 2, len(data) - 2000, len(data) - 1):
            rotten = {name: data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]}
            found, inventory = look_at(put(tmp_path / "set", files | rotten))
            assert [one for _, one in inventory.wanting(found.signed.digest)] == [name], at
            assert len(inventory.lost) == inventory.copies[0].bad, at


def test_volumes_of_several_cuts_give_each_other_what_they_can(tmp_path):
    files = dict(list(files_of(BARE).items())[:3])
    _, _, need = need_of(put(tmp_path / "set", files))
    assert need.blocks
    files |= {f"parity{at}.uvb": data for at, data in enumerate(list(files_of(WIDE).values())[5:])}
    _, inventory, need = need_of(put(tmp_path / "both", files))
    assert inventory.main.cut == BARE
    assert need.blocks == ()
    verify(tmp_path / "both")


def test_a_parity_volume_that_is_there_again_and_again_counts_once(tmp_path):
    files = dict(list(files_of(WIDE).items())[2:6])  # two lost, one of parity
    name = list(files)[-1]
    _, _, need = need_of(put(tmp_path / "set", files))
    _, _, twice = need_of(put(tmp_path / "set", {"a.uvb": files[name], "b.uvb": files[name]}))
    assert need.blocks == twice.blocks != ()


def test_the_main_cut_is_that_of_most_files(tmp_path):
    stray = Cut(volumes=4, parity=3)
    files = files_of(WHOLE) | dict(list(files_of(stray).items())[:1])
    _, inventory = look_at(put(tmp_path / "set", files))
    assert [one.cut for one in inventory.layouts] == [stray, WHOLE]
    assert inventory.main.cut == WHOLE
