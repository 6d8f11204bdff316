"""`rollout ...` and `flag explain`: which share of users takes a flag's new path, and how it does beside the old."""

from collections.abc import Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Annotated, Any

import typer
from rich.console import Console

from functions.core.config.changes import value_at
from functions.core.insights.automatic import nested
from functions.core.rollouts.ab_testing import AbTest, calls_each, sample
from functions.core.rollouts.arms import Arm, Decision
from functions.core.rollouts.counts import BUCKET_FIRST_MS, ArmCounts, bucket_of
from functions.core.rollouts.flags import ABOUT, NEXT_COHORT, Cohort, Flag, FlagRules, Metric
from functions.core.rollouts.stops import FlagState, held_because, in_test
from functions.core.rollouts.watch import NOTHING_KNOWN, Watch
from functions.core.shared.utc_days import clock_text
from functions.use_cases.operations.admin_rollout import Action, change_rollout
from functions.use_cases.operations.config_changes import change_config
from functions.use_cases.rollouts.serving import decisions, rules_in_force
from scripts.operators.printing import change, dollars, listing, table
from scripts.operators.session import Operation, RefusedError, Uid, changing, changing_for, command, looking

app = typer.Typer(help="Flags: stages, stops, both paths side by side.", no_args_is_help=True)
flag_app = typer.Typer(help="Which path of a flag a user takes.", no_args_is_help=True)

Name = Annotated[Flag, typer.Argument(metavar="FLAG", help="One of: " + ", ".join(Flag))]
SECONDS_SEEN = "Functions see it within 30 seconds."


@app.command("list")
@command(looking)
def list_flags(operation: Operation) -> None:
    """Print every flag: its stage, what each path came to, and by when it has to be gone. Five reads."""
    states, rules = operation.store.flag_states(), operation.deps.current.get().flags
    found = {flag: _row(flag, rules[flag], states[flag]) for flag in Flag}

    def render(console: Console) -> None:
        rows = [(*row.values(), ABOUT[flag].owner, ABOUT[flag].until) for flag, row in found.items()]
        console.print(table("flag", "state", "~stage", ">new calls", ">failed", "owner", "gone by", rows=rows))

    operation.show(list(found.values()), render)


@app.command("show")
@command(looking)
def show(operation: Operation, flag: Name) -> None:
    """Print where a flag stands and why, and both paths side by side. Five reads."""
    state, rules = operation.store.flag_states()[flag], operation.deps.current.get().flags[flag]
    about, watch = ABOUT[flag], state.watch if state else None

    def render(console: Console) -> None:
        row = _row(flag, rules, state)
        facts = {"does": about.does, "owner": about.owner, "gone by": about.until, "state": row["state"]}
        facts |= {"stage": row["stage"], "calls count as": f"{flag}@{state.epoch if state else '?'}"}
        if state and state.stopped:
            facts["stopped"] = f"{clock_text(state.stopped.at)} by {state.stopped.by}: {state.stopped.why}"
        if state and watch:
            why = held_because(state) or watch.why
            facts["last look"], facts["verdict"] = clock_text(watch.at), f"{watch.verdict} {why}".rstrip()
        console.print(listing(facts.items()))
        if state and watch:
            _side_by_side(state, watch, console)

    told = {
        "flag": flag,
        "rules": rules.as_json() if rules else None,
        "epoch": state.epoch if state else None,
        "stopped": state.stopped.as_json() if state and state.stopped else None,
        "watch": _data(state, watch) if state and watch else None,
    }
    operation.show(told, render)


@app.command("compare")
@command(looking)
def compare(operation: Operation, flag: Name) -> None:
    """Print what both paths came to, with bounds that hold however often one looks. Five reads."""
    state = operation.store.flag_states()[flag]
    if state is None or state.watch is None:
        raise RefusedError(f"{flag}: there is nothing to compare yet; guard_rollouts looks once a minute.")
    watch = state.watch
    operation.show(_data(state, watch), lambda console: _side_by_side(state, watch, console))


@app.command("start")
@command(changing)
def start(
    operation: Operation,
    flag: Name,
    cohort: Annotated[Cohort, typer.Option(help="The first stage.")] = Cohort.TEST,
    auto: Annotated[bool, typer.Option(help="Let later stages begin by themselves.")] = False,
) -> None:
    """Give a flag's new path to its first users."""
    rules = _rules(operation, flag)
    if rules.cohort is not Cohort.OFF:
        raise RefusedError(f"{flag} is on already ({rules.cohort}); advance it instead.")
    _set(operation, flag, rules, cohort=cohort, autoAdvance=auto)


@app.command("advance")
@command(changing)
def advance(
    operation: Operation,
    flag: Name,
    anyway: Annotated[bool, typer.Option("--anyway", help="Also while it is on hold.")] = False,
) -> None:
    """Begin a flag's next stage: test (10 %), small (25 %), large (50 %), all."""
    rules, state = _rules(operation, flag), operation.store.flag_states()[flag]
    following = NEXT_COHORT.get(rules.cohort)
    if following is None:
        raise RefusedError(f"{flag} has reached everybody but its holdback; finish it.")
    if state and state.stopped:
        raise RefusedError(f"{flag} is stopped: {state.stopped.why}. Restart it first.")
    if (because := held_because(state)) and not anyway:
        raise RefusedError(f"{flag} is on hold: {because}. Add --anyway if it shall go on.")
    _set(operation, flag, rules, cohort=following, percent=None)


@app.command("hold")
@command(changing)
def hold(operation: Operation, flag: Name) -> None:
    """Keep a flag at its stage: the next one does not begin by itself. It is still stopped if it fails."""
    _set(operation, flag, _rules(operation, flag), autoAdvance=False)


@app.command("finish")
@command(changing)
def finish(operation: Operation, flag: Name) -> None:
    """Give the new path to everybody, the holdback too. From then on nothing is left to compare it with. A value of the
    config takes the old one's place, and the flag is off."""
    rules, state, about = _rules(operation, flag), operation.store.flag_states()[flag], ABOUT[flag]
    if state and state.stopped:
        raise RefusedError(f"{flag} is stopped: {state.stopped.why}. Restart it first.")
    if not about.becomes:
        _set(operation, flag, rules, cohort=Cohort.ALL, percent=None, holdbackPercent=0)
        return
    value = value_at(operation.store.runtime_documents().config or {}, about.brings)
    if value is None:
        raise RefusedError(f"{about.brings} names nothing: there is nothing to finish.")
    if (ceiling := operation.deps.settings.flag_ceilings[flag]) < 100:
        raise RefusedError(f"FLAGS keeps {flag} at {ceiling} % of the users: deploy without {flag} in it first.")
    _set(operation, flag, rules, None, {about.becomes: value, about.brings: None}, cohort=Cohort.OFF, percent=None)


@app.command("allow")
@command(changing)
def allow(
    operation: Operation,
    flag: Name,
    uid: Uid,
    remove: Annotated[bool, typer.Option("--remove", help="Take the user off the list.")] = False,
) -> None:
    """Give a user the new path in every stage but off. They do not count: they are no sample."""
    rules = _rules(operation, flag)
    others = [each for each in rules.allow if each != uid]
    _set(operation, flag, rules, allow=others if remove else [*others, uid])


@app.command("test")
@command(changing)
def ab_test(
    operation: Operation,
    flag: Name,
    metric: Annotated[Metric, typer.Option(help="failed, or slow: beyond the old path's slowest 5 %.")] = Metric.FAILED,
    difference: Annotated[float, typer.Option(min=0.1, max=50, help="To be found, in percentage points.")] = 2.0,
    end: Annotated[bool, typer.Option("--end", help="End the test that is on.")] = False,
) -> None:
    """Begin an A/B test with half of the users: so many calls of each path, and no result before them."""
    rules, state = _rules(operation, flag), operation.store.flag_states()[flag]
    if end:
        _set(operation, flag, rules, testMetric=None)
        return
    old = state.watch.of(Arm.OLD) if state and state.watch else ArmCounts()
    rate = 0.05 if metric is Metric.SLOW else (old.failed + 0.5) / (old.ended + 10)
    calls = calls_each(rate, difference / 100)
    follows = [
        f"It takes {calls:,} calls of each path to find a difference of {difference:g} points from {rate:.1%}, "
        "with 95 % certainty, in four tests of five. Nothing is shown before.",
        *_days_for(state.watch if state else None, calls),
        "Calls of one user are taken for independent; a stop by the guard ends the test.",
    ]
    _set(operation, flag, rules, follows, cohort=Cohort.LARGE, percent=None, testMetric=metric, testCalls=calls)


@app.command("stop")
@command(changing_for)
def stop(operation: Operation, flag: Name) -> None:
    """Bring everybody back onto the old path. It needs no config that can be read."""
    _decide(operation, flag, Action.STOP, ("running", "stopped"))


@app.command("restart")
@command(changing_for)
def restart(operation: Operation, flag: Name) -> None:
    """Start a stopped flag anew, at the stage that the config says. What was counted before does not count."""
    _decide(operation, flag, Action.RESTART, ("stopped", "running"))


@flag_app.command("explain")
@command(looking)
def explain(operation: Operation, flag: Name, uid: Uid) -> None:
    """Print which path of a flag a user takes now, and why. Three reads, four while a flag is on."""
    decision = decisions(uid, operation.deps)[flag]
    told = {"flag": flag, "uid": uid, "arm": decision.arm, "why": decision.why, "counted": decision.counted}
    operation.show(
        told, f"{uid} takes the {_PATHS[decision.arm]} path of {flag}: {_reason(decision, flag, operation)}."
    )


_PATHS: Mapping[str, str] = {Arm.OLD: "old", Arm.NEW: "new", Arm.LISTED: "new"}


def _reason(decision: Decision, flag: Flag, operation: Operation) -> str:
    rules, ceiling = rules_in_force(flag, operation.deps), operation.deps.settings.flag_ceilings[flag]
    if rules is None or decision.why == "ERROR":
        return "ERROR, its rules or its state cannot be read"
    share = min(rules.share, ceiling)
    return {
        "DISABLED": "DISABLED, it is off, stopped, or closed by FLAGS",
        "TARGETING_MATCH": "TARGETING_MATCH, the user is on a list",
        "SPLIT": f"SPLIT, the user is among {share} %",
        "DEFAULT": f"DEFAULT, the user is not among {share} %",
    }[decision.why]


def _rules(operation: Operation, flag: Flag) -> FlagRules:
    rules = operation.deps.current.get().flags[flag]
    if rules is None:
        raise RefusedError(f"flags.{flag} cannot be read; admin config unset flags.{flag} takes it back to off.")
    return rules


def _set(
    operation: Operation,
    flag: Flag,
    rules: FlagRules,
    follows: list[str] | None = None,
    besides: Mapping[str, Any] = MappingProxyType({}),
    **fields: Any,
) -> None:
    """Change a flag's rules, and other fields besides, on record, unless somebody else was faster."""
    before, stored = rules.as_json(), operation.store.runtime_documents().config or {}
    wanted = {f"flags.{flag}.{name}": (before[name], value) for name, value in fields.items()}
    wanted |= {field: (value_at(stored, field), value) for field, value in besides.items()}
    wanted = {field: (old, new) for field, (old, new) in wanted.items() if old != new}
    if not wanted:
        operation.show({"changed": []}, f"Nothing to do: {flag} is so already.")
        return
    seen = {field: value_at(stored, field) for field in wanted}
    changes = [change(field, old, new) for field, (old, new) in wanted.items()]
    operation.ask(changes, f"The rollout of {flag}", follows=follows or ())
    done = change_config(nested({field: new for field, (_, new) in wanted.items()}), operation.by, operation.deps, seen)
    operation.show({"changed": done["changed"]}, f"Done. {SECONDS_SEEN}")


def _decide(operation: Operation, flag: Flag, action: Action, words: tuple[str, str]) -> None:
    operation.ask([change(flag, *words)], f"The rollout of {flag}: {operation.why}")
    done = change_rollout(flag, action, operation.by, operation.why, operation.deps)
    sentence = f"Done. {SECONDS_SEEN}" if done["changed"] else f"Nothing to do: {flag} was {words[1]} already."
    operation.show(done, sentence)


def _row(flag: Flag, rules: FlagRules | None, state: FlagState | None) -> dict[str, Any]:
    watch = state.watch if state else None
    new = watch.of(Arm.NEW) if watch else ArmCounts()
    if rules is None or state is None:
        told = "cannot be read, so old"
    elif state.stopped:
        told = f"stopped by {state.stopped.by}"
    elif rules.cohort is Cohort.OFF:
        told = "off"
    else:
        told = "on hold" if held_because(state) else "running"
    stage = f"{rules.cohort}, {rules.share} %" if rules else ""
    failed = None if in_test(state) else new.failed
    return {"flag": flag, "state": told, "stage": stage, "newCalls": new.ended, "newFailed": failed}


def _data(state: FlagState, watch: Watch) -> dict[str, Any]:
    """Return what was seen, as JSON; while a test is on, nothing of what either path came to."""
    shown = {"epoch", "at", "stage", "verdict"}
    return watch.as_json(include=shown if in_test(state) else {*shown, "why", "totals", "bounds", "test"})


def _side_by_side(state: FlagState, watch: Watch, console: Console) -> None:
    test = watch.test
    if test and in_test(state):
        _test_so_far(test, watch, console)
        return
    columns = {arm: _column(watch.of(arm), watch.bounds.get(arm, NOTHING_KNOWN)) for arm in (Arm.OLD, Arm.NEW)}
    rows = [(name, columns[Arm.OLD][name], columns[Arm.NEW][name]) for name in columns[Arm.OLD]]
    console.print(table("", ">old", ">new", rows=rows))
    if test and test.result:
        found = test.result
        console.print(
            f"The test of {test.metric}, {found.old.calls:,} and {found.new.calls:,} calls: the new path differs by "
            f"{found.difference:+.2%}, between {found.low:+.2%} and {found.high:+.2%} with 95 % certainty."
        )


def _test_so_far(test: AbTest, watch: Watch, console: Console) -> None:
    done = min(sample(test, arm, watch.totals).calls for arm in (Arm.OLD, Arm.NEW))
    console.print(
        f"A test of {test.metric} is on since {clock_text(test.since)}: {done:,} of {test.calls:,} calls of each path. "
        "Its result, and what the paths came to, are shown after them."
    )


def _column(counts: ArmCounts, bounds: tuple[float, float]) -> dict[str, str]:
    ended = max(counts.ended, 1)
    return {
        "calls": f"{counts.ended:,}",
        "in flight": f"{counts.in_flight:,}",
        "failed": f"{counts.failed:,}",
        "failed, of all": f"{counts.failed / ended:.2%}",
        "with 95 % certainty": f"{bounds[0]:.2%} to {bounds[1]:.2%}",
        "half within": _within(counts, 0.5),
        "95 % within": _within(counts, 0.95),
        "cost of a call": dollars(round(counts.micros / ended)),
    }


def _within(counts: ArmCounts, share: float) -> str:
    bucket = bucket_of(counts, share)
    return "-" if bucket is None else f"{BUCKET_FIRST_MS * 2**bucket / 1_000:g} s"


def _days_for(watch: Watch | None, calls: int) -> list[str]:
    """Return how long a test takes at the traffic of the stage so far, as far as there was any."""
    if watch is None or watch.at - watch.stage.since < timedelta(hours=1):
        return []
    per_day = (watch.of(Arm.OLD).ended + watch.of(Arm.NEW).ended) / ((watch.at - watch.stage.since) / timedelta(days=1))
    return [f"At {per_day:,.0f} calls a day that is about {2 * calls / per_day:.1f} days."] if per_day else []
