"""`allowed_signers` files: every mistake is told with its line."""

from __future__ import annotations

import shutil
import subprocess
import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from softkeys import NAMESPACE, soft_key

from bundler.core.fault import Fault
from bundler.signing.allowed_signers import MAX_FILE_BYTES, Rule, parse_allowed_signers
from bundler.signing.trustfile import parse_rules

KEY = soft_key("ed25519").public
UTC = timezone.utc


def one(line):
    (rule,) = parse_allowed_signers(f"{line}\n".encode())
    return rule


def test_principals_options_and_comment_are_read():
    rule = one(f'a@x,b* namespaces="git,{NAMESPACE}",valid-before="20300102Z" {KEY} some comment')
    assert rule == Rule(
        principals="a@x,b*",
        key=KEY,
        namespaces=f"git,{NAMESPACE}",
        valid_before=datetime(2030, 1, 2, tzinfo=UTC),
        line=1,
    )
    assert rule.key.comment == "some comment"


@pytest.mark.parametrize(
    ("line", "principals"),
    [
        (f'"two words" {KEY}', "two words"),
        (f'   a\tnamespaces="git"\t{KEY}\r', "a"),
        (f'a NAMESPACES="git" {KEY}', "a"),
        (f"* {KEY}", "*"),
    ],
)
def test_quotes_blanks_and_windows_line_ends_are_read_as_openssh_does(line, principals):
    assert one(line).principals == principals


def test_comments_and_blank_lines_are_skipped_and_lines_are_counted():
    rules = parse_allowed_signers(f"# who\n\n  \n\t# more\na {KEY}\n#\nb {KEY}".encode())
    assert [(rule.principals, rule.line) for rule in rules] == [("a", 5), ("b", 7)]


@pytest.mark.parametrize(
    ("namespaces", "covered"),
    [(None, True), (NAMESPACE, True), ("uv-bundler.*", True), ("git", False), (f"*,!{NAMESPACE}", False)],
)
def test_a_rule_covers_the_namespaces_that_it_names(namespaces, covered):
    assert Rule(principals="a", key=KEY, namespaces=namespaces).covers(NAMESPACE) is covered


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("20260102Z", datetime(2026, 1, 2, tzinfo=UTC)),
        ("20260102z", datetime(2026, 1, 2, tzinfo=UTC)),
        ("202601021530UTC", datetime(2026, 1, 2, 15, 30, tzinfo=UTC)),
        ("20260102153059Z", datetime(2026, 1, 2, 15, 30, 59, tzinfo=UTC)),
    ],
)
def test_times_in_utc_are_read(text, expected):
    assert one(f'a valid-after="{text}" {KEY}').valid_after == expected


@pytest.fixture
def auckland(monkeypatch):
    if not hasattr(time, "tzset"):
        pytest.skip("needs time.tzset, which this platform has not")
    monkeypatch.setenv("TZ", "NZST-12")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("auckland")
def test_times_without_z_are_local():
    assert one(f'a valid-after="20260102" {KEY}').valid_after == datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_a_span_of_time_includes_its_ends():
    rule = one(f'a valid-after="20260101Z",valid-before="20260201Z" {KEY}')
    at = [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)]
    assert [rule.refusal(moment) for moment in at] == [None, None]
    assert rule.refusal(datetime(2025, 12, 31, 23, 59, 59, tzinfo=UTC)) == (
        "valid only after 20260101000000Z, and it is 20251231235959Z"
    )
    assert (
        rule.refusal(datetime(2026, 2, 1, 0, 0, 1, tzinfo=UTC))
        == "expired 20260201000000Z, and it is 20260201000001Z"
    )


BLOB = str(KEY).split()[1]
REFUSED = [
    ("a", "expected an option or a key type, found nothing"),
    ("a ssh-ed25519", "expected a public key: TYPE BASE64 COMMENT"),
    (f"a {BLOB}", f"expected an option or a key type, found '{BLOB}'"),
    ('"a ssh-ed25519 AAAA', "expected PRINCIPALS [OPTIONS] TYPE BASE64, found no principals"),
    (f'"" {KEY}', "expected PRINCIPALS [OPTIONS] TYPE BASE64, found no principals"),
    (f"a cert-authority {KEY}", "expected a plain key, found cert-authority: certificates are not accepted"),
    (
        f'a namespaces="git",CERT-AUTHORITY {KEY}',
        "expected a plain key, found cert-authority: certificates are not accepted",
    ),
    (f"a no-pty {KEY}", "expected an option or a key type, found 'no-pty'"),
    (f'a namespace="git" {KEY}', "expected an option or a key type, found 'namespace=\"git\"'"),
    (f"a namespaces=git {KEY}", 'expected namespaces="…", found no quoted value'),
    (f'a namespaces="" {KEY}', 'expected namespaces="…", found no quoted value'),
    (f'a namespaces="git",namespaces="x" {KEY}', "expected namespaces once, found it twice"),
    (f'a namespaces="git", {KEY}', "expected an option or a key type, found 'ssh-ed25519'"),
    (
        f'a namespaces="git"x {KEY}',
        "expected an option or a key type, found 'x'",
    ),
    ('a namespaces="git"', "expected an option or a key type, found nothing"),
    (
        f'a valid-before="tomorrow" {KEY}',
        "expected valid-before=\"YYYYMMDD[HHMM[SS]][Z]\", found 'tomorrow'",
    ),
    (
        f'a valid-before="20261301Z" {KEY}',
        "expected valid-before=\"YYYYMMDD[HHMM[SS]][Z]\", found '20261301Z'",
    ),
    (
        f'a valid-after="2026 102Z" {KEY}',
        "expected valid-after=\"YYYYMMDD[HHMM[SS]][Z]\", found '2026 102Z'",
    ),
    (
        f'a valid-after="20260201",valid-before="20260101" {KEY}',
        "expected valid-before later than valid-after",
    ),
    (f"a {KEY}"[:-9], None),
    ("a ssh-dss AAAAB3NzaC1kc3M=", "expected a key that can still be trusted, found DSA (ssh-dss)"),
    ("a" * 20481, "expected a line of at most 20480 characters, found 20481"),
]


@pytest.mark.parametrize(("line", "message"), REFUSED, ids=range(len(REFUSED)))
def test_a_line_that_does_not_fit_is_told_with_its_number(line, message):
    with pytest.raises(Fault) as caught:
        parse_allowed_signers(f"# comment\nfirst {KEY}\n{line}\n".encode())
    assert caught.value.path == (3,)
    assert message is None or caught.value.message == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xef\xbb\xbfa " + str(KEY).encode(), "expected plain UTF-8, found a UTF-8 byte order mark"),
        (f"a {KEY}".encode("utf-16"), "expected plain UTF-8, found a UTF-16 byte order mark"),
        (b"a\xff", "expected UTF-8 text, found byte 0xff"),
        (b"a\0b", "expected text, found a NUL character"),
        (b"#" * (MAX_FILE_BYTES + 1), f"expected at most {MAX_FILE_BYTES} bytes, found more"),
    ],
)
def test_a_file_that_is_not_plain_text_is_refused(data, message):
    with pytest.raises(Fault) as caught:
        parse_allowed_signers(data)
    assert caught.value.message == message


TIMES = st.none() | st.integers(946684800, 2**31 - 1).map(lambda number: datetime.fromtimestamp(number, UTC))


@given(
    principals=st.text("abc@.*?!,_- ", min_size=1).filter(lambda text: text.strip()),
    namespaces=st.none()
    | st.text('abc.*,-"\\', min_size=1).filter(lambda text: not text.endswith("\\") and '\\"' not in text),
    after=TIMES,
    before=TIMES,
)
def test_a_rule_reads_back_what_it_writes(principals, namespaces, after, before):
    if after and before and after > before:
        after, before = before, after
    rule = Rule(
        principals=principals,
        key=KEY,
        namespaces=namespaces,
        valid_after=after,
        valid_before=before,
        line=1,
    )
    assert one(str(rule)) == rule


@pytest.mark.parametrize("name", ["two words", "#packer", "ssh-ed25519", "sk-x", "\ufeffpacker"])
def test_a_name_that_would_read_as_something_else_is_written_in_quotes(name):
    rule = one(f'"{name}" {KEY}')
    assert str(rule) == f'"{name}" {KEY}'
    assert parse_rules(f"{rule}\n".encode()) == (rule,)


def test_a_year_before_1000_is_written_with_four_digits():
    rule = one(f'a valid-after="02260102Z" {KEY}')
    assert str(rule) == f'a valid-after="02260102000000Z" {KEY}'
    assert one(str(rule)) == rule


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_a_fault(data):
    try:
        parse_allowed_signers(b"a " + data)
    except Fault as fault:
        assert fault.message


OPENSSH_CASES = [
    "packer@site {key}",
    "*@site {key}",
    "*,!packer@site {key}",
    '"packer@site" {key}',
    'packer@site namespaces="{ns}" {key}',
    'packer@site namespaces="git" {key}',
    'packer@site namespaces="*,!{ns}" {key}',
    'packer@site namespaces="uv-*.v1",valid-before="20370101" {key} comment',
    'packer@site valid-before="20010101" {key}',
    'packer@site valid-after="20370101" {key}',
    "packer@site cert-authority {key}",
]


@pytest.mark.parametrize("template", OPENSSH_CASES)
def test_ssh_keygen_reads_a_line_as_we_do(tmp_path, template):
    """Ours asks for no principal; with the one that is meant, the verdicts agree."""
    from bundler.signing.patterns import matches

    ssh_keygen = shutil.which("ssh-keygen")
    if not ssh_keygen:
        pytest.skip("needs ssh-keygen as the outside judge, and it is not on PATH")
    line = template.format(key=KEY, ns=NAMESPACE)
    try:
        rule = one(line)
        ours = (
            matches("packer@site", rule.principals)
            and rule.covers(NAMESPACE)
            and rule.refusal(datetime.now(UTC)) is None
        )
    except Fault:
        ours = False
    (tmp_path / "allowed").write_text(line + "\n")
    (tmp_path / "sig").write_bytes(soft_key("ed25519").sign(b"message"))
    judge = [ssh_keygen, "-Y", "verify", "-f", tmp_path / "allowed", "-I", "packer@site", "-n", NAMESPACE]
    done = subprocess.run(
        [*judge, "-s", tmp_path / "sig"], input=b"message", capture_output=True, check=False
    )
    if b"bad options" in done.stderr:
        pytest.skip("this ssh-keygen knows no dates")
    assert (done.returncode == 0) is ours, done.stderr
