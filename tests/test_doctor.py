"""Each finding is provoked on a tree that was really unpacked, and is absent from a healthy one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from bundles import archive, make_bundle, small_content, tree, unpack_bytes
from realuv import clean_env, tiny_tree

from bundler.offline.doctor import diagnose
from bundler.offline.exporting import export_facts
from bundler.offline.generation import active_generation
from bundler.offline.prefix import Prefix
from bundler.offline.settings import ExportFacts, settings
from bundler.offline.uvconfig import find_configs, read_lines

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the healthy tree's uv is a shell script")
BUNDLE = make_bundle(archives=[archive(small_content(1)), archive(small_content(2), version=(3, 12, 1))])


class Host:
    """A prefix, a home and an /etc of their own; `env` is what the exports say until a test changes it."""

    def __init__(self, top: Path) -> None:
        self.prefix = top / "pre fix"
        unpack_bytes(BUNDLE, self.prefix)
        self.current = self.prefix / "current"
        self.home, self.etc, self.cwd = top / "home", top / "etc", top / "work"
        for folder in (self.home, self.etc, self.cwd):
            folder.mkdir()
        self.env = {"HOME": str(self.home), **self.exports()}
        self.env["PATH"] = f"{self.current / 'bin'}:/usr/bin:/bin"
        self.mountinfo = top / "mountinfo"
        self.mountinfo.write_text("36 35 0:1 / / rw - ext4 /dev/x rw\n")

    def exports(self) -> dict[str, str]:
        prefix = Prefix(self.prefix)
        generation = active_generation(prefix)
        return {one.name: one.value for one in settings(export_facts(generation, prefix, generation.index()))}

    def diagnose(self, **changes):
        usual = {"env": self.env, "cwd": self.cwd, "etc": self.etc, "mountinfo": self.mountinfo}
        return diagnose(self.prefix, **{**usual, **changes})

    def troubles(self, **changes):
        return [one for one in self.diagnose(**changes) if one.level != "ok"]

    def the_trouble(self, **changes):
        found = self.troubles(**changes)
        assert len(found) == 1, found
        return found[0]

    def first(self, pattern: str) -> Path:
        return min(self.current.resolve().glob(pattern))

    def interpreter(self, folder: Path | None = None) -> Path:
        made = (folder or self.prefix / "python") / "cpython-3.13.5-linux-x86_64-gnu"
        (made / "bin").mkdir(parents=True)
        (made / "bin" / "python3").write_text("#!/bin/sh\n")
        (made / "bin" / "python3").chmod(0o755)
        return made


@pytest.fixture
def host():
    # pytest's own folder is closed to others, which is a finding.
    top = Path(tempfile.mkdtemp())
    top.chmod(0o755)
    yield Host(top)
    shutil.rmtree(top)


def run_fix(finding) -> None:
    subprocess.run(["sh", "-c", finding.fix], check=True)


def test_a_healthy_host_is_all_well(host):
    found = host.diagnose()
    assert [one for one in found if one.level != "ok"] == []
    assert [one.what.replace(str(host.prefix), "P") for one in found if "home" not in one.what] == [
        "P/generations/1: 7 files, sizes and modes as the index says",
        "P/state/log.jsonl: 2 events, each fits what stands before it",
        "P/current/bin/uv: runs, uv 0.13.8",
        "PATH: finds the uv of the bundle, P/current/bin/uv",
        f"variables: {len(host.exports())} exports, nothing contradicts them",
    ]
    assert {one.fix for one in found} == {""}


def test_a_healthy_host_with_interpreters_and_digests_is_all_well(host):
    host.interpreter()
    host.env |= {name: value for name, value in host.exports().items() if name != "PATH"}
    found = host.diagnose(check_digests=True)
    assert [one for one in found if one.level != "ok"] == []
    assert "7 files, digests and modes" in found[0].what
    assert found[-1].what.endswith("python: 1 installed for all users: cpython-3.13.5-linux-x86_64-gnu")


def test_nothing_is_changed_by_looking(host):
    before = tree(host.prefix)
    (host.first("mirror/*/*")).chmod(0o600)
    (host.first("mirror/*/*")).chmod(0o644)
    host.diagnose(check_digests=True)
    assert tree(host.prefix) == before


# --- the tree


def test_an_empty_prefix_is_told_what_to_do(tmp_path):
    tmp_path.chmod(0o755)
    (found,) = diagnose(tmp_path / "none here", env={}, cwd=tmp_path)
    assert found.what == f"{tmp_path / 'none here' / 'current'}: nothing is unpacked here"
    assert found.fix == f"uv-bundler unpack BUNDLE --prefix '{tmp_path / 'none here'}'"


def test_a_link_that_leads_nowhere_is_found(host):
    host.current.unlink()
    host.current.symlink_to("generations/99")
    finding = host.the_trouble()
    assert "generations/99/generation.json: No such file or directory" in finding.what
    assert "unpack" in finding.fix


def test_a_damaged_index_is_found(host):
    place = host.first("bundle.json")
    place.write_bytes(place.read_bytes()[:-50])
    assert "bundle.json" in host.the_trouble().what


def test_an_index_that_was_exchanged_is_found(host):
    place = host.first("bundle.json")
    place.write_bytes(place.read_bytes() + b"\n")
    assert "is not the index that was verified" in host.the_trouble().what


def test_a_missing_file_is_found_and_unpacking_again_mends_it(host):
    place = host.first("python-cache/*")
    place.unlink()
    finding = host.the_trouble()
    assert finding.what == f"{place}: No such file or directory, expected a file"
    assert finding.fix.startswith("unpack the bundle again")
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_a_truncated_file_is_found_under_both_its_names(host):
    place = host.first("mirror/*/*")
    place.write_bytes(place.read_bytes()[:100])
    found = host.troubles()
    assert [one.what.rpartition(": ")[2] for one in found] == ["100 bytes, expected 3000"] * 2
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_a_flipped_byte_is_found_by_its_digest_and_the_fix_mends_it(host):
    place = host.first("mirror/*/*")
    data = bytearray(place.read_bytes())
    data[7] ^= 1
    place.write_bytes(data)
    assert host.troubles() == []
    finding = host.the_trouble(check_digests=True)
    assert f"{place}: sha256 is " in finding.what
    assert finding.fix == f"remove the link {host.current}, then unpack the bundle again"
    host.current.unlink()
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles(check_digests=True) == []


def test_a_folder_in_place_of_a_file_is_found(host):
    place = host.first("python-cache/*")
    place.unlink()
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    assert host.the_trouble().what == f"{place}: is no regular file"


@pytest.mark.parametrize("name", ["uv.toml", "bundle.json.sig"])
def test_a_missing_record_is_found_and_the_fix_mends_it(name, host):
    place = host.first(name)
    place.unlink()
    finding = host.the_trouble()
    assert finding.what == f"{place}: missing"
    host.current.unlink()
    unpack_bytes(BUNDLE, host.prefix)
    assert host.troubles() == []


def test_metadata_that_uv_could_not_read_are_found(host):
    place = host.first("download-metadata.json")
    place.write_text('{"version": "1"}')
    assert "expected rows that uv reads" in host.the_trouble().what


def test_metadata_of_an_archive_that_is_not_there_are_found(host):
    place = host.first("download-metadata.json")
    place.write_text(place.read_text().replace("/own-", "/0wn-"))
    found = host.troubles()
    assert [one.what.partition(": ")[2][:6] for one in found] == ["lists "] * 2


@pytest.mark.parametrize(
    ("pattern", "mode", "expected"),
    [
        ("mirror/*/*", 0o600, "everybody may read it"),
        ("download-metadata.json", 0o640, "everybody may read it"),
        ("mirror", 0o700, "everybody may read and search it"),
        ("mirror/*", 0o754, "everybody may read and search it"),
        ("uvx", 0o744, "everybody may run it"),
        ("download-metadata.json", 0o664, "only its owner may write to it"),
        ("mirror", 0o777, "only its owner may write to it"),
    ],
)
def test_a_wrong_mode_is_found_and_its_fix_mends_it(pattern, mode, expected, host):
    place = host.first("uv/*/*/uvx") if pattern == "uvx" else host.first(pattern)
    place.chmod(mode)
    found = host.troubles()
    for finding in found:  # a second name of the same file, in bin/ or the cache, is found too
        assert f"mode is {mode:04o}, expected that {expected}" in finding.what
        run_fix(finding)
    assert found
    assert host.troubles() == []


@pytest.mark.parametrize("name", ["mirror", "bin"])
def test_a_folder_that_one_may_not_enter_is_found_and_does_not_end_the_search(name, host, monkeypatch):
    place = host.first(name)
    place.chmod(0o700)
    # So that root meets what others meet; pathlib of Python 3.10 holds on to the functions of os.
    for owner, call in ((os, os.stat), (os, os.lstat), (Path, Path.stat), (Path, Path.lstat)):

        def closed(path, *more, call=call, **named):
            if f"/{name}/" in str(path):
                raise PermissionError(13, "Permission denied", str(path))
            return call(path, *more, **named)

        monkeypatch.setattr(owner, call.__name__, closed)
    found = host.troubles()
    wrong = f"{place}: mode is 0700, expected that everybody may read and search it"
    assert wrong.replace(str(place), str(place.resolve())) in [one.what for one in found]
    denied = [one for one in found if "Permission denied" in one.what]
    assert all(one.fix.startswith("as its owner: chmod -R a+rX ") for one in denied)
    assert len(denied) == (2 if name == "mirror" else 0)


def test_a_prefix_that_others_may_write_to_is_found(host):
    host.prefix.chmod(0o775)
    found = host.troubles()
    assert all("mode is 0775" in one.what and "chmod go-w" in one.fix for one in found)
    assert found


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs a prefix of root")
def test_a_closed_folder_above_the_prefix_of_root_is_found(host):
    host.prefix.parent.chmod(0o700)
    finding = host.the_trouble()
    assert (finding.level, finding.what) == (
        "warn",
        f"{host.prefix.parent}: mode is 0700, others cannot reach {host.prefix}",
    )
    run_fix(finding)
    assert host.troubles() == []


def test_many_findings_of_one_kind_are_counted(host):
    shutil.rmtree(host.first("mirror"))
    shutil.rmtree(host.first("python-cache"))
    shutil.rmtree(host.first("uv"))
    found = [one.what for one in host.troubles() if "expected a file" in one.what or "more of" in one.what]
    assert len(found) == 6
    assert found[-1] == "files: 1 more of this kind"


# --- programs


def test_a_noexec_mount_is_found(host):
    place = os.path.realpath(host.prefix).replace(" ", "\\040")
    with host.mountinfo.open("a") as stream:
        stream.write(f"37 36 0:2 / {place} rw,nosuid,noexec,relatime - ext4 /dev/y rw\n")
    finding = host.the_trouble()
    point = os.path.realpath(host.prefix)
    assert finding.what == (f"{host.current}: {point} is mounted noexec, no program below it can be started")
    assert finding.fix.startswith(f"mount -o remount,exec '{point}'")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has mount namespaces")
def test_a_real_noexec_mount_is_found(host):
    inside = (
        "import os, sys; from pathlib import Path; from bundler.offline.doctor import diagnose\n"
        "for source in (Path('/proc/self/mountinfo'), Path(os.devnull)):\n"
        "    found = diagnose(Path(sys.argv[1]), env={'PATH': ''}, cwd=Path('/'), mountinfo=source)\n"
        "    print(*(one.what for one in found if one.level == 'problem'), sep='\\n')"
    )
    script = 'mount -t tmpfs -o noexec t "$1" && cp -a "$0"/. "$1" && exec "$2" -c "$3" "$1"'
    point = host.prefix.parent / "mounted"
    point.mkdir()
    run = subprocess.run(
        ["unshare", "-r", "-m", "sh", "-c", script, host.prefix, point, sys.executable, inside],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in run.stderr or "mount:" in run.stderr:
        pytest.skip(f"needs to mount in a namespace of its own: {run.stderr.strip()}")
    blocked, tried = run.stdout.splitlines()
    assert blocked == f"{point}/current: {point} is mounted noexec, no program below it can be started"
    assert tried == f"{point}/current/bin/uv: does not run: Permission denied"


def test_interpreters_of_a_person_on_a_noexec_mount_are_found(host):
    with host.mountinfo.open("a") as stream:
        stream.write(f"37 36 0:2 / {os.path.realpath(host.home)} rw,noexec - ext4 /dev/y rw\n")
    assert host.the_trouble().what.startswith(f"{host.home}/.local/share/uv/python: ")


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("#!/no/such/shell\n", "does not run: No such file or directory"),
        ("#!/bin/sh\necho no such libc >&2; exit 3\n", "does not run: exit code 3: no such libc"),
        ("#!/bin/sh\necho something else\n", "does not run: exit code 0: something else"),
        ("#!/bin/sh\necho uv 0.6.5 '(x86_64)'\n", "is uv 0.6.5, expected 0.13.8"),
    ],
)
def test_a_bundled_uv_that_does_not_run_is_found(script, reason, host):
    place = host.first("bin/uv")
    size = place.stat().st_size
    place.write_text(script.ljust(size - 1, "#") + "\n")
    finding = next(one for one in host.troubles() if "bin/uv" in one.what)
    assert finding.level == "problem"
    assert finding.what.endswith(reason)
    assert finding.fix


def test_a_missing_uv_in_bin_is_found(host):
    host.first("bin/uv").unlink()
    assert f"{host.first('bin')}/uv: is not the uv of the bundle" in [one.what for one in host.troubles()]


def other_uv(host, script: str) -> Path:
    folder = host.home / "bin"
    folder.mkdir()
    (folder / "uv").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "uv").chmod(0o755)
    host.env["PATH"] = f"{folder}:{host.env['PATH']}"
    return folder / "uv"


def test_no_uv_on_path_is_found(host):
    host.env["PATH"] = str(host.home)
    finding = host.the_trouble()
    assert finding.what == "PATH: finds no uv, expected the one of the bundle"
    assert finding.fix == f"""eval "$(uv-bundler env --prefix '{host.prefix}')\""""


def test_a_uv_of_the_current_folder_is_found_and_not_run(host, monkeypatch):
    fake = host.cwd / "uv"
    fake.write_text(f"#!/bin/sh\ntouch {host.cwd}/ran\n")
    fake.chmod(0o755)
    monkeypatch.chdir(host.cwd)
    host.env["PATH"] = f".:{host.env['PATH']}"
    assert host.the_trouble().what == "PATH: finds uv in the current folder, whatever folder that is"
    assert not (host.cwd / "ran").exists()


def test_another_uv_on_path_is_found(host):
    place = other_uv(host, "echo uv 0.12.24")
    finding = host.the_trouble()
    assert finding.level == "warn"
    assert finding.what == f"{place}: comes first on PATH and is uv 0.12.24, not the one of the bundle"


def test_a_uv_on_path_that_is_too_old_for_the_exports_is_found(host):
    place = other_uv(host, "echo uv 0.6.5")
    finding = host.the_trouble()
    assert finding.level == "problem"
    assert finding.what == (
        f"{place}: comes first on PATH, and uv 0.6.5 is too old for "
        "UV_PYTHON_DOWNLOADS_JSON_URL (since 0.6.13), UV_PYTHON_CACHE_DIR (since 0.7.0)"
    )


def test_a_uv_on_path_that_does_not_run_is_found(host):
    place = other_uv(host, "exit 7")
    assert host.the_trouble().what == f"{place}: comes first on PATH, and does not run: exit code 7"


# --- variables


def test_exports_that_were_never_set_are_found_in_one_finding(host):
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"]}
    finding = host.the_trouble()
    names = [name for name in host.exports() if name != "PATH"]
    assert (finding.level, finding.what) == ("warn", f"variables: not set: {', '.join(names)}")


@pytest.mark.parametrize(
    ("name", "value", "level", "message"),
    [
        (
            "UV_PYTHON_INSTALL_MIRROR",
            "https://mirror.example/",
            "problem",
            "is 'https://mirror.example/', exp",
        ),
        ("UV_PYTHON_DOWNLOADS_JSON_URL", "/elsewhere.json", "problem", "is '/elsewhere.json', expected '/"),
        ("UV_PYTHON_PREFERENCE", "only-system", "problem", "is 'only-system', expected 'only-managed'"),
        ("UV_PYPY_INSTALL_MIRROR", "file:///x", "problem", "is 'file:///x', expected nothing"),
        ("UV_ASTRAL_MIRROR_URL", "https://m.example", "problem", "is 'https://m.example', expected nothing"),
        (
            "UV_PYTHON_DOWNLOADS",
            "never",
            "problem",
            "so uv installs no interpreter, not even from the bundle",
        ),
        ("UV_PYTHON_DOWNLOADS", "manual", "warn", "so only `uv python install` installs"),
        ("UV_NO_MANAGED_PYTHON", "1", "problem", "so uv takes none of the bundle's interpreters"),
        ("UV_OFFLINE", "1", "problem", "no interpreter is installed"),
        ("UV_OFFLINE", "true", "problem", "no interpreter is installed"),
        ("UV_PYTHON", "3.9", "warn", "uv takes it for every request that names no Python"),
        ("UV_PYTHON_CPYTHON_BUILD", "20240101", "warn", "passes over every archive of another build"),
    ],
)
def test_a_variable_that_conflicts_is_found(name, value, level, message, host):
    host.env[name] = value
    finding = host.the_trouble()
    assert finding.level == level
    assert finding.what.startswith(f"{name}: ")
    assert message in finding.what
    assert finding.fix


def test_offline_without_an_interpreter_is_mended_with_one_that_the_bundle_has(host):
    host.env["UV_OFFLINE"] = "1"
    listed = json.loads((host.current / "download-metadata.json").read_bytes())
    fixes = {f"install one first, `uv python install {key}`, or unset UV_OFFLINE" for key in listed}
    assert host.the_trouble().fix in fixes


@pytest.mark.parametrize(("name", "value"), [("UV_OFFLINE", "0"), ("UV_NO_MANAGED_PYTHON", "false")])
def test_a_switch_that_is_off_is_no_finding(name, value, host):
    host.env[name] = value
    assert host.troubles() == []


def test_the_same_mirror_written_otherwise_is_no_finding(host):
    host.env["UV_PYTHON_INSTALL_MIRROR"] = host.env["UV_PYTHON_INSTALL_MIRROR"].replace(" ", "%20") + "/"
    assert host.troubles() == []


def test_offline_is_no_finding_once_the_person_has_installed_an_interpreter(host):
    host.env["UV_OFFLINE"] = "1"
    host.interpreter(host.home / ".local/share/uv/python")
    assert host.troubles() == []


def test_interpreters_for_all_users_that_nobody_is_told_of_are_found(host):
    host.interpreter()
    assert host.the_trouble().what == "variables: not set: UV_PYTHON_INSTALL_DIR, UV_OFFLINE"


def test_a_cache_within_the_install_folder_is_found(host):
    host.env["UV_PYTHON_CACHE_DIR"] = str(host.home / ".local/share/uv/python/cache")
    assert any("where uv keeps installed interpreters" in one.what for one in host.troubles())


def test_an_empty_cache_variable_is_found(host):
    host.env["UV_PYTHON_CACHE_DIR"] = ""
    assert any(one.fix == "unset UV_PYTHON_CACHE_DIR" for one in host.troubles())


def test_file_urls_beside_a_mirror_are_found(host):
    listing = host.home / "list.json"
    listing.write_text('{"x": {"url": "file:///a/b.tar.gz"}}')
    host.env["UV_PYTHON_DOWNLOADS_JSON_URL"] = str(listing)
    assert f"{listing}: lists file:// URLs, which uv refuses beside a mirror" in [
        one.what for one in host.troubles()
    ]


def test_a_cache_of_uv_that_cannot_be_written_is_found(host):
    (host.home / ".cache").write_text("a file")
    finding = host.the_trouble()
    assert finding.what == (
        f"{host.home}/.cache/uv: uv cannot keep its cache here, "
        f"{host.home}/.cache is not a folder that you may write to"
    )
    host.env["UV_CACHE_DIR"] = str(host.home / "cache")
    assert host.troubles() == []


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_cache_of_somebody_else_is_found(host):
    (host.home / ".cache").mkdir(mode=0o500)
    assert "uv cannot keep its cache here" in host.the_trouble().what


def test_a_broken_interpreter_for_all_users_is_found(host):
    made = host.interpreter()
    (made / "bin" / "python3").chmod(0o644)
    found = [one.what for one in host.troubles()]
    assert f"{made}: holds no interpreter that can be run" in found


# --- configuration files

WRONG = 'python-install-mirror = "https://mirror.example/"\n'


@pytest.mark.parametrize(
    "where", ["etc/uv/uv.toml", "etc/xdg/uv/uv.toml", "home/.config/uv/uv.toml", "work/uv.toml"]
)
def test_a_file_that_contradicts_is_found_where_no_variable_overrides_it(where, host):
    place = host.prefix.parent / where
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(WRONG)
    assert host.troubles() == []
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    finding = host.the_trouble()
    assert finding.what == (
        f"{place}: python-install-mirror is 'https://mirror.example/', "
        f"expected 'file://{host.current}/mirror'"
    )


def test_a_stronger_file_that_is_right_hides_a_weaker_one_that_is_wrong(host):
    (host.etc / "uv").mkdir()
    (host.etc / "uv" / "uv.toml").write_text(WRONG)
    (host.cwd / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    assert host.troubles() == []


def test_a_project_above_the_working_folder_is_found(host):
    (host.cwd / "pyproject.toml").write_text(f"[project]\nname = 'x'\n[tool.uv]\n{WRONG}")
    (host.cwd / "deep" / "er").mkdir(parents=True)
    del host.env["UV_PYTHON_INSTALL_MIRROR"]
    finding = host.the_trouble(cwd=host.cwd / "deep" / "er")
    assert finding.what.startswith(f"{host.cwd}/pyproject.toml: python-install-mirror is ")


def test_the_bundles_own_file_stands_for_the_variables_it_says(host):
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"]}
    host.env["UV_CONFIG_FILE"] = str(host.current / "uv.toml")
    assert host.the_trouble().what == "variables: not set: UV_PYTHON_CACHE_DIR"


def test_a_config_file_variable_takes_the_place_of_all_others(host):
    (host.cwd / "uv.toml").write_text(WRONG)
    other = host.home / "other.toml"
    other.write_text('python-downloads = "never"\n')
    host.env["UV_CONFIG_FILE"] = str(other)
    assert [one.path for one in find_configs(env=host.env, cwd=host.cwd, etc=host.etc)] == [other]
    assert host.the_trouble().what.startswith(f"{other}: python-downloads is 'never'")


def test_a_config_file_variable_that_leads_nowhere_is_found(host):
    host.env["UV_CONFIG_FILE"] = "none.toml"
    assert host.the_trouble().what.startswith(f"{host.cwd}/none.toml: No such file or directory")


def test_no_config_is_named_where_variables_are_missing(host):
    (host.etc / "uv").mkdir()
    (host.etc / "uv" / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    host.env = {"HOME": str(host.home), "PATH": host.env["PATH"], "UV_NO_CONFIG": "1"}
    assert "UV_NO_CONFIG: is set, so no uv.toml can stand for them" in [one.what for one in host.troubles()]


def test_offline_in_a_file_is_found_while_nothing_is_installed(host):
    (host.cwd / "uv.toml").write_text("offline = true\n")
    assert host.the_trouble().what.startswith(f"{host.cwd}/uv.toml: offline = true, and no interpreter")
    host.interpreter(host.home / ".local/share/uv/python")
    assert host.troubles() == []


def test_a_key_that_stops_an_older_uv_on_path_is_found(host):
    other_uv(host, "echo uv 0.7.2")
    (host.cwd / "uv.toml").write_bytes((host.current / "uv.toml").read_bytes())
    assert [one.what for one in host.troubles() if "stops" in one.what] == [
        f"{host.cwd}/uv.toml: python-downloads-json-url stops uv 0.7.2, which knows it only since 0.7.3"
    ]


def test_a_file_that_is_not_utf8_is_found(host):
    (host.cwd / "uv.toml").write_bytes(b"offline = '\xff'\n")
    finding = host.the_trouble()
    assert finding.what == f"{host.cwd}/uv.toml: is not UTF-8, expected a file that uv can read"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="Python 3.10 cannot parse TOML")
def test_a_file_that_is_not_toml_is_found(host):
    (host.cwd / "uv.toml").write_text("offline = = true\n")
    assert "is not TOML" in host.the_trouble().what


TOML = '''
# a comment
offline = true  # and another
python-preference = "only-managed"
python-install-mirror = 'file:///a b\\c'
cache-dir = "C:\\\\x \\"y\\" \\u00f6"
description = """
python-downloads = "never"
"""
index-url = "https://x.example"
[pip]
offline = false
[[index]]
name = "x"
[tool.uv]
python-downloads = "manual"
[ tool . "uv" . x]
offline = false
'''


@pytest.mark.parametrize("table", ["", "tool.uv"])
def test_the_line_reader_agrees_with_pythons_toml_reader(table):
    tomllib = pytest.importorskip("tomllib", reason="needs Python 3.11 for a second opinion")
    whole = tomllib.loads(TOML)
    expected = whole["tool"]["uv"] if table else whole
    plain = {
        key: value
        for key, value in expected.items()
        if isinstance(value, str | bool) and key != "description"  # goes over several lines
    }
    assert read_lines(TOML, table=table) == plain
    assert plain


STUMBLES = {
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON_INSTALL_MIRROR": "file:///nowhere",
    "UV_PYTHON_CPYTHON_BUILD": "19990101",
    "UV_CACHE_DIR": "/dev/null/cache",
    "UV_PYTHON_DOWNLOADS_JSON_URL": "with file URLs",
    "UV_CONFIG_FILE": "none.toml",
}


@pytest.mark.uv
@pytest.mark.parametrize("name", [None, *STUMBLES])
def test_the_real_uv_does_stumble_over_what_is_found(name, uv, host):
    row = tiny_tree(host.home / "current")
    told = ExportFacts(
        prefix=host.home, uv=("0.13.8",), folders=frozenset({"mirror"}), cache_complete=False,
        interpreters_installed=False,
    )  # fmt: skip
    env = clean_env(host.home) | {one.name: one.value for one in settings(told) if one.name != "PATH"}
    if name:
        env[name] = STUMBLES[name]
    if name == "UV_PYTHON_DOWNLOADS_JSON_URL":
        listing = host.home / "list.json"
        whole = (host.home / "current" / "download-metadata.json").read_text()
        listing.write_text(whole.replace(row.url, "file:///a/b/c.tar.gz"))
        env[name] = str(listing)
    run = subprocess.run(
        [uv, "python", "install", "3.11"], env=env, cwd=host.cwd, capture_output=True, text=True, check=False
    )
    assert (run.returncode == 0) == (name is None), run.stderr
    if name:
        host.env[name] = env[name]
        assert any(name in one.what or env[name] in one.what for one in host.troubles())
