"""All bundles of a spool, by the digests of their indexes; only a trusted signature makes one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from bundler.arriving.receivedset import KEPT, REPEATED, ReceivedSet
from bundler.arriving.tally import count, say_present
from bundler.core.text import counted
from bundler.errors import BundlerError, DamagedFault, HostFault, SignatureFault
from bundler.volumes.survey import front_of, list_files, look

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bundler.arriving.receivespool import Spool
    from bundler.offline.signedindex import SignedIndex, VerifiedIndex
    from bundler.volumes.survey import Seen

    Verify = Callable[[SignedIndex, str], VerifiedIndex]  # raises SignatureFault where nobody trusted signed

_FRONTS = 64  # of which is remembered whether they hold: each takes a signature and a large index to check


class ReceivedSets:
    """The bundles of a spool whose lock is held; `tell` is given lines for people.

    `changed` has the digests of those of which more is known than was looked at. `strange` has what lies in
    the spool and was not judged as ours: why, and the digest of its index where nobody trusted signed it.
    """

    def __init__(self, spool: Spool, *, judge: Verify, tell: Callable[[str], object]) -> None:
        self.spool = spool
        self.known: dict[str, ReceivedSet] = {}
        self.changed: set[str] = set()
        self.strange: dict[Path, tuple[str, str | None]] = {}
        self._judge, self._tell = judge, tell
        self._fronts: dict[str, bool] = {}  # whether they hold; thousands of files may share one

    def load(self) -> None:
        """Look at what runs before this one have left in the spool; raises `HostFault`."""
        for folder in self.spool.folders():
            seen = _look_into(folder)
            digests = Counter(one.index for one in seen if one.intact)
            if not digests:
                continue
            digest = digests.most_common(1)[0][0]
            fronts = {one.front: one for one in seen if one.intact and one.index == digest}
            refusal: BundlerError | None = None
            for one in fronts.values():
                try:
                    bundle = self._judged(one, folder)
                except HostFault:
                    raise
                except BundlerError as fault:
                    refusal = refusal or fault
                else:
                    bundle.load(seen)
                    self._add(bundle)
                    break
            else:
                self._set_aside(folder, refusal or DamagedFault("has no front"), digest)

    def refresh(self, *, now: float) -> None:
        """Follow what an administrator did in the spool, and finish what an ended run had only taken.

        Raises `HostFault`.
        """
        for digest, bundle in list(self.known.items()):
            if not bundle.is_current():
                self.changed.add(digest)
                if bundle.folder.is_dir():
                    bundle.load(_look_into(bundle.folder))
                else:
                    del self.known[digest]
        for path in self.spool.arrivals():
            if path not in self.strange:
                self._finish(path, now=now)

    def recognised(self, seen: Seen) -> Seen | None:
        """Return what a file is: what it says, or with a damaged front what its cells show, or None."""
        if seen.index is not None and (seen.intact or seen.index in self.known):
            return seen
        found = (bundle.recognise(seen) for bundle in self.known.values())
        return next((one for one in found if one is not None), None)

    def bundle_of(self, seen: Seen) -> ReceivedSet:
        """Return the bundle of a file that was recognised.

        Raises `SignatureFault`, `DamagedFault` where the index is malformed, and `HostFault`.
        """
        known = self.known.get(seen.index or "")
        return known or self._add(self._judged(seen, None))

    def place(self, bundle: ReceivedSet, seen: Seen, *, now: float) -> None:
        """Give a file of the bundle, which lies in the spool, its place there. Raises `HostFault`."""
        if not bundle.files:
            self._tell(f"{bundle.stem}: its first file has come, into {bundle.folder}")
        outcome = bundle.place(seen, now=now)
        self.changed.add(bundle.digest)
        if outcome != KEPT:
            what = "nothing new in it" if outcome == REPEATED else "nothing in it is right"
            self._tell(f"{bundle.stem}: {seen.title}: dropped, {what}")
            return
        cells = bundle.files[-1].cells
        wrong = len(cells.right) - sum(cells.right)
        harm = f" with {counted(wrong, 'damaged block')}" if wrong else ""
        self._tell(f"{bundle.stem}: {seen.title} has come{harm}: {say_present(*count(bundle.files))}")

    def came_again(self, bundle: ReceivedSet, seen: Seen, *, now: float) -> None:
        """Note that a volume came that is there already: its sender is at work."""
        bundle.touch(now=now, like=seen)
        self.changed.add(bundle.digest)

    def forget(self, bundle: ReceivedSet) -> None:
        """Remove a bundle with all its files. Raises `HostFault`."""
        bundle.remove()
        del self.known[bundle.digest]

    def _add(self, bundle: ReceivedSet) -> ReceivedSet:
        self.known[bundle.digest] = bundle
        self.changed.add(bundle.digest)
        return bundle

    def _judged(self, seen: Seen, folder: Path | None) -> ReceivedSet:
        verified = self._verified(seen)
        where = folder or self.spool.folder_for(verified.index, verified.signed.digest)
        return ReceivedSet(
            where,
            index=verified.index,
            signed=verified.signed,
            front=seen.front or "",
            holds=self._holds,
        )

    def _verified(self, seen: Seen) -> VerifiedIndex:
        """Verify the index that stands in the file's front; parsing begins after the signature holds."""
        verified = self._judge(front_of(seen.path, follow=False), str(seen.path))
        if verified.signed.digest != seen.index:
            raise SignatureFault(f"{seen.path}: changed while it was read")
        return verified

    def _holds(self, seen: Seen) -> bool:
        """Tell whether the signatures in the file's front hold. Raises `HostFault`."""
        front = seen.front or ""
        if front not in self._fronts:
            if len(self._fronts) >= _FRONTS:
                self._fronts.clear()
            self._fronts[front] = self._checked(seen)
        return self._fronts[front]

    def _checked(self, seen: Seen) -> bool:
        try:
            self._verified(seen)
        except HostFault:
            raise
        except BundlerError:
            return False
        return True

    def _finish(self, path: Path, *, now: float) -> None:
        looked = look(path, follow=False)
        seen = self.recognised(looked)
        try:
            if seen is None:
                self.strange[path] = ("is no file of a bundle that is known here", None)
            else:
                self.place(self.bundle_of(seen), seen, now=now)
        except HostFault:
            raise
        except BundlerError as fault:
            self._set_aside(path, fault, looked.index)

    def _set_aside(self, path: Path, fault: BundlerError, digest: str | None) -> None:
        self.strange[path] = (fault.message, digest if isinstance(fault, SignatureFault) else None)
        self._tell(f"{path}: left alone: {fault.message.removeprefix(f'{path}: ')}")


def _look_into(folder: Path) -> list[Seen]:
    return [look(path, follow=False) for path in list_files([folder])]
