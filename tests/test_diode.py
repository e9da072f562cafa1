"""A real one-way link: two network namespaces, and nothing comes back. Slow, run with -m slow, as root on Linux.

The copier between the folders stands in for a vendor's proxy: it empties the drop folder and sends each file as
UDP datagrams; on the other side they are put together, with whatever was lost on the way missing from them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from contextlib import ExitStack

import pytest
from bundles import tree, unpack_bytes
from cli import Desk, command, environment
from volumes import make_set, small_blocks

CHUNK = 8000  # bytes in a datagram; the link takes 9000

# Fates by name: what befalls a file each time that it is sent; the last one from then on.
COPIER = """
import json, os, random, socket, struct, sys, time
role, folder, address = sys.argv[1], sys.argv[2], (sys.argv[3], 9000)
CHUNK = {chunk}
link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
if role == "send":
    fates, order, number = json.loads(sys.argv[4]), random.Random(7), 0
    while True:
        names = [one for one in os.listdir(folder) if not one.startswith(".")]
        order.shuffle(names)
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                data = file.read()
            fate = fates.get(name, ["good"])
            fate = fate.pop(0) if len(fate) > 1 else fate[0]
            number += 1
            places = list(range(0, len(data), CHUNK))
            kept = {{"good": places, "twice": places * 2, "lost": [], "cut": places[: len(places) // 2],
                    "hole": places[:8] + places[9:], "shuffled": order.sample(places, len(places))}}[fate]
            for count, at in enumerate(kept):
                head = struct.pack(">IQH", number, at, len(name)) + name.encode()
                link.sendto(head + data[at : at + CHUNK], address)
                if count % 8 == 7:
                    time.sleep(0.002)  # what comes too fast is lost at the other end
            os.unlink(path)
        time.sleep(0.02)
link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
link.bind(address)
link.settimeout(0.05)
growing = {{}}
while True:
    try:
        said = link.recv(CHUNK + 200)
        number, at, length = struct.unpack(">IQH", said[:14])
        name, data = said[14 : 14 + length].decode(), said[14 + length :]
        if number not in growing:
            growing[number] = [open(os.path.join(folder, f".{{number}}.tmp"), "wb"), name, 0]
        growing[number][0].seek(at)
        growing[number][0].write(data)
        growing[number][2] = time.monotonic()
    except TimeoutError:
        pass
    for number, (file, name, last) in list(growing.items()):
        if time.monotonic() - last > 0.25:
            file.close()
            os.replace(file.name, os.path.join(folder, name))
            del growing[number]
"""


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture
def link():
    """Two namespaces, `(here, there)`, and a link on which packets only go from the one to the other."""
    if sys.platform != "linux" or os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nft"):
        pytest.skip("needs root on Linux, ip and nft, to make a one-way link")
    here, there = (f"uvb{os.getpid()}{one}" for one in "ab")
    with ExitStack() as stack:
        try:
            for one in (here, there):
                ip("netns", "add", one)
                stack.callback(subprocess.run, ["ip", "netns", "delete", one], check=False)
            ip(
                "-n",
                here,
                "link",
                "add",
                "name",
                "near",
                "mtu",
                "9000",
                "type",
                "veth",
                "peer",
                "name",
                "far",
                "mtu",
                "9000",
                "netns",
                there,
            )
            rules = "table inet d { chain o { type filter hook output priority 0; policy drop; }; }\n"
            rules += "table arp d { chain o { type filter hook output priority 0; policy drop; }; }\n"
            subprocess.run(
                ["ip", "netns", "exec", there, "nft", "-f", "-"],
                input=rules.encode(),
                check=True,
                capture_output=True,
            )
        except subprocess.CalledProcessError as error:
            pytest.skip(f"this kernel makes no one-way link: {error.stderr.decode().strip()}")
        ip("-n", here, "addr", "add", "10.9.0.1/24", "dev", "near")
        ip("-n", there, "addr", "add", "10.9.0.2/24", "dev", "far")
        for one, device in ((here, "near"), (there, "far")):
            ip("-n", one, "link", "set", device, "up")
        told = subprocess.run(
            ["ip", "-n", there, "-j", "link", "show", "far"], check=True, capture_output=True
        ).stdout
        # Nobody over there answers who has this address: it has to be known.
        ip("-n", here, "neigh", "add", "10.9.0.2", "lladdr", json.loads(told)[0]["address"], "dev", "near")
        yield here, there


class Site:
    """Both sides of the diode, with a copier on each, and what is run there."""

    def __init__(self, folder, here, there, stack, fates):
        self.drop, self.inbox, self.spool = folder / "drop", folder / "in", folder / "spool"
        self.status, self.here, self.there, self._stack = folder / "status.json", here, there, stack
        for one in (self.drop, self.inbox):
            one.mkdir()
        copier = [sys.executable, "-c", COPIER.format(chunk=CHUNK)]
        self.start(there, *copier, "receive", self.inbox, "10.9.0.2")
        time.sleep(0.3)
        self.start(here, *copier, "send", self.drop, "10.9.0.2", json.dumps(fates))

    def start(self, where, *words, **options):
        """Start a program in a namespace; it ends with the test."""
        run = subprocess.Popen(["ip", "netns", "exec", where, *map(str, words)], env=environment(), **options)
        self._stack.callback(run.wait, 10)
        self._stack.callback(run.terminate)
        return run

    def bundler(self, where, *words):
        """Run the command line in a namespace, to its end."""
        before = ("ip", "netns", "exec", where)
        done = subprocess.run(
            command(*words, before=before),
            env=environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def until(self, wanted):
        """Wait for a bundle in the status file of which this is true; return it."""
        last = None
        for _ in range(300):
            time.sleep(0.1)
            if self.status.exists():
                last = json.loads(self.status.read_text())
                if last["bundles"] and wanted(last["bundles"][0]):
                    return last["bundles"][0]
        raise AssertionError(json.dumps(last, indent=1))


def nothing_comes_back(here, there):
    """Tell whether a datagram sent back gets lost, while one in the right direction arrives."""
    listen = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind(('', 9)); s.settimeout(1); s.recv(9)"
    say = "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.sendto(b'hi', ('10.9.0.{}', 9))"
    came = []
    for listener, speaker, number in ((there, here, 2), (here, there, 1)):
        run = subprocess.Popen(
            ["ip", "netns", "exec", listener, sys.executable, "-c", listen], stderr=subprocess.DEVNULL
        )
        time.sleep(0.3)
        subprocess.run(
            ["ip", "netns", "exec", speaker, sys.executable, "-c", say.format(number)],
            check=False,
            stderr=subprocess.DEVNULL,
        )
        came.append(run.wait(10) == 0)
    return came == [True, False]


@pytest.mark.slow
def test_a_bundle_crosses_a_one_way_link_that_loses_cuts_reorders_and_repeats(link, tmp_path):
    here, there = link
    assert nothing_comes_back(here, there)
    bundle = small_blocks(archives=4, blocks=10)
    volumes = make_set(bundle, tmp_path / "set", volumes=12, parity=3)
    fates = {
        "q4.0002-of-0012.uvb": ["hole", "good"],
        "q4.0003-of-0012.uvb": ["twice", "shuffled"],
        "q4.0005-of-0012.uvb": ["lost", "lost", "good"],
        "q4.0006-of-0012.uvb": ["lost", "lost", "good"],
        "q4.0007-of-0012.uvb": ["cut", "cut", "good"],
        "q4.0009-of-0012.uvb": ["lost", "shuffled"],
        "q4.0011-of-0012.uvb": ["cut", "good"],
        "q4.p0001-of-0003.uvb": ["lost"],
        "q4.p0002-of-0003.uvb": ["lost", "good"],
    }
    desk = Desk(tmp_path)
    with ExitStack() as stack:
        site = Site(tmp_path, here, there, stack, fates)
        receiver = site.start(
            there, *command(
                "receive", "--watch", site.inbox, "--into", site.spool, "--trust", desk.trust, "--poll", "0.1",
                "--settle", "2", "--stalled", "1.5", "--status", site.status,
            ), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        inflight = 2 * max(one.stat().st_size for one in volumes)
        site.bundler(
            here,
            "send",
            tmp_path / "set",
            "--out",
            site.drop,
            "--repeat",
            2,
            "--interleave",
            "--max-inflight",
            inflight,
        )
        found = site.until(
            lambda one: (
                one["volumes"]["missing"] == [5, 6]
                and one["volumes"]["damaged"] == [7]
                and one["parity"]["missing"] == [1]
            )
        )
        assert (found["state"], found["send_only"]) == ("receiving", "5-7,p1")
        # Somebody reads the line out over a phone; only what parity cannot give is sent again.
        site.bundler(
            here, "resend", tmp_path / "set", "--ticket", found["ticket"], "-o", tmp_path / "again.uvb"
        )
        assert (tmp_path / "again.uvb").stat().st_size < volumes[0].stat().st_size * 1.5
        site.bundler(here, "send", tmp_path / "again.uvb", "--out", site.drop)
        site.until(lambda one: one["state"] == "recoverable")
        line = receiver.stdout.readline().decode().split()
        assert line[:2] == ["uv-bundler", "unpack"]
        site.bundler(there, *line[1:], "--prefix", desk.prefix, "--shell", "sh")
        # The volumes themselves, once more: then nothing is missing any more.
        site.bundler(here, "send", tmp_path / "set", "--out", site.drop, "--only", found["send_only"])
        site.until(lambda one: one["state"] == "complete")
        receiver.terminate()
        rest, said = receiver.communicate(timeout=20)
        assert rest == b"", "a bundle is announced once"
        assert b"plant-7-7: recoverable, " in said
    unpack_bytes(bundle, tmp_path / "beside")
    come, gone = (tree(one / "generations") for one in (desk.prefix, tmp_path / "beside"))
    for one in (come, gone):
        one.pop("1/uv.toml")  # names its prefix
    assert come == gone
    assert [one.name for one in site.inbox.iterdir() if one.suffix == ".uvb"] == []
