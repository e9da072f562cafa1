"""Any sequence of installs, refusals, rollbacks and crashes, against a model that was written first.

The model knows three things of a host: the highest serial seen of each name, the generations with the bundle
that each was made of, and which one is active. It says what each step must do; a step that crashes may end as
if it had not begun or as if it had been done, and nothing between.
"""

from __future__ import annotations

import functools
import io
import shutil
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from bundles import archive, make_bundle, request, small_content
from cutoff import with_power
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bundler.core.index import parse_index
from bundler.core.progress import Silent
from bundler.errors import PolicyFault, UsageFault
from bundler.offline.auditread import opened, verify_log
from bundler.offline.prefix import Prefix
from bundler.offline.reader import BundleReader
from bundler.offline.rollback import roll_back
from bundler.offline.serials import read_marks
from bundler.offline.unpack import unpack


@dataclass(frozen=True)
class Bundle:
    """A bundle and the facts that the model needs."""

    data: bytes
    name: str
    serial: int
    digest: str
    content: bytes


@functools.cache
def pool() -> tuple[Bundle, ...]:
    """Return a few bundles: two names, growing serials, and two that share a serial."""
    made = []
    for name, serial, seed in (
        ("a", 1, 1),
        ("a", 2, 2),
        ("a", 2, 3),
        ("a", 3, 1),
        ("a", 4, 4),
        ("b", 1, 5),
        ("b", 3, 6),
    ):
        content = small_content(seed, 600)
        data = make_bundle(name=name, serial=serial, archives=[archive(content)])
        digest = BundleReader(io.BytesIO(data), name="x").read_signed_index().digest
        made.append(Bundle(data=data, name=name, serial=serial, digest=digest, content=content))
    return tuple(made)


@dataclass
class Model:
    """What a host must know and hold; written down before any code was run."""

    marks: dict[str, tuple[int, str]] = field(default_factory=dict)
    generations: dict[int, Bundle] = field(default_factory=dict)
    active: int | None = None

    def refuses(self, bundle: Bundle, *, downgrade: bool, accept: bool) -> bool:
        active = self.generations.get(self.active) if self.active else None
        if active and active.name != bundle.name and not accept:
            return True
        if active and active.digest == bundle.digest:
            return False
        serial, digest = self.marks.get(bundle.name, (0, bundle.digest))
        if bundle.serial == serial:
            return bundle.digest != digest
        return bundle.serial < serial and not downgrade

    def is_active(self, bundle: Bundle) -> bool:
        return self.active is not None and self.generations[self.active].digest == bundle.digest

    def mark(self, bundle: Bundle) -> None:
        if bundle.serial > self.marks.get(bundle.name, (0, ""))[0]:
            self.marks[bundle.name] = (bundle.serial, bundle.digest)

    def install(self, bundle: Bundle) -> None:
        self.mark(bundle)
        if not self.is_active(bundle):
            self.active = max(self.generations, default=0) + 1
            self.generations[self.active] = bundle


class Host(RuleBasedStateMachine):
    """A host on which all of that happens."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="uv-bundler-model-"))
        self.prefix = Prefix(self.folder / "p")
        self.model = Model()
        self.clean = True  # False after a crash, until the next command has recovered

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def _unpack(self, bundle, *, downgrade, accept):
        wish = {
            "allow_downgrade": downgrade,
            "reason": "the model says so",
            "accept_name": bundle.name if accept else None,
        }
        unpack(io.BytesIO(bundle.data), request(self.prefix.root, **wish), name="q4.uvb", progress=Silent())

    @rule(number=st.integers(0, 6), downgrade=st.booleans(), accept=st.booleans())
    def install(self, number, downgrade, accept):
        bundle = pool()[number]
        if self.model.refuses(bundle, downgrade=downgrade, accept=accept):
            before = self.facts()
            with pytest.raises(PolicyFault):
                self._unpack(bundle, downgrade=downgrade, accept=accept)
            if self.clean:
                assert self.facts() == before
        else:
            self._unpack(bundle, downgrade=downgrade, accept=accept)
            self.model.install(bundle)
        self.clean = True

    @rule(number=st.integers(0, 6), at=st.integers(0, 140), accept=st.booleans())
    def install_and_crash(self, number, at, accept):
        bundle = pool()[number]
        if self.model.refuses(bundle, downgrade=False, accept=accept):
            return
        if with_power(at, lambda: self._unpack(bundle, downgrade=False, accept=accept)):
            self.model.install(bundle)
            self.clean = True
            return
        self.clean = False
        marks = self.marks()
        if self.active() not in (None, self.model.active):  # it came as far as the switch
            self.model.install(bundle)
        elif marks.get(bundle.name) == (bundle.serial, bundle.digest):
            self.model.mark(bundle)

    @rule(back=st.integers(1, 3))
    def roll_back(self, back):
        older = sorted(
            (one for one in self.model.generations if one < (self.model.active or 0)), reverse=True
        )
        call = functools.partial(
            roll_back, self.prefix.root, reason=None, command="rollback", progress=Silent(),
            to=older[back - 1] if len(older) >= back else None if older else 99,
        )  # fmt: skip
        if not older:
            with pytest.raises(UsageFault):
                call()
        else:
            self.model.active = call().now.number
            self.clean = True

    @rule(at=st.integers(0, 30))
    def roll_back_and_crash(self, at):
        older = [one for one in self.model.generations if one < (self.model.active or 0)]
        if not older:
            return
        ended = with_power(
            at,
            lambda: roll_back(self.prefix.root, to=None, reason=None, command="rollback", progress=Silent()),
        )
        assert self.active() in {max(older), self.model.active}
        if ended:
            assert self.active() == max(older)
        self.clean = ended
        self.model.active = self.active()

    def active(self):
        current = self.prefix.current
        return int(current.readlink().name) if current.is_symlink() else None

    def marks(self):
        return {
            name: (mark.serial, mark.index_sha256) for name, mark in read_marks(self.prefix).names.items()
        }

    def facts(self):
        """Return all of the prefix but its log: names, and what is in them."""
        return {
            str(path.relative_to(self.folder)): path.readlink() if path.is_symlink() else path.read_bytes() if path.is_file() else None
            for path in self.prefix.root.rglob("*")
            if path != self.prefix.log
        }  # fmt: skip

    @invariant()
    def the_active_generation_is_whole(self):
        if not hasattr(self, "model"):
            return
        assert self.active() == self.model.active
        if self.model.active is None:
            return
        bundle, folder = self.model.generations[self.model.active], self.prefix.current
        assert parse_index((folder / "bundle.json").read_bytes()).serial == bundle.serial
        held = [*folder.glob("mirror/*/*"), *folder.glob("python-cache/*")]
        assert [one.read_bytes() for one in held] == [bundle.content] * 2
        assert (folder / "bin" / "uv").read_bytes().startswith(b"#!")

    @invariant()
    def no_mark_is_ever_lower_than_the_model_says(self):
        if hasattr(self, "model"):
            assert self.marks() == self.model.marks

    @invariant()
    def nothing_strays(self):
        if not hasattr(self, "model") or not self.clean or not self.prefix.root.exists():
            return
        assert {one.name for one in self.prefix.root.iterdir()} <= {"state", "generations", "current"}
        assert {one.name for one in self.prefix.state.iterdir()} <= {"lock", "serials.json", "log.jsonl"}
        if self.prefix.generations.exists():
            assert {int(one.name) for one in self.prefix.generations.iterdir()} == set(self.model.generations)

    @invariant()
    def the_log_holds_together(self):
        if hasattr(self, "model") and self.prefix.log.exists():
            with opened(self.prefix.log) as stream:
                verify_log(stream, self.prefix.log)


@pytest.mark.skipif(
    sys.version_info < (3, 11), reason="Python 3.10's pathlib keeps the system calls that are cut off here"
)
@pytest.mark.parametrize(
    ("examples", "steps"), [(12, 12), pytest.param(400, 30, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_whatever_happens_the_host_is_as_the_model_says(examples, steps):
    run_state_machine_as_test(
        Host,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
