"""What the users of an app send in three weeks, drawn from a seed. For `BENCH=whole`.

Each photo shows something that has not been sent before, or is another photo of what its user has sent already: saved
anew, cropped, or taken again, see `repeats`. What a picture shows is the hue of its middle, which all of these leave as
it is: the stand-in for the model can tell, and the cache, which looks at shapes, is told nothing.
"""

import colorsys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from PIL import Image, ImageChops, ImageDraw

from functions.core.shared.lanes import Lane
from scripts import sample_answers
from scripts.benchmarks.repeats import GENTLE, REPEATS, reencoded

BEGINS = datetime(2026, 11, 9, tzinfo=UTC)
BEFORE, DAYS, AFTER = timedelta(days=8), 21, timedelta(days=2)
"""The app is eight days old when the three weeks begin, which forecasts need; batches end in the days after them."""

USERS = 70
PHOTOS_A_DAY = 110
BATCH_SHARE = 0.5
"""Of photos that may take hours."""

TOGETHER = {3: 40, 11: 90}
"""How many photos one user sends with one request, on some days: more than fifty are a bulk job."""

_WEEKEND = 1.5
_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 9, 8, 7, 8, 9, 8, 7, 7, 8, 10, 13, 14, 12, 9, 5, 2)
_GONE_AFTER = 9
"""Days after which half of the users lose interest."""

_KINDS = tuple(sample_answers.KINDS)
_COMMON = (20, 15, 20, 25, 8, 9, 3)
_SIZE = (400, 300)


def _lives() -> Mapping[str, tuple[int, int]]:
    """Return on which day each user comes, and goes: half are there at first, and half of all stay to the end."""
    dice, first = Random("lives"), -BEFORE.days  # noqa: S311  (see `drawn`)
    since = [dice.randrange(first, DAYS - 5) if number % 2 else first for number in range(USERS)]
    return {
        f"user-{number:02}": (came, DAYS if number % 4 < 2 else came + _GONE_AFTER) for number, came in enumerate(since)
    }


LIVES = _lives()
LEAVING = {uid: until for uid, (_, until) in LIVES.items() if 0 < until < DAYS and uid.endswith("3")}
"""Those who delete their account, of those who go, and on which day."""


@dataclass(frozen=True)
class Sent:
    """One photo of a user: what it shows (an item by its number, and its kind), and whether that was sent before."""

    number: int
    at: datetime
    uid: str
    item: int
    kind: str
    lane: Lane
    photo: bytes
    again: bool

    @property
    def key(self) -> str:
        """Its idempotency key."""
        return f"photo-{self.number:05}"

    @property
    def counts(self) -> bool:
        """Whether it was sent in the three weeks."""
        return self.at >= BEGINS


def drawn(share: float, seed: int = 1) -> list[Sent]:
    """Return the photos of three weeks in the order in which they come, so large a share of them repeats. Of nine in
    ten repeats, all are of the kinds that a cache is for."""
    dice = Random(f"{share} {seed}")  # noqa: S311  (an app's life, no secret)
    kinds = [REPEATS[name] for name in (GENTLE if share > 0.8 else REPEATS)]
    days = [_day(day, dice) for day in range(-BEFORE.days, DAYS)]
    known: dict[str, list[tuple[int, str, Image.Image]]] = {}
    sent: list[Sent] = []
    for at, uid, lane in sorted(each for day in days for each in day):
        theirs, again = known.setdefault(uid, []), dice.random() < share
        if again and theirs:
            item, kind, image = dice.choice(theirs)
            photo = dice.choice(kinds)(image, dice)
        else:
            again, kind = False, dice.choices(_KINDS, _COMMON)[0]
            item, image = len(sent), picture(kind, dice)
            photo = reencoded(90)(image, dice)
            theirs.append((item, kind, image))
        sent.append(Sent(len(sent), at, uid, item, kind, lane, photo, again))
    return sent


def _day(day: int, dice: Random) -> list[tuple[datetime, str, Lane]]:
    """Return when photos come on a day, from whom, and in which lane: more each day, and most on a weekend."""
    begins, weekend = BEGINS + timedelta(days=day), day % 7 >= 5
    users = [uid for uid, (since, until) in LIVES.items() if since <= day < until]
    count = round(PHOTOS_A_DAY * (1 + day / 50) * (_WEEKEND if weekend else 1) * dice.uniform(0.9, 1.1))
    together = [(begins + timedelta(hours=11), "user-00", Lane.BATCH)] * TOGETHER.get(day, 0)
    return together + [
        (
            begins + timedelta(hours=dice.choices(range(24), _BY_HOUR)[0], seconds=dice.uniform(0, 3_600)),
            dice.choice(users),
            Lane.BATCH if dice.random() < BATCH_SHARE else Lane.INSTANT,
        )
        for _ in range(count)
    ]


def picture(kind: str, dice: Random) -> Image.Image:
    """Return a picture of something of this kind: light and dark shapes in its hue before a background of any colour,
    no two alike."""
    shade = _noise(dice)
    draw = ImageDraw.Draw(shade)
    for _ in range(12):
        x, y, size = dice.uniform(0, _SIZE[0]), dice.uniform(0, _SIZE[1]), dice.uniform(20, 130)
        box = (x - size, y - size * dice.uniform(0.3, 1), x + size, y + size * dice.uniform(0.3, 1))
        dice.choice((draw.ellipse, draw.rectangle))(box, fill=dice.randrange(70, 256))
    hue = _KINDS.index(kind) / len(_KINDS)
    thing, around = (_tinted(each) for each in (hue, dice.random()))
    middle = Image.new("L", _SIZE)
    ImageDraw.Draw(middle).ellipse((_SIZE[0] * 0.2, _SIZE[1] * 0.15, _SIZE[0] * 0.8, _SIZE[1] * 0.85), fill=255)
    return ImageChops.multiply(Image.composite(thing, around, middle), shade.convert("RGB"))


def _noise(dice: Random) -> Image.Image:
    coarse = Image.frombytes("L", (8, 6), bytes(dice.randrange(90, 256) for _ in range(48)))
    return coarse.resize(_SIZE, Image.Resampling.BICUBIC)


def _tinted(hue: float) -> Image.Image:
    return Image.new("RGB", _SIZE, tuple(round(255 * part) for part in colorsys.hsv_to_rgb(hue, 0.75, 1)))


def seen(image: Image.Image | None) -> Mapping[str, Any]:
    """Return what the model says of a picture: it looks at the hue of its middle."""
    if image is None:
        return sample_answers.answers(image)
    width, height = image.size
    middle = image.convert("RGB").crop((width * 2 // 5, height * 2 // 5, width * 3 // 5, height * 3 // 5))
    red, green, blue = middle.resize((1, 1), Image.Resampling.BOX).tobytes()
    hue = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]
    kind = _KINDS[round(hue * len(_KINDS)) % len(_KINDS)]
    return sample_answers.described([(kind, 0.93)], "It has the hue of that kind.")
