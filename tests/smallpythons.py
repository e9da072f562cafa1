"""Made-up interpreters in archives like the real ones: small, and as alike as neighbours are."""

import io
import random
import tarfile
import zipfile
import zlib

from bundler.connected.bundlewriter import Ingredient
from bundler.core.digest import Digest
from bundler.core.platforms import Platform
from bundler.deflate import catalog

LINUX, MACOS, WINDOWS = (
    Platform.parse(text) for text in ("linux-x86_64-gnu", "macos-aarch64-none", "windows-x86_64-none")
)
_WORDS = [f"word{number} " for number in range(300)]


def text(seed, size=4000):
    """Return words that compress to about a third."""
    chance = random.Random(seed)
    return "".join(chance.choices(_WORDS, k=size // 7)).encode()


def code(seed, magic=b"\x7fELF", size=20_000):
    """Return what looks like a program to us."""
    return magic + random.Random(f"{seed}").randbytes(size)


def wheel(version, level=6):
    """Return a wheel with text, an empty file and a program for Windows in it."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {
            "pip/__init__.py": text("pip"), "pip/main.py": text(f"pip {version}"), "pip/py.typed": b"",
            "pip/t64.exe": code("t64", b"MZ"), f"pip-{version}.dist-info/METADATA": text(f"metadata {version}", 500),
        }.items():  # fmt: skip
            archive.writestr(
                zipfile.ZipInfo(name), content, compress_type=zipfile.ZIP_DEFLATED, compresslevel=level
            )
    return out.getvalue()


def tree(version, *, magic=b"\x7fELF"):
    """Return path, content and further facts of each entry of an interpreter."""
    minor = ".".join(version.split(".")[:2])
    lib = f"python/lib/python{minor}"
    program = code(minor, magic)
    entries = [
        (f"python/bin/python{minor}", program + code(version, b"", 300), {"mode": 0o755}),
        ("python/bin/python3", b"", {"type": tarfile.SYMTYPE, "linkname": f"python{minor}"}),
        (
            f"python/lib/libpython{minor}.so.1.0",
            program + code(f"{version} library", b"", 300),
            {"mode": 0o755},
        ),
        (f"{lib}/__init__.py", b"", {}),
        (f"{lib}/os.py", text("os"), {}),
        (f"{lib}/same.py", text("os"), {}),
        (f"{lib}/version.py", text(version), {}),
        (f"{lib}/{'deep/' * 30}data.txt", text("deep"), {}),
        (f"{lib}/hard.py", b"", {"type": tarfile.LNKTYPE, "linkname": f"{lib}/os.py"}),
        (f"{lib}/ensurepip/_bundled/pip-{version}-py3-none-any.whl", wheel(version), {}),
        (f"{lib}/empty", b"", {"type": tarfile.DIRTYPE, "mode": 0o755}),
    ]
    return sorted(entries, key=lambda one: (one[2].get("type") == tarfile.LNKTYPE, one[0]))


def tar(entries):
    """Return the entries as a tar of files with a fixed time and owner."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content, facts in entries:
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1_704_067_200
            for field, value in facts.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def gzipped(data, encoder="zlib-6-8"):
    """Return a gzip member whose body the encoder has written; the reference, so that no wheel is needed."""
    state = catalog.native(encoder) or catalog.reference(encoder)
    body = state.feed(data) + state.finish()
    trailer = zlib.crc32(data).to_bytes(4, "little") + len(data).to_bytes(4, "little")
    return b"\x1f\x8b\x08" + bytes(6) + b"\xff" + body + trailer


def ingredient(
    folder, content, *, name="cpython-3.13.5-x86_64-linux-install_only.tar.gz", platform=LINUX, **facts
):
    """Write the content into a file and return it as an archive for a bundle."""
    file = folder / f"in-{len(list(folder.iterdir()))}"
    file.write_bytes(content)
    return Ingredient(
        **{
            "source": file, "path": f"mirror/tag/{name}", "size": len(content), "sha256": Digest.of(content),
            "role": "archive", "platform": platform,
        }
        | facts
    )  # fmt: skip


def python(folder, version="3.13.5", *, platform=LINUX, encoder="zlib-6-8", magic=b"\x7fELF"):
    """Return an interpreter's archive for a bundle."""
    name = f"cpython-{version}-{platform.arch}-{platform.os}-install_only.tar.gz"
    return ingredient(folder, gzipped(tar(tree(version, magic=magic)), encoder), name=name, platform=platform)
