"""Listing what an index has: JSON, HTML and folders, and what they may get wrong."""

import json

import pytest
from hostile import closed_port, running, serve, status

from bundler.connected.http import open_session
from bundler.connected.packageindex import IndexFile, list_files
from bundler.connected.patience import Patience
from bundler.core.digest import Digest
from bundler.errors import SourceFault

SHA = "5" * 64
SESSION = []
QUICK = Patience(first_wait=0.0, longest_wait=0.0)
JSON = "application/vnd.pypi.simple.v1+json"
WHEEL = "uv-0.13.8-py3-none-win_amd64.whl"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch, tmp_path):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))


@pytest.fixture
def server():
    with running() as hostile:
        yield hostile


@pytest.fixture(autouse=True, scope="module")
def _session():
    """Open one session for all tests: loading the CAs takes a while."""
    with open_session() as session:
        SESSION.append(session)
        yield
    SESSION.clear()


def listed(index, project="uv"):
    return list_files(index, project, session=SESSION[0], patience=QUICK)


def page(server, body, **fields):
    """Let the server answer for uv, and return the index's address."""
    fields.setdefault("Content_Type", "text/html")
    return server.on("/simple/uv/", serve(body, **fields)).removesuffix("uv/")


def origin(server):
    return f"http://127.0.0.1:{server.server_address[1]}"


def test_html_is_read_with_relative_addresses_and_hashes(server):
    index = page(server, f'<a href="../../files/{WHEEL}#sha256={SHA}">{WHEEL}</a>'.encode())
    assert listed(index) == (
        IndexFile(
            name=WHEEL,
            url=f"{origin(server)}/files/{WHEEL}",
            sha256=Digest(SHA),
            size=None,
            yanked=False,
        ),
    )


def test_json_is_read_with_size_and_yanked(server):
    file = {"filename": WHEEL, "url": f"/f/{WHEEL}", "hashes": {"sha256": SHA}, "size": 7, "yanked": "broken"}
    body = json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "uv", "files": [file], "versions": []}
    ).encode()
    (read,) = listed(page(server, body, Content_Type=JSON))
    assert (read.url, read.sha256, read.size, read.yanked) == (
        f"{origin(server)}/f/{WHEEL}",
        Digest(SHA),
        7,
        True,
    )


def test_both_forms_are_asked_for_and_json_is_preferred(server):
    listed(page(server, f'<a href="{WHEEL}">{WHEEL}</a>'.encode()))
    accept = server.requests[0][2]["Accept"]
    assert JSON in accept
    assert "text/html" in accept
    assert server.requests[0][2]["User-Agent"].startswith("uv-bundler/")


@pytest.mark.parametrize("fragment", ["", f"#md5={'a' * 32}", "#sha256=zz", f"#sha512={'b' * 128}"])
def test_a_file_without_a_usable_sha256_has_none(server, fragment):
    (read,) = listed(page(server, f'<a href="{WHEEL}{fragment}">{WHEEL}</a>'.encode()))
    assert read.sha256 is None
    assert "#" not in read.url


def test_a_sha256_in_capitals_is_taken(server):
    (read,) = listed(page(server, f'<a href="{WHEEL}#sha256={"AB" * 32}">{WHEEL}</a>'.encode()))
    assert read.sha256 == Digest("ab" * 32)


def test_yanked_html_links_are_known_as_such(server):
    (read,) = listed(page(server, f'<a data-yanked="" href="{WHEEL}">{WHEEL}</a>'.encode()))
    assert read.yanked


@pytest.mark.parametrize(
    "link",
    [
        f'<a href="{WHEEL}">uv-0.13.8-py3-none-win_am..&gt;</a>',  # what Apache makes of a long name
        f'<a href="../../+f/abc/{WHEEL}">{WHEEL}</a>',  # devpi
        f'<a href="../../packages/uv/0.13.8/{WHEEL}" rel="internal">{WHEEL}</a>',  # Artifactory and Nexus
        f'<a href="download?file=1">\n {WHEEL} </a>',  # the name in the text alone
    ],
)
def test_names_are_found_whatever_the_server_makes_of_links(server, link):
    (read,) = listed(page(server, link.encode()))
    assert read.name == WHEEL


def test_links_that_are_no_files_are_passed_over(server):
    body = f'<a href="../">up</a><a href="{WHEEL}">{WHEEL}</a><a href="notes.txt">notes</a>'.encode()
    assert [file.name for file in listed(page(server, body))] == [WHEEL]


def test_a_page_that_was_moved_is_the_base_of_its_links(server):
    server.on("/new/uv/", serve(f'<a href="{WHEEL}">{WHEEL}</a>'.encode(), Content_Type="text/html"))
    server.on("/simple/uv/", status(301, Location="/new/uv/"))
    (read,) = listed(f"{origin(server)}/simple")
    assert read.url == f"{origin(server)}/new/uv/{WHEEL}"


def test_a_busy_index_is_asked_again(server):
    body = serve(f'<a href="{WHEEL}">{WHEEL}</a>'.encode(), Content_Type="text/html")
    server.on("/simple/uv/", status(503), status(429), body)
    assert len(listed(f"{origin(server)}/simple/")) == 1


def test_an_index_that_stays_busy_is_reported_without_the_password(server):
    server.on("/simple/uv/", status(503))
    with pytest.raises(SourceFault) as caught:
        listed(f"{origin(server)}/simple/".replace("//", "//user:secret@"))
    assert caught.value.message == f"{origin(server)}/simple/uv/: answered 503, expected 200"
    assert caught.value.hint == "the server is in trouble: try again later"
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (401, "put the credentials for this host into ~/.netrc"),
        (403, "the server refuses these credentials or this address: check ~/.netrc and the proxy"),
        (404, "check the address: the server answers, but has nothing there"),
        (407, "the proxy wants credentials: set HTTPS_PROXY=http://USER:PASSWORD@HOST:PORT"),
    ],
)
def test_a_refusal_has_a_next_step_and_is_not_repeated(server, code, hint):
    server.on("/simple/uv/", status(code))
    with pytest.raises(SourceFault, match=f"answered {code}, expected 200") as caught:
        listed(f"{origin(server)}/simple/")
    assert caught.value.hint == hint
    assert len(server.requests) == 1


def test_an_index_that_is_down_is_reported():
    port = closed_port()
    with pytest.raises(SourceFault) as caught:
        listed(f"http://127.0.0.1:{port}/simple")
    assert caught.value.message == f"http://127.0.0.1:{port}/simple/uv/: connection refused"
    assert "HTTPS_PROXY" in caught.value.hint


def test_credentials_come_from_netrc(server, monkeypatch, tmp_path):
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login ann password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    listed(page(server, f'<a href="{WHEEL}">{WHEEL}</a>'.encode()))
    assert server.requests[0][2]["Authorization"] == "Basic YW5uOnNlY3JldA=="


def test_credentials_of_the_index_go_to_files_on_its_host_and_to_no_other(server):
    other = "uv-0.13.8-py3-none-win32.whl"
    host = origin(server)
    body = (
        f'<a href="{host}/f/{WHEEL}">{WHEEL}</a><a href="http://other.example/{other}">{other}</a>'.encode()
    )
    index = page(server, body).replace("//", "//ann:secret@")
    here, there = listed(index)
    assert here.url == f"{host}/f/{WHEEL}".replace("//", "//ann:secret@")
    assert there.url == f"http://other.example/{other}"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"<html>Please log in</html>", "text/html", "has no files of uv, expected wheels and sdists"),
        (b"{", JSON, "cannot be read as the answer of a package index"),
        (b"[]", JSON, "cannot be read as the answer of a package index"),
        (b"[" * 100_000, JSON, "cannot be read as the answer of a package index"),
        (b"PK", "application/zip", "expected an index in HTML or JSON, found application/zip"),
        (b'{"meta": {"api-version": "2.0"}, "name": "uv", "files": []}', JSON, "expected version 1"),
    ],
)
def test_what_is_no_index_is_refused(server, body, kind, message):
    with pytest.raises(SourceFault, match=message) as caught:
        listed(page(server, body, Content_Type=kind))
    assert caught.value.hint


def test_an_endless_page_is_refused(server, monkeypatch):
    monkeypatch.setattr("bundler.connected.packageindex.MAX_PAGE", 1000)
    with pytest.raises(SourceFault, match="more than 1000 bytes, expected a list of files"):
        listed(page(server, b"x" * 2000))


def test_a_folder_may_be_a_tree_of_pages(tmp_path):
    project = tmp_path / "simple" / "uv"
    project.mkdir(parents=True)
    (project / WHEEL).write_bytes(b"12345")
    (project / "index.html").write_text(f'<a href="{WHEEL}#sha256={SHA}">{WHEEL}</a>')
    for index in ((tmp_path / "simple").as_uri(), tmp_path.as_uri()):
        (read,) = listed(index)
        assert (read.url, read.sha256, read.size) == ((project / WHEEL).as_uri(), Digest(SHA), 5)


def test_a_folder_may_hold_json(tmp_path):
    file = {"filename": WHEEL, "url": f"../files/{WHEEL}", "hashes": {}}
    (tmp_path / "uv").mkdir()
    body = {"meta": {"api-version": "1.0"}, "name": "uv", "files": [file]}
    (tmp_path / "uv" / "index.json").write_text(json.dumps(body))
    (read,) = listed(tmp_path.as_uri())
    assert read.url == (tmp_path / "files" / WHEEL).as_uri()


def test_a_folder_may_be_nothing_but_files(tmp_path):
    for name in (WHEEL, "uv-0.13.8.tar.gz", "uvloop-0.20.0.tar.gz", "notes.txt"):
        (tmp_path / name).write_bytes(b"123")
    files = listed(tmp_path.as_uri())
    assert [(file.name, file.size, file.sha256) for file in files] == [
        (WHEEL, 3, None),
        ("uv-0.13.8.tar.gz", 3, None),
    ]


def test_a_folder_in_a_path_with_odd_characters_is_found(tmp_path):
    folder = tmp_path / "ä b#c%20"
    folder.mkdir()
    (folder / WHEEL).write_bytes(b"1")
    (read,) = listed(folder.as_uri())
    assert read.url == (folder / WHEEL).as_uri()


def test_a_folder_that_is_not_there_is_reported(tmp_path):
    with pytest.raises(SourceFault, match="no such folder, expected a package index"):
        listed((tmp_path / "none").as_uri())


def test_an_empty_folder_is_reported(tmp_path):
    with pytest.raises(SourceFault, match="has no files of uv, expected wheels and sdists"):
        listed(tmp_path.as_uri())
