"""Trust documents for a bundle: found and ordered, and only such that a host can walk."""

import os
from dataclasses import replace

import pytest
from bundles import Packer, make_document, sign_document, write_document
from cli import check_refusal
from fakeindex import Site

from bundler.connected.carrytrust import load_chain
from bundler.errors import BundlerError, SignatureFault, UsageFault

ANN, BOB, EVE = Packer(1, "ann"), Packer(2, "bob"), Packer(3, "eve")
PAIR = {"ann": ANN, "bob": BOB}


def document(version, **changes):
    return make_document(version, people=PAIR, root=2, **changes)


@pytest.fixture
def folder(tmp_path):
    """Versions 9 to 11, so that their order is not the one of their names."""
    (tmp_path / "trust").mkdir()
    for version in (9, 10, 11):
        write_document(tmp_path / "trust" / f"{version}.json", document(version))
    return tmp_path / "trust"


def test_a_folder_is_taken_in_the_order_of_versions_with_all_signatures(folder):
    assert load_chain([folder]) == (document(9), document(10), document(11))


def test_files_may_be_named_in_any_order_and_twice(folder):
    paths = [folder / "11.json", folder / "10.json", folder / "11.json"]
    assert [one.number for one in load_chain(paths)] == [10, 11]


def test_the_name_of_a_file_does_not_matter(tmp_path):
    write_document(tmp_path / "newest", document(3))
    assert load_chain([tmp_path / "newest"]) == (document(3),)


def test_nothing_named_is_nothing_carried():
    assert load_chain([]) == ()


def rotated(version, **changes):
    return make_document(version, people={"bob": BOB, "eve": EVE}, root=2, **changes)


def test_a_step_to_other_people_needs_the_old_ones_and_the_new_ones(tmp_path):
    write_document(tmp_path / "1.json", document(1))
    write_document(tmp_path / "2.json", rotated(2, by=[ANN, BOB, EVE]))
    assert [one.number for one in load_chain([tmp_path])] == [1, 2]


REFUSED = {  # what lies in the folder : what is raised
    "nothing": ({}, UsageFault, "FOLDER: no .json file in it, expected trust documents"),
    "a version left out": (
        {"a.json": document(2), "b.json": document(4)},
        UsageFault,
        "FOLDER/b.json: is version 4, expected version 3 after 2",
    ),
    "a version twice": (
        {"a.json": document(2), "b.json": document(2, created="2026-11-02T00:00:00Z")},
        UsageFault,
        "FOLDER/b.json: version 2 again, which FOLDER/a.json is, expected each version once",
    ),
    "no trust document": (
        {"a.json": sign_document(b'{"version": 2}', by=[ANN, BOB], number=2)},
        SignatureFault,
        "FOLDER/a.json: format: missing, but required",
    ),
    "no JSON": (
        {"a.json": sign_document(b"{", by=[ANN], number=2)},
        UsageFault,
        "FOLDER/a.json: line 1 column 2: Expecting property name enclosed in double quotes",
    ),
    "a key": (
        {"a.json": sign_document(b"ssh-ed25519 AAAA", by=[ANN], number=2)},
        UsageFault,
        "FOLDER/a.json: no trust document, expected one",
    ),
    "one that nobody signed": (
        {"a.json": document(2, by=[])},
        SignatureFault,
        "FOLDER/a.json: signed by 0 of 2 people, expected 2 with the role root in FOLDER/a.json (plant-7 version 2)",
    ),
    "one that too few of its own people signed": (
        {"a.json": document(2, by=[ANN])},
        SignatureFault,
        "FOLDER/a.json: signed by 1 of 2 people, expected 2 with the role root in FOLDER/a.json (plant-7 version 2)",
    ),
    "one that the people before did not sign": (
        {"a.json": document(1), "b.json": rotated(2, by=[BOB, EVE])},
        SignatureFault,
        "FOLDER/b.json: signed by 1 of 2 people, expected 2 with the role root in FOLDER/a.json (plant-7 version 1)",
    ),
    "one that its own people did not sign": (
        {"a.json": document(1), "b.json": rotated(2, by=[ANN, BOB])},
        SignatureFault,
        "FOLDER/b.json: signed by 1 of 2 people, expected 2 with the role root in trust/2.json (plant-7 version 2)",
    ),
    "one of another site": (
        {"a.json": document(1), "b.json": document(2, name="plant-8")},
        SignatureFault,
        "FOLDER/b.json: is of the name 'plant-8', expected 'plant-7'",
    ),
    "one that was changed after it was signed": (
        {"a.json": replace(document(2), raw=document(2).raw + b" ")},
        SignatureFault,
        "FOLDER/a.json: signed by 0 of 2 people, expected 2 with the role root in FOLDER/a.json (plant-7 version 2); still missing: 2 of ann, bob; signature 1 by SHA256:",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_host_could_walk_is_refused_with_the_file(tmp_path, case):
    files, category, message = REFUSED[case]
    for name, signed in files.items():
        write_document(tmp_path / name, signed)
    with pytest.raises(BundlerError) as caught:
        load_chain([tmp_path])
    assert str(caught.value).replace(str(tmp_path), "FOLDER").startswith(message)
    assert type(caught.value) is category
    assert caught.value.hint


def test_more_documents_than_a_bundle_may_bring_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("bundler.connected.carrytrust.MAX_CHAIN", 2)
    for version in (1, 2, 3):
        write_document(tmp_path / f"{version}.json", document(version))
    with pytest.raises(UsageFault, match="--carry-trust: expected at most 2 trust documents, found 3"):
        load_chain([tmp_path])


def test_a_signature_that_no_reader_takes_is_refused_even_where_the_others_are_enough(tmp_path):
    path = write_document(tmp_path / "1.json", document(1))
    (tmp_path / "1.json.2.sig").write_bytes(b"x" * ((16 << 10) + 1))
    with pytest.raises(UsageFault, match=r"1.json: a signature beside it has more than 16384 bytes"):
        load_chain([path])


def test_pack_carries_them_and_says_so(folder):
    (folder.parent / "site").mkdir()
    site = Site(folder.parent / "site")
    done = site.pack("--carry-trust", folder)
    assert done.code == 0, done.stderr
    assert "uv-bundler: carries the trust document, version 9 to 11\n" in done.stderr
    from bundler.offline.reader import BundleReader

    with (site.folder / "q4.uvb").open("rb") as stream:
        chain = BundleReader(stream, name="q4").read_signed_index().chain
    assert chain == load_chain([folder])


def test_pack_takes_them_from_the_variable(folder):
    (folder.parent / "site").mkdir()
    done = Site(folder.parent / "site").pack(
        UV_BUNDLER_CARRY_TRUST=f"{folder / '10.json'}{os.pathsep}{folder / '9.json'}"
    )
    assert "carries the trust document, version 9 to 10" in done.stderr


def test_pack_refuses_them_before_anything_is_fetched(folder):
    (folder / "10.json").unlink()
    (folder.parent / "site").mkdir()
    site = Site(folder.parent / "site")
    done = site.pack("--carry-trust", folder)
    check_refusal(done, 2, "11.json: is version 11, expected version 10 after 9", "one step at a time")
    assert not (site.folder / "q4.uvb").exists()
    assert not site.cache.exists()
