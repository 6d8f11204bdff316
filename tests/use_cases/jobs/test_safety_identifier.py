"""OpenAI can tell users apart, and knows none of them: one who breaks its rules is blocked alone, and found."""

import hmac
from dataclasses import replace
from typing import Any

import pytest

from functions.wiring import Deps
from scripts.inprocess import InProcessCloud, StillClock
from tests.app import App
from tests.scripts.test_admin import Run, classify, run
from tests.scripts.test_admin import cloud as admin_cloud
from tests.test_wiring import SETTINGS

__all__ = ["admin_cloud", "run"]  # fixtures


@pytest.fixture
def sent(app: App, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The requests that have reached OpenAI, those in batch files too."""
    assert app.cloud.openai is not None
    engine, requests = app.cloud.openai.engine, list[Any]()
    chat = engine.chat

    def noted(body: Any, **more: Any) -> dict[str, Any]:
        requests.append(body)
        return chat(body, **more)

    monkeypatch.setattr(engine, "chat", noted)
    return requests


def test_openai_knows_whose_photo_it_is(app: App, other_app: App, sent: list[Any]) -> None:
    """In both lanes, by the same identifier each time and another one for each user; the uid is nowhere in it."""
    for each in (app, other_app):
        each.classify(mode="instant")
        each.until_final(each.classify()["jobId"])
    identifiers = [body["safety_identifier"] for body in sent]
    assert identifiers == [identifier(app)] * 2 + [identifier(other_app)] * 2
    assert len(identifier(app)) == 64
    assert all(each.user.uid not in str(body) for each in (app, other_app) for body in sent)


def identifier(app: App) -> str:
    """Return what OpenAI knows a user by, reckoned independently."""
    return hmac.digest(app.cloud.project.encode(), app.user.uid.encode(), "sha256").hex()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("https://api.openai.com/v1", True),
        ("https://eu.api.openai.com/v1", True),
        ("https://API.openai.com/v1", True),
        ("https://other.example/v1", False),
        ("https://api.openai.com.example/v1", False),
        ("https://notapi.openai.com/v1", False),
    ],
)
def test_other_servers_are_told_nothing(url: str, told: bool) -> None:
    """They may not know the field, and would refuse every photo for it."""
    settings = replace(SETTINGS, openai_base_url=url, emulated=False)
    assert (Deps(settings, StillClock()).safety_identifier("ann") is not None) is told


def test_an_operator_finds_whom_openai_names(admin_cloud: InProcessCloud, run: Run) -> None:
    """`find` says who it is and which command tells more; of a stranger, how far it has looked."""
    classify(admin_cloud, "photo-one")
    named = hmac.digest(b"demo-ecolane", b"ann", "sha256").hex()
    assert "admin user ann" in run("find", named).stdout
    nobody = run("find", "0" * 64)
    assert nobody.exit_code == 1
    assert "1 users, 1 jobs; at most 14 days and 50,000 jobs" in " ".join(nobody.output.split())
