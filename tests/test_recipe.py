"""Recipes, prefixes and earlier bundles in an index: what it says of them holds together, or it is refused."""

import functools
import json

import pytest
from bundles import HOST
from deflatedparts import OLD_TAR, gzip_of, joined
from hypothesis import given
from hypothesis import strategies as st
from recompressed import RECIPES, TEXT, delta_box, full_box, index_of, sha

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.index import parse_index
from bundler.core.indexchecks import MAX_PREFIXED_INDEX, MAX_REACH, check_index

HELD, KEPT = sha(joined(gzip_of(OLD_TAR))), 1
TEXTS, PROGRAMS = TEXT.format(HOST), RECIPES.format(HOST)
ZERO = "0" * 64


@functools.cache
def full():
    return full_box().seal()


@functools.cache
def raw(kind):
    return index_of(full() if kind == "full" else delta_box(full()).seal())


def changed(kind, *changes):
    """Return an index in which values were replaced: each change is a path and a value, or KeyError."""
    document = json.loads(raw(kind))
    for path, value in changes:
        at = document
        for part in path[:-1]:
            at = at[part]
        if value is KeyError:
            del at[path[-1]]
        else:
            at[path[-1]] = value(at[path[-1]]) if callable(value) else value
    return json.dumps(document).encode()


@pytest.mark.parametrize("kind", ["full", "delta"])
def test_an_index_with_recipes_reads_back_as_it_was_written(kind):
    index = parse_index(raw(kind))
    assert parse_index(index.to_bytes()) == index
    assert index.to_bytes() == raw(kind)


def test_the_features_are_those_that_are_used():
    assert parse_index(raw("full")).requires == ["recompressed"]
    assert parse_index(raw("delta")).requires == ["base", "recompressed"]
    assert [one.title for one in parse_index(raw("delta")).base] == ["plant-7 2026Q4 (serial 7)"]


R0 = ("artifacts", 0, "recipe")  # of the first archive, in both
TWICE = {"path": "mirror/twice", "role": "archive", "size": 1, "sha256": ZERO}
UNUSED = {"sha256": ZERO, "size": 1, "base": [0]}
INSIDE = [{"source": PROGRAMS, "offset": 0, "length": 1}]


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("full", [(("requires",), [])],
         "requires: expected ['recompressed'] for what is used, found []"),
        ("full", [(("requires",), ["base", "recompressed"])],
         "requires: expected ['recompressed'] for what is used, found ['base', 'recompressed']"),
        ("full", [(("requires",), ["recompressed", "recompressed"])],
         "requires: expected ['recompressed'] for what is used, found ['recompressed', 'recompressed']"),
        ("delta", [(("requires",), ["recompressed", "base"])],
         "requires: expected ['base', 'recompressed'] for what is used, found ['recompressed', 'base']"),
        ("delta", [(("held",), KeyError)], "base: expected both base and held, or neither"),
        ("delta", [(("base",), KeyError), (("requires",), ["recompressed"])],
         "base: expected both base and held, or neither"),
        ("delta", [(("held",), lambda held: [*held, held[0]])],
         "held[2]: expected each artifact once, and numbers of bundles in base"),
        ("delta", [(("held", 1, "base"), [0, 1])],
         "held[1]: expected each artifact once, and numbers of bundles in base"),
        ("delta", [(("held",), lambda held: [*held, held[1]])],
         "held[2]: expected each artifact once, and numbers of bundles in base"),
        ("delta", [(("held", 0, "content"), KeyError)],
         "held[0].content: missing, but required beside inflate"),
        ("delta", [(("held", 0, "inflate"), KeyError)],
         f"held[0].content: expected the size, {len(joined(gzip_of(OLD_TAR)))}, found {len(OLD_TAR)}"),
        ("delta", [(("held", 0, "content"), KeyError), (("held", 0, "inflate"), KeyError)],
         f"artifacts[0].recipe: expected what has content, found '{HELD}'"),
        ("delta", [(("held",), lambda held: [*held, UNUSED])],
         f"held: expected only what is used, found {ZERO}"),
        ("delta", [(("held", 1, "size"), 5)],
         "artifacts[1]: expected a member, a recipe, or its size and sha256 in held"),
        ("full", [(("artifacts",), lambda found: [*found, TWICE])],
         "artifacts[5]: expected a member, a recipe, or its size and sha256 in held"),
        ("full", [(("artifacts", 0, "member"), "payload/download-metadata.json")],
         "artifacts[0]: expected a member or a recipe, found both"),
        ("full", [(("artifacts", 4, "member"), KeyError)],
         "artifacts[4].member: missing, but required for metadata"),
        ("full", [(("artifacts",), lambda found: [*found, found[2] | {"path": "uv/2/x/uv"}])],
         "artifacts: expected one artifact for each member"),
        ("full", [(("artifacts", 2, "member"), TEXTS)],
         "artifacts[2].member: expected a member without content and prefix, which are for recipes"),
        ("full", [((*R0, "sources"), [PROGRAMS, PROGRAMS])],
         "artifacts[0].recipe: expected each source and each encoder once"),
        ("full", [((*R0, "encoders"), ["zlib-6-8", "zlib-6-8"])],
         "artifacts[0].recipe: expected each source and each encoder once"),
        ("full", [((*R0, "encoders"), ["zlib-10-8"])],
         "artifacts[0].recipe.encoders[0]: expected the name of an encoder, found the string 'zlib-10-8'"),
        ("full", [((*R0, "sources"), [])],
         "artifacts[0].recipe.sources: expected 1 to 64 items, found 0"),
        ("full", [((*R0, "sources"), ["payload/none", TEXTS])],
         "artifacts[0].recipe: expected what has content, found 'payload/none'"),
        ("full", [((*R0, "sources"), ["SHA256SUMS"])],
         "artifacts[0].recipe.sources[0]: expected 64 lowercase hexadecimal digits, found 'SHA256SUMS'"),
        ("full", [((*R0, "member"), "payload/download-metadata.json")],
         "artifacts[0].recipe: expected what has content, found 'payload/download-metadata.json'"),
        ("full", [((*R0, "offset"), lambda offset: offset + 10_000)],
         f"artifacts[0].recipe: expected a range of the SIZE bytes of {PROGRAMS}"),
        ("full", [((*R0, "length"), (1 << 20) + 1)],
         "artifacts[0].recipe.length: expected 1 to 1048576 of bytes, found 1048577"),
        ("full", [(("members", 1, "prefix"), INSIDE)],
         f"members[1].prefix[0]: expected what has content and comes before, found '{PROGRAMS}'"),
        ("full", [(("members", 1, "prefix"), [INSIDE[0] | {"source": TEXTS}])],
         f"members[1].prefix[0]: expected what has content and comes before, found '{TEXTS}'"),
        ("full", [(("members", 2, "prefix"), [INSIDE[0] | {"source": HELD}])],
         f"members[2].prefix[0]: expected what has content and comes before, found '{HELD}'"),
        ("full", [(("members", 2, "prefix"), [INSIDE[0] | {"length": 1 << 30}])],
         f"members[2].prefix[0]: expected a range of the SIZE bytes of {PROGRAMS}"),
        ("full", [(("members", 2, "prefix"), [INSIDE[0]] * 4097)],
         "members[2].prefix: expected 1 to 4096 items, found 4097"),
        ("full", [(("members", 2, "prefix"), [])], "members[2].prefix: expected 1 to 4096 items, found 0"),
        ("full", [(("members", 0, "content"), 3)],
         "members[0]: expected a prefix only beside content, and content only with zstd"),
        ("full", [(("members", 0, "prefix"), INSIDE)],
         "members[0]: expected a prefix only beside content, and content only with zstd"),
        ("full", [(("members", 3, "prefix"), INSIDE)],
         "artifacts[2].member: expected a member without content and prefix, which are for recipes"),
        ("full", [(("members", 1, "encoding"), "identity")],
         "members[1]: expected a prefix only beside content, and content only with zstd"),
        ("full", [(("members", 1, "content"), KeyError)],
         f"artifacts[0].recipe: expected what has content, found '{PROGRAMS}'"),
        ("full", [(("members",), lambda found: [*found, found[1] | {"path": "payload/more"}])],
         "members[6]: expected a member below payload/ that an artifact comes out of"),
        ("delta", [(("base",), lambda base: base * 17)], "base: expected 1 to 16 items, found 17"),
        ("delta", [(("base", 0, "name"), "Plant 7")],
         "base[0].name: expected a bundle's name, found the string 'Plant 7'"),
    ],
)  # fmt: skip
def test_an_index_whose_recipes_do_not_hold_together_is_refused(kind, changes, message):
    data = changed(kind, *changes)
    sizes = {one["path"]: one.get("content") for one in json.loads(data)["members"]}
    with pytest.raises(Fault) as caught:
        parse_index(data)
    assert str(caught.value) == message.replace("SIZE", str(sizes[PROGRAMS]))


def reaching(prefix, content):
    """Return the index of a delta whose stream has so many bytes before its content."""
    size = 1 << 40
    ranges = [{"source": HELD, "offset": 0, "length": prefix}]
    return changed(
        "delta",
        (("held", 0, "content"), size),
        (("members", 2, "prefix"), ranges),
        (("members", 2, "content"), content),
    )


def test_prefix_and_window_are_bounded_together():
    window = 64 << 20
    assert parse_index(reaching(MAX_REACH - window, window)).members[2].prefix
    assert parse_index(reaching(MAX_REACH - window, 1 << 40)).members[2].prefix
    for prefix, content in ((MAX_REACH - window + 1, 1 << 40), (MAX_REACH - 9000, 9001)):
        with pytest.raises(Fault) as caught:
            parse_index(reaching(prefix, content))
        assert str(caught.value) == (
            f"members[2].prefix: expected at most {MAX_REACH} bytes of prefix and window, found {MAX_REACH + 1}"
        )


def test_a_large_index_has_no_prefix():
    index = parse_index(raw("delta"))
    check_index(index, requires=index.requires, size=MAX_PREFIXED_INDEX)
    with pytest.raises(Fault) as caught:
        check_index(index, requires=index.requires, size=MAX_PREFIXED_INDEX + 1)
    assert str(caught.value) == "expected at most 8388608 bytes of index beside a prefix, found 8388609"
    index = parse_index(raw("full"))
    check_index(index, requires=index.requires, size=MAX_PREFIXED_INDEX + 1)


def test_a_member_may_stand_before_another_one_as_its_prefix():
    chained = changed("full", (("members", 2, "prefix"), [{"source": PROGRAMS, "offset": 0, "length": 1}]))
    assert parse_index(chained).members[2].prefix[0].source == PROGRAMS


@pytest.mark.parametrize("kind", ["full", "delta"])
@given(data=st.data())
def test_no_change_of_one_value_gives_anything_but_an_index_or_a_fault(kind, data):
    path, at = [], json.loads(raw(kind))
    while isinstance(at, dict | list) and at:
        part = data.draw(st.sampled_from(sorted(at) if isinstance(at, dict) else list(range(len(at)))))
        path.append(part)
        at = at[part]
    value = data.draw(
        st.none()
        | st.integers()
        | st.text(max_size=8)
        | st.just([])
        | st.sampled_from([TEXTS, PROGRAMS, HELD])
    )
    try:
        index = parse_index(changed(kind, (path, value)))
    except Fault as fault:
        assert str(fault)
    else:
        assert parse_index(index.to_bytes()) == index


def test_a_source_is_a_member_or_a_digest():
    sources = parse_index(raw("delta")).artifacts[0].recipe.sources
    assert sources == (PROGRAMS, TEXTS, Digest(HELD))
