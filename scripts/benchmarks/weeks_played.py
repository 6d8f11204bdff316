"""An app's weeks, played through the real functions by the real clients in moved time, with what happens in them. For
`BENCH=whole`.

The app is eight days old when its three weeks begin. In them the crons run every quarter of an hour, also those that
run more often in the cloud, `rank_users` every hour as there; before and after them all run every hour, those of the
baseline, which none of them has a part in but by allowances, every six hours. By day of the three weeks:

     2  somebody's card payment is disputed at Stripe      4  no event of Stripe's arrives
     5  the first provider is down for two hours           9  the next model goes to half of the users, and fails
    13  the operator lowers the limit: the budget closes  16  the first provider's prices rise by half

From the first day on a team pays for the photos of its four members, for each up to a limit a month; what it does not
pay for they pay for themselves.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from io import StringIO
from itertools import groupby
from random import Random
from typing import Any, Literal

from functions.adapters.images import prepare, prepare_known
from functions.core.cache.fingerprints import Fingerprint
from functions.core.config.runtime import ImageRules
from functions.core.jobs.disputes import DisputeReason
from functions.core.model.provider_errors import Trouble
from functions.core.model.refusals import ProviderDownError
from functions.core.rollouts.arms import Arm
from functions.core.rollouts.flags import Flag
from functions.core.shared.alerts import AlertKind
from functions.core.shared.errors import EcolaneError, InsufficientTokens
from functions.core.shared.lanes import Lane
from functions.core.shared.time_limits import CRON_MINUTES
from functions.core.shared.utc_days import day_of
from functions.core.wallet.refusals import MemberLimit
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.bulk.run_bulk import run_bulk
from functions.use_cases.bulk.start_bulk import StartBulk, start_bulk
from functions.use_cases.insights.plan_ahead import plan_ahead
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.classify_images import IMAGES_MAX, ClassifyImages, classify_images
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.jobs.report_answer import ReportAnswer, report_answer
from functions.use_cases.leaderboard.rank_users import rank_users
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.operations.guard_rollouts import guard_rollouts
from functions.use_cases.payments.reconcile_billing import reconcile_billing
from functions.use_cases.privacy.delete_account import DeleteAccount, delete_account
from functions.use_cases.privacy.erase_accounts import erase_accounts
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.rollouts.serving import decisions
from functions.use_cases.teams.create_team import CreateTeam, create_team
from functions.use_cases.teams.invite_member import InviteMember, invite_member
from functions.use_cases.teams.join_team import JoinTeam, join_team
from functions.wiring import Deps
from scripts.benchmarks.calls import UNLIMITED
from scripts.benchmarks.weeks import AFTER, BEFORE, BEGINS, DAYS, LEAVING, Sent, seen
from scripts.inprocess import SELLING, InProcessCloud, StillClock
from scripts.shop_in_process import Shop

OPERATOR = "operator"
LIMIT_MICROS = 100_000
"""A day's limit, which no day comes near to but the one on which it is lowered."""

_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_CRONS = (
    submit_batches,
    poll_batches,
    refresh_credits,
    recover_jobs,
    reconcile_billing,
    erase_accounts,
    run_bulk,
    rank_users,
    guard_rollouts,
    guard_budget,
)
_HOURLY = {cron for cron in _CRONS if CRON_MINUTES[cron.__name__] == 60}
_BOOKING = {submit_batches, poll_batches, recover_jobs}
"""The crons that hold something on the budget, or settle it."""

_QUARTER = 15 * _MINUTE
_SETTLED = 3 * _HOUR
"""Crons that ran every hour are late by their own times; so soon nobody is told of it any more."""

_PLAN_AT = 20 * _MINUTE  # after midnight
FORECAST_AT, FORECAST_DAYS = BEGINS + 14 * _DAY + 30 * _MINUTE, DAYS - 14
"""When the forecast of the last days is kept, to be compared with what came."""

_DISPUTED = 0.005
_CARD_TO_DISPUTE = "4000000000000259"
_PRICE = {"provider": "openai", "model": "gpt-6-luna"}

HAPPENS: tuple[tuple[AlertKind, datetime, timedelta], ...] = (
    (AlertKind.DISPUTE_OPENED, BEGINS + 2 * _DAY + 9 * _HOUR, _HOUR),
    (AlertKind.BILLING_SILENT, BEGINS + 5 * _DAY, _DAY),
    (AlertKind.PROVIDER_DOWN, BEGINS + 5 * _DAY + 14 * _HOUR, _HOUR),
    *((AlertKind.CONFIG_CHANGED, BEGINS + day * _DAY, _HOUR) for day in (9, 13, 14, 16)),
    (AlertKind.ROLLOUT_STOPPED, BEGINS + 9 * _DAY + 6 * _HOUR, _DAY),
    (AlertKind.BATCH_ONLY, BEGINS + 13 * _DAY, _DAY),
    (AlertKind.CLOSED, BEGINS + 13 * _DAY, _DAY),
)
"""What is to be told: since when, and how soon. When the limit is reached, and when a path has failed often enough,
hangs on how many photos come."""

TEAM = ("user-08", "user-12", "user-16", "user-20")
"""A team's owner and its members, who stay to the end."""

_MEMBERS_LIMIT = 60
"""Tokens of a team that each of its members may spend in a month."""

NOTABLE = {5: "provider down", 9: "bad model", 13: "budget closes", 16: "prices up"}
"""What a picture names, by day."""

Act = tuple[datetime, Callable[[], object]]


@dataclass
class Called:
    """What became of one photo. `seconds` as its user waited for the call, in moved time and this machine's CPU;
    `refused` why it was not taken, None if it was."""

    sent: Sent
    job: str | None = None
    seconds: float = 0.0
    refused: EcolaneError | None = None


class Weeks:
    """The weeks of one app. `plain`: its baseline, all at once by one provider without a cache, and nothing happens."""

    def __init__(self, photos: Sequence[Sent], *, plain: bool = False) -> None:
        self.plain, self.photos = plain, photos
        self.called: list[Called] = []
        self.bills: dict[str, Counter[str]] = {"calls": Counter(), "crons": Counter()}
        self.overshoot = 0
        self.forecast: tuple[float, ...] = ()
        self._dice = Random(len(photos))  # noqa: S311  (an app's life, no secret)
        self._next_fails = self._on_next = False  # the next model; and whether it is the one that is asked
        self.cloud = InProcessCloud(clock=StillClock(BEGINS - BEFORE), answers=seen, seed=1, batch_minutes=100)
        self.cloud.restart(
            {**SELLING, "anthropic_api_key": "stand-in"}, prepare_photo=_prepared, recognise_photo=_recognised
        )
        self._shop = Shop(cloud=self.cloud)
        self._team: str | None = None
        self.config: dict[str, Any] = {
            "billing": self._shop.billing,
            "tokens": {"welcome": 1_000 if plain else 60, "balanceCap": 1_000},
            "plans": {"free": UNLIMITED, "plus": UNLIMITED, "pro": UNLIMITED},
            "budget": {"dailyLimitMicros": LIMIT_MICROS},
            "refresh": {"allowances": {"free": {"kind": "add", "amount": 10, "every": "day"}}},
        }
        if not plain:
            self.config |= {
                "cache": {"exact": "on", "near": "on"},
                "providers": {"order": ["openai", "anthropic"], "batchOrder": ["openai", "anthropic"]},
            }
        self.cloud.configure(self.config)

    def play(self) -> None:
        """Play them to their end, and until the last photo must have its answer. What is logged goes nowhere."""
        acts, ends = [*self._sending(), *self._ticking()], BEGINS + DAYS * _DAY
        if not self.plain:
            acts += [act for act in self._happening() if act[0] < ends]
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()), self.cloud.interrupting(self._interrupt):
            for at, act in sorted(acts, key=lambda each: each[0]):
                self.cloud.clock.now = max(self.cloud.clock.now, at)
                act()

    # Photos

    def _sending(self) -> Iterator[Act]:
        for (at, uid), together in groupby(self.photos, key=lambda sent: (sent.at, sent.uid)):
            sent = list(together)
            yield at, partial(self._send, uid, sent)

    def _send(self, uid: str, sent: Sequence[Sent]) -> None:
        found = [Called(each) for each in sent]
        self.called += found
        began, cpu = self.cloud.clock.now, time.process_time()
        payer = self._team if uid in TEAM else None
        with self._billed("calls"):
            for _ in range(3):
                try:
                    self._ask(uid, found, payer)
                except (InsufficientTokens, MemberLimit) as refused:
                    found[0].refused = refused
                    if payer is None and (self.plain or not self._buys(uid)):
                        break
                    payer = None
                except EcolaneError as refused:
                    found[0].refused = refused
                    break
                else:
                    break
        for each in found:
            each.seconds = (self.cloud.clock.now - began).total_seconds() + time.process_time() - cpu
        self._look_at_the_budget()

    def _ask(self, uid: str, found: Sequence[Called], payer: str | None) -> None:
        """Ask about one photo, or about several together. `payer`: the team that pays, None if the user does."""
        images = [
            {"requestId": each.sent.key, "imagePath": self.cloud.upload(uid, f"{each.sent.key}.jpg", each.sent.photo)}
            for each in found
        ]
        for each in found:
            each.refused = None
        self._on_next = decisions(uid, self.cloud.deps)[Flag.MODEL].arm is Arm.NEW
        if len(images) == 1 or self.plain:
            for each, image in zip(found, images, strict=True):
                mode = Lane.INSTANT if self.plain else each.sent.lane
                request = ClassifyImage.model_validate({**image, "mode": mode, "payer": payer})
                each.job = classify_image(request, uid, self.cloud.deps)["jobId"]
            return
        if len(images) > IMAGES_MAX:
            bulk = {"requestId": f"bulk-{found[0].sent.key}", "images": [each["imagePath"] for each in images]}
            start_bulk(StartBulk.model_validate(bulk), uid, self.cloud.deps)  # jobs come later, see `Books`
            return
        answers = classify_images(ClassifyImages.model_validate({"images": images}), uid, self.cloud.deps)
        for each, answer in zip(found, answers["results"], strict=True):
            each.job = answer.get("job", {}).get("jobId")

    def _buys(self, uid: str) -> bool:
        """Have a user who is out of tokens buy some, as two in three do."""
        if self._dice.random() < 1 / 3:
            return False
        self._shop.visited(uid)
        self._shop.buy("tokens_100", uid)
        return True

    # Crons

    def _ticking(self) -> Iterator[Act]:
        begins, whole = BEGINS - BEFORE, BEFORE + DAYS * _DAY + AFTER
        for number in range(whole // _QUARTER):
            at = begins + number * _QUARTER
            often = not self.plain and BEGINS - _SETTLED <= at < BEGINS + DAYS * _DAY
            if often or (at.minute == 0 and (at.hour % 6 == 0 or not self.plain)):
                yield from ((at, partial(self._run, cron)) for cron in _CRONS if cron not in _HOURLY or at.minute == 0)
        for number in range(whole // _DAY):
            yield begins + number * _DAY + _PLAN_AT, partial(self._run, plan_ahead)

    def _run(self, cron: Callable[[Deps], Any]) -> None:
        with self._billed("crons"):
            self.cloud.stripe.tick()
            cron(self.cloud.deps)
            self.cloud.deps.store.write_cron_run(cron.__name__, {"finishedAt": self.cloud.clock()})
        if cron in _BOOKING:
            self._look_at_the_budget()

    # What happens

    def _happening(self) -> Iterator[Act]:
        faults = self.cloud.openai.faults

        def at(day: int, hour: float) -> datetime:
            return BEGINS + day * _DAY + hour * _HOUR

        yield at(0, 9), self._found_a_team
        yield at(2, 9), lambda: self._buys_and_disputes("user-01")
        yield at(4, 0), lambda: self._shop.hear(deaf=True)
        yield at(4, 12), lambda: self._shop.visited("user-03").buy("plus_month", "user-03")
        yield at(5, 0), self._shop.hear
        yield at(5, 14), lambda: faults.add(kind="unavailable", count=None)
        yield at(5, 16), faults.clear
        yield at(9, 0), lambda: self._set({"model": {"next": "gpt-5.6-luna"}, "flags": {"model": {"cohort": "large"}}})
        yield at(9, 6), lambda: setattr(self, "_next_fails", True)
        for minute in range(2 * _DAY // _MINUTE):
            yield at(9, minute / 60), partial(self._run, guard_rollouts)
        yield at(13, 0.1), lambda: self._set({"budget": {"dailyLimitMicros": self._low_limit()}})
        yield at(14, 0.1), lambda: self._set({"budget": {"dailyLimitMicros": LIMIT_MICROS}})
        yield FORECAST_AT, self._keep_the_forecast
        yield at(16, 0), lambda: self._set({"model": {"prices": self._dearer()}})
        yield from ((at(day, 10), self._dispute_some) for day in range(1, DAYS))
        yield from ((at(day, 20), partial(self._leave, uid)) for uid, day in LEAVING.items())

    def _found_a_team(self) -> None:
        owner, *others = TEAM
        found = CreateTeam(requestId="team-of-" + owner, name="Green Street")
        self._team = team_id = str(create_team(found, owner, self.cloud.deps)["teamId"])
        for uid in others:
            invite = {"requestId": f"invite-to-green-street-{uid}", "teamId": team_id, "monthlyLimit": _MEMBERS_LIMIT}
            code = invite_member(InviteMember.model_validate(invite), owner, self.cloud.deps)["code"]
            join_team(JoinTeam(code=code), uid, self.cloud.deps)
        self._shop.visited(owner)
        self._shop.buy("tokens_100", owner, payer=team_id)

    def _buys_and_disputes(self, uid: str) -> None:
        self._shop.visited(uid)
        self._shop.buy("tokens_100", uid, _CARD_TO_DISPUTE)

    def _set(self, changes: dict[str, Any]) -> None:
        admin_set_config(AdminSetConfig(changes=changes), OPERATOR, self.cloud.deps)

    def _low_limit(self) -> int:
        """Return a third of what the day before cost."""
        day = day_of(self.cloud.clock() - _DAY)
        return sum(shard.spent for shard in self.cloud.deps.store.budget_shards(day).values()) // 3

    @staticmethod
    def _dearer() -> list[dict[str, Any]]:
        since, usd = f"{BEGINS + 16 * _DAY:%Y-%m-%d}", {"instant": ("0.15", "0.75"), "batch": ("0.075", "0.375")}
        return [
            {**_PRICE, "lane": lane, "since": since, "inputUsdPerMillion": paid, "outputUsdPerMillion": got}
            for lane, (paid, got) in usd.items()
        ]

    def _keep_the_forecast(self) -> None:
        stored = self.cloud.client.document("forecasts/current").get().to_dict() or {}
        lanes = [lane["expected"] for lane in stored["lanes"].values()]
        self.forecast = tuple(sum(each) for each in zip(*lanes, strict=True))

    def _dispute_some(self) -> None:
        """Have users say of a few of the last day's answers that they are wrong."""
        since = self.cloud.clock() - _DAY
        for each in self.called:
            if each.job and each.sent.at > since and self._dice.random() < _DISPUTED:
                request = ReportAnswer(jobId=each.job, reason=DisputeReason.OTHER)
                with suppress(EcolaneError):  # it has no answer yet
                    report_answer(request, each.sent.uid, self.cloud.deps)

    def _leave(self, uid: str) -> None:
        delete_account(DeleteAccount(confirm="DELETE"), uid, self.cloud.deps)

    # What is watched

    @contextmanager
    def _billed(self, what: str) -> Iterator[None]:
        """Count what Firestore bills for, in the three weeks."""
        self.cloud.firestore.bill.reset()
        yield
        if BEGINS <= self.cloud.clock.now < BEGINS + DAYS * _DAY:
            totals = self.cloud.firestore.bill.snapshot()["totals"]
            self.bills[what].update({kind: totals[kind] for kind in ("reads", "writes")})

    def _look_at_the_budget(self) -> None:
        day, limit = day_of(self.cloud.clock.now), self.cloud.deps.runtime().budget.daily_limit_micros
        used = sum(shard.used for shard in self.cloud.deps.store.budget_shards(day).values())
        self.overshoot = max(self.overshoot, used - limit)

    def _interrupt(self, call: str, when: Literal["before", "after"]) -> None:
        """Let a provider take its time; and the next model fail, of which the stand-in knows nothing."""
        if when == "before" and call in {"openai.complete", "anthropic.complete"}:
            self.cloud.clock.advance(timedelta(seconds=self._dice.lognormvariate(0.9, 0.35)))
        if (call, when) == ("openai.complete", "before") and self._next_fails and self._on_next:
            raise ProviderDownError("it does not answer", Trouble.UNREACHABLE, may_be_billed=False)


def _prepared(data: bytes, rules: ImageRules) -> bytes:
    return prepare(data, rules.side_max, rules.jpeg_quality)


def _recognised(data: bytes, rules: ImageRules) -> tuple[bytes, Fingerprint]:
    return prepare_known(data, rules.side_max, rules.jpeg_quality)
