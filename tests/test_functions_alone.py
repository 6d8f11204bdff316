"""Each function by itself: in production it has a process, and an instance, of its own."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

import main
from scripts.emulators.cloud import LocalCloud
from scripts.functions_alone import FirstAnswer, first_answer
from scripts.schedule_plan import cron_triggers

NAMES = [name for name, value in vars(main).items() if hasattr(value, "__firebase_endpoint__")]
AT_ONCE = 4
CRONS = set(cron_triggers())
TAKES_NOTHING = {"quote", "get_wallet", "list_jobs", "list_ledger"}
OPERATORS = {"admin_stats", "admin_set_config"}


@pytest.fixture(scope="module")
def answers(cloud: LocalCloud) -> Iterator[dict[str, Future[FirstAnswer]]]:
    """The first answer of each function, to a signed-in user who sends nothing; a few processes at a time."""
    token = cloud.sign_up().id_token
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {name: pool.submit(first_answer, name, cloud.environment, token) for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_a_function_works_without_the_others(name: str, answers: dict[str, Future[FirstAnswer]]) -> None:
    """Under `functions-framework --target` it starts, loads what it needs, and answers what it should: a result, or a
    refusal that says why."""
    answer = answers[name].result()
    if name in CRONS:
        assert (answer.status, answer.body) == (200, "")
    elif name == "openai_webhook":
        assert (answer.status, answer.body) == (400, ""), "an event without a signature is refused"
    elif name in TAKES_NOTHING:
        assert answer.status == 200
        assert answer.body.startswith('{"result":')
    elif name in OPERATORS:
        assert answer.status == 403
        assert '"NOT_ADMIN"' in answer.body
    else:
        assert answer.status == 400
        assert '"INVALID_REQUEST"' in answer.body


def test_a_function_by_itself_knows_who_calls(cloud: LocalCloud) -> None:
    """Nobody is served without a token, also where no other function has set anything up."""
    answer = first_answer("classify_image", cloud.environment)
    assert answer.status == 401
    assert '"UNAUTHENTICATED"' in answer.body
