"""What was issued stays as it was."""

from functions.core.insights.issues import Issues
from functions.core.shared.lanes import Lane
from tests.core.insights.planned import TODAY, history, planned


def test_what_was_issued_stays_and_a_newer_releases_method_is_passed_over() -> None:
    """A second run of the day adds nothing; each issue is read back as it was, as far as it is known."""
    plan, issues = planned(history(60), TODAY)
    changed = issues.model_copy(
        update={"issued": {"2026-11-21": {"instant": {"mixed": [1.0] * 35, "oracle": [2.0] * 35}}}}
    )
    again = changed.with_issue(TODAY, {})
    assert again == changed
    (issue,) = changed.of_lane(Lane.INSTANT)
    assert dict(issue.by_method) == {"mixed": [1.0] * 35}
    assert changed.of_lane(Lane.BATCH) == []
    assert set(issues.issued["2026-11-21"]["instant"]) == {"naive", "level", "usual", "mixed"}
    assert plan.lanes["instant"].shown == "mixed"
    assert Issues().of_lane(Lane.INSTANT) == []
