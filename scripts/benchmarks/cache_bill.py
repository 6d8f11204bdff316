"""What a photo costs with the cache on: Firestore's bill and calls to the provider, by the functions themselves. For
`BENCH=cache`."""

import random
from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from statistics import fmean
from typing import Any, Literal

from PIL import Image

from functions.adapters.images import prepare, prepare_known
from functions.core.cache.certification import THRESHOLDS, Labels, NearTier
from functions.core.cache.fingerprints import Fingerprint
from functions.core.cache.state import CacheState, Family
from functions.core.config.runtime import ImageRules
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.operations.guard_budget import guard_budget
from scripts.benchmarks.repeats import reencoded
from scripts.inprocess import InProcessCloud

PHOTOS = 60
PLAN = {"instantPerDay": 1_000, "batchPerDay": 1_000, "manualPerDay": 1, "callsPerMinute": 1_000, "priority": 0}
ON = {"exact": "on", "near": "on"}


def bill(photos: Sequence[bytes]) -> dict[str, float]:
    """Return what a new photo costs more than without a cache; and what one costs that is sent again and answered, the
    same file or saved anew."""
    some, chance = photos[:PHOTOS], random.Random(1)  # noqa: S311 (repeatable, not secret)
    user = _User(ON)
    plain, missed = _mean(_User({}).send(some)), _mean(user.send(some))
    user.certify()
    again = user.send([each for photo in some for each in (photo, _saved_anew(photo, chance))])
    hit = _mean([cost for cost in again if cost["served"]])
    return {
        "reads_per_miss_added": round(missed["reads"] - plain["reads"], 3),
        "writes_per_miss_added": round(missed["writes"] - plain["writes"], 3),
        "hits_billed": sum(cost["served"] for cost in again),
        "reads_per_hit": round(hit["reads"], 3),
        "writes_per_hit": round(hit["writes"], 3),
        "provider_calls_per_hit": round(hit["calls"], 3),
    }


def _mean(costs: Sequence[Counter[str]]) -> dict[str, float]:
    return {name: fmean(cost[name] for cost in costs) for name in ("reads", "writes", "calls")}


class _User:
    """One user's photos, and what each costs."""

    def __init__(self, cache: dict[str, str]) -> None:
        self._cloud = InProcessCloud(seed=1)
        self._cloud.restart(prepare_photo=_prepared, recognise_photo=_recognised)
        self._config = {"tokens": {"welcome": 1_000, "balanceCap": 1_000}, "plans": {"free": PLAN}, "cache": cache}
        self._cloud.configure(self._config)
        guard_budget(self._cloud.deps)  # opens the day, which is once a day and no call's

    def send(self, photos: Sequence[bytes]) -> list[Counter[str]]:
        """Send these photos, and return reads, writes and calls to the provider of each, and whether an earlier answer
        was given."""
        self._cloud.deps.runtime()  # settings are read now and then, and these reads are no photo's
        return [self._cost(photo) for photo in photos]

    def _cost(self, photo: bytes) -> Counter[str]:
        calls = Counter[str]()

        def count(call: str, when: Literal["before", "after"]) -> None:
            calls[call] += when == "before"

        self._cloud.firestore.bill.reset()
        with self._cloud.interrupting(count):
            answer = self._classify(photo)
        totals = self._cloud.firestore.bill.snapshot()["totals"]
        found = {"reads": totals["reads"], "writes": totals["writes"], "calls": calls["openai.complete"]}
        return Counter({**found, "served": int(answer["servedFrom"] is not None)})

    def certify(self) -> None:
        """Have the near tier serve, as it does after enough right comparisons."""
        hit = self._classify(next(iter(self._cloud.files.objects.values())))
        stored = self._cloud.client.document(f"aiJobs/{hit['jobId']}").get().to_dict() or {}
        labels = {str(each): Labels(passed=True) for each in THRESHOLDS}
        near = NearTier(labels=labels, serves=THRESHOLDS[-1])
        family = Family(near=near, seen_at=self._cloud.clock())
        state = CacheState(families={stored["cache"]["family"]: family}, labelled_until=self._cloud.clock())
        self._cloud.client.document("stats/cache").set(state.model_dump(by_alias=True))
        self._cloud.configure(self._config)

    def _classify(self, photo: bytes) -> dict[str, Any]:
        key = f"photo-number-{len(self._cloud.files.objects)}"
        request = {"requestId": key, "imagePath": self._cloud.upload("ann", f"{key}.jpg", photo), "mode": "instant"}
        return classify_image(ClassifyImage.model_validate(request), "ann", self._cloud.deps)


def _prepared(data: bytes, rules: ImageRules) -> bytes:
    return prepare(data, rules.side_max, rules.jpeg_quality)


def _recognised(data: bytes, rules: ImageRules) -> tuple[bytes, Fingerprint]:
    return prepare_known(data, rules.side_max, rules.jpeg_quality)


def _saved_anew(photo: bytes, chance: random.Random) -> bytes:
    with Image.open(BytesIO(photo)) as image:
        return reencoded(85)(image.convert("RGB"), chance)
