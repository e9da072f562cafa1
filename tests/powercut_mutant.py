"""Run uv-bundler with one seeded mistake: `python powercut_mutant.py MISTAKE unpack …`.

Ends with `NO_EFFECT` where nothing went wrong although it should have: a mistake that is none proves nothing.
"""

from __future__ import annotations

import functools
import importlib
import os
import pkgutil
import stat
import sys
from pathlib import Path

NO_EFFECT = 99
_done = []  # what the mistake changed


def _skip_syncs(skipped):
    """Let `os.fsync` do nothing for the open files that `skipped` names."""
    real = os.fsync

    def fsync(handle):
        if skipped(handle):
            _done.append(handle)
        else:
            real(handle)

    os.fsync = fsync


def no_sync():
    """Sync nothing."""
    _skip_syncs(lambda _: True)


def no_file_sync():
    """Sync folders only: names are durable and content is not."""
    _skip_syncs(lambda handle: not stat.S_ISDIR(os.fstat(handle).st_mode))


def no_folder_sync():
    """Sync files only, and nothing after the switch: content is durable and names are not.

    ext4 and xfs write their journal up to then whatever is synced, so a file that is synced after the switch
    would save it by chance. `no_later_sync` is the counterpart.
    """
    _wrap("activate", "activate", _note_switch)
    _skip_syncs(lambda handle: bool(_switched) or stat.S_ISDIR(os.fstat(handle).st_mode))


def no_later_sync():
    """Sync nothing after the switch, which itself is synced: what follows is lost, the switch is not."""
    _wrap("activate", "activate", _note_switch)
    _skip_syncs(lambda _: bool(_switched))


def switch_first():
    """Point `current` at the new generation before its serial is written down."""
    postponed = []

    def late(real):
        @functools.wraps(real)
        def record(*words, **named):
            if _switched:
                real(*words, **named)
            else:
                postponed.append(functools.partial(real, *words, **named))

        return record

    def early(real):
        @functools.wraps(real)
        def activate(*words, **named):
            real(*words, **named)
            _switched.append(True)
            for one in postponed:
                one()
                _done.append(one)

        return activate

    _wrap("activate", "activate", early)
    _wrap("serials", "write_marks", late)


_switched = []


def _note_switch(real):
    @functools.wraps(real)
    def activate(*words, **named):
        real(*words, **named)
        _switched.append(True)

    return activate


def _wrap(module, name, wrapper):
    """Replace a function of a module of `bundler.offline` wherever it was imported to."""
    import bundler.offline

    for one in pkgutil.iter_modules(bundler.offline.__path__, "bundler.offline."):
        importlib.import_module(one.name)
    real = getattr(sys.modules[f"bundler.offline.{module}"], name)
    wrapped = wrapper(real)
    for other in [one for key, one in sys.modules.items() if key.startswith("bundler.")]:
        if vars(other).get(name) is real:
            setattr(other, name, wrapped)


MISTAKES = {one.__name__: one for one in (no_sync, no_file_sync, no_folder_sync, no_later_sync, switch_first)}


def main():
    """Make the mistake ready, and hand the other words to uv-bundler."""
    name = sys.argv.pop(1)
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from bundler.__main__ import main as bundler

    MISTAKES[name]()
    try:
        bundler()
    except SystemExit as ended:
        if not _done:
            sys.exit(NO_EFFECT)
        raise ended from None


if __name__ == "__main__":
    main()
