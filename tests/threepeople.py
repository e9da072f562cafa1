"""Three people with keys, the trust documents that they write and sign, and a host's store, by commands."""

from __future__ import annotations

import shutil
from pathlib import Path

from bundles import make_bundle
from cli import bundler

SITE = ("anna", "ben", "carl")


def people_in(folder, monkeypatch):
    """Make three people with keys in the folder, in which everything happens; return their fingerprints."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795000000")
    prints = {}
    for person in SITE:
        done = bundler("keygen", person, "--type", "ed25519", "--comment", f"{person}@site")
        prints[person] = done.stdout.strip()
    return prints


def ok(*words, **env):
    done = bundler(*words, **env)
    assert done.code == 0, done.stderr
    return done


def new(*words, target="trust.json", **env):
    return bundler("trust", "new", target, *words, **env)


def two(target="trust.json"):
    return ok(
        "trust", "new", target, "--name", "plant-7", "--signer", "anna=anna.pub", "--signer", "ben=ben.pub"
    )


def sign(target, *people, after=()):
    for person in people:
        done = ok("trust", "sign", target, "--key", person, *after)
    return done


def take(*words):
    return bundler("trust", "import", *words, "--store", "store")


def installed(prints):
    two()
    sign("trust.json", "anna", "ben")
    done = take("trust.json", "--expect", prints["anna"], "--expect", prints["ben"])
    assert done.code == 0, done.stderr
    return done


def bundle(*people):
    """Write a bundle that nobody trusted has signed, and let people sign it, each on a machine of their own."""
    Path("q4.uvb").write_bytes(make_bundle())
    for person in people:
        Path(f"machine-{person}").mkdir(exist_ok=True)
        copy = shutil.copy("q4.uvb", f"machine-{person}")
        ok("sign", copy, "--key", person)
        shutil.copy(copy, "q4.uvb")
    return "q4.uvb"
