"""Wishes into rows: the newest of what is meant, for each platform, and what to say where nothing is."""

import pytest
from uvlists import LINUX, MAC, MUSL, WINDOWS, Heard, row

from bundler.connected.manifest import PythonWish
from bundler.connected.resolve import resolve
from bundler.core.digest import Digest
from bundler.core.platforms import COMMON, Platform
from bundler.errors import UsageFault

VERSIONS = ("3.10.14", "3.11.8", "3.11.9", "3.12.6", "3.12.7", "3.13.5", "3.13.6", "3.14.0rc1", "3.14.0rc2")
LIST = [
    *(row(version, platform) for version in VERSIONS for platform in (LINUX, WINDOWS)),
    *(row(version, MUSL) for version in VERSIONS[:3]),
    *(
        row(version, LINUX, variant=variant)
        for version in ("3.13.5", "3.13.6")
        for variant in ("freethreaded", "debug")
    ),
    row("3.11.11", LINUX, name="pypy"),
    row("3.9.1", LINUX, sha256=False),
]


def chosen(*wishes, platforms=(LINUX,), own=(), rows=LIST, heard=None, elsewhere=tuple):
    wishes = [wish if isinstance(wish, PythonWish) else PythonWish(request=wish) for wish in wishes]
    choices = resolve(
        wishes,
        platforms=platforms,
        rows=rows,
        own=own,
        place="plant.yaml",
        uv="0.13.8",
        progress=heard or Heard(),
        elsewhere=elsewhere,
    )
    return {choice.row.key.partition("-")[2]: choice.requests for choice in choices}


def versions(*wishes, **options):
    return [key.partition("-")[0] for key in chosen(*wishes, **options)]


@pytest.mark.parametrize(
    ("wish", "expected"),
    [
        (PythonWish(request="3.13"), ["3.13.6"]),
        (PythonWish(request="3.13", patches=2), ["3.13.5", "3.13.6"]),
        (PythonWish(request="3.13", patches=9), ["3.13.5", "3.13.6"]),
        (PythonWish(request="3"), ["3.13.6"]),
        (PythonWish(request="3", patches=3), ["3.13.5", "3.13.6"]),
        (PythonWish(request=">=3.11,<3.13"), ["3.11.9", "3.12.7"]),
        (PythonWish(request=">=3.11,<3.13", patches=2), ["3.11.8", "3.11.9", "3.12.6", "3.12.7"]),
        (PythonWish(request="3.12.6"), ["3.12.6"]),
        (PythonWish(request="3.13t"), ["3.13.6+freethreaded"]),
        (PythonWish(request="3.13+debug", patches=2), ["3.13.5+debug", "3.13.6+debug"]),
        (PythonWish(request="pypy3.11"), ["3.11.11"]),
        (PythonWish(request="any"), ["3.14.0rc2"]),
        (PythonWish(request="3.14rc1"), ["3.14.0rc1"]),
        (PythonWish(request=">=3.13.6,<3.15"), ["3.13.6"]),
    ],
)
def test_a_wish_takes_the_newest_that_it_means(wish, expected):
    assert versions(wish) == expected


def test_only_where_nothing_is_stable_the_newest_prerelease_is_taken_and_said():
    heard = Heard()
    assert versions(PythonWish(request="3.14", patches=2), platforms=(LINUX, WINDOWS), heard=heard) == [
        "3.14.0rc2",
        "3.14.0rc2",
    ]
    assert heard.notes == [f"3.14: nothing stable for {LINUX}, {WINDOWS}, taking 3.14.0rc2"]


def test_every_platform_gets_its_newest_and_the_order_is_fixed():
    wishes, platforms = ("3.12", "3.11", "3.13"), (WINDOWS, LINUX)
    expected = [
        f"{version}-{platform}" for version in ("3.11.9", "3.12.7", "3.13.6") for platform in (LINUX, WINDOWS)
    ]
    assert list(chosen(*wishes, platforms=platforms)) == expected
    assert list(chosen(*wishes[::-1], platforms=platforms[::-1], rows=LIST[::-1])) == expected


def test_a_row_that_two_wishes_mean_is_chosen_once():
    assert chosen("3.13", "3", "3.12") == {
        f"3.12.7-{LINUX}": ("3.12",),
        f"3.13.6-{LINUX}": ("3", "3.13"),
    }


def test_a_key_is_for_its_platform_alone():
    assert list(chosen(f"cpython-3.11.8-{WINDOWS}", "3.11", platforms=(LINUX, WINDOWS))) == [
        f"3.11.8-{WINDOWS}",
        f"3.11.9-{LINUX}",
        f"3.11.9-{WINDOWS}",
    ]


def test_an_own_build_stands_in_place_of_uvs_row_and_is_no_choice():
    own = [row("3.13.6"), row("3.8.99")]
    assert chosen("3.13", "3.8.99", "3.12", own=own) == {f"3.12.7-{LINUX}": ("3.12",)}


def test_a_row_without_a_sha256_is_refused_unless_it_is_pinned():
    with pytest.raises(UsageFault) as caught:
        chosen("3.9")
    assert caught.value.message == (
        f"plant.yaml: pythons[0]: 3.9: uv's list has no sha256 for cpython-3.9.1-{LINUX}, "
        "so nobody could tell whether it is the right file"
    )
    assert f"cpython-3.9.1-{LINUX}, sha256: …" in caught.value.hint
    pin = PythonWish(request="3.9.1", sha256=Digest.of(b"seen"))
    assert chosen(pin) == {f"3.9.1-{LINUX}": ("3.9.1",)}
    assert chosen("3.9", pin) == {f"3.9.1-{LINUX}": ("3.9", "3.9.1")}


def test_a_pin_that_contradicts_uvs_list_is_refused():
    with pytest.raises(UsageFault, match="the manifest pins the sha256 .*, but uv's list says"):
        chosen(PythonWish(request="3.13.6", sha256=Digest.of(b"other")))


MISSES = [
    ("3.13.99", (LINUX,), LINUX, f"other versions for {LINUX}: 3.13.6, 3.13.5"),
    ("3.12t", (LINUX,), LINUX, "other variants: the default build"),
    ("3.13td", (LINUX,), LINUX, "other variants: +debug, +freethreaded, the default build"),
    ("3.13", (LINUX, MUSL), MUSL, f"on other platforms: {LINUX}, {WINDOWS}"),
    ("pypy", (WINDOWS, LINUX), WINDOWS, f"on other platforms: {LINUX}"),
    ("3.17", (LINUX,), LINUX, f"minor versions for {LINUX}: 3.14, 3.13, 3.12, 3.11 and 2 more"),
    ("3.13", (MAC,), MAC, f"on other platforms: {LINUX}, {WINDOWS}"),
    ("3.17", (MAC,), MAC, f"uv's list has nothing for {MAC}"),
]


@pytest.mark.parametrize(("wish", "platforms", "platform", "hint"), MISSES)
def test_a_wish_without_a_match_names_the_near_misses(wish, platforms, platform, hint):
    with pytest.raises(UsageFault) as caught:
        chosen("3.11" if MAC not in platforms else wish, wish, platforms=platforms)
    assert f"{wish}: uv 0.13.8 knows no such Python for {platform}" in caught.value.message
    assert caught.value.hint == f"near misses: {hint}"


def test_other_versions_of_uv_are_asked_only_to_explain_a_failure():
    asked = []

    def elsewhere():
        asked.append(True)
        return [("0.14.0", [row("3.13.99")]), ("0.9.30", [row("3.13.98")])]

    chosen("3.13", elsewhere=elsewhere)
    assert not asked
    with pytest.raises(UsageFault) as caught:
        chosen("3.13.99", elsewhere=elsewhere)
    assert caught.value.hint.endswith("; in the list of uv: 0.14.0")


def test_ten_thousand_rows_and_thirteen_platforms_resolve():
    platforms = [Platform.parse(name) for name in COMMON]
    rows = [
        row(f"3.{minor}.{patch}", platform)
        for minor in range(4, 20)
        for patch in range(50)
        for platform in platforms
    ]
    assert len(rows) > 10_000
    found = chosen(PythonWish(request=">=3.4", patches=50), platforms=platforms, rows=rows)
    assert len(found) == len(rows)
