"""Several unpackers of one prefix at the same moment: one proceeds, the others say so, and the state is whole."""

from __future__ import annotations

import shutil
import subprocess
from collections import Counter

import pytest
from bundles import PACKER, archive, make_bundle, small_content, tree
from cli import Done, check_refusal, command, environment
from faulthost import LOG_NAME, generation

ROUNDS, RACERS = 100, 4


def race(folder, bundles):
    """Start an unpack of each bundle at once; return how each ended."""
    started = [
        subprocess.Popen(
            command("unpack", one, "--trust", "trust", "--prefix", "p", "--shell", "sh", "-q"), cwd=folder,
            env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for one in bundles
    ]  # fmt: skip
    ended = []
    for one in started:
        with one:
            out, err = one.communicate(timeout=120)
        ended.append(Done(one.returncode, out, err))
    return ended


@pytest.mark.slow
def test_of_many_unpackers_one_proceeds_a_hundred_times(tmp_path):
    (tmp_path / "trust").write_text(PACKER.line + "\n")
    names = [f"{number}.uvb" for number in range(1, RACERS + 1)]
    for serial, name in enumerate(names, start=1):
        (tmp_path / name).write_bytes(make_bundle(serial=serial, archives=[archive(small_content(serial))]))
    expected, codes = {}, Counter()
    for round_ in range(ROUNDS):
        shutil.rmtree(tmp_path / "p", ignore_errors=True)
        ended = race(tmp_path, names)
        won = [name for name, done in zip(names, ended, strict=True) if done.code == 0]
        for done in ended:
            codes[done.code] += 1
            if done.code:
                # 8: somebody was done with a higher serial before this one began.
                assert done.code in (8, 9), done.stderr
                check_refusal(
                    done, done.code, "another uv-bundler is at work" if done.code == 9 else "serial is"
                )
        assert won, round_
        number, found = generation((tmp_path / "p" / "current").resolve(strict=True))
        assert number == len(won)
        if len(won) == 1:
            assert expected.setdefault(won[0], found) == found, round_
        assert len(list((tmp_path / "p" / "generations").iterdir())) == len(won)
        assert {one.name for one in (tmp_path / "p").iterdir()} - {"staging"} == {
            "current",
            "generations",
            "state",
        }
        assert {one.name for one in (tmp_path / "p" / "state").iterdir()} == {
            "lock",
            "serials.json",
            LOG_NAME,
        }
        assert not (tmp_path / "p" / "staging").exists() or tree(tmp_path / "p" / "staging") == {}
    assert codes[9] >= ROUNDS // 5, codes  # or they never met
