import hashlib
import io
import os
import shutil
import tarfile

import pytest
from bundles import PACKER
from cli import bundler, check_refusal, process
from losing import CUTS, bundle, files_of, look_at, put, supplement, verify
from volumes import small_blocks

from bundler.core import ustar
from bundler.core.cut import Cut, parity_name
from bundler.core.ticket import Ticket, ranges_of
from bundler.core.ticketfit import exact_ticket
from bundler.volumes.needed import needed

WIDE, BARE, GROUPS, WHOLE = CUTS


@pytest.fixture
def desk(tmp_path):
    """A folder with the whole bundle, the packer's public key, and a far side that lost too much."""
    (tmp_path / "packer.pub").write_text(f"{PACKER.key} packer@site\n")
    (tmp_path / "q4.uvb").write_bytes(bundle())
    files = files_of(WIDE)
    for name in list(files)[1:4]:
        del files[name]
    put(tmp_path / "far", files)
    (tmp_path / "out").mkdir()
    return tmp_path


def ask(desk, *words):
    return bundler("missing", desk / "far", "--trust", desk / "packer.pub", *words)


def identity_of(desk):
    return look_at(desk / "far")[0].signed.digest


def test_from_the_line_on_the_phone_to_a_bundle_that_unpacks(desk):
    asked = ask(desk)
    assert asked.code == 0
    assert asked.stdout.endswith("\n")
    assert len(asked.stdout) <= 81
    done = bundler("resend", desk / "q4.uvb", "--ticket", asked.stdout.lower(), "-o", desk / "out")
    assert (done.code, done.stdout) == (0, f"{desk / 'out' / 'plant-7-7.resend.uvb'}\n")
    trusting = ("--trust", desk / "packer.pub", "--prefix", desk / "prefix", "--shell", "sh")
    assert bundler("unpack", desk / "far", desk / "out", *trusting).code == 0
    shutil.copy(desk / "out" / "plant-7-7.resend.uvb", desk / "far")
    assert bundler("verify", desk / "far", "--trust", desk / "packer.pub").code == 0
    again = ask(desk)
    assert (again.code, again.stdout) == (0, "")
    assert "parity recovers all of it: nothing has to be sent once more" in again.stderr


def test_the_ticket_file_does_the_same(desk):
    asked = ask(desk, "-o", desk)
    ticket = desk / "plant-7-7.ticket"
    assert f"{ticket}: carry it to the packer" in asked.stderr
    bundler("resend", desk / "q4.uvb", "--ticket", ticket, "-o", desk / "file.uvb")
    bundler("resend", desk / "q4.uvb", "--ticket", asked.stdout, "-o", desk / "line.uvb")
    assert (desk / "file.uvb").read_bytes() == (desk / "line.uvb").read_bytes()
    verify(desk / "far", desk / "file.uvb")


def test_the_supplement_has_exactly_the_blocks_that_were_asked_for(desk):
    ticket = Ticket(index=identity_of(desk), cut=WIDE, volumes=ranges_of([2]), blocks=ranges_of([0, 3, 4]))
    path = supplement(desk / "s.uvb", ticket)
    _, inventory = look_at(desk / "far")
    wanted = sorted({0, 3, 4, *inventory.main.volume_blocks(1)})
    with tarfile.open(path) as archive:
        names = archive.getnames()
    front = ["bundle.json", "bundle.json.sig", "VOLUME"]
    assert names == front + [inventory.main.blocks.name(one) for one in wanted]


@pytest.mark.parametrize("cut", CUTS, ids=str)
def test_whatever_form_the_packer_has_the_bundle_in_the_bytes_are_the_same(desk, cut):
    ticket = Ticket(index=identity_of(desk), cut=WIDE, volumes=ranges_of([2]), blocks=ranges_of([0, 3]))
    one = supplement(desk / "one.uvb", ticket)
    files = files_of(cut)
    if cut.parity:
        del files[next(iter(files))]  # and he may have lost a volume himself
    if cut.whole:
        files = files_of(cut)
    other = supplement(desk / "other.uvb", ticket, source=put(desk / "set", files))
    assert one.read_bytes() == other.read_bytes()


def test_a_ticket_of_another_bundle_is_refused_with_both_identities(desk):
    asked = ask(desk)
    (desk / "other.uvb").write_bytes(small_blocks(serial=8))
    done = bundler("resend", desk / "other.uvb", "--ticket", asked.stdout, "-o", desk / "out")
    theirs = asked.stdout.split()[1]
    check_refusal(done, 2, f", the ticket is for bundle {theirs}", "the sha256 of its bundle.json")
    assert "other.uvb: is bundle " in done.stderr
    assert os.listdir(desk / "out") == []


def test_of_several_bundles_in_a_folder_the_one_that_the_ticket_names_is_sent(desk):
    asked = ask(desk)
    (desk / "out" / "q4.uvb").write_bytes(bundle())
    (desk / "out" / "q5.uvb").write_bytes(small_blocks(serial=8))
    done = bundler("resend", desk / "out", "--ticket", asked.stdout, "-o", desk / "more.uvb")
    assert done.code == 0, done.stderr
    verify(desk / "far", desk / "more.uvb")


def test_refusals_leave_nothing(desk):
    asked = ask(desk).stdout.strip()
    wrong = asked[:-1] + ("0" if asked[-1] != "0" else "1")
    cases = [
        ((wrong,), 2, "--ticket: the last four characters do not fit the line", "read out once more"),
        (("nonsense",), 2, "--ticket: expected a line that begins with UVB1", "type the whole line"),
        ((desk / "packer.pub",), 2, "packer.pub: expected a line that begins with UVB1", ""),
        (
            (str(Ticket(index=identity_of(desk), cut=Cut(volumes=4), blocks=ranges_of([999]))),),
            2,
            "--ticket: the bundle has blocks 0 to ",
            "ask for the ticket once more",
        ),
    ]
    for (ticket,), code, message, hint in cases:
        done = bundler("resend", desk / "q4.uvb", "--ticket", ticket, "-o", desk / "out")
        check_refusal(done, code, message, hint)
        assert os.listdir(desk / "out") == []


def test_a_supplement_that_is_there_is_not_replaced(desk):
    asked = ask(desk).stdout
    assert bundler("resend", desk / "q4.uvb", "--ticket", asked, "-o", desk / "out").code == 0
    done = bundler("resend", desk / "q4.uvb", "--ticket", asked, "-o", desk / "out")
    check_refusal(done, 2, "plant-7-7.resend.uvb: is there already, expected a new file", "name another one")


def test_a_bundle_that_is_damaged_at_the_packer_is_not_sent(desk):
    asked = ask(desk).stdout
    data = bytearray(bundle())
    at = bundle().index(b"ustar\0", 200_000)  # somewhere in the payload
    data[at + 2000] ^= 1
    (desk / "q4.uvb").write_bytes(data)
    done = bundler("resend", desk / "q4.uvb", "--ticket", asked, "-o", desk / "out")
    assert (done.code, done.stdout) == (5, "")
    assert os.listdir(desk / "out") == []


def test_damage_where_nothing_was_asked_for_does_not_matter(desk):
    last = len(look_at(desk / "far")[1].main.blocks) - 1
    ticket = Ticket(index=identity_of(desk), cut=WIDE, blocks=ranges_of([0, last]))
    before = supplement(desk / "before.uvb", ticket).read_bytes()
    data = bytearray(bundle())
    data[len(data) // 2] ^= 1
    (desk / "q4.uvb").write_bytes(data)
    assert bundler("resend", desk / "q4.uvb", "--ticket", ticket, "-o", desk / "s.uvb").code == 0
    assert (desk / "s.uvb").read_bytes() == before


def test_a_line_that_asks_for_more_than_is_needed_says_how_much(desk):
    rotten = bytearray(small_blocks(archives=1, blocks=120))
    (desk / "many.uvb").write_bytes(rotten)
    clean = bundler("missing", desk / "many.uvb", "--trust", desk / "packer.pub")
    assert clean.stdout == ""
    for at in range(500_000, len(rotten) - 50_000, 3 * 65536):
        rotten[at] ^= 1
    (desk / "many.uvb").write_bytes(rotten)
    done = bundler("missing", desk / "many.uvb", "--trust", desk / "packer.pub", "-o", desk / "t.ticket")
    assert len(done.stdout) <= 81
    assert "blocks more (" in done.stderr
    assert "than is needed, to be short enough; a ticket file (-o) is exact" in done.stderr
    exact = Ticket.from_bytes((desk / "t.ticket").read_bytes())
    assert sum(map(len, exact.blocks)) < sum(map(len, Ticket.parse(done.stdout).blocks))


def test_a_damaged_supplement_serves_with_what_is_right_in_it(desk):
    found, inventory = look_at(desk / "far")
    need = needed(inventory)
    ticket = exact_ticket(need.blocks, layout=need.layout, index=found.signed.digest)
    path = supplement(desk / "far" / "s.uvb", ticket)
    data = bytearray(path.read_bytes())
    data[-2000] ^= 1
    path.write_bytes(data)
    left = needed(look_at(desk / "far")[1])
    assert left.blocks == need.blocks[-1:]


@pytest.mark.parametrize(
    "words", [("resend", "q4.uvb", "--ticket", "x"), ("missing", "far")], ids=lambda one: one[0]
)
def test_a_folder_that_is_not_there_and_stdout_are_refused_before_anything_is_read(desk, monkeypatch, words):
    monkeypatch.chdir(desk)
    check_refusal(bundler(*words, "-o", "none/"), 2, "none/: no such folder", "mkdir -p none/")
    check_refusal(bundler(*words, "-o", "none/a b"), 2, "none: no such folder", "mkdir -p none")
    check_refusal(
        bundler(*words, "-o", "-"), 2, "--output: expected a file or a folder, found -", "-o FOLDER"
    )
    assert not (desk / "none").exists()
    assert not (desk / "-").exists()


def test_a_ticket_file_that_is_not_there_is_told_as_that(desk):
    done = bundler("resend", desk / "q4.uvb", "--ticket", desk / "none.ticket", "-o", desk / "out")
    check_refusal(
        done, 2, f"{desk / 'none.ticket'}: no such file, expected the ticket", "or type the line itself"
    )


def test_the_bundle_may_come_from_stdin(desk):
    line = ask(desk, "-q").stdout.strip()
    words = ("--ticket", line, "-o")
    with (desk / "q4.uvb").open("rb") as stream:
        done = process("resend", "-", *words, desk / "piped.uvb", stdin=stream)
    assert (done.code, done.stdout) == (0, f"{desk / 'piped.uvb'}\n"), done.stderr
    bundler("resend", desk / "q4.uvb", *words, desk / "read.uvb")
    assert (desk / "piped.uvb").read_bytes() == (desk / "read.uvb").read_bytes()


def lying(volume):
    """Return a parity volume whose cells are zeros, each with the digest of that."""
    out = bytearray(volume)
    with tarfile.open(fileobj=io.BytesIO(volume)) as archive:
        for one in archive:
            if one.name.startswith("parity/"):
                place = tuple(map(int, one.name.split("/")[1].split("-")[:3]))
                name = parity_name(*place, hashlib.sha256(bytes(one.size)).hexdigest())
                out[one.offset : one.offset + 512] = ustar.header(name, one.size)
                out[one.offset_data : one.offset_data + one.size] = bytes(one.size)
    return bytes(out)


def test_where_parity_is_false_the_lost_blocks_themselves_can_be_asked_for(desk):
    files = files_of(WIDE)
    del files[next(iter(files))]
    false = {name: lying(data) if ".p00" in name else data for name, data in files.items()}
    shutil.rmtree(desk / "far")
    put(desk / "far", false)
    trusting = ("--trust", desk / "packer.pub")
    assert bundler("verify", desk / "far", *trusting).code == 5
    asked = ask(desk)
    assert (asked.code, asked.stdout) == (0, "")
    assert "run this with --without-parity" in asked.stderr
    asked = ask(desk, "--without-parity")
    assert " V1 " in asked.stdout
    assert bundler("resend", desk / "q4.uvb", "--ticket", asked.stdout, "-o", desk / "out").code == 0
    assert bundler("verify", desk / "far", desk / "out", *trusting).code == 0
