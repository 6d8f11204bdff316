"""A photo that its user has sent before: when its answer is given again, what that costs, and what it never does."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from functions.core.cache.certification import THRESHOLDS, Labels, NearTier
from functions.core.cache.checks import Chosen
from functions.core.cache.entries import ENTRIES_MAX, ENTRY_BYTES
from functions.core.cache.state import CacheState, Family
from functions.core.model.provider_outage import Door
from functions.core.shared.errors import (
    BudgetExhausted,
    DailyLimit,
    EcolaneError,
    InstantClosed,
    InsufficientTokens,
    ProviderUnavailable,
)
from functions.use_cases.jobs.classify_image import ClassifyImage, classify_image
from functions.use_cases.jobs.classify_images import ClassifyImages, classify_images
from functions.use_cases.jobs.get_job import GetJob, get_job
from functions.use_cases.operations.guard_budget import guard_budget
from functions.use_cases.wallet.get_wallet import GetWallet, get_wallet
from scripts.inprocess import AGAIN, InProcessCloud
from tests.app import photo
from tests.steps import UNLIMITED, alerts, job, listed, stored

ON = {"exact": "on", "near": "on"}
BATTERY, BOTTLE = photo(64, (200, 40, 40)), photo(64)
HOLDER = photo(64, (30, 60, 200))


def retaken(data: bytes, bits: int = 7) -> bytes:
    """Return another file of nearly the same picture."""
    return data + AGAIN + b"." * bits


def configure(cloud: InProcessCloud, cache: dict[str, Any] = ON, **more: Any) -> None:
    """Set what the cache does."""
    config = {"tokens": {"welcome": 200, **more.pop("tokens", {})}, "plans": {"free": UNLIMITED}, "cache": cache}
    cloud.configure({**config, **more})


@pytest.fixture
def cloud() -> InProcessCloud:
    """A cloud whose cache is on; its near tier is certified up to 48 bits, and was checked often enough."""
    cloud = InProcessCloud(seed=1)
    configure(cloud)
    return cloud


def send(cloud: InProcessCloud, data: bytes = BOTTLE, mode: str = "instant", uid: str = "ann", **more: Any) -> Any:
    """Upload a photo and have it classified. Keys are the same in each run, and so is which hits are checked."""
    key = f"photo-number-{len(cloud.files.objects)}"
    request = {"requestId": key, "imagePath": cloud.upload(uid, f"{key}.jpg", data), "mode": mode, **more}
    return classify_image(ClassifyImage.model_validate(request), uid, cloud.deps)


def certify(cloud: InProcessCloud, serves: int | None = 48, chosen: int = 0) -> None:
    """Have the near tier serve within so many bits, for the family that is asked now; and say how many of its hits were
    chosen by now, all of them today."""
    configure(cloud, {"exact": "shadow"})
    probe = send(cloud, uid="probe")
    del probe
    again = send(cloud, uid="probe")
    family = job(cloud, again["jobId"])["cache"]["family"]
    labels = {str(each): Labels(passed=True) for each in THRESHOLDS if serves and each <= serves}
    near, now = NearTier(labels=labels, serves=serves), cloud.clock()
    already = Chosen(total=chosen, day=now.date().isoformat(), of_day=chosen)
    families = {family: Family(near=near, near_chosen=already, exact_chosen=already, seen_at=now)}
    state = CacheState(families=families, labelled_until=now, chosen_until=now)
    cloud.client.document("stats/cache").set(state.model_dump(by_alias=True))
    configure(cloud)


def requests_to_model(cloud: InProcessCloud) -> int:
    """Return how many instant calls OpenAI has answered."""
    return sum(1 for each in listed(cloud, "aiJobs").values() if each["mode"] == "instant" and each["usage"])


def test_the_same_file_is_answered_at_once_for_the_cached_price(cloud: InProcessCloud) -> None:
    """By the same answer, for one token, no points, and no call to the model; the app is told from where."""
    first, again = send(cloud), send(cloud)
    assert (first["servedFrom"], first["tokensCost"], first["balance"]) == (None, 5, 195)
    assert (again["status"], again["mode"], again["tokensCost"], again["balance"]) == ("done", "instant", 1, 194)
    assert again["result"] == first["result"]
    assert again["servedFrom"] == {"tier": "exact", "jobId": first["jobId"], "answeredAt": first["completedAt"]}
    kept = job(cloud, again["jobId"])
    assert (kept["usage"], kept["hold"], kept["costMicros"], kept["points"]) == (None, None, 0, 0)
    assert get_wallet(GetWallet(), "ann", cloud.deps)["points"] == 10
    entries = sorted(listed(cloud, "users/ann/ledger").values(), key=lambda entry: entry["seq"])
    assert [(each["reason"], each["delta"], each["ref"]) for each in entries[1:]] == [
        ("charge", -5, first["jobId"]),
        ("charge", -1, again["jobId"]),
    ]
    assert get_job(GetJob(jobId=again["jobId"]), "ann", cloud.deps)["servedFrom"] == again["servedFrom"]


def test_price_and_points_of_a_hit_are_the_configs(cloud: InProcessCloud) -> None:
    """Whatever they are; a hit never costs more than its lane."""
    configure(cloud, tokens={"cachedPrice": 3, "pointsPerCachedAnswer": 2})
    send(cloud)
    assert send(cloud)["tokensCost"] == 3
    assert send(cloud, mode="batch")["tokensCost"] == 1
    assert get_wallet(GetWallet(), "ann", cloud.deps)["points"] == 10 + 2 * 2


def test_a_repeated_request_is_the_same_job(cloud: InProcessCloud) -> None:
    """Of a hit as of any other: its key is charged for once, and says again where its answer is from."""
    first = send(cloud)
    path = cloud.upload("ann", "again.jpg", BOTTLE)
    request = ClassifyImage.model_validate({"requestId": "the-same-key", "imagePath": path, "mode": "instant"})
    hit, repeated = (classify_image(request, "ann", cloud.deps) for _ in range(2))
    assert hit["servedFrom"]["jobId"] == first["jobId"]
    assert repeated == {name: value for name, value in hit.items() if name != "balance"}
    assert stored(cloud, "users/ann/wallet/main")["balance"] == 194


def test_nobody_elses_photo_answers(cloud: InProcessCloud) -> None:
    """Another user with the same file asks the model, and an entry that names somebody else's job finds nothing."""
    first = send(cloud)
    assert send(cloud, uid="bob")["servedFrom"] is None
    entries = stored(cloud, "users/ann/cachedPhotos/main")["entries"]
    cloud.client.document("users/eve/cachedPhotos/main").set({"entries": entries})
    assert first["jobId"] in entries
    assert send(cloud, uid="eve")["servedFrom"] is None


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({"defaultRegion": "Oslo"}, {}),
        ({"images": {"sideMax": 768}}, {}),
        ({"flags": {"prompt": {"cohort": "all"}}}, {}),
        ({}, {"region": "Oslo"}),
        ({}, {"language": "nb"}),
        ({}, {"fresh": True}),
    ],
    ids=str,
)
def test_another_question_asks_the_model(cloud: InProcessCloud, config: dict[str, Any], asked: dict[str, Any]) -> None:
    """Region, language, preparation, prompt, or a user who wants a fresh answer; at the full price."""
    send(cloud)
    configure(cloud, **config)
    again = send(cloud, **asked)
    assert (again["servedFrom"], again["tokensCost"]) == (None, 5)
    assert send(cloud, **{**asked, "fresh": False})["servedFrom"]["jobId"] == again["jobId"]


def test_another_model_is_another_key(cloud: InProcessCloud) -> None:
    """What one model said is no other's answer."""
    send(cloud)
    cloud.restart({"openai_model": "gpt-5.6-luna"})
    assert send(cloud)["servedFrom"] is None


def test_a_batch_answer_of_another_model_is_no_answer(cloud: InProcessCloud) -> None:
    """An entry's key is of the day it was asked on; the job says who has answered."""
    first = send(cloud)
    result = {**first["result"], "model": "another"}
    cloud.client.document(f"aiJobs/{first['jobId']}").update({"result": result})
    assert send(cloud)["servedFrom"] is None


def test_off_is_as_if_there_was_no_cache(cloud: InProcessCloud) -> None:
    """By default: not a read, not a write, not an entry."""
    configure(cloud, {})
    bill = {}
    for count in range(2):
        cloud.firestore.bill.reset()
        assert send(cloud)["servedFrom"] is None
        bill[count] = cloud.firestore.bill.snapshot()["totals"]
    assert bill[1]["writes"] == 6
    assert stored(cloud, "users/ann/cachedPhotos/main") == {}


def test_a_hit_is_three_reads_and_three_writes_and_a_miss_one_of_each_more(cloud: InProcessCloud) -> None:
    """Wallet, entries and the other job; wallet, ledger and job."""
    guard_budget(cloud.deps)
    send(cloud, photo(64, (1, 2, 3)))
    for data, reads, writes in ((BOTTLE, 3, 7), (BOTTLE, 3, 3)):
        cloud.firestore.bill.reset()
        send(cloud, data)
        totals = cloud.firestore.bill.snapshot()["totals"]
        assert (totals["reads"], totals["writes"]) == (reads, writes)


def test_shadow_answers_nothing_and_notes_what_it_would_have(cloud: InProcessCloud) -> None:
    """The model is asked at the full price; its answer says whether the kept one was right."""
    configure(cloud, {"exact": "shadow", "near": "shadow"})
    first, again, near = send(cloud), send(cloud), send(cloud, retaken(BOTTLE, 9))
    assert (again["servedFrom"], again["tokensCost"], near["tokensCost"]) == (None, 5, 5)
    note = job(cloud, again["jobId"])["cache"]
    assert (note["of"], note["tier"], note["served"], note["same"]) == (first["jobId"], "exact", False, True)
    note = job(cloud, near["jobId"])["cache"]
    assert (note["of"], note["tier"], note["bits"], note["same"]) == (again["jobId"], "near", 9, True)


def test_the_kill_switch_takes_half_a_minute(cloud: InProcessCloud) -> None:
    """A process reads the config again after 30 seconds."""
    send(cloud)
    cloud.client.document("config/runtime").update({"cache": {"exact": "off"}})
    cloud.clock.advance(timedelta(seconds=31))
    assert send(cloud)["servedFrom"] is None


def test_an_old_answer_is_not_given_again(cloud: InProcessCloud) -> None:
    """After 30 days by default, or from before a date that an operator sets; what is asked anew answers then."""
    send(cloud)
    cloud.clock.advance(timedelta(days=30))
    assert send(cloud)["servedFrom"] is not None
    cloud.clock.advance(timedelta(days=1))
    anew = send(cloud)
    assert anew["servedFrom"] is None
    assert list(stored(cloud, "users/ann/cachedPhotos/main")["entries"]) == [anew["jobId"]]
    assert send(cloud)["servedFrom"]["jobId"] == anew["jobId"]
    cloud.clock.advance(timedelta(seconds=1))
    configure(cloud, {**ON, "notBefore": cloud.clock().isoformat()})
    assert send(cloud)["servedFrom"] is None


def test_a_hit_does_not_make_an_answer_younger(cloud: InProcessCloud) -> None:
    """Sent every ten days, it is asked anew after thirty all the same."""
    first = send(cloud)
    for _ in range(3):
        cloud.clock.advance(timedelta(days=10))
        assert send(cloud)["servedFrom"]["jobId"] == first["jobId"]
    cloud.clock.advance(timedelta(days=1))
    assert send(cloud)["servedFrom"] is None


def test_the_oldest_entry_makes_room(cloud: InProcessCloud) -> None:
    """Two hundred are kept."""
    first = send(cloud)
    ref = cloud.client.document("users/ann/cachedPhotos/main")
    entry = stored(cloud, "users/ann/cachedPhotos/main")["entries"][first["jobId"]]
    filler = {f"{n:032x}": bytes(4) + bytes.fromhex(f"{n:032x}") + entry[20:] for n in range(ENTRIES_MAX - 1)}
    ref.set({"entries": {**filler, first["jobId"]: entry}, "expireAt": cloud.clock()})
    cloud.clock.advance(timedelta(days=1))
    second = send(cloud, BATTERY)
    kept = stored(cloud, "users/ann/cachedPhotos/main")
    assert len(kept["entries"]) == ENTRIES_MAX
    assert {second["jobId"], first["jobId"]} <= kept["entries"].keys()
    assert f"{0:032x}" not in kept["entries"]
    assert all(len(each) == ENTRY_BYTES for each in kept["entries"].values())
    assert kept["expireAt"] == cloud.clock() + timedelta(days=90)


def test_a_failed_or_unanswered_job_answers_nobody(cloud: InProcessCloud) -> None:
    """The model is asked again, and its answer takes the entry's place."""
    cloud.openai.faults.add(kind="server_error", endpoint="*", count=1)
    with pytest.raises(ProviderUnavailable):
        send(cloud)
    queued = send(cloud, mode="batch")
    assert (queued["status"], queued["servedFrom"], "alreadySent" in queued) == ("queued", None, False)
    done = send(cloud)
    assert done["servedFrom"] is None
    assert list(stored(cloud, "users/ann/cachedPhotos/main")["entries"]) == [done["jobId"]]
    assert send(cloud, mode="batch")["servedFrom"]["jobId"] == done["jobId"]


@pytest.mark.parametrize(
    "closed",
    [{"instant": {"open": False}}, {"budget": {"dailyLimitMicros": 0}}, {"budget": {"perUserDailyMicros": 0}}],
    ids=str,
)
def test_a_hit_needs_no_budget(cloud: InProcessCloud, closed: dict[str, Any]) -> None:
    """Whatever keeps the model from being asked, the answer that is there is given, also to who wants no batch job."""
    send(cloud)
    configure(cloud, **closed)
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    for allow in (True, False):
        hit = send(cloud, allowBatch=allow)
        assert (hit["status"], hit["mode"], "closedBecause" in hit) == ("done", "instant", False)


@pytest.mark.parametrize(
    ("welcome", "config", "refusal"),
    [(7, {}, InsufficientTokens), (50, {"budget": {"perUserDailyMicros": 0}}, DailyLimit)],
    ids=str,
)
def test_who_was_refused_a_new_photo_gets_a_hit_all_the_same(
    cloud: InProcessCloud, welcome: int, config: dict[str, Any], refusal: type[EcolaneError]
) -> None:
    """The look at the wallet before photos are fetched goes by what a hit costs; alone, and among many."""
    configure(cloud, tokens={"welcome": welcome})
    send(cloud)
    configure(cloud, **config)
    with pytest.raises(refusal):
        send(cloud, BATTERY)
    assert send(cloud)["tokensCost"] == 1
    paths = {name: cloud.upload("ann", f"{name}.jpg", data) for name, data in (("known", BOTTLE), ("new", HOLDER))}
    images = [{"requestId": f"photo-{name}", "imagePath": path} for name, path in paths.items()]
    known, new = classify_images(ClassifyImages.model_validate({"images": images}), "ann", cloud.deps)["results"]
    assert known["job"]["servedFrom"] is not None
    assert new["error"]["reason"] == refusal.reason
    with pytest.raises(refusal):
        send(cloud, fresh=True)


def test_what_is_not_known_is_refused_while_the_lane_is_closed(cloud: InProcessCloud) -> None:
    """As without a cache, and a fresh answer is not to be had either; nothing is charged or remembered."""
    send(cloud)
    configure(cloud, instant={"open": False})
    for data, fresh in ((BATTERY, False), (BOTTLE, True)):
        with pytest.raises(InstantClosed):
            send(cloud, data, allowBatch=False, fresh=fresh)
    assert len(listed(cloud, "aiJobs")) == len(stored(cloud, "users/ann/cachedPhotos/main")["entries"]) == 1
    configure(cloud, budget={"dailyLimitMicros": 0})
    guard_budget(cloud.deps)
    cloud.clock.advance(timedelta(seconds=31))
    with pytest.raises(BudgetExhausted):
        send(cloud, BATTERY, allowBatch=False)


def test_a_hit_is_served_while_the_provider_is_down(cloud: InProcessCloud) -> None:
    """It is not asked."""
    certify(cloud)
    send(cloud)
    cloud.openai.faults.add(kind="server_error", endpoint="*", count=None)
    with pytest.raises(ProviderUnavailable):
        send(cloud, BATTERY)
    cloud.clock.advance(timedelta(seconds=31))
    assert cloud.deps.queue().provider[Door.INSTANT]
    tiers = [send(cloud, data)["servedFrom"]["tier"] for data in (BOTTLE, *(retaken(BOTTLE, n) for n in range(1, 31)))]
    assert tiers == ["exact"] + ["near"] * 30, "no check is made of a provider that cannot answer it"


@pytest.mark.parametrize("broken", ["cache_entries", "remembered_jobs"])
def test_a_look_up_that_fails_is_a_miss(cloud: InProcessCloud, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """The photo is classified as without a cache."""
    send(cloud)

    def fail(*_: object) -> None:
        raise RuntimeError("Firestore is away")

    with monkeypatch.context() as patch:
        patch.setattr(cloud.deps.store, broken, fail)
        again = send(cloud)
    assert (again["status"], again["servedFrom"], again["tokensCost"]) == ("done", None, 5)
    assert send(cloud)["servedFrom"] is not None


@pytest.mark.parametrize("path", ["users/ann/cachedPhotos/*", "aiJobs/*"])
def test_a_look_up_is_tried_once(cloud: InProcessCloud, path: str) -> None:
    """What may pass is waited for where a call needs it, and not for what could save it."""
    send(cloud)
    rpc = "GetDocument" if path.startswith("users/") else "BatchGetDocuments"
    rule = cloud.firestore.faults.add("unavailable", rpc=rpc, path=path)
    again = send(cloud)
    assert (again["status"], again["servedFrom"], rule.struck) == ("done", None, 1)


def test_a_job_that_cannot_be_read_is_a_miss(cloud: InProcessCloud) -> None:
    """Of that photo alone: the other one of the call is answered."""
    damaged, sound = send(cloud), send(cloud, BATTERY)
    cloud.client.document(f"aiJobs/{damaged['jobId']}").update({"tokensCost": "five"})
    images = [
        {"requestId": f"photo-again-{number}", "imagePath": cloud.upload("ann", f"again-{number}.jpg", data)}
        for number, data in enumerate((BOTTLE, BATTERY))
    ]
    found = classify_images(ClassifyImages.model_validate({"images": images}), "ann", cloud.deps)["results"]
    sources = [each["job"]["servedFrom"] for each in found]
    assert (sources[0], sources[1]["jobId"]) == (None, sound["jobId"])


def test_entries_that_cannot_be_read_are_a_miss(cloud: InProcessCloud) -> None:
    """Whoever has written what into the document."""
    for entries in ("no map", {"one": 7, "two": b"short"}):
        cloud.client.document("users/ann/cachedPhotos/main").set({"entries": entries})
        assert send(cloud)["servedFrom"] is None


# Nearly the same picture


def test_nearly_the_same_picture_is_answered_within_what_is_certified(cloud: InProcessCloud) -> None:
    """At 48 bits it is the same photo, at 49 another one: for that, comparing is all."""
    certify(cloud)
    first = send(cloud)
    hit = send(cloud, retaken(BOTTLE, 48))
    assert (hit["servedFrom"]["tier"], hit["servedFrom"]["jobId"]) == ("near", first["jobId"])
    assert (hit["tokensCost"], hit["result"]) == (1, first["result"])
    miss = send(cloud, retaken(BOTTLE, 49))
    assert (miss["servedFrom"], miss["tokensCost"]) == (None, 5)
    assert (job(cloud, miss["jobId"])["cache"]["bits"], job(cloud, miss["jobId"])["cache"]["same"]) == (49, True)


def test_a_family_that_nobody_has_certified_serves_nothing(cloud: InProcessCloud) -> None:
    """Its misses label it."""
    send(cloud)
    near = send(cloud, retaken(BOTTLE))
    assert (near["servedFrom"], job(cloud, near["jobId"])["cache"]["same"]) == (None, True)


@pytest.mark.parametrize(
    "danger",
    [
        {"category": "Hazardous Waste"},
        {"category": "Medical Waste"},
        {"hazardLevel": 3},
        {"needsReview": True},
        {"confidence": 0.69},
    ],
    ids=str,
)
def test_what_is_dangerous_or_unsure_is_asked_again_unless_it_is_the_same_file(
    cloud: InProcessCloud, danger: dict[str, Any]
) -> None:
    """A mistake would cost more than the model does."""
    certify(cloud)
    first = send(cloud)
    result = {**first["result"], **danger}
    cloud.client.document(f"aiJobs/{first['jobId']}").update({"result": result})
    assert send(cloud)["servedFrom"]["tier"] == "exact"
    assert send(cloud, retaken(BOTTLE))["servedFrom"] is None


# What is believed


def labelled(cloud: InProcessCloud, count: int, check: Callable[[int], bool] = lambda _: True, bits: int = 7) -> None:
    """Have so many jobs say whether a kept answer was right."""
    (some,) = (
        listed(cloud, "aiJobs").values() if len(listed(cloud, "aiJobs")) == 1 else [job(cloud, send(cloud)["jobId"])]
    )
    for number in range(count):
        note = {
            "of": "0" * 32,
            "answeredAt": cloud.clock(),
            "tier": "near",
            "bits": bits,
            "family": "f",
            "served": False,
        }
        at = cloud.clock() + timedelta(milliseconds=number)
        fields = {**some, "cache": {**note, "same": check(number), "labelledAt": at}}
        cloud.client.document(f"aiJobs/{uuid.uuid4().hex}").set(fields)
    cloud.clock.advance(timedelta(minutes=10))


def believed(cloud: InProcessCloud) -> NearTier:
    """Return what is stored of the family."""
    return CacheState.model_validate(stored(cloud, "stats/cache")).families["f"].near


def test_labels_certify_and_checks_tighten(cloud: InProcessCloud) -> None:
    """368 right ones and it serves; ten wrong checks, and operators hear that it serves less."""
    labelled(cloud, 368)
    assert guard_budget(cloud.deps)["labels"] == 368
    assert believed(cloud).serves == 56
    assert guard_budget(cloud.deps)["labels"] == 0
    assert believed(cloud).labels["31"].checked == 368
    labelled(cloud, 10, lambda _: False, bits=50)
    guard_budget(cloud.deps)
    assert believed(cloud).serves == 48
    assert [each["text"] for each in alerts(cloud, "cache_tightened").values()] == [
        "Too many answers to photos that were nearly the same were wrong. The cache of f serves photos within 48 bits."
    ]


def test_labels_of_calls_that_are_under_way_are_not_passed_over(cloud: InProcessCloud) -> None:
    """A label is folded once every call and every run that began before it has ended."""
    configure(cloud, {"exact": "shadow"})
    send(cloud)
    send(cloud)
    assert guard_budget(cloud.deps)["labels"] == 0
    cloud.clock.advance(timedelta(minutes=10))
    assert guard_budget(cloud.deps)["labels"] == 1


def test_while_the_cache_is_off_nobody_looks_for_labels(cloud: InProcessCloud) -> None:
    """Not even those that are there."""
    labelled(cloud, 1)
    configure(cloud, {})
    assert guard_budget(cloud.deps)["labels"] == 0
    assert stored(cloud, "stats/cache") == {}


# Many photos in one call


def test_many_photos_are_looked_up_with_one_read_of_the_entries(cloud: InProcessCloud) -> None:
    """Each is answered at once or queued; all are charged in one transaction."""
    send(cloud)
    datas = {"known": BOTTLE, "new": BATTERY, "newer": HOLDER}
    images = [
        {"requestId": f"photo-{name}", "imagePath": cloud.upload("ann", f"{name}.jpg", data)}
        for name, data in datas.items()
    ]
    request = ClassifyImages.model_validate({"images": images})
    cloud.firestore.bill.reset()
    jobs = [each["job"] for each in classify_images(request, "ann", cloud.deps)["results"]]
    assert [each["status"] for each in jobs] == ["done", "queued", "queued"]
    assert [each["servedFrom"] is not None for each in jobs] == [True, False, False]
    totals = cloud.firestore.bill.snapshot()["totals"]
    assert (totals["reads"], totals["writes"]) == (3, 1 + 1 + 2 * 3)
    assert stored(cloud, "users/ann/wallet/main")["today"]["heldMicros"] > 0
    assert classify_images(request, "ann", cloud.deps)["results"] == [
        {"requestId": image["requestId"], "job": each} for image, each in zip(images, jobs, strict=True)
    ]


def many(cloud: InProcessCloud, *datas: bytes, call: str = "call", **options: Any) -> dict[str, Any]:
    """Have these photos classified by one call, whose keys follow from its name."""
    images = [
        {"requestId": f"{call}-photo-{number}", "imagePath": cloud.upload("ann", f"{call}-{number}.jpg", data)}
        for number, data in enumerate(datas)
    ]
    return classify_images(ClassifyImages.model_validate({"images": images, **options}), "ann", cloud.deps)


# The same file, before its answer is there


def test_files_alike_in_one_call_are_paid_for_once(cloud: InProcessCloud) -> None:
    """The later ones name the job of the first, for a read each; the same call again says the same."""
    send(cloud, HOLDER, mode="batch")
    cloud.firestore.bill.reset()
    answer = many(cloud, BOTTLE, BATTERY, BOTTLE, BOTTLE)
    totals = cloud.firestore.bill.snapshot()["totals"]
    jobs = [each["job"] for each in answer["results"]]
    assert [each.get("alreadySent") for each in jobs] == [None, None, True, True]
    assert {each["jobId"] for each in (jobs[0], *jobs[2:])} == {jobs[0]["jobId"]} != {jobs[1]["jobId"]}
    assert (answer["balance"], len(listed(cloud, "aiJobs"))) == (197, 3)
    assert (totals["reads"], totals["writes"]) == (2 + 2, 1 + 1 + 2 * 2)
    again = many(cloud, BOTTLE, BATTERY, BOTTLE, BOTTLE)
    assert ([each["job"] for each in again["results"]], again["balance"]) == (jobs, None)
    assert [each["job"]["jobId"] for each in many(cloud, BOTTLE, BOTTLE, call="fresh", fresh=True)["results"]] != [
        jobs[0]["jobId"]
    ] * 2


def test_files_alike_that_are_known_are_one_hit(cloud: InProcessCloud) -> None:
    """The first of them is answered by the earlier answer, the others by it."""
    first = send(cloud)
    hit, twin = (each["job"] for each in many(cloud, BOTTLE, BOTTLE)["results"])
    assert (hit["servedFrom"]["jobId"], twin["jobId"], twin["result"]) == (first["jobId"], hit["jobId"], hit["result"])
    assert stored(cloud, "users/ann/wallet/main")["balance"] == 194


def test_who_is_alike_with_a_refused_one_goes_its_own_way(cloud: InProcessCloud) -> None:
    """Its key is used for another photo, and this one's is not; what the wallet refuses, it refuses twice."""
    many(cloud, BATTERY, call="used")
    images = [
        {"requestId": "used-photo-0", "imagePath": cloud.upload("ann", "a.jpg", BOTTLE)},
        {"requestId": "free-photo-0", "imagePath": cloud.upload("ann", "b.jpg", BOTTLE)},
    ]
    answer = classify_images(ClassifyImages.model_validate({"images": images}), "ann", cloud.deps)
    used, free = answer["results"]
    assert (used["error"]["reason"], free["job"]["status"], answer["balance"]) == ("KEY_REUSED", "queued", 198)
    configure(cloud, tokens={"batchPrice": 200, "instantPrice": 200})
    refused = many(cloud, HOLDER, HOLDER, call="dear")["results"]
    assert [each["error"]["reason"] for each in refused] == ["INSUFFICIENT_TOKENS"] * 2


def test_a_file_that_is_queued_is_named_and_not_paid_for_twice(cloud: InProcessCloud) -> None:
    """By the job that waits, until it is answered; a photo that is wanted now is classified now."""
    queued = send(cloud, mode="batch")
    cloud.firestore.bill.reset()
    twin = send(cloud, mode="batch")
    totals = cloud.firestore.bill.snapshot()["totals"]
    assert twin == {**{name: value for name, value in queued.items() if name != "balance"}, "alreadySent": True}
    assert (totals["reads"], totals["writes"]) == (3, 0)
    assert many(cloud, BOTTLE)["results"][0]["job"] == twin
    assert stored(cloud, "users/ann/wallet/main")["balance"] == 199
    assert send(cloud, mode="batch", fresh=True)["jobId"] != queued["jobId"]
    assert send(cloud, data=BATTERY, mode="batch", region="Oslo")["jobId"] != queued["jobId"]
    now = send(cloud)
    assert (now["status"], now["tokensCost"]) == ("done", 5)


def test_while_the_lane_is_closed_a_queued_file_is_named_to_who_takes_a_batch(cloud: InProcessCloud) -> None:
    """And refused to who does not."""
    queued = send(cloud, mode="batch")
    configure(cloud, instant={"open": False})
    assert send(cloud)["jobId"] == queued["jobId"]
    with pytest.raises(InstantClosed):
        send(cloud, allowBatch=False)


def test_a_key_that_was_paid_for_keeps_its_job(cloud: InProcessCloud) -> None:
    """Though the same file waits under another key: the call is a repeated one."""
    first = send(cloud, mode="batch")
    configure(cloud, {})
    path = cloud.upload("ann", "second.jpg", BOTTLE)
    request = ClassifyImage.model_validate({"requestId": "the-same-key", "imagePath": path, "mode": "batch"})
    second = classify_image(request, "ann", cloud.deps)
    configure(cloud)
    assert second["jobId"] != first["jobId"]
    assert classify_image(request, "ann", cloud.deps) == {n: value for n, value in second.items() if n != "balance"}


def test_in_shadow_nobody_is_named(cloud: InProcessCloud) -> None:
    """Nothing changes for users: each photo has a job of its own."""
    configure(cloud, {"exact": "shadow", "near": "on"})
    assert len({each["job"]["jobId"] for each in many(cloud, BOTTLE, BOTTLE)["results"]}) == 2
