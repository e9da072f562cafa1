"""Several files of one folder that take their names together, once all of them are whole, or none does.

Each is hashed while it is written. Writing and hashing are done in a thread of their own, beside the one that
reads and computes: both let go of the interpreter lock, and computing parity does not.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
from typing import TYPE_CHECKING

from bundler.core import ustar
from bundler.core.cut import parity_name
from bundler.core.durable import create_beside, finish_file, host_faults, sync_folder, write_all
from bundler.offline.handover import Handover
from bundler.volumes.leftovers import swept

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from types import TracebackType

_AHEAD = 4  # calls that wait or are made: with blocks of 4 MiB there are 16 MiB in flight


class NewFile:
    """A file that has a temporary name; `path` is the one that it gets, `mode` its permissions then."""

    def __init__(self, path: Path, *, mode: int) -> None:
        self.path, self.size, self._mode = path, 0, mode
        self._state = hashlib.sha256()
        self._handle, self.temporary = create_beside(path)
        self._open = True

    @property
    def sha256(self) -> str:
        """The digest of what was written, in hexadecimal digits."""
        return self._state.hexdigest()

    def write(self, data: bytes) -> None:
        """Append `data`; raises `HostFault` where the medium does not take it."""
        with host_faults(self.path):
            self.size += write_all(self._handle, data)
        self._state.update(data)

    def add(self, name: str, data: bytes) -> None:
        """Append a member of a container."""
        self.write(ustar.member(name, data))

    def add_cell(self, group: int, row: int, column: int, cell: bytes) -> None:
        """Append a parity cell as a member; its name has its digest."""
        self.add(parity_name(group, row, column, hashlib.sha256(cell).hexdigest()), cell)

    def finish(self) -> None:
        """Make the content durable; afterwards the file can only be renamed."""
        with host_faults(self.path):
            finish_file(self._handle, mode=self._mode)
            self._close()

    def discard(self) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(OSError):
            self._close()
        with contextlib.suppress(OSError):
            self.temporary.unlink(missing_ok=True)

    def _close(self) -> None:
        if self._open:
            self._open = False
            os.close(self._handle)


class FileSet:
    """The files of one `whole_files` block, in the order in which they take their names."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[NewFile] = []

    def create(self, name: str, *, mode: int = 0o644) -> NewFile:
        """Open one more; raises `HostFault` where the folder cannot be written."""
        made = NewFile(self.folder / name, mode=mode)
        self.files.append(made)
        return made


@contextlib.contextmanager
def whole_files(folder: Path) -> Iterator[FileSet]:
    """Give a set of new files, all of which the block finishes; they appear when it ends well.

    They take the places of files of the same names, the last one created last. Raises `HostFault`; then, as
    on Ctrl-C, nothing of them is left but what has taken the place of another file, which is lost already.
    What a run that was killed has left in the folder is removed first.
    """
    files = FileSet(folder)
    appeared: list[Path] = []
    try:
        with swept(folder):
            yield files
            for one in files.files:
                with host_faults(one.path):
                    replaces = os.path.lexists(one.path)
                    one.temporary.replace(one.path)
                if not replaces:
                    appeared.append(one.path)
            with host_faults(folder):
                sync_folder(folder)
    except BaseException:
        for one in files.files:
            one.discard()
        for path in appeared:
            with contextlib.suppress(OSError):
                path.unlink()
        raise


class Beside:
    """Calls that are made one after the other in a thread of their own; use it in a `with`.

    What a call raises is raised by the next `call`, or at the end of the block; no call is made after it.
    """

    def __init__(self) -> None:
        self._calls: Handover[Callable[[], object]] = Handover(_AHEAD)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._error: BaseException | None = None

    def __enter__(self) -> Beside:  # noqa: PYI034  # typing.Self needs Python 3.11
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self._error is None:
            self._error = error  # what still waits is not worth writing
        self._calls.end()
        self._thread.join()
        if error is None:
            self._raise()

    def call(self, what: Callable[[], object]) -> None:
        """Have it called after all that were given before; waits where too many are."""
        self._raise()
        self._calls.give(what)

    def wait(self) -> None:
        """Return once everything was called."""
        self._calls.wait()
        self._raise()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        for what in self._calls.taken():
            if self._error is None:
                try:
                    what()
                except BaseException as error:  # noqa: BLE001  # it is raised where the calls come from
                    self._error = error
