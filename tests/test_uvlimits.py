"""What older versions of uv cannot do; the boundary for debug builds was measured with 0.8.17 and 0.8.18."""

import pytest
from packaging.version import Version
from uvlists import row

from bundler.connected.uvlimits import check_versions, unusable
from bundler.errors import UsageFault


def versions(*names):
    return [Version(name) for name in names]


def test_a_uv_that_reads_no_list_is_refused():
    check_versions(versions("0.6.13", "0.13.8"))
    with pytest.raises(UsageFault) as caught:
        check_versions(versions("0.13.8", "0.6.12"))
    message = "uv 0.6.12: cannot be given a list of Pythons, expected 0.6.13 or newer"
    assert caught.value.message == message


def test_rows_that_an_older_uv_does_not_install_are_told_for_each_version():
    rows = [row("3.13.5"), row("3.13.5", variant="debug"), row("3.12.0", name="graalpy")]
    assert unusable(versions("0.8.18", "0.6.17", "0.8.17"), rows) == [
        "uv 0.6.17 will not install cpython-3.13.5+debug-linux-x86_64-gnu: only 0.8.18 and newer do",
        "uv 0.6.17 will not install graalpy-3.12.0-linux-x86_64-gnu: only 0.7.0 and newer do",
        "uv 0.8.17 will not install cpython-3.13.5+debug-linux-x86_64-gnu: only 0.8.18 and newer do",
    ]


def test_ordinary_rows_are_installed_by_every_version():
    assert (
        unusable(versions("0.6.13", "0.13.8"), [row("3.13.5"), row("3.13.5", variant="freethreaded")]) == []
    )
