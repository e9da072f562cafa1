"""The command `receive`: what it prints, its exit codes and status file, and how long it goes on looking."""

import json
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from cli import Desk, bundler, check_refusal, command, environment, process
from receivers import Far, cut_off, make_sets, rotten

from bundler.arriving.receiverun import look_on, look_once
from bundler.errors import HostFault
from bundler.volumes.survey import look

resource = pytest.importorskip("resource", reason="needs POSIX: limits, pipes and links")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sets(tmp_path_factory.mktemp("made"))


@pytest.fixture
def desk(tmp_path):
    desk = Desk(tmp_path)
    (tmp_path / "in").mkdir()
    return desk


def receive(desk, *words, run=bundler):
    folder = desk.folder
    return run(
        "receive", "--watch", folder / "in", "--into", folder / "spool", "--trust", desk.trust, "--once",
        "--settle", "0", *words,
    )  # fmt: skip


def test_once_prints_the_command_that_unpacks_and_that_works(desk, made):
    for one in made["parity"][:4]:
        shutil.copy(one, desk.folder / "in")
    done = receive(desk)
    folder = desk.folder / "spool" / "plant-7-7"
    assert (done.code, done.stdout) == (0, f"uv-bundler unpack {folder} --trust {desk.trust}\n")
    again = receive(desk)
    assert (again.code, again.stdout) == (0, "")
    for mark in (desk.folder / "spool" / ".received").iterdir():
        mark.unlink()
    words = ("receive", "--watch", desk.folder / "in", "--into", desk.folder / "spool", "--once")
    said = bundler(*words, UV_BUNDLER_TRUST=str(desk.trust)).stdout
    assert said == f"uv-bundler unpack {folder}\n"  # a variable is there for the next command, too
    assert desk.unpack(bundle=folder).code == 0


def test_the_exit_code_tells_monitoring_what_is_the_matter(desk, made):
    inbox = desk.folder / "in"
    assert receive(desk).code == 0
    shutil.copy(made["eve"][0], inbox / "eve.uvb")
    done = receive(desk)
    assert (done.code, done.stdout) == (3, "")
    assert "1 file of a bundle that is not trusted, left alone: no signature that counts, " in done.stderr
    assert f"{inbox / 'eve.uvb'}: left alone: no signature that counts, " in done.stderr
    shutil.copy(made["plain"][0], inbox)
    done = receive(desk)
    assert (done.code, done.stdout) == (4, "")
    line = next(one for one in done.stderr.splitlines() if "incomplete" in one)
    assert "plant-7-7: incomplete: 1 of 3 volumes; read out to the sender: UVB1 " in line
    shutil.copy(made["plain"][1], inbox)
    rotten(made["plain"][2], inbox / "r.uvb", -3000)
    assert receive(desk).code == 5
    shutil.copy(made["plain"][2], inbox)
    (inbox / "eve.uvb").unlink()
    assert receive(desk).code == 0
    cut_off(made["older"][0], inbox / "short.uvb", 0.5)
    done = receive(desk)
    assert done.code == 4
    assert f"{inbox / 'short.uvb'}: still growing, or cut off" in done.stderr


def test_the_status_file_and_json_say_the_same(desk, made):
    shutil.copy(made["parity"][1], desk.folder / "in")
    status = desk.folder / "status.json"
    done = receive(desk, "--status", status, "--json")
    said = json.loads(done.stdout)
    written = json.loads(status.read_text())
    assert said == written | {"time": said["time"]}
    (one,) = said["bundles"]
    assert {key: one[key] for key in ("name", "serial", "state", "volumes", "parity", "send_only", "unpack")} == {
        "name": "plant-7", "serial": 7, "state": "receiving", "send_only": "1,3-4,p1", "unpack": None,
        "volumes": {"total": 4, "present": 1, "missing": [1, 3, 4], "damaged": []},
        "parity": {"total": 1, "present": 0, "missing": [1], "damaged": []},
    }  # fmt: skip
    assert one["index_sha256"] == look(made["parity"][0]).index
    assert one["ticket"].startswith(f"UVB1 {one['index_sha256'][:10].upper()} 4+1 V")
    assert said["exit_code"] == done.code == 4
    assert one["first_seen"] == one["last_arrival"]


def test_what_cannot_work_is_refused(desk, tmp_path):
    check_refusal(receive(desk, "--into", tmp_path / "in" / "spool"), 2, "expected two folders apart")
    check_refusal(
        receive(desk, "--watch", tmp_path / "no"), 6, "no such folder, expected the folder where files"
    )
    check_refusal(
        receive(desk, "--trust", tmp_path / "none"), 2, "none: no such file, expected an OpenSSH public key"
    )
    words = ("receive", "--watch", tmp_path / "in", "--into", tmp_path / "spool", "--json")
    check_refusal(bundler(*words, "--trust", desk.trust), 2, "--json: expected --once with it")


@pytest.fixture
def far(tmp_path):
    far = Far(tmp_path)
    yield far
    far.stop()


def test_another_receiver_in_the_spool_is_exit_9(desk, far):
    desk.folder = far.root.parent
    check_refusal(receive(desk, run=process), 9, "another uv-bundler receives into")


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another file system than `tmp_path` is on."""
    memory = Path("/dev/shm")  # noqa: S108  # a file system in memory, wherever Linux runs
    if not memory.is_dir() or memory.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs two file systems: /dev/shm beside the one of the tests")
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder)


def test_where_the_spool_takes_no_file_of_that_size_nothing_is_lost_and_nothing_half_is_left(
    desk, made, elsewhere
):
    inbox = desk.folder / "in"
    for one in made["plain"]:
        shutil.copy(one, inbox)
    most = made["plain"][1].stat().st_size - 1

    def limited(*words):
        return process(*words, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most, most)))

    done = receive(desk, "--into", elsewhere / "spool", run=limited)
    check_refusal(done, 6, "File too large", "choose another place")
    whole = [one.name for one in (elsewhere / "spool").rglob("*") if one.is_file() and one.name != ".lock"]
    assert len(whole) + len(list(inbox.iterdir())) == 3
    assert all(one.startswith("plant-7-7.000") for one in whole)
    done = receive(desk, "--into", elsewhere / "spool")
    assert (done.code, list(inbox.iterdir())) == (0, [])
    assert desk.unpack(bundle=elsewhere / "spool" / "plant-7-7").code == 0


def test_it_goes_on_looking_until_it_is_ended(desk, made):
    words = command(
        "receive", "--watch", desk.folder / "in", "--into", desk.folder / "spool", "--trust", desk.trust,
        "--poll", "0.1", "--settle", "1", "--status", desk.folder / "status.json",
    )  # fmt: skip
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:
        for one in made["plain"]:
            shutil.copy(one, desk.folder / "in" / f".{one.name}")
            (desk.folder / "in" / f".{one.name}").rename(desk.folder / "in" / one.name)
        line = run.stdout.readline()
        assert line.startswith(b"uv-bundler unpack ")
        run.terminate()
        _, said = run.communicate(timeout=20)
    assert run.returncode == 143
    assert b"plant-7-7: complete, " in said
    assert json.loads((desk.folder / "status.json").read_text())["format"] == "uv-bundler.receive.v1"


def test_a_fault_that_may_pass_is_told_once_and_tried_again():
    class EndError(Exception):
        pass

    faults = iter([None, "full", "full", None, "full", "gone", EndError])
    told, complaints, slept = [], [], []

    class Receiver:
        def poll(self):
            fault = next(faults)
            if fault is EndError:
                raise EndError
            if fault:
                raise HostFault(fault)
            return "report"

    with pytest.raises(EndError):
        look_on(
            Receiver(), poll=7, sleep=slept.append, tell=told.append,
            complain=lambda fault: complaints.append(fault.message),
        )  # fmt: skip
    assert (told, complaints, slept) == (["report"] * 2, ["full", "full", "gone"], [7] * 6)
    faults = iter(["full"])
    with pytest.raises(HostFault):
        look_on(Receiver(), poll=7, sleep=slept.append, tell=told.append, complain=complaints.append)


def test_one_run_waits_only_while_something_changes_and_says_so():
    slept, notes = [], []

    class Receiver:
        looks = 0
        moving = False

        def poll(self):
            self.looks += 1
            return self.looks

    idle, busy = Receiver(), Receiver()
    busy.moving = True
    assert look_once(idle, settle=3, poll=5, sleep=slept.append, note=notes.append) == 1
    assert notes == []
    assert look_once(busy, settle=3, poll=5, sleep=slept.append, note=notes.append) == 4
    assert slept == [5, 5, 5]
    assert notes == ["waiting: what arrived may still grow: it is looked at again up to 3 times, 5.0 s apart"]
