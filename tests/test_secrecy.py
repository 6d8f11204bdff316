"""The logs: what was done, and never with whose token, on which photo, by which key, in which words."""

import base64
import json
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace

import httpx2
import pytest
from openai import OpenAI

from functions import log
from functions.core.model.prompts import SYSTEM_PROMPT
from scripts.inprocess import InProcessCloud
from scripts.sample_calls import sample_calls
from tests.app import photo
from tests.wire import Wire, app_check_token, id_token, names, new_wire, operator_token

KEY = "sk-proj-" + "Zq7" * 20
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"a secret of these tests").decode()
PUSH_TOKEN = "push-token-" + "x9" * 40
ITEM = "a very private thing"
PHOTO = photo(64)
SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}

Look = Callable[[], str]


@pytest.fixture
def wire(monkeypatch: pytest.MonkeyPatch) -> Iterator[Wire]:
    """The functions in front of a cloud with secrets that can be told from everything else."""
    cloud = InProcessCloud(seed=1, webhook_secret=WEBHOOK_SECRET)
    ask(cloud, cloud.openai.http_client())
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    with new_wire(monkeypatch, cloud) as wire:
        yield wire


def ask(cloud: InProcessCloud, http_client: httpx2.Client) -> None:
    """Have the functions ask this provider, with the key."""
    cloud.restart(openai=OpenAI(api_key=KEY, base_url="http://openai.local/v1", http_client=http_client))


@pytest.fixture
def look(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Look:
    """Return everything that was written since: to standard output and error, and to Python's own logging."""
    caplog.set_level(logging.INFO)

    def look() -> str:
        written = capfd.readouterr()
        # An entry is JSON: what is escaped there would not be found.
        lines = [line.encode().decode("unicode_escape", "replace") for line in (written.out + written.err).splitlines()]
        return "\n".join([*lines, *(caplog.handler.format(record) for record in caplog.records)])

    return look


def require_silence(text: str, *more: str) -> None:
    """Check that no secret stands in a log."""
    picture = base64.b64encode(PHOTO).decode()
    prompt = [SYSTEM_PROMPT[at : at + 30] for at in range(0, len(SYSTEM_PROMPT) - 30, 30)]
    secrets = [KEY, WEBHOOK_SECRET, PUSH_TOKEN, ITEM, picture[:40], picture[-40:], "data:image", "http://storage.local"]
    assert [secret for secret in [*secrets, *prompt, *more] if secret in text] == []


def use(wire: Wire, uid: str, token: str) -> None:
    """Do with this user what an app does, in both lanes, call everything, and let the crons run for a day."""
    path = wire.cloud.upload(uid, "photo.jpg", PHOTO)
    wire.call("register_device", {"deviceId": "device-1", "pushToken": PUSH_TOKEN, "platform": "ios"}, token)
    thing = {"requestId": "request-0", "deviceId": "device-1", "itemName": ITEM, "category": "Wet Waste"}
    wire.call("record_manual_classification", thing, token)
    for number, mode in enumerate(["instant", "batch", "batch"]):
        request = {"requestId": f"request-{number}", "imagePath": path, "mode": mode}
        wire.call("classify_image", request, token, X_Firebase_AppCheck=app_check_token())
    wire.call("unregister_device", {"deviceId": "device-0"}, token)
    calls = sample_calls(uid)
    for name in names("callable"):
        wire.call(name, calls[name], token)
    for _ in range(8):
        wire.cloud.clock.advance(timedelta(hours=4))
        for name in names("schedule"):
            wire.request(name, **SCHEDULERS)
    wire.call("unregister_device", {"deviceId": "device-1"}, token)


@pytest.mark.parametrize("links", [False, True], ids=["photos sent", "links sent"])
def test_what_goes_well_is_logged_without_secrets(wire: Wire, look: Look, links: bool) -> None:
    """Calls, batches and pushes leave ids, counts and costs."""
    wire.cloud.configure({"batch": {"signedUrls": links}})
    token = operator_token("ann")
    use(wire, "ann", token)
    text = look()
    assert log.Event.BATCH_COLLECTED in text
    require_silence(text, token, app_check_token())


@pytest.mark.parametrize("kind", ["server_error", "refusal", "fenced_answer", "malformed_json", "not_found"])
def test_what_goes_wrong_at_the_provider_is_logged_without_secrets(wire: Wire, look: Look, kind: str) -> None:
    """Neither does a failure, whatever the provider says."""
    wire.cloud.openai.faults.add(kind=kind, endpoint="*", count=None)
    token = operator_token("ann")
    use(wire, "ann", token)
    require_silence(look(), token)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503])
def test_a_provider_that_quotes_what_it_was_sent_is_not_quoted(wire: Wire, look: Look, status: int) -> None:
    """Error bodies repeat keys, prompts and photos: they stay out of messages, and out of tracebacks."""

    def quote(request: httpx2.Request) -> httpx2.Response:
        said = f"no: {request.headers} {request.read().decode(errors='replace')}"
        return httpx2.Response(status, json={"error": {"message": said, "code": "no", "type": "no"}})

    ask(wire.cloud, httpx2.Client(transport=httpx2.MockTransport(quote), base_url="http://openai.local/v1"))
    token = operator_token("ann")
    use(wire, "ann", token)
    text = look()
    assert log.Event.INSTANT_FAILED in text
    require_silence(text, token)


@pytest.mark.parametrize(
    "call", ["firestore.Commit", "firestore.BatchGetDocuments", "firestore.RunQuery", "storage.read_photo"]
)
def test_a_crash_is_logged_with_its_traceback_and_without_secrets(wire: Wire, look: Look, call: str) -> None:
    """A defect anywhere: the traceback names lines of code, and no values."""

    def crash(name: str, when: str) -> None:
        if (name, when) == (call, "before"):
            raise ZeroDivisionError("a defect")

    token = operator_token("ann")
    wire.cloud.interrupt = crash
    use(wire, "ann", token)
    text = look()
    assert log.Event.CALL_CRASHED in text
    assert "ZeroDivisionError" in text
    require_silence(text, token)


def test_a_request_that_is_refused_leaves_nothing_of_itself(wire: Wire, look: Look) -> None:
    """Wrong bodies, wrong fields, wrong tokens and wrong signatures: the log says which kind, and quotes nothing."""
    token, forged = id_token("ann"), id_token("ann", aud="other")
    secret = "the-callers-own-words"
    answers = [
        wire.request("quote", json.dumps([secret]), Content_Type="application/json", Authorization=f"Bearer {token}"),
        wire.request("quote", json.dumps({"data": {}, secret: secret}), Content_Type="application/json"),
        wire.call("get_job", {"jobId": secret}, token),
        wire.call("classify_image", {"requestId": secret * 9, "imagePath": secret, "mode": secret}, token),
        wire.call("get_wallet", {}, forged),
        wire.call("get_wallet", {}, token + "x"),
        wire.call("get_wallet", {}, f"{secret}.{secret}.{secret}"),
        wire.request("openai_webhook", secret, webhook_signature=f"v1,{secret}", webhook_id=secret),
    ]
    assert all(400 <= answer.status_code < 500 for answer in answers)
    require_silence(look(), token, forged, secret, *token.split("."), forged.split(".")[1])


def test_the_search_finds_what_is_there(look: Look) -> None:
    """The other tests rest on it: what is printed, logged or traced is seen."""
    print(json.dumps({"a": f"ö {ITEM}"}))  # noqa: T201 (what a careless function might do)
    with pytest.raises(AssertionError):
        require_silence(look())
    logging.getLogger("httpx").info("POST http://storage.local/photo?signature=x")
    with pytest.raises(AssertionError):
        require_silence(look())
