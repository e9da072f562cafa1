import json
import os
import platform
import sys

import pytest
from bundles import archive, make_bundle, small_content, unpack_bytes
from ownbuild_fixture import host_build

from bundler.core.platforms import host_platform
from bundler.core.progress import Silent
from bundler.errors import DamagedFault, PolicyFault
from bundler.offline.interpreters import install_all
from bundler.offline.prefix import check_prefix

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs an own build by prefix, on Linux")
KEY = f"cpython-{platform.python_version()}-{host_platform()}"


def stamped(stamp):
    """Return the running Python as an archive; another stamp in its gzip header makes it another build."""
    content = host_build().path.read_bytes()
    return content[:4] + bytes([stamp]) + content[5:]


class Notes(Silent):
    def __init__(self):
        self.lines = []

    def note(self, line):
        self.lines.append(line)


def installed(prefix, content, uv, *, serial):
    """Unpack a bundle of one archive, put the real uv in the place of the test bundle's, install."""
    generation, _ = unpack_bytes(
        make_bundle(archives=[archive(content, version=tuple(sys.version_info[:3]))], serial=serial), prefix
    )
    program = prefix / "current" / "bin" / "uv"
    program.unlink()
    program.symlink_to(uv)
    notes = Notes()
    keys = install_all(generation, check_prefix(prefix), command="test", progress=notes)
    return keys, notes.lines, (prefix / "python" / KEY / "BUILD").read_text()


@pytest.mark.uv
def test_every_interpreter_is_installed_and_started(tmp_path, uv):
    keys, notes, build = installed(tmp_path / "p", stamped(1), uv, serial=1)
    assert keys == (KEY,)
    assert notes == []
    listed = json.loads((tmp_path / "p" / "current" / "download-metadata.json").read_bytes())
    assert build == listed[KEY]["build"]


PRETENDS = r"""#!/bin/sh
case "$2" in
install) mkdir -p "$UV_PYTHON_INSTALL_DIR/$3"; cd "$UV_PYTHON_INSTALL_DIR/$3" && touch os.py &&
    printf '#!/bin/sh\nmkdir "${0%%/*}/__pycache__"' > python && chmod +x python ;;
find) echo "$UV_PYTHON_INSTALL_DIR/$4/python" ;;
esac
"""


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_all_can_read_what_was_installed_and_its_owner_alone_writes_it_whatever_the_umask(tmp_path, umask):
    generation, _ = unpack_bytes(make_bundle(), tmp_path / "p")
    program = tmp_path / "p" / "current" / "bin" / "uv"
    program.unlink()
    program.write_text(PRETENDS)
    program.chmod(0o755)
    before = os.umask(umask)
    try:
        (key,) = install_all(generation, check_prefix(tmp_path / "p"), command="test", progress=Silent())
    finally:
        os.umask(before)
    folder = tmp_path / "p" / "python" / key
    modes = {one.name: oct(one.stat().st_mode & 0o777) for one in (folder, *folder.iterdir())}
    assert modes == {key: "0o755", "os.py": "0o644", "python": "0o755", "__pycache__": "0o755"}


@pytest.mark.uv
def test_a_newer_build_of_the_same_version_replaces_the_installed_one(tmp_path, uv):
    _, _, before = installed(tmp_path / "p", stamped(1), uv, serial=1)
    _, notes, after = installed(tmp_path / "p", stamped(2), uv, serial=2)
    assert before != after
    assert notes == [f"{KEY}: build {before} is replaced by {after}"]
    marker = tmp_path / "p" / "python" / KEY / "marker"
    marker.touch()
    installed(tmp_path / "p", stamped(2), uv, serial=3)
    assert marker.exists()


@pytest.mark.uv
def test_an_archive_that_uv_refuses_is_told_in_uvs_words(tmp_path, uv):
    with pytest.raises(DamagedFault) as caught:
        installed(tmp_path / "p", small_content(), uv, serial=1)
    assert str(caught.value).startswith(f"{KEY}: uv python install ended with ")


def test_a_bundle_without_uv_for_this_host_says_so(tmp_path):
    generation, _ = unpack_bytes(make_bundle(uv_for=()), tmp_path / "p")
    with pytest.raises(PolicyFault, match="this bundle has no uv for"):
        install_all(generation, check_prefix(tmp_path / "p"), command="test", progress=Silent())


@pytest.mark.uv
def test_what_was_left_half_installed_is_installed_again(tmp_path, uv):
    prefix = tmp_path / "p"
    installed(prefix, stamped(1), uv, serial=1)
    (prefix / "state" / "installing").write_text(f"{KEY}\n")  # as a run leaves it that was stopped here
    library = next((prefix / "python" / KEY / "lib").glob("python3.*")) / "ssl.py"
    library.write_bytes(b"")  # as a power cut leaves it: uv syncs nothing
    installed(prefix, stamped(1), uv, serial=2)
    assert library.read_bytes()
    assert not (prefix / "state" / "installing").exists()


@pytest.mark.uv
def test_an_install_that_fails_stays_noted_as_unfinished(tmp_path, uv):
    with pytest.raises(DamagedFault):
        installed(tmp_path / "p", small_content(), uv, serial=1)
    assert (tmp_path / "p" / "state" / "installing").read_text() == f"{KEY}\n"
