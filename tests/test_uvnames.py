import pytest

from bundler.core.digest import Digest
from bundler.core.fault import Fault
from bundler.core.uvnames import cache_name, file_name, mirror_path, own_build_url

PBS = "https://github.com/astral-sh/python-build-standalone/releases/download/20251010/"
FILE = "cpython-3.13.9%2B20251010-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
SHA = Digest("4a51ce600" + "0" * 55)


def test_a_plus_is_a_plus_in_the_mirror_and_a_dash_in_the_cache():
    name = "cpython-3.13.9+20251010-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    assert file_name(PBS + FILE) == name
    assert mirror_path(PBS + FILE) == f"mirror/20251010/{name}"
    assert cache_name(PBS + FILE, SHA) == f"4a51ce600-{name.replace('+', '-')}"


@pytest.mark.parametrize(
    ("url", "path"),
    [
        (
            "https://downloads.python.org/pypy/pypy3.11-v7.3.20-linux64.tar.gz",
            "mirror-pypy/pypy3.11-v7.3.20-linux64.tar.gz",
        ),
        (
            "https://github.com/oracle/graalpython/releases/download/graal-25.0.1/graalpy-25.0.1-linux-amd64.tar.gz",
            "mirror-graalpy/graal-25.0.1/graalpy-25.0.1-linux-amd64.tar.gz",
        ),
    ],
)
def test_other_implementations_have_mirrors_of_their_own(url, path):
    assert mirror_path(url) == path


def test_a_download_from_elsewhere_has_no_mirror():
    with pytest.raises(Fault, match="expected a download of python-build-standalone"):
        mirror_path("https://example.org/a.tar.gz")


def test_an_own_build_lies_in_the_mirror_under_its_own_name():
    url = own_build_url("cpython-3.11.7+own-x86_64.tar.gz", SHA)
    assert "%2B" in url
    assert mirror_path(url) == "mirror/own-4a51ce600/cpython-3.11.7+own-x86_64.tar.gz"
