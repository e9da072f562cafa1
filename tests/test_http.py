"""The session: whose certificates it believes, and what it says when something fails."""

import datetime as dt
import os
import ssl
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bundler.connected.http import TIMEOUT, open_session, source_fault
from bundler.errors import UsageFault

VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "PIP_CERT")


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    for name in (*VARIABLES, "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture(scope="module")
def private(tmp_path_factory):
    """Return the certificate and the key of a server that no public CA has signed."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    folder = tmp_path_factory.mktemp("private")
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(certificate.public_bytes(pem))
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "key.pem").write_bytes(secret)
    return folder


class Hello(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"hi")

    def log_message(self, *_args):
        return


class Quiet(HTTPServer):
    def handle_error(self, *_args):
        return  # clients that do not believe us leave in the middle of the handshake


@pytest.fixture(scope="module")
def https(private):
    """Return the address of a server with that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(private / "ca.pem", private / "key.pem")
    with Quiet(("127.0.0.1", 0), Hello) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        yield f"https://localhost:{server.server_address[1]}/"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name != "SSL_CERT_DIR"])
def test_a_private_ca_is_believed_wherever_it_is_named(variable, private, https, monkeypatch):
    monkeypatch.setenv(variable, str(private / "ca.pem"))
    with open_session() as session:
        assert session.get(https).text == "hi"


def test_a_private_ca_in_pips_configuration_is_believed(private, https, monkeypatch, tmp_path):
    (tmp_path / "pip.conf").write_text(f"[global]\ncert = {private / 'ca.pem'}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with open_session() as session:
        assert session.get(https).text == "hi"


def test_an_unknown_ca_is_refused_with_a_next_step(https):
    with open_session() as session, pytest.raises(requests.exceptions.SSLError) as caught:
        session.get(https)
    fault = source_fault(caught.value, https.replace("//", "//ann:secret@"))
    assert fault.message.startswith(f"{https}: TLS failed: ")
    assert fault.hint == "if a private CA signs for this host, set SSL_CERT_FILE to its certificate"


@pytest.mark.parametrize("variable", [name for name in VARIABLES if name != "SSL_CERT_DIR"])
def test_a_ca_file_that_is_not_there_is_named(variable, monkeypatch, tmp_path):
    monkeypatch.setenv(variable, str(tmp_path / "none.pem"))
    with pytest.raises(UsageFault) as caught:
        open_session()
    named = f"{tmp_path / 'none.pem'}: named by {variable} as private CA, but no such file or directory"
    assert caught.value.message == named
    assert caught.value.hint == f"correct or unset {variable}"


def test_a_ca_file_without_certificates_is_named(monkeypatch, tmp_path):
    (tmp_path / "empty.pem").write_text("nothing")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "empty.pem"))
    with pytest.raises(UsageFault, match="but it holds no certificates in PEM"):
        open_session()


def test_a_request_without_a_time_limit_gets_one(monkeypatch):
    limits = []
    monkeypatch.setattr(
        "requests.adapters.HTTPAdapter.send", lambda *_, **options: limits.append(options["timeout"]) or 1 / 0
    )
    with open_session() as session:
        for options in ({}, {"timeout": 3}):
            with pytest.raises(ZeroDivisionError):
                session.get("https://h.example/", **options)
    assert limits == [TIMEOUT, 3]


def test_a_proxy_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://ann:secret@127.0.0.1:9")
    with open_session() as session, pytest.raises(requests.exceptions.ProxyError) as caught:
        session.get("https://h.example/simple")
    fault = source_fault(caught.value, "https://h.example/simple")
    assert fault.message == "https://h.example/simple: the proxy refused or is not reachable"
    assert fault.hint == "check HTTPS_PROXY and NO_PROXY"
