"""How far hits are believed: the tests before, the checks after, and what the figures say."""

from functions.core.cache.certification import (
    THRESHOLDS,
    WINDOW,
    Labels,
    NearTier,
    at_most,
    checked,
    first_look,
    labelled,
    wrong_among,
)


def seen(tier: NearTier, count: int, bits: int, *, right: bool = True) -> NearTier:
    """Return a tier after so many more comparisons at one distance."""
    for _ in range(count):
        tier = labelled(tier, bits, 0.01, right=right)
    return tier


def serving(bits: int) -> NearTier:
    """Return a tier that is certified up to this threshold."""
    return NearTier(labels={str(each): Labels(passed=True) for each in THRESHOLDS if each <= bits}, serves=bits)


def after(tier: NearTier, count: int, bits: int, *, right: bool) -> NearTier:
    """Return a tier after so many checks."""
    for _ in range(count):
        tier = checked(tier, bits, right=right)
    return tier


def test_so_many_labels_without_a_wrong_one_pass_the_first_look() -> None:
    """368 at a limit of 1 %, 183 at 2 %; one fewer would not."""
    assert [first_look(0.01), first_look(0.02)] == [368, 183]
    assert at_most(0, 368, 0.01) <= 0.025 < at_most(0, 367, 0.01)


def test_a_threshold_serves_from_its_first_clean_look() -> None:
    """Not one label earlier."""
    before = seen(NearTier(), 367, bits=5)
    assert before.serves is None
    assert seen(before, 1, bits=5).serves == 56


def test_a_label_says_nothing_of_tighter_thresholds() -> None:
    """What was seen at 45 bits certifies nothing, since 31 and 40 come first and have no labels."""
    assert seen(NearTier(), 400, bits=45).serves is None


def test_what_fails_stops_those_behind_it() -> None:
    """Clean up to 40 bits and wrong beyond: it serves within 40."""
    tier = seen(seen(NearTier(), 300, bits=45, right=False), 368, bits=10)
    assert tier.serves == 40


def test_one_wrong_label_waits_for_the_next_look_and_its_smaller_risk() -> None:
    """One wrong fails at 368; at 736 one or two pass at a risk of 1.25 %."""
    tier = seen(seen(NearTier(), 1, bits=3, right=False), 734, bits=3)
    assert tier.serves is None
    assert seen(tier, 1, bits=3).serves == 56
    assert tier.labels["31"] == Labels(checked=735, wrong=1, looks=1)


def test_looking_again_and_again_keeps_the_bound() -> None:
    """However often a cache at the limit is looked at, the chances that it ever passes add up to 5 % at most: so many
    wrong ones pass each look, and no more."""
    risk = 0.0
    for look in range(8):
        count = 368 << look
        passing = [wrong for wrong in range(count // 50) if passes(count, wrong, look)]
        assert passing == list(range(len(passing))) != []
        risk += at_most(passing[-1], count, 0.01)
    assert 0.03 < risk <= 0.05


def passes(count: int, wrong: int, looks: int) -> bool:
    """Tell whether a threshold passes the look after so many labels, the last of which is right."""
    labels = {"31": Labels(checked=count - 1, wrong=wrong, looks=looks)}
    return labelled(NearTier(labels=labels), 3, 0.01, right=True).labels["31"].passed


def test_ten_wrong_of_the_last_four_hundred_tighten() -> None:
    """Nine do not; what is wider has to be certified anew, what is tighter stays so."""
    nine = after(serving(48), 9, 45, right=False)
    assert nine.serves == 48
    ten = checked(nine, 45, right=False)
    assert (ten.serves, sorted(ten.labels), ten.recent) == (40, ["31", "40"], b"")
    assert seen(ten, 1, bits=3).serves == 40


def test_wrong_answers_near_by_speak_against_every_threshold() -> None:
    """Ten wrong at three bits: there is no threshold that would have kept them out, so none serves."""
    ended = after(serving(48), 10, 3, right=False)
    assert (ended.serves, ended.labels, ended.recent) == (None, {}, b"")
    assert checked(ended, 3, right=False).serves is None


def test_what_was_wrong_long_ago_is_forgotten() -> None:
    """Nine wrong, four hundred right, and one wrong more: the window has one; the counts have all."""
    tier = after(after(after(serving(48), 9, 45, right=False), WINDOW, 45, right=True), 1, 45, right=False)
    assert (tier.serves, wrong_among(tier.recent), len(tier.recent)) == (48, 1, WINDOW)
    assert (tier.checks, tier.wrong) == (WINDOW + 10, 10)


def test_the_distribution_holds_at_its_ends() -> None:
    """Nothing is wrong at a share of nothing, and fewer than none never."""
    assert [at_most(0, 5, 0), at_most(-1, 5, 0), at_most(-1, 5, 0.5), at_most(5, 5, 0.5)] == [1, 0, 0, 1]
