"""uv's releases at an index, and the wheel for each platform; file names as the public index has them."""

import pytest
from packaging.version import Version

from bundler.connected.packageindex import IndexFile
from bundler.connected.uvrelease import choose_wheel, exact, latest, read_releases
from bundler.core.platforms import COMMON, Platform
from bundler.errors import UsageFault

TAGS = {
    "0.6.17": [
        "linux_armv6l",
        "macosx_10_12_x86_64",
        "macosx_11_0_arm64",
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "manylinux_2_17_armv7l.manylinux2014_armv7l",
        "manylinux_2_17_i686.manylinux2014_i686",
        "manylinux_2_17_ppc64.manylinux2014_ppc64",
        "manylinux_2_17_ppc64le.manylinux2014_ppc64le",
        "manylinux_2_17_s390x.manylinux2014_s390x",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "manylinux_2_28_aarch64",
        "musllinux_1_1_armv7l",
        "musllinux_1_1_i686",
        "musllinux_1_1_x86_64",
        "win32",
        "win_amd64",
        "win_arm64",
    ],
    "0.13.8": [
        "linux_armv6l",
        "macosx_10_12_x86_64",
        "macosx_11_0_arm64",
        "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
        "manylinux_2_17_armv7l.manylinux2014_armv7l",
        "manylinux_2_17_armv7l.manylinux2014_armv7l.musllinux_1_1_armv7l",
        "manylinux_2_17_i686.manylinux2014_i686",
        "manylinux_2_17_ppc64le.manylinux2014_ppc64le",
        "manylinux_2_17_s390x.manylinux2014_s390x",
        "manylinux_2_17_x86_64.manylinux2014_x86_64",
        "manylinux_2_28_aarch64",
        "manylinux_2_31_riscv64",
        "manylinux_2_31_riscv64.musllinux_1_1_riscv64",
        "musllinux_1_1_i686",
        "musllinux_1_1_x86_64",
        "win32",
        "win_amd64",
        "win_arm64",
    ],
}


def file(name, *, yanked=False):
    return IndexFile(name=name, url=f"https://h.example/{name}", sha256=None, size=None, yanked=yanked)


def release(version, tags=None, **fields):
    wheels = [
        file(f"uv-{version}-py3-none-{tag}.whl", **fields) for tag in tags or TAGS.get(version, ["win32"])
    ]
    return [*wheels, file(f"uv-{version}.tar.gz", **fields)]


def test_files_are_sorted_into_releases_and_others_passed_over():
    others = [file("uvloop-1.0.tar.gz"), file("uv-not.a.version.tar.gz"), file("uv-1.whl")]
    releases = read_releases([*release("0.10.0"), *release("0.9.9"), *others])
    assert list(map(str, releases)) == ["0.9.9", "0.10.0"]
    assert releases[Version("0.9.9")].sdist.name == "uv-0.9.9.tar.gz"
    assert [wheel.name for wheel in releases[Version("0.9.9")].wheels] == ["uv-0.9.9-py3-none-win32.whl"]


def test_latest_is_stable_not_withdrawn_and_complete():
    files = [
        *release("0.9.0"),
        *release("0.10.0"),
        *release("0.11.0", yanked=True),
        *release("0.12.0rc1"),
        *release("0.13.0")[:-1],
        file("uv-0.14.0.tar.gz"),
    ]
    assert str(latest(read_releases(files)).version) == "0.10.0"


def test_an_index_without_a_latest_is_refused():
    with pytest.raises(UsageFault, match="no stable version with both an sdist and wheels"):
        latest(read_releases([file("uv-0.14.0.tar.gz")]))


def test_a_withdrawn_version_can_be_named():
    assert exact(read_releases(release("0.11.0", yanked=True)), "0.11.0").yanked


def test_an_unknown_version_is_refused_with_its_neighbours():
    releases = read_releases(
        [one for version in ("0.8.1", "0.8.2", "0.8.4", "0.9.0") for one in release(version)]
    )
    with pytest.raises(UsageFault) as caught:
        exact(releases, "0.8.3")
    assert caught.value.message == "uv 0.8.3: the index has no such version"
    assert caught.value.hint == "it has 0.8.1, 0.8.2, 0.8.4, 0.9.0"


CHOSEN = {
    "linux-x86_64-gnu": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "linux-x86_64_v3-gnu": "manylinux_2_17_x86_64.manylinux2014_x86_64",
    "linux-x86_64-musl": "musllinux_1_1_x86_64",
    "linux-x86-gnu": "manylinux_2_17_i686.manylinux2014_i686",
    "linux-x86-musl": "musllinux_1_1_i686",
    "linux-aarch64-gnu": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "linux-aarch64-musl": "manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64",
    "linux-armv7-gnueabihf": "manylinux_2_17_armv7l.manylinux2014_armv7l",
    "linux-armv7-musleabihf": "manylinux_2_17_armv7l.manylinux2014_armv7l.musllinux_1_1_armv7l",
    "linux-riscv64-gnu": "manylinux_2_31_riscv64",
    "linux-riscv64-musl": "manylinux_2_31_riscv64.musllinux_1_1_riscv64",
    "linux-s390x-gnu": "manylinux_2_17_s390x.manylinux2014_s390x",
    "linux-powerpc64le-gnu": "manylinux_2_17_ppc64le.manylinux2014_ppc64le",
    "macos-aarch64-none": "macosx_11_0_arm64",
    "macos-x86_64-none": "macosx_10_12_x86_64",
    "windows-x86_64-none": "win_amd64",
    "windows-aarch64-none": "win_arm64",
    "windows-x86-none": "win32",
}


@pytest.mark.parametrize(("platform", "tag"), CHOSEN.items())
def test_the_wheel_is_the_one_that_runs_on_the_oldest_systems(platform, tag):
    releases = read_releases(release("0.13.8"))
    choice = choose_wheel(releases[Version("0.13.8")], Platform.parse(platform))
    assert (choice.file.name, choice.static) == (f"uv-0.13.8-py3-none-{tag}.whl", False)


def test_every_common_platform_has_a_wheel_of_the_newest_uv():
    assert set(COMMON) <= set(CHOSEN)


def test_a_static_musl_wheel_stands_in_for_a_missing_glibc_one():
    (one,) = read_releases(release("0.13.8", ["musllinux_1_1_x86_64"])).values()
    choice = choose_wheel(one, Platform.parse("linux-x86_64-gnu"))
    assert (choice.file.name, choice.static) == ("uv-0.13.8-py3-none-musllinux_1_1_x86_64.whl", True)


def test_a_universal_wheel_serves_both_kinds_of_mac():
    (one,) = read_releases(release("0.13.8", ["macosx_10_9_universal2"])).values()
    assert choose_wheel(one, Platform.parse("macos-aarch64-none"))


@pytest.mark.parametrize(
    "platform", ["linux-riscv64-gnu", "linux-armv7-gnueabi", "linux-s390x-musl", "linux-armv7-musleabi"]
)
def test_a_platform_without_a_wheel_is_refused_with_those_that_have_one(platform):
    releases = read_releases(release("0.6.17"))
    with pytest.raises(UsageFault) as caught:
        choose_wheel(releases[Version("0.6.17")], Platform.parse(platform))
    assert caught.value.message == f"uv 0.6.17: there is no wheel for {platform}"
    assert caught.value.hint == (
        "there are wheels for linux-x86_64-gnu, linux-aarch64-gnu, linux-x86_64-musl, linux-aarch64-musl, "
        "linux-armv7-gnueabihf, linux-s390x-gnu, linux-powerpc64le-gnu, macos-aarch64-none, macos-x86_64-none, "
        "windows-x86_64-none, windows-aarch64-none, windows-x86-none"
    )
