"""What each provider's models came to on some days."""

from functions.core.budget.day_review import BudgetDay
from functions.core.budget.provider_report import model_figures, shares

LUNA, HAIKU = "gpt-6-luna", "anthropic/claude-haiku-5-5"

DAYS = [
    BudgetDay(
        tally={"instant": {LUNA: {"done": 6, "failed:ANSWER_UNUSABLE": 1, "down": 2, "doubtful": 1, "wait:4": 7}}},
        costs={"instant": {LUNA: 700, HAIKU: 240}},
    ),
    BudgetDay(
        tally={
            "instant": {HAIKU: {"done": 2, "failed:PROVIDER_REJECTED": 1, "failed:PROVIDER_UNAVAILABLE": 1}},
            "batch": {HAIKU: {"done": 4, "retried:BATCH_EXPIRED": 3, "checked": 1, "checkedMicros": 100}},
        },
        costs={"batch": {HAIKU: 500}},
    ),
]


def test_figures_of_days_are_added_up_by_lane_and_model() -> None:
    """Answers, failures of every code, legs that came to nothing, and what an answer cost with them, without
    checks."""
    batch, haiku, luna = model_figures(DAYS)
    assert [(each.lane, each.model, each.provider) for each in (batch, haiku, luna)] == [
        ("batch", HAIKU, "anthropic"),
        ("instant", HAIKU, "anthropic"),
        ("instant", LUNA, "openai"),
    ]
    assert [each.answered for each in (batch, haiku, luna)] == [4, 2, 6]
    assert [each.counted("failed") for each in (batch, haiku, luna)] == [0, 2, 1]
    assert (luna.counted("down"), luna.counted("doubtful"), batch.counted("retried")) == (2, 1, 3)
    assert [each.each_micros for each in (batch, haiku, luna)] == [100, 120, 116]
    assert (luna.seconds_within(0.5), haiku.seconds_within(0.5)) == (4.0, None)


def test_shares_are_of_a_lanes_answers() -> None:
    """And nothing is divided by nothing."""
    assert shares(model_figures(DAYS)) == {("batch", HAIKU): 100, ("instant", HAIKU): 25, ("instant", LUNA): 75}
    (none,) = model_figures([BudgetDay(costs={"instant": {LUNA: 5}})])
    assert (shares([none]), none.each_micros) == ({("instant", LUNA): 0}, 0)
