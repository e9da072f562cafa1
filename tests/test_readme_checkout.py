"""README.md's commands for a checkout: the demo, the tests, and a wheelhouse for a machine without a network."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys

import pytest
from readmetext import README, ROOT

from bundler.offline.isolation import without_network


def test_the_test_command_is_the_one_that_ci_runs():
    first, second = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)[:2]
    assert "uv-bundler demo" in first
    assert second == (ROOT / ".ci" / "run").read_text().splitlines()[-1]


@pytest.mark.slow
def test_the_first_command_runs_the_demo_from_a_checkout_with_only_python_and_pip(tmp_path):
    checkout = tmp_path / "checkout"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(checkout)], check=True)
    first = re.findall(r"```sh\n(.*?)\n```", README, re.DOTALL)[0]
    done = subprocess.run(["sh", "-ec", first], cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode and "Could not find a version" in done.stderr:
        pytest.skip(f"needs the package index: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    assert "runs from" in done.stderr


@pytest.mark.slow
def test_the_wheelhouse_installs_where_there_is_no_network(tmp_path):
    isolated = without_network()
    if not isolated:
        pytest.skip("needs a network namespace (unshare -n), which this machine does not allow")
    make, use = re.findall(r"```sh wheelhouse\n(.*?)\n```", README, re.DOTALL)
    shutil.copytree(ROOT, tmp_path / "checkout", ignore=shutil.ignore_patterns(".*", "tests"))
    place = {
        "/media/usb": str(tmp_path),
        "/opt/uv-bundler-tool": str(tmp_path / "tool"),
        "python3": sys.executable,
    }
    for old, new in place.items():
        make, use = make.replace(old, new), use.replace(old, new)
    done = subprocess.run(
        ["sh", "-ec", make], cwd=tmp_path / "checkout", capture_output=True, text=True, check=False
    )
    if done.returncode and "Could not find a version" in done.stderr:
        pytest.skip(f"needs the package index: {done.stderr[-300:]}")
    assert done.returncode == 0, done.stderr
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "PIP_CONFIG_FILE": os.devnull}
    done = subprocess.run(
        [*isolated, "sh", "-ec", use], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("uv-bundler ")
