"""Nothing of one person reaches another, a log, an alert, a push or the provider: a mark in every input is searched for
in every output, whatever fails meanwhile."""

import base64
import json
import logging
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import BytesIO
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
from google.api_core import exceptions
from openai import OpenAI
from PIL import Image
from typer.testing import CliRunner

from functions import log
from functions.adapters.images import prepare
from functions.adapters.messaging import _message
from functions.core.model.prompts import SYSTEM_PROMPT
from localcloud.firestore.faults import KINDS as FIRESTORE_FAULTS
from localcloud.openai.faults import KINDS as OPENAI_FAULTS
from scripts.admin import app
from scripts.inprocess import InProcessCloud
from scripts.operators import session
from tests.marks import Marks, marked, misfits
from tests.steps import listed
from tests.wire import Wire, id_token, names, new_wire, operator_token

LEAVING = "delete_account"
LASTING = [name for name in names("callable") if name != LEAVING]
"""Callables after which a user is still there."""

SCHEDULERS = {"X-CloudScheduler": "true", "X-CloudScheduler-JobName": "tick"}
HEADERS = (
    "User-Agent",
    "Referer",
    "Origin",
    "Cookie",
    "X-Forwarded-For",
    "X-Cloud-Trace-Context",
    "traceparent",
    "Function-Execution-Id",
    "Firebase-Instance-ID-Token",
    "X-Firebase-AppCheck",
    "Accept-Language",
    "webhook-id",
    "webhook-signature",
    "X-CloudScheduler-JobName",
)
COMMANDS = (
    ("status",),
    ("costs", "--users"),
    ("batches",),
    ("letters", "list"),
    ("config", "history"),
    ("user", "ann"),
    ("find", "ann"),
)
KEY = "sk-zqkeyzqkey" * 4  # pragma: allowlist secret
WEBHOOK_SECRET = "whsec_" + "Zq" * 16
PROMPT = [SYSTEM_PROMPT[at : at + 30] for at in range(0, len(SYSTEM_PROMPT) - 30, 30)]

_DOWN = exceptions.ServiceUnavailable("down")  # type: ignore[no-untyped-call]  # published without types
_REFUSES = exceptions.Forbidden("no")  # type: ignore[no-untyped-call]  # published without types

FAULTS: dict[str, Callable[[InProcessCloud], object]] = {
    "nothing": lambda _: None,
    **{
        f"provider: {kind}": lambda cloud, kind=kind: cloud.openai.faults.add(  # type: ignore[misc]
            kind=kind, endpoint="*", count=None, probability=0.5
        )
        for kind in OPENAI_FAULTS
    },
    **{
        f"store: {kind}": lambda cloud, kind=kind: cloud.firestore.faults.add(  # type: ignore[misc]
            kind, count=3, probability=0.1, skip=40
        )
        for kind in FIRESTORE_FAULTS
    },
    "Storage is down": lambda cloud: _break(cloud, "storage.read_photo", _DOWN),
    "Storage refuses": lambda cloud: _break(cloud, "storage.write_input", _REFUSES),
    "a defect at the provider": lambda cloud: _break(cloud, "openai.complete", ZeroDivisionError()),
    "a defect of the store": lambda cloud: _break(cloud, "firestore.Commit", ZeroDivisionError()),
    "a defect of reading": lambda cloud: _break(cloud, "firestore.RunQuery", ZeroDivisionError()),
}
"""What fails while it is all used: every fault of the stand-in and the emulator, and what they have none for."""


def _break(cloud: InProcessCloud, call: str, error: Exception) -> None:
    """Have every third of these calls fail."""
    calls = 0

    def interrupt(name: str, when: str) -> None:
        nonlocal calls
        calls += (name, when) == (call, "before")
        if (name, when) == (call, "before") and calls % 3 == 0:
            raise error

    cloud.interrupt = interrupt


class Provider(httpx2.BaseTransport):
    """The stand-in, which quotes in its errors what it was sent, and talks in its answers. Keeps what it was sent."""

    def __init__(self, inner: httpx2.BaseTransport, marks: Marks, ann: Marks) -> None:
        self._inner, self._marks, self._ann = inner, marks, ann
        self.sent: list[str] = []

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        body = request.read().decode(errors="replace")
        self.sent.append(f"{request.url} {request.headers} {body}")
        answer = self._inner.handle_request(request)
        answer.read()
        if answer.status_code < 400:
            content = answer.content
            if self._ann.found_in(body):
                item = self._ann.new("answer about a photo")
                content = re.sub(rb'(\\"itemName\\": ?\\")', rb"\1" + item.encode() + b" ", content)
            headers = {"content-type": "application/json", "x-request-id": self._marks.new("header of an answer")}
            return httpx2.Response(answer.status_code, content=content, headers=headers)
        said, code = self._marks.new("error text of the provider"), self._marks.new("error code of the provider")
        error = {"message": f"{said} {request.headers} {body}", "type": f"{code} {said}", "code": f"no {code}"}
        return httpx2.Response(answer.status_code, json={"error": error, said: said}, headers={"x-request-id": said})


class Town:
    """Ann, all of whose inputs are marked; Bob, and an operator, who look at whatever they can."""

    def __init__(self, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
        self.wire, self.cloud = wire, wire.cloud
        self.ann, self.strangers = Marks("ann"), Marks("the provider")
        self.cloud.configure({"tokens": {"welcome": 100}, "batch": {"signedUrls": True}})
        self.tokens = {"ann": id_token("ann"), "bob": id_token("bob"), "root": operator_token()}
        self.answers: list[str] = []
        self.named: dict[str, str | None] = {"payer": None, "team": None}  # and Ann's team; everybody pays their own
        self.provider = Provider(self.cloud.openai.transport(), self.strangers, self.ann)
        http = httpx2.Client(transport=self.provider, base_url="http://openai.local/v1")
        client = OpenAI(api_key=KEY, base_url="http://openai.local/v1", http_client=http)
        self.cloud.restart(openai=client)
        rules = self.cloud.deps.runtime().images
        monkeypatch.setattr(
            self.cloud.deps, "prepare_photo", lambda data, _: prepare(data, rules.side_max, rules.jpeg_quality)
        )
        monkeypatch.setattr(session, "connect", lambda _project: self.cloud.operator())

    def photo(self, path: str) -> None:
        """Store a photo with marks in what stands beside its picture."""
        image, out = Image.new("RGB", (64, 64), (40, 140, 60)), BytesIO()
        exif = image.getexif()
        exif[0x010E] = self.ann.new("description of a photo")
        exif[0x8825] = {1: self.ann.new("place of a photo")}
        image.save(out, "JPEG", exif=exif, comment=self.ann.new("comment of a photo").encode())
        self.cloud.files.objects[path] = out.getvalue()

    def use(self) -> None:
        """Have Ann call every function in form, and out of form, with marks in all that she sends."""
        headers = {header: self.ann.new(f"header {header}") for header in HEADERS}
        jobs: list[str] = []
        for name in LASTING:
            path = f"users/ann/uploads/{self.ann.new(f'file name, {name}')}.jpg"
            request = marked(name, self.ann, {"imagePath": path, **self.named, **({"jobId": jobs[-1]} if jobs else {})})
            self.photo(path)
            answer = self.wire.call(name, request, self.tokens["ann"])
            jobs += [found["jobId"] for found in _objects_in(answer.data) if "jobId" in found]
            self.named |= {"teamId": found["teamId"] for found in _objects_in(answer.data) if "teamId" in found}  # noqa: B035
            for wrong in misfits(request, name, self.ann):
                self.wire.call(name, wrong, self.tokens["ann"])
            self.wire.request(name, self.ann.new(f"{name}: no JSON"), Authorization=f"Bearer {self.tokens['ann']}")
            self.wire.call(name, request, self.ann.new("a token"))
            self.wire.call(name, request, self.tokens["ann"], **headers)
        path = f"users/ann/uploads/{self.ann.new('a file name')}.jpg"
        self.photo(path)
        for number, mode in enumerate(["instant"] * 6 + ["batch"] * 2):
            request = {"requestId": f"{self.ann.new('a requestId')}-{number}", "imagePath": path, "mode": mode}
            self.wire.call("classify_image", request, self.tokens["ann"])
        for name in names("https"):
            self.wire.request(name, self.ann.new(f"body of {name}"), **headers)
            self.wire.request(name, json.dumps({"type": self.ann.new("an event")}), **headers)
        for name in names("schedule"):
            self.wire.request(name, self.ann.new(f"body of {name}"), **headers)

    def configure(self) -> None:
        """Have the config damaged by hand: what is wrong with it stays between it and the operators."""
        value, fault = self.ann.new("the config"), self.cloud.interrupt
        self.cloud.interrupt = lambda _call, _when: None  # it is for the functions
        self.cloud.client.document("config/runtime").set(
            {"budget": {"alertUids": value}, value: value, "plans": {value: value}, "batch": {"jobsPerBatch": value}},
            merge=True,
        )
        self.cloud.interrupt = fault
        self.cloud.clock.advance(timedelta(seconds=31))

    def look(self, ticks: int) -> None:
        """Have Bob ask for whatever there is, Ann's jobs by their ids included, and the crons run, every five hours."""
        jobs = [each.id for each in self.cloud.client.collection("aiJobs").stream()]
        bob = Marks("bob")
        self.cloud.upload("bob", "can.jpg", self.cloud.files.objects[next(iter(self.cloud.files.objects))])
        for name in LASTING:
            for job in jobs[:3] or ["0" * 32]:
                given = {
                    **self.named,
                    "jobId": job,
                    "imagePath": "users/bob/uploads/can.jpg",
                    "requestId": f"request-{job[:20]}",
                }
                answer = self.wire.call(name, marked(name, bob, given), self.tokens["bob"])
                self.answers.append(f"{name}: {answer.get_data(as_text=True)}")
        for _ in range(ticks):
            self.cloud.clock.advance(timedelta(hours=5))
            self.cloud.openai.tick()
            for name in names("schedule"):
                answer = self.wire.request(name, **SCHEDULERS)
                self.answers.append(f"{name}: {answer.get_data(as_text=True)}")

    def leave(self) -> None:
        """Have Ann delete her account, with marks in what she sends out of form."""
        request = marked(LEAVING, self.ann, {})
        for each in (*misfits(request, LEAVING, self.ann), request):
            self.wire.call(LEAVING, each, self.tokens["ann"])
        for name in names("schedule"):
            answer = self.wire.request(name, **SCHEDULERS)
            self.answers.append(f"{name}: {answer.get_data(as_text=True)}")

    def outputs(self) -> dict[str, str]:
        """Return what has come out, but for logs, by where."""
        self.cloud.firestore.faults.clear()
        self.cloud.restart()
        alerts = [json.dumps(each, default=str) for each in listed(self.cloud, "alerts").values()]
        environment = {"GCLOUD_PROJECT": "demo-ecolane", "ECOLANE_OPERATOR": "mia", "COLUMNS": "400"}
        shown = [CliRunner().invoke(app, list(command), env=environment) for command in COMMANDS]
        assert [each.exception for each in shown if not isinstance(each.exception, SystemExit | None)] == []
        return {
            "answers to others": "\n".join(self.answers),
            "alerts": "\n".join(alerts),
            "pushes": repr([_message("token", news).data for news in self.cloud.messaging.sent]),
            "alerts pushed": repr([alert[1:] for alert in self.cloud.messaging.alerts]),
            "commands": "\n".join(each.output for each in shown),
            "other documents": "\n".join(self._others_documents()),
        }

    def _others_documents(self) -> Iterator[str]:
        for name in ("stats", "budget", "batches", "alerts", "deadLetters", "audit", "devices"):
            for each in self.cloud.client.collection(name).stream():
                yield f"{each.reference.path} {each.to_dict()}"
        for each in self.cloud.client.collection("aiJobs").stream():
            if (each.to_dict() or {})["uid"] != "ann":
                yield f"{each.reference.path} {each.to_dict()}"
        yield str(self.cloud.client.document("users/bob/wallet/main").get().to_dict())


def _objects_in(data: bytes) -> Iterator[dict[str, Any]]:
    """Yield every object in an answer."""
    try:
        waiting = [json.loads(data)]
    except ValueError:
        return
    while waiting:
        found = waiting.pop()
        if isinstance(found, dict):
            yield cast("dict[str, Any]", found)
        if isinstance(found, dict | list):
            waiting += found.values() if isinstance(found, dict) else found


@pytest.fixture
def town(monkeypatch: pytest.MonkeyPatch) -> Iterator[Town]:
    """A town of its own, whose store is asked again at once."""
    monkeypatch.setattr("functions.adapters.firestore.wire.sleep", lambda _: None)
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0)
    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", lambda *_: account)
    with new_wire(monkeypatch, InProcessCloud(seed=1, webhook_secret=WEBHOOK_SECRET)) as wire:
        yield Town(wire, monkeypatch)


MEANT = {
    "log": ("jobId",),
    "commands": ("requestId", "answer about a photo"),
    "provider": ("region", "language"),
    "answers to others": ("set_leaderboard.displayName",),
}
"""Fields that are meant to come out somewhere: a job's id is how a log entry is found, a ledger entry is named by its
request, operators see what a photo was taken for, the provider is asked about Ann's photo in her language, and
whoever looks at the leaderboard sees the name that she chose for it."""


@pytest.mark.filterwarnings("ignore:Message.token is deprecated")
@pytest.mark.parametrize("fault", FAULTS)
def test_nothing_comes_out_where_it_does_not_belong(
    town: Town, fault: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever fails: no input of Ann's and no word of a stranger's is in a log, with others, or at the provider."""
    caplog.set_level(logging.INFO)
    FAULTS[fault](town.cloud)
    town.use()
    town.look(ticks=6)
    town.configure()
    town.look(ticks=1)
    town.leave()
    written = capfd.readouterr()
    logged = (written.out + written.err).encode().decode("unicode_escape", "replace")
    logged += "\n".join(caplog.handler.format(record) for record in caplog.records)
    outputs = {**town.outputs(), "log": logged}
    found = {where: {**town.ann.found_in(text), **town.strangers.found_in(text)} for where, text in outputs.items()}
    found["provider"] = town.ann.found_in("\n".join(town.provider.sent))
    unmeant = {
        f"{place} in {where}"
        for where, marks in found.items()
        for place in marks.values()
        if not place.endswith(MEANT.get(where, ("nothing",)))
    }
    assert unmeant == set()
    assert secrets_in(logged, town) == []


def secrets_in(logged: str, town: Town) -> list[str]:
    """Return what belongs to no user and no log: keys, tokens, the prompt, photos, and links to them."""
    pictures = [base64.b64encode(data).decode()[40:80] for data in town.cloud.files.objects.values()]
    secrets = [KEY, WEBHOOK_SECRET, *town.tokens.values(), *PROMPT, *pictures, "data:image", "https://storage.local"]
    return [secret for secret in secrets if secret in logged]


def test_marks_are_found_where_they_belong(town: Town, capfd: pytest.CaptureFixture[str]) -> None:
    """The search can find: what Ann has sent and what she was answered comes back to her, and faults leave their
    events in the log."""
    town.use()
    town.cloud.openai.faults.add("server_error", endpoint="*", count=None)
    town.look(ticks=1)
    own = "".join(
        town.wire.call(name, {}, town.tokens["ann"]).get_data(as_text=True) for name in ("list_jobs", "list_ledger")
    )
    places = {place.rpartition(".")[2] for place in town.ann.found_in(own).values()}
    assert {"answer about a photo", "requestId"} <= places
    assert {"region", "language"} <= {
        place.rpartition(".")[2] for place in town.ann.found_in("".join(town.provider.sent)).values()
    }
    assert log.Event.INSTANT_FAILED in capfd.readouterr().out
    sent = "".join(town.provider.sent).encode().decode("unicode_escape", "replace")
    assert {*PROMPT, "data:image", "https://storage.local"} <= set(secrets_in(sent, town))
