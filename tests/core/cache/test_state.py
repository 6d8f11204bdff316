"""What is folded into `stats/cache`."""

from datetime import UTC, datetime, timedelta

from functions.core.cache.certification import Labels, NearTier
from functions.core.cache.checks import Chosen
from functions.core.cache.lookup import Tier
from functions.core.cache.state import (
    FAMILIES_MAX,
    CacheState,
    Family,
    Hit,
    Label,
    choose,
    chosen_of,
    folded,
    near_tier,
    tightened,
)

NOW = datetime(2026, 11, 29, 12, tzinfo=UTC)


def label(bits: int = 3, *, right: bool = True, minute: int = 1, family: str = "one", tier: Tier = Tier.NEAR) -> Label:
    """Return a comparison, so many minutes after the first moment."""
    return Label(family, tier, bits, right, NOW + timedelta(minutes=minute))


def test_labels_certify_a_family_and_no_other() -> None:
    """368 right ones; a family that nobody knows serves nothing."""
    state = folded(CacheState(), [label(minute=n) for n in range(368)], 0.01)
    assert near_tier(state.families, "one").serves == 56
    assert near_tier(state.families, "two") == NearTier()
    assert state.labelled_until == NOW + timedelta(minutes=367)


def test_within_the_threshold_that_serves_a_label_is_a_check() -> None:
    """Ten wrong of them tighten it; what is farther away is another comparison before the next one."""
    near = NearTier(labels={str(each): Labels(passed=True) for each in (31, 40)}, serves=40)
    before = CacheState(families={"one": Family(near=near, seen_at=NOW)})
    after = folded(before, [label(45), *(label(38, right=False, minute=n) for n in range(2, 12))], 0.01)
    tier = after.families["one"].near
    assert (tier.serves, tier.checks, tier.wrong) == (31, 10, 10)
    assert folded(before, [label(45)], 0.01).families["one"].near.labels["48"].checked == 1


def test_the_same_file_asked_again_measures_the_model_by_itself() -> None:
    """It certifies nothing."""
    exact = [label(0, tier=Tier.EXACT), label(0, tier=Tier.EXACT, right=False, minute=2)]
    family = folded(CacheState(), exact, 0.01).families["one"]
    assert (family.exact_checked, family.exact_wrong, family.near) == (2, 1, NearTier())


def test_families_that_nobody_asks_by_any_more_go() -> None:
    """The latest eight stay."""
    state = folded(CacheState(), [label(minute=n, family=str(n)) for n in range(FAMILIES_MAX + 2)], 0.01)
    assert sorted(state.families, key=int) == [str(n) for n in range(2, FAMILIES_MAX + 2)]


def test_a_tier_that_serves_less_is_told() -> None:
    """Within fewer bits, or nothing any more; one that serves more, or the same, is no news."""

    def state(**serves: int | None) -> CacheState:
        return CacheState(
            families={name: Family(near=NearTier(serves=bits), seen_at=NOW) for name, bits in serves.items()}
        )

    before = state(fewer=48, none=31, same=40, more=31, new=None)
    after = state(fewer=40, none=None, same=40, more=40, new=31, first=31)
    assert tightened(before, after) == {"fewer": 40, "none": None}


def hit(number: int, tier: Tier = Tier.NEAR) -> Hit:
    """Return a hit of a job that chance does not choose."""
    return Hit(f"ffffffff{number:024x}", "one", tier, NOW + timedelta(seconds=number))


def test_hits_are_chosen_in_their_order_until_there_are_enough() -> None:
    """The first hundred of the same file; five of a day of what was certified before it served."""
    hits = [*(hit(number, Tier.EXACT) for number in range(102)), *map(hit, range(103, 109))]
    state, again = choose(CacheState(), hits)
    assert again == [each.job_id for each in [*hits[:100], *hits[102:107]]]
    assert state.chosen_until == hits[-1].at
    assert chosen_of(state.families, "one", Tier.EXACT) == Chosen(total=100, day="2026-11-29", of_day=100)
    assert chosen_of(state.families, "one", Tier.NEAR) == Chosen(total=5, day="2026-11-29", of_day=5, all_until=0)
    assert chosen_of(state.families, "two", Tier.NEAR) == Chosen()
    assert choose(state, [hit(109)]) == (state.model_copy(update={"chosen_until": hit(109).at}), [])


def test_a_near_one_that_was_wrong_has_all_the_next_ones_chosen() -> None:
    """Not one of the same file: what is wrong there is the model's own doubt."""
    sure = Chosen(total=100)
    before = CacheState(families={"one": Family(near=NearTier(serves=48), exact_chosen=sure, seen_at=NOW)})
    near, exact = hit(1), hit(1, Tier.EXACT)
    after = folded(before, [label(right=False, tier=Tier.EXACT)], 0.01)
    assert choose(after, [*[near] * 200, *[exact] * 200])[1] == [near.job_id] * 5 + [exact.job_id] * 5
    after = folded(before, [label(right=False)], 0.01)
    assert choose(after, [*[near] * 200, *[exact] * 200])[1] == [near.job_id] * 100 + [exact.job_id] * 5


def test_without_hits_nothing_changes() -> None:
    """The guard then writes nothing."""
    assert choose(CacheState(), []) == (CacheState(), [])
