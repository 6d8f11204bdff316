"""Days of an app that grows, played through the real functions until now, so that pages have something to show.

Users come, stay or leave, and send photos in both lanes: by day more than by night, and most on weekends. On one day
the provider is down for an hour, and on another the operator has set the budget too low. All of it is drawn from one
seed, and every document is one that a function has written.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BytesIO
from typing import Any, Literal, TextIO

from PIL import Image

from functions.core.model.usage import ModelPrice
from functions.core.shared.errors import EcolaneError
from functions.core.shared.lanes import Lane
from functions.use_cases.batches.poll_batches import poll_batches
from functions.use_cases.batches.submit_batches import submit_batches
from functions.use_cases.insights.plan_ahead import plan_ahead
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.recover_jobs import recover_jobs
from functions.use_cases.operations.admin_set_config import AdminSetConfig, admin_set_config
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.refresh.refresh_credits import refresh_credits
from functions.use_cases.wallet.claim_daily_bonus import ClaimDailyBonus, claim_daily_bonus
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from functions.wiring import Deps
from localcloud.firestore import FirestoreServer
from scripts.drawings import drawn_photos
from scripts.inprocess import InProcessCloud, StillClock, replaced

VISITOR, OPERATOR = "visitor", "operator"
"""A user who has been there from the first day, and who has changed the settings."""

DAYS_MAX = 400

_PLAN_AT = timedelta(minutes=20)
_HOUR, _QUARTER = timedelta(hours=1), timedelta(minutes=15)
_LATELY = timedelta(days=2)
"""For so long crons run every quarter of an hour, which is what a day's curve is made of; before it every two hours,
and the guard, which costs most, every six."""

_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 8, 9, 8, 7, 7, 8, 10, 13, 14, 12, 9, 5, 2)
"""How many photos come in each hour of the users' time, as against the others. They live where it is evening now: today
has something to show."""
_EVENING = 20

_WEEKEND = 1.5
_LIMIT_MICROS, _LOW_MICROS = 20_000, 3_000
_SIDE = 160  # pixels of a photo: the stand-in looks at colours

Upload = Callable[[str, bytes], object]
_Act = tuple[datetime, Callable[[], object]]


@dataclass(frozen=True)
class _User:
    uid: str
    since: int  # the day of the first photo
    keen: float  # the chance of a visit a day, in the first week
    patient: float  # the share of photos that may take hours

    def visits(self, day: int) -> float:
        """Return the chance of a visit on a day. Most of those who come lose interest."""
        age = day - self.since
        return 1.0 if age == 0 else self.keen * (1.0 if age < 7 else 0.5)


class PlayedDays:
    """So many days, the last of which is today until now."""

    def __init__(
        self, days: int, firestore: FirestoreServer, upload: Upload, logs: TextIO, now: datetime, seed: int = 1
    ) -> None:
        """The documents go to `firestore`, and what the functions log to `logs`. `upload` gets path and bytes of each
        photo that can be seen or is not yet classified."""
        self._days, self._end, self._upload, self._logs = days, now, upload, logs
        midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        self._first = midnight - timedelta(days=days - 1)
        self._dice = random.Random(seed)  # noqa: S311  (an app's life, no secret)
        self._clock = StillClock(self._first)
        self._cloud = InProcessCloud(clock=self._clock, firestore=firestore, seed=seed, batch_minutes=100)
        replaced(self._cloud.deps, model_price=partial(self._price_now, self._cloud.deps.model_price))
        self._photos = [small(photo) for photo in drawn_photos().values()]
        self._users: list[_User] = [_User(VISITOR, 0, 0.9, 0.6)]

    def _price_now(
        self,
        price: Callable[..., ModelPrice],
        model: str | None = None,
        *,
        batch: bool = False,
        at: datetime | None = None,
    ) -> ModelPrice:
        """Return what a model costs when the days end: on the first of them it may have had no price yet."""
        del at
        return price(model, batch=batch, at=self._end)

    def __iter__(self) -> Iterator[int]:
        """Play day after day. Yields each day's number once it is over, from 1."""
        self._provider_is_well()
        with self._cloud.interrupting(self._take_time):
            for day in range(self._days):
                with redirect_stdout(self._logs), redirect_stderr(self._logs):
                    self._play(day)
                yield day + 1

    def _play(self, day: int) -> None:
        begins = self._first + timedelta(days=day)
        ends = min(begins + timedelta(days=1), self._end)
        lately = self._end - begins <= _LATELY
        acts = list(self._ticks(begins, self._crons, _QUARTER if lately else 2 * _HOUR))
        acts += self._ticks(begins, lambda: guard_budget(self._cloud.deps), _QUARTER if lately else 6 * _HOUR)
        acts.append((begins + _PLAN_AT, lambda: plan_ahead(self._cloud.deps)))
        acts += self._events(day, begins)
        acts += [(at, partial(self._visit, user)) for user in self._callers(day) for at in self._when(begins)]
        for at, act in sorted(acts, key=lambda act: act[0]):
            if at < ends:
                self._clock.now = max(self._clock.now, at)
                act()
        self._clock.now = max(self._clock.now, ends)

    @staticmethod
    def _ticks(begins: datetime, act: Callable[[], object], every: timedelta) -> Iterator[_Act]:
        for number in range(timedelta(days=1) // every):
            yield begins + number * every, act

    def _callers(self, day: int) -> list[_User]:
        """Return who comes on a day: some for the first time, more of them as the app becomes known."""
        weekend = _WEEKEND if (self._first + timedelta(days=day)).weekday() >= 5 else 1.0
        for _ in range(self._count(weekend * (1.5 + 3 * day / self._days))):
            keen, patient = self._dice.betavariate(1, 3), self._dice.betavariate(3, 2)
            self._users.append(_User(f"user-{len(self._users):04}", day, keen, patient))
        return [user for user in self._users if self._dice.random() < user.visits(day) * min(weekend, 1.2)]

    def _count(self, mean: float) -> int:
        return int(mean) + (self._dice.random() < mean % 1)

    def _when(self, begins: datetime) -> list[datetime]:
        """Return when a caller's photos of a day come: one to four, minutes apart."""
        hour = (self._dice.choices(range(24), _BY_HOUR)[0] + self._end.hour - _EVENING) % 24
        first = begins + timedelta(hours=hour, minutes=self._dice.uniform(0, 59))
        return [first + timedelta(minutes=2 * number) for number in range(self._dice.choice((1, 1, 2, 2, 3, 4)))]

    def _events(self, day: int, begins: datetime) -> list[_Act]:
        """Return what happens to the app on a day, besides its users."""
        ago, noon = self._days - day, begins + timedelta(hours=12)
        events: list[_Act] = []
        if day == 0:
            events.append((begins, lambda: self._set({"budget": {"dailyLimitMicros": _LIMIT_MICROS}})))
        if ago == self._days // 3:
            events.append((noon, lambda: self._set({"budget": {"dailyLimitMicros": _LOW_MICROS}})))
            events.append((noon + 8 * _HOUR, lambda: self._set({"budget": {"dailyLimitMicros": _LIMIT_MICROS}})))
        if ago == self._days // 5:
            events += [(noon + 5 * _HOUR, self._provider_is_down), (noon + 6 * _HOUR, self._provider_is_well)]
        return events

    def _provider_is_well(self) -> None:
        """Let the provider refuse a photo in fifty, which is what it does on a good day."""
        faults = self._cloud.openai.faults
        faults.clear()
        faults.add(kind="refusal", probability=0.02, count=None)
        faults.add(kind="line_error", status=400, code="invalid_image", probability=0.02, count=None)

    def _provider_is_down(self) -> None:
        self._cloud.openai.faults.add(kind="unavailable", count=None)

    def _set(self, changes: dict[str, Any]) -> None:
        admin_set_config(AdminSetConfig(changes=changes), OPERATOR, self._cloud.deps)
        self._clock.advance(timedelta(seconds=31))  # until every process has read it

    def _visit(self, user: _User) -> None:
        """Send a photo. Who is refused, for want of tokens or on a bad day, comes another time."""
        deps, number = self._cloud.deps, self._dice.getrandbits(64)
        lane = Lane.BATCH if self._dice.random() < user.patient else Lane.INSTANT
        path = self._cloud.upload(user.uid, f"{number:016x}.jpg", photo := self._dice.choice(self._photos))
        if user.uid == VISITOR or self._end - self._clock.now < _LATELY:
            self._upload(path, photo)
        with suppress(EcolaneError):
            get_wallet(GetWallet(), user.uid, deps)
            claim_daily_bonus(ClaimDailyBonus.model_validate({"deviceId": f"device-of-{user.uid}"}), user.uid, deps)
        with suppress(EcolaneError):
            request = {"requestId": f"photo-{number:016x}", "imagePath": path, "mode": lane}
            classify_image(ClassifyImage.model_validate(request), user.uid, deps)

    def _crons(self) -> None:
        # What would not come back before the end is left to the crons of the cloud that goes on from here.
        to_come: tuple[Callable[[Deps], object], ...] = (submit_batches,) * (self._end - self._clock.now > 2 * _HOUR)
        for cron in (*to_come, poll_batches, recover_jobs, refresh_credits):
            cron(self._cloud.deps)

    def _take_time(self, call: str, when: Literal["before", "after"]) -> None:
        """Let the provider take its time to answer."""
        if (call, when) == ("openai.complete", "before"):
            self._clock.advance(timedelta(seconds=self._dice.lognormvariate(0.9, 0.35)))


def small(photo: bytes) -> bytes:
    """Return a photo as the functions make it: small."""
    out = BytesIO()
    with Image.open(BytesIO(photo)) as image:
        image.thumbnail((_SIDE, _SIDE))
        image.save(out, "JPEG")
    return out.getvalue()
