"""What an administrator may say to `unpack` beside naming the bundle: what to expect, what to put up with."""

from __future__ import annotations

from typing import Annotated

import typer

from bundler.errors import UsageFault

_SHA256 = 64  # hexadecimal digits
AcceptName = Annotated[
    str | None,
    typer.Option(
        "--accept-name",
        envvar="UV_BUNDLER_ACCEPT_NAME",
        help="Let a bundle of this other name replace the active one.",
    ),
]
ExpectSerial = Annotated[
    int | None,
    typer.Option(
        "--expect-serial",
        envvar="UV_BUNDLER_EXPECT_SERIAL",
        min=1,
        help="Take only the bundle with this serial, as a transfer form says it.",
    ),
]
ExpectIndex = Annotated[
    str | None,
    typer.Option(
        "--expect-index",
        envvar="UV_BUNDLER_EXPECT_INDEX",
        metavar="SHA256",
        help="Take only the bundle whose index has this sha256: `pack` printed it.",
    ),
]
AllowDowngrade = Annotated[
    bool,
    typer.Option(
        "--allow-downgrade",
        envvar="UV_BUNDLER_ALLOW_DOWNGRADE",
        help="Take a bundle older than what this host has seen; needs --reason.",
    ),
]
AllowExpired = Annotated[
    bool,
    typer.Option(
        "--allow-expired",
        envvar="UV_BUNDLER_ALLOW_EXPIRED",
        help="Take an expired bundle where the trust document forbids it; needs --reason.",
    ),
]


def check_index_digest(text: str | None) -> None:
    """Raise `UsageFault` where `--expect-index` is no sha256."""
    if text is not None and (len(text) != _SHA256 or set(text.lower()) - set("0123456789abcdef")):
        raise UsageFault(
            f"--expect-index: expected {_SHA256} hexadecimal digits, found {text!r}",
            hint="the packer's `uv-bundler pack` printed it: index sha256 …",
        )
