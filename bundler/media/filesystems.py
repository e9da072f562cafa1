"""What file systems can hold: their names for people, and the largest file of each and of this process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bundler.media.mounts import Mount

_FAT_LARGEST = (1 << 32) - 1  # bytes: the size field of a directory entry has 32 bits
_NAMES = {
    "vfat": "FAT",
    "msdos": "FAT",
    "fuse.fusefat": "FAT",
    "exfat": "exFAT",
    "fuse.exfat": "exFAT",
    "fuse.exfat-fuse": "exFAT",
    "ntfs": "NTFS",
    "ntfs3": "NTFS",
    "fuse.ntfs": "NTFS",
    "fuse.ntfs-3g": "NTFS",
}
# Where FUSE tells no more than that it is one, the first sector of the device does.
_BOOT_SECTORS = (
    (3, b"EXFAT   ", "exFAT"),
    (3, b"NTFS    ", "NTFS"),
    (54, b"FAT1", "FAT"),
    (82, b"FAT32", "FAT"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Largest:
    """The largest file in bytes (None for no bound that matters), and who bounds it."""

    size: int | None
    reason: str


def filesystem_name(mount: Mount) -> str:
    """Return what people call the file system: `FAT`, `exFAT`, `ext4`, or the kernel's word for it."""
    if mount.kind == "fuseblk":
        return _in_boot_sector(mount) or mount.kind
    return _NAMES.get(mount.kind, mount.kind)


def largest_file(mount: Mount) -> Largest:
    """Return the largest file that this process may write there."""
    name, own = filesystem_name(mount), _own_limit()
    theirs = _FAT_LARGEST if name == "FAT" else None
    if own is not None and (theirs is None or own < theirs):
        return Largest(size=own, reason="this process may write no larger file (`ulimit -f`)")
    return Largest(size=theirs, reason=f"{name} holds no larger file")


def _own_limit() -> int | None:
    try:
        import resource
    except ImportError:  # Windows has no such limits
        return None
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _in_boot_sector(mount: Mount) -> str | None:
    device = mount.block_device
    if device is None:
        return None
    try:
        with device.open("rb", buffering=0) as stream:
            sector = stream.read(512)
    except OSError:  # only root may look
        return None
    for at, magic, name in _BOOT_SECTORS:
        if sector[at : at + len(magic)] == magic:
            return name
    return None
