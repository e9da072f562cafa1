"""Why a request failed, without secrets and memory addresses."""

from __future__ import annotations

import pytest
import requests
from urllib3 import exceptions as low

from bundler.connected.reasons import reason, shown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:secret@host:8443/a%2Bb?token=secret#x", "https://host:8443/a%2Bb"),
        ("https://user@host/", "https://host/"),
        ("file:///a/b", "file:///a/b"),
        ("https://host/\x1b[31m", "https://host/\\x1b[31m"),
        ("https://[::1", "https://[::1"),
    ],
)
def test_a_url_is_shown_without_secrets(url, expected):
    assert shown(url) == expected


def refused():
    error = low.NewConnectionError(None, "refused")
    error.__cause__ = ConnectionRefusedError(111, "Connection refused")
    return requests.ConnectionError(low.MaxRetryError(None, "/", error))


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (refused(), "connection refused"),
        (requests.ConnectTimeout(low.ConnectTimeoutError("x")), "no connection in time"),
        (requests.ReadTimeout(low.ReadTimeoutError(None, "/", "x")), "stalled, no byte in time"),
        (requests.exceptions.ProxyError("x"), "the proxy refused or is not reachable"),
        (low.ProtocolError("cut", low.IncompleteRead(1, 2)), "cut off before its end"),
        (
            requests.ConnectionError(low.NameResolutionError("h", None, OSError("x"))),
            "the name of the host cannot be resolved",
        ),
        (
            requests.exceptions.SSLError(OSError("certificate verify failed")),
            "TLS failed: certificate verify failed",
        ),
        (requests.RequestException("something\nelse"), "something\\nelse"),
    ],
)
def test_what_happened_is_said_in_few_words(error, words):
    assert reason(error) == words
