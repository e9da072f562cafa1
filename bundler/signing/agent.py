"""ssh-agent (draft-miller-ssh-agent): which keys it holds, and signatures that it makes.

The only module here that opens a socket, a local one. It is imported when somebody signs, never to verify.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from bundler.core.fault import Fault
from bundler.errors import HostFault, UsageFault
from bundler.signing import wire

if TYPE_CHECKING:
    from bundler.signing.publickey import PublicKey

_FAILURE = 5  # message numbers: clause 5.1 of the draft
_REQUEST_IDENTITIES, _IDENTITIES = 11, 12
_SIGN_REQUEST, _SIGN_RESPONSE = 13, 14
_RSA_SHA2_512 = 4  # flag of a sign request: without it an RSA key signs with SHA-1
_MAX_ANSWER = 256 << 10  # bytes: OpenSSH's own limit of a message
_TIMEOUT = 300.0  # seconds; a person may have to confirm or touch a token


def agent_address() -> str | None:
    """Return the address of the agent's socket, or None where no agent can be reached in this way."""
    if not hasattr(socket, "AF_UNIX"):
        return None
    return os.environ.get("SSH_AUTH_SOCK") or None


def agent_keys(address: str) -> list[bytes]:
    """Return the blobs of all keys that the agent holds; raises `HostFault` where it does not answer."""
    number, body = _ask(address, bytes([_REQUEST_IDENTITIES]))
    try:
        if number != _IDENTITIES:
            raise Fault(f"expected its list of keys, found message {number}")  # noqa: TRY301  # one way out
        blobs = []
        for _ in range(body.uint32("number of keys")):
            blobs.append(body.string("key"))
            body.string("comment")
        body.end("list of keys")
    except Fault as fault:
        raise _nonsense(address, fault) from None
    return blobs


def agent_sign(address: str, data: bytes, *, key: PublicKey) -> bytes:
    """Return the signature blob of the agent's `key` over `data`; `UsageFault` where it declines."""
    request = bytes([_SIGN_REQUEST]) + wire.string(key.blob) + wire.string(data) + wire.uint32(_RSA_SHA2_512)
    number, body = _ask(address, request)
    if number == _FAILURE:
        raise UsageFault(
            f"ssh-agent: declined to sign with {key.fingerprint}",
            hint="was the request confirmed, the token touched, the agent unlocked? See `ssh-add -l`",
        )
    try:
        if number != _SIGN_RESPONSE:
            raise Fault(f"expected a signature, found message {number}")  # noqa: TRY301  # one way out
        signature = body.string("signature")
        body.end("answer")
    except Fault as fault:
        raise _nonsense(address, fault) from None
    return signature


def _ask(address: str, request: bytes) -> tuple[int, wire.Reader]:
    """Send one request on a new connection; return the number of the answer and its fields."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_TIMEOUT)
            connection.connect(address)
            connection.sendall(wire.string(request))
            answer = _receive_answer(connection)
    except OSError as error:
        raise HostFault(
            f"ssh-agent at {address}: {error.strerror or error}",
            hint="start one and add the key: eval $(ssh-agent); ssh-add KEY; or name the private key file",
        ) from None
    except Fault as fault:
        raise _nonsense(address, fault) from None
    return answer[0], wire.Reader(answer[1:])


def _receive_answer(connection: socket.socket) -> bytes:
    length = int.from_bytes(_receive(connection, 4), "big")
    if not 1 <= length <= _MAX_ANSWER:
        raise Fault(f"expected an answer of 1 to {_MAX_ANSWER} bytes, found {length}")
    return _receive(connection, length)


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise Fault(f"expected {count} bytes, found {len(data)}")
        data += more
    return data


def _nonsense(address: str, fault: Fault) -> HostFault:
    return HostFault(
        f"ssh-agent at {address}: {fault.message}",
        hint="check SSH_AUTH_SOCK, or name the private key file",
    )
