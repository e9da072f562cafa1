"""The system's own `ssh-keygen`: a second judge of signatures, and the way to keys that only it can use.

It is started by its absolute path, without a shell; what it reads are files of ours in a folder that only we
can read. Sites whose rules ask for the operating system's cryptography use it (`--verifier ssh-keygen`).
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bundler.core.durable import host_faults
from bundler.core.fault import Fault
from bundler.errors import HostFault, UsageFault

if TYPE_CHECKING:
    from bundler.signing.publickey import PublicKey

_IDENTITY = "packer"  # the name under which the one line of our allowed_signers file is looked up
_PROGRAM = "ssh-keygen.exe" if os.name == "nt" else "ssh-keygen"
_TIMEOUT = 600  # seconds; a person may have to find and touch a token


def find_ssh_keygen() -> str:
    """Return the absolute path of `ssh-keygen`; raises `HostFault` where there is none.

    Entries of PATH that are no absolute folders (`.`, an empty one) are passed over, and so is the current
    folder, in which Windows looks first: it may be the medium, whose carrier must not be his own judge.
    """
    for folder in map(Path, os.environ.get("PATH", os.defpath).split(os.pathsep)):
        found = shutil.which(str(folder / _PROGRAM)) if folder.is_absolute() else None
        if found:
            return found
    raise HostFault(
        "ssh-keygen: not found on PATH, expected OpenSSH 8.1 or later",
        hint="install OpenSSH's client (openssh-client, openssh-clients), or use --verifier builtin",
    )


def check_signature(armored: bytes, message: bytes, *, key: PublicKey, namespace: str) -> None:
    """Raise `Fault` unless `ssh-keygen -Y verify` accepts it as by `key`; `HostFault` if it cannot run.

    The line it gets has no dates and no patterns, on which versions 8.1 to 9.0 differ: whether the key is
    trusted was decided before.
    """
    program = find_ssh_keygen()
    with host_faults(Path("temporary folder")), tempfile.TemporaryDirectory(prefix="uv-bundler-") as name:
        allowed, signature = Path(name, "allowed_signers"), Path(name, "signature")
        bare = str(key).split(" ")[:2]
        allowed.write_text(f'{_IDENTITY} namespaces="{namespace}" {" ".join(bare)}\n', encoding="ascii")
        signature.write_bytes(armored)
        arguments = [
            "-Y",
            "verify",
            "-f",
            str(allowed),
            "-I",
            _IDENTITY,
            "-n",
            namespace,
            "-s",
            str(signature),
        ]
        done = _run([program, *arguments], message, capture=True)
    if done.returncode:
        _check_age(done.stderr)
        said = _last_line(done.stderr) or f"exit status {done.returncode}"
        raise Fault(
            f"ssh-keygen refuses it: {said}",
            hint="copy the bundle from its source again and compare `sha256sum` on both sides",
        )


def sign(message: bytes, *, key: Path, namespace: str) -> bytes:
    """Return the armored signature that `ssh-keygen -Y sign` makes with the key file `key` over `message`.

    What it says and asks (a PIN, a touch, a passphrase) goes to the terminal. Raises `UsageFault` where it
    fails, `HostFault` where it cannot be run.
    """
    program = find_ssh_keygen()
    done = _run([program, "-Y", "sign", "-n", namespace, "-f", str(key)], message, capture=False)
    if done.returncode or not done.stdout:
        raise UsageFault(
            f"{key}: ssh-keygen made no signature (exit status {done.returncode})",
            hint=f"see what it said above; try it alone: ssh-keygen -Y sign -n {namespace} -f {key} FILE",
        )
    return done.stdout


def _run(arguments: list[str], message: bytes, *, capture: bool) -> subprocess.CompletedProcess[bytes]:
    try:
        return subprocess.run(
            arguments,
            input=message,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if capture else None,
            env={**os.environ, "LC_ALL": "C"},
            timeout=_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise HostFault(
            f"{arguments[0]}: no answer within {_TIMEOUT} s", hint="is it waiting for a token? try again"
        ) from None
    except OSError as error:
        raise HostFault(
            f"{arguments[0]}: {error.strerror or error}", hint="check that ssh-keygen can be started"
        ) from None


def _last_line(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:300] if lines else ""


def _check_age(said: bytes) -> None:
    """Raise `HostFault` where the complaint is about `-Y` itself, which came with OpenSSH 8.1."""
    if any(word in said.lower() for word in (b"unknown option", b"illegal option", b"usage:")):
        raise HostFault(
            "ssh-keygen: too old to verify signatures, expected OpenSSH 8.1 or later",
            hint="use --verifier builtin on this host",
        )
