"""System calls of one command as strace sees them, and the same command again with a fault in one of them."""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from cli import Done, command, environment

# Calls whose first argument is an open file; what follows in quotes is content and no path.
_BY_HANDLE = re.compile(
    "p?(read|write)(64|v)|read|write|lseek|f(data)?sync|f(chmod|chown|truncate|lock|allocate|stat|statfs|cntl|advise64)"
    "|close|getdents64|ioctl|dup2?|sendfile|copy_file_range"
)
# Calls that change a file system. `openat` is one of them where its flags say so.
_CHANGING = re.compile(
    "p?write(64|v)|write|f?truncate|fallocate|copy_file_range|sendfile|(mk|rm)dir|mkdirat|unlink(at)?|rename(at2?)?"
    "|(sym)?link(at)?|f?chmod(at2?)?|[fl]?chown(at)?|(fu|u)time(s|ns)?(at)?|mknod(at)?|[fl]?(set|remove)xattr"
)
_SOCKET = re.compile("socket(pair)?|connect|bind|listen|accept4?|(send|recv)(to|from|m?msg)")
_STEADY = {"PYTHONDONTWRITEBYTECODE": 1, "PYTHONHASHSEED": 0}  # so that a second run makes the same calls
_LINE = re.compile(r"(\w+)\((.*)\)\s+= (-?\d+|\?|0x[0-9a-f]+)(.*)$")
_AT = re.compile(r'(?:AT_FDCWD|\d+)<([^>]*)>(?:, "((?:[^"\\]|\\.)*)")?')
_TEXT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_RANDOM = re.compile(
    r"(\.[\w.]+\.)\w+(\.tmp)"
)  # the name of a temporary file has a part that differs each time


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One system call; `number` counts the calls of this name in its thread, from 1."""

    main: bool
    name: str
    number: int
    words: str
    result: int
    paths: tuple[str, ...]

    @property
    def opens(self):
        """Whether this opens a file."""
        return self.name in ("open", "openat", "openat2", "creat")

    @property
    def changes(self):
        """Whether this call can change a file system."""
        return bool(_CHANGING.fullmatch(self.name)) or (
            self.opens and bool(re.search(r"O_(WRONLY|RDWR|CREAT|TRUNC|APPEND|TMPFILE)", self.words))
        )

    @property
    def on_socket(self):
        """Whether it makes or uses a socket of any kind."""
        return bool(_SOCKET.fullmatch(self.name))

    def below(self, *folders):
        """Return whether it concerns one of these files or folders, or anything in them."""
        return any(path == str(one) or path.startswith(f"{one}/") for one in folders for path in self.paths)

    def __str__(self):
        return f"{self.name} {self.number}{'' if self.main else ' of a thread'} {' '.join(self.paths)}"


@functools.cache
def tracing_works():
    """Return whether there is a strace that may trace."""
    return shutil.which("strace") is not None and not subprocess.run(
        ["strace", "-o", os.devnull, "true"], capture_output=True, check=False
    ).returncode  # fmt: skip


def need_strace():
    if not tracing_works():
        pytest.skip("needs strace, and the right to trace")


def record(*words, cwd, log, only=None, stdin=None, env=None, umask=-1) -> tuple[Done, list[Call]]:
    """Run the command line; return how it ended and its calls, those of each thread in their order."""
    need_strace()
    shutil.rmtree(log, ignore_errors=True)
    log.mkdir()
    options = ["-e", f"trace={only}"] if only else []
    done = subprocess.run(
        command(*words, before=("strace", "-ff", "-y", "-o", log / "t", *options)), cwd=cwd, stdin=stdin,
        capture_output=True, text=True, check=False, env=environment(**_STEADY, **(env or {})), umask=umask,
    )  # fmt: skip
    files = sorted(log.iterdir(), key=lambda one: int(one.suffix[1:]))
    calls = [
        call
        for place, file in enumerate(files)
        for call in parse(file.read_text(errors="replace"), cwd, main=not place)
    ]
    assert any(call.name == "execve" for call in calls) or only, "strace saw nothing"
    return Done(done.returncode, done.stdout, done.stderr), calls


def parse(text, cwd, *, main) -> list[Call]:
    """Read one thread's log."""
    counts, calls = {}, []
    for line in text.splitlines():
        found = _LINE.match(line)
        if not found:  # a signal, the end, or a call in which the process was killed
            continue
        name, words, result, _ = found.groups()
        counts[name] = counts.get(name, 0) + 1
        calls.append(
            Call(
                main=main, name=name, number=counts[name], words=words,
                result=_number(result), paths=_paths(name, words, str(cwd)),
            )
        )  # fmt: skip
    return calls


def _number(text):
    return 0 if text == "?" else int(text, 16 if text.startswith("0x") else 10)


def _paths(name, words, cwd):
    if _BY_HANDLE.fullmatch(name):
        handle = re.match(r"\d+<([^>]*)>", words)
        return (handle[1],) if handle else ()
    if pairs := _AT.findall(words):
        pairs = [(folder, text) for folder, text in pairs]
        if name.startswith("symlink"):
            pairs = pairs[-1:]
        return tuple(os.path.normpath(Path(*pair)) for pair in pairs)
    texts = _TEXT.findall(words)
    kept = {"rename": slice(2), "link": slice(2), "symlink": slice(1, 2)}.get(name, slice(1))
    return tuple(os.path.normpath(Path(cwd, text)) for text in texts[kept])


def _tracer(call, fault, log):
    inject = ("-e", f"trace={call.name}", "-y", "-o", str(log))
    if call.main:  # without -f no other thread is seen, so its calls are not counted
        return ("strace", *inject, "-e", f"inject={call.name}:{fault}:when={call.number}")
    return ("strace", "-f", "-qq", "-P", call.paths[0], *inject, "-e", f"inject={call.name}:{fault}:when=1")


def again(call, fault, *words, cwd, log, umask=-1) -> Done:
    """Run the command again with a fault in this call, such as `error=EIO`; assert that it struck there."""
    done = subprocess.run(
        command(*words, before=_tracer(call, fault, log)), cwd=cwd, capture_output=True, text=True, check=False,
        env=environment(**_STEADY), umask=umask,
    )  # fmt: skip
    _check_struck(call, fault, log, cwd)
    return Done(done.returncode, done.stdout, done.stderr)


def _check_struck(call, fault, log, cwd):
    text = log.read_text(errors="replace")
    lines = [line for line in _whole(text) if _LINE.match(line)]
    # strace marks what it changes; a signal follows the call that it was sent for.
    struck = lines[-1:] if fault.startswith("signal=") else [line for line in lines if "(INJECTED)" in line]
    assert len(struck) == 1, f"{call}: struck {len(struck)} times in:\n{text}"
    (found,) = parse(struck[0], cwd, main=call.main)
    assert (found.name, steady(found.paths)) == (call.name, steady(call.paths)), f"struck {found}, not {call}"


def _whole(text):
    """Yield the lines of a log without the numbers of threads; calls that others came between are whole again."""
    begun = {}
    for line in text.splitlines():
        thread, rest = re.fullmatch(r"(?:(\d+) +)?(.*)", line).groups()
        if rest.endswith(" <unfinished ...>"):
            begun[thread] = rest.removesuffix(" <unfinished ...>")
        elif resumed := re.fullmatch(r"<\.\.\. \w+ resumed>(.*)", rest):
            yield begun.pop(thread, "") + resumed[1]
        else:
            yield rest


def steady(paths):
    """Return paths without what differs from run to run."""
    return tuple(_RANDOM.sub(r"\1*\2", path) for path in paths)


@contextlib.contextmanager
def stopped_at(call, *words, cwd, log):
    """Start the command, wait until it stands still right after this call; give a function that lets it end."""
    log.unlink(missing_ok=True)
    with subprocess.Popen(
        command(*words, before=_tracer(call, "signal=SIGSTOP", log)), cwd=cwd, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, env=environment(**_STEADY),
    ) as tracer:  # fmt: skip
        process = 0

        def go_on():
            os.kill(process, signal.SIGCONT)
            out, err = tracer.communicate(timeout=60)
            return Done(tracer.returncode, out, err)

        try:
            while not (log.exists() and "stopped by SIGSTOP" in log.read_text(errors="replace")):
                assert tracer.poll() is None, f"{call}: never stopped there; {tracer.stderr.read()}"
                time.sleep(0.005)
            _check_struck(call, "signal=SIGSTOP", log, cwd)
            process = int(Path(f"/proc/{tracer.pid}/task/{tracer.pid}/children").read_text().split()[0])
            yield go_on
        finally:
            if tracer.poll() is None:
                for one in filter(None, (process, tracer.pid)):
                    os.kill(one, signal.SIGKILL)
