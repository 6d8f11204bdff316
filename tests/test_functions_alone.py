"""Each function by itself: in production it has a process, and an instance, of its own."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import main
from localcloud.cloud import LocalCloud
from scripts.ecolane_cloud import ecolane_cloud
from scripts.functions_alone import FirstAnswer, first_answer, sample_call
from scripts.schedule_plan import cron_triggers

NAMES = [name for name, value in vars(main).items() if hasattr(value, "__firebase_endpoint__")]
AT_ONCE = 4
CRONS = set(cron_triggers())


@pytest.fixture(scope="module")
def cloud() -> Iterator[LocalCloud]:
    """A local cloud of their own, as a new project has it; and what is called here changes it for everybody."""
    with ecolane_cloud() as cloud:
        yield cloud


@pytest.fixture(scope="module")
def answers(cloud: LocalCloud) -> Iterator[dict[str, Future[FirstAnswer]]]:
    """The first answer of each function, to a call that it can serve; a few processes at a time."""
    calls = {name: sample_call(name, cloud) for name in NAMES}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(first_answer, name, cloud.environment, call) for name, call in calls.items()}


@pytest.mark.parametrize("name", NAMES)
def test_a_function_works_without_the_others(name: str, answers: dict[str, Future[FirstAnswer]]) -> None:
    """Under `functions-framework --target` it starts, loads what it needs, and does its work, or refuses and says
    why."""
    answer = answers[name].result()
    if name in CRONS:
        assert (answer.status, answer.body) == (200, "")
    elif name.endswith("_webhook"):
        assert (answer.status, answer.body) == (400, ""), "an event without a signature is refused"
    elif name == "convert_points":
        assert '"CONVERSION_LIMIT"' in answer.body, "a new user has no points"
    elif name in {"start_checkout", "set_pay_per_use", "buy_perk"}:
        assert '"PURCHASE_NOT_HERE"' in answer.body, "a new project sells nothing"
    elif name == "open_billing_portal":
        assert '"NOTHING_BOUGHT"' in answer.body, "a new user has no plan"
    elif name == "give_tokens":
        assert "this user is not in the team" in answer.body, "a new user's team has nobody else in it"
    elif name == "start_bulk":
        assert '"IMAGE_NOT_FOUND"' in answer.body, "a new user has uploaded nothing"
    elif name in {"get_bulk", "cancel_bulk"}:
        assert '"JOB_NOT_FOUND"' in answer.body, "nor started anything"
    elif name == "report_answer":
        assert "this job has no answer" in answer.body, "a new user's job waits"
    else:
        assert '"result"' in answer.body
        assert answer.status == 200


def test_a_function_by_itself_knows_who_calls(cloud: LocalCloud) -> None:
    """Nobody is served without a token, also where no other function has set anything up."""
    answer = first_answer("classify_image", cloud.environment)
    assert answer.status == 401
    assert '"UNAUTHENTICATED"' in answer.body
