"""The simulation: that histories leave everything as promised, repeat exactly, and that the checks can fail."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from scripts.simulation.faults import Fault, Kind
from scripts.simulation.history import History, history
from scripts.simulation.invariants import Violation
from scripts.simulation.mutations import MUTATIONS, Mutation, in_force
from scripts.simulation.payment_bugs import PLANTED, PLANTED_IN_FUNCTIONS
from scripts.simulation.payments import PROMISES
from scripts.simulation.places import call
from scripts.simulation.report import show_failure
from scripts.simulation.run import Result, run
from scripts.simulation.schema import problems
from scripts.simulation.shrink import shortest

ROOT = Path(__file__).parents[1]
HISTORIES = int(os.environ.get("HISTORIES", "60"))
"""`make test-long` runs more."""

REFUND_TWICE = next(mutation for mutation in MUTATIONS if mutation.name == "refund twice")

SEED = 1
BOTH_PROVIDERS = 18
KEYS = ["histories", "steps", "faults", "lost_jobs", "double_charges", "double_submissions", "unbalanced_wallets"]


def simulate(*arguments: str) -> tuple[int, str]:
    """Run the command, and return its exit status and what it printed."""
    done = subprocess.run(  # noqa: S603  (our own command)
        [sys.executable, "-m", "scripts.simulate", *arguments],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_histories_leave_everything_as_promised() -> None:
    """Many histories, hundreds of faults: no job lost, nothing charged or submitted twice, all books even."""
    status, printed = simulate("--histories", str(HISTORIES), "--seed", str(SEED), "--jobs", "2")
    assert status == 0, printed
    figures = json.loads(printed.splitlines()[-1])
    assert list(figures)[: len(KEYS)] == KEYS
    assert (figures["histories"], [figures[key] for key in KEYS[3:]]) == (HISTORIES, [0, 0, 0, 0])
    assert figures["faults"] > 5 * HISTORIES


def test_payments_are_credited_for_what_they_are_worth_and_planted_bugs_are_noticed() -> None:
    """Whatever is late, doubled, lost, stale or dies: no token too many and none too few; and each known way of getting
    it wrong is noticed within 3,000 histories."""
    status, printed = simulate("--billing", "--histories", "500", "--seed", str(SEED))
    assert status == 0, printed
    figures = json.loads(printed.splitlines()[-1])
    assert {kind: figures[kind] for kind in PROMISES} == dict.fromkeys(PROMISES, 0)
    assert figures["histories_of_functions"] == 5
    assert figures["bugs_caught"] == figures["bugs_planted"] == len(PLANTED) + len(PLANTED_IN_FUNCTIONS) >= 12


def test_a_history_with_two_providers_asks_both_in_both_lanes() -> None:
    """A deploy that reached one of them alone would leave half of the checks nothing to look at."""
    trace = "\n".join(run(history(BOTH_PROVIDERS)).trace)
    for asked in ("openai.POST chat/completions", "anthropic.POST messages"):
        assert f" {asked}\n" in trace
    for sent in ("openai.POST batches", "anthropic.POST messages/batches"):
        assert f" {sent}\n" in trace


@pytest.mark.parametrize("seed", [3, 8])
def test_a_seed_is_a_history_bit_by_bit(seed: int) -> None:
    """The same calls at the same times with the same faults, and the same documents, in another process with other
    hashes too."""
    ours = run(history(seed))
    script = f"from scripts.simulation.run import *; from scripts.simulation.history import *; r = run(history({seed}))"
    others = [
        subprocess.run(  # noqa: S603  (our own code)
            [sys.executable, "-c", f"{script}; print(r.steps, r.fingerprint)"],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": hashes},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()
        for hashes in ("1", "2")
    ]
    assert others == [[str(ours.steps), ours.fingerprint]] * 2
    assert run(history(seed + 1)).fingerprint != ours.fingerprint


def test_a_failure_is_cut_down_to_what_it_needs() -> None:
    """Of a long history little is left, and it still breaks the same promise."""
    with in_force(REFUND_TWICE):
        drawn, failed = first_failure()
        cut, result = shortest(drawn, failed)
    assert len(cut.actions) <= 4 < len(drawn.actions)
    assert len(result.struck) <= len(failed.struck)
    assert failed.violations[0].kind in {violation.kind for violation in result.violations}


def first_failure() -> tuple[History, Result]:
    """Return the first history without a team that fails, and what it comes to: to have one takes many actions."""
    for seed in range(SEED, SEED + 20):
        drawn = history(seed)
        if any(each.kind == "create_team" for each in drawn.actions):
            continue
        result = run(drawn)
        if result.violations:
            return drawn, result
    raise AssertionError("none of them fails")


def test_a_failure_is_shown_with_its_seed() -> None:
    """The shortest history, its faults, the promises that it breaks, and how to replay it."""
    drawn = history(5)
    violation = Violation("lost_jobs", "job 7 is queued for ever")
    fault = Fault("3", 2, Kind.CRASH_AFTER, 0.0, "firestore.Commit")
    result = Result(5, [violation], 10, [fault], "", trace=["1.0 3 classify 2 firestore.Commit crash_after"])
    console = Console(record=True, width=200, file=StringIO())
    show_failure(replace(drawn, actions=drawn.actions[:2]), result, console)
    shown = console.export_text()
    for text in (
        "make simulate HISTORIES=1 SEED=5",
        "lost_jobs: job 7 is queued for ever",
        "fault at 3, call 2 (firestore.Commit): crash_after",
        str(drawn.actions[0]),
        "1.0 3 classify 2 firestore.Commit crash_after",
    ):
        assert text in shown


@pytest.mark.parametrize("mutation", MUTATIONS, ids=[mutation.name for mutation in MUTATIONS])
def test_each_mutation_still_finds_its_place(mutation: Mutation) -> None:
    """The function is there, and has the expression that is changed in it exactly once."""
    with in_force(mutation):
        pass


def test_a_mutation_follows_the_code() -> None:
    """One whose function or expression is gone is an error, not a mutation that nobody needs to notice."""
    for gone in (replace(REFUND_TWICE, target="core.wallet.accounts:gone"), replace(REFUND_TWICE, find=call("gone"))):
        with pytest.raises(LookupError), in_force(gone):
            pass


def test_a_mutation_ends() -> None:
    """After it the code is sound again."""
    with in_force(REFUND_TWICE):
        pass
    assert run(history(SEED)).violations == []


def test_the_schema_knows_what_does_not_belong() -> None:
    """A document, a field, or a type that nobody has written down is found."""
    found = list(problems({"users/ann/secrets/x": {}, "devices/d": {"day": 7, "bonus": 0, "manual": 0, "more": None}}))
    assert found == [
        "users/ann/secrets/x: no document belongs here",
        "devices/d: unknown field more",
        "devices/d: expireAt is missing",
        "devices/d: day is 7, not str",
    ]
