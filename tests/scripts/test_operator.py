"""`operator`: the claim of operators given and taken, as a person does it, against the local cloud's Auth."""

import time
from collections.abc import Callable
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from localcloud.callables import CallableError
from localcloud.cloud import LocalCloud, SignedIn
from scripts.admin import app as command

Run = Callable[..., Result]


@pytest.fixture
def run(cloud: LocalCloud) -> Run:
    """Run the command; `answer` is what is typed."""
    return lambda *arguments, answer="": CliRunner().invoke(
        command, ["operator", *arguments], input=answer, env=cloud.environment
    )


def found(cloud: LocalCloud, collection: str) -> list[dict[str, Any]]:
    """Return the documents of a collection."""
    return [each.to_dict() or {} for each in cloud.firestore_client().collection(collection).stream()]


def admitted(cloud: LocalCloud, uid: str) -> bool:
    """Tell whether the user's next token opens what is for operators."""
    try:
        cloud.call("admin_stats", {}, cloud.sign_in(uid).id_token)
    except CallableError as refusal:
        if refusal.details != {"reason": "NOT_ADMIN"}:
            raise
        return False
    return True


def test_a_user_becomes_an_operator_and_stops_being_one(cloud: LocalCloud, user: SignedIn, run: Run) -> None:
    """The first operator of a project is made from a shell; doing it again changes nothing and is no error. A token
    that is out when the claim is taken away opens nothing any more."""
    assert not admitted(cloud, user.uid)
    for _ in range(2):
        done = run(user.uid, "--yes")
        assert done.exit_code == 0, done.output
        assert f"{user.uid} is an operator" in done.output.replace("\n", " ")
        assert admitted(cloud, user.uid)
    token = cloud.sign_in(user.uid).id_token
    time.sleep(1)  # tokens and their end are told in whole seconds
    assert run(user.uid, "--remove", "--yes").exit_code == 0
    assert not admitted(cloud, user.uid)
    with pytest.raises(CallableError, match="UNAUTHENTICATED"):
        cloud.call("admin_stats", {}, token)


def test_a_change_is_on_record_and_told_before_it_is_made(
    cloud: LocalCloud, user: SignedIn, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever fails then: nobody is an operator, and the trace is there, with an alert that is due."""

    def fail(*_: object) -> None:
        raise ValueError("no Auth")

    with monkeypatch.context() as broken:
        broken.setattr("firebase_admin.auth.set_custom_user_claims", fail)
        assert run(user.uid, "--yes", "--by", "eve").exit_code == 1
    assert not admitted(cloud, user.uid)
    (audit,) = (each for each in found(cloud, "audit") if each["target"] == user.uid)
    assert (audit["action"], audit["by"], audit["changed"][0]["after"]) == ("operator", "eve", True)
    text = f"eve changed who is an operator, {user.uid}: admin: false -> true."
    assert [each["dueAt"] is not None for each in found(cloud, "alerts") if each["text"] == text] == [True]


def test_nothing_is_given_without_a_yes(cloud: LocalCloud, user: SignedIn, run: Run) -> None:
    """What would change is shown first."""
    asked = run(user.uid, answer="n\n")
    assert asked.exit_code == 1
    assert "true" in asked.output
    assert not admitted(cloud, user.uid)


def test_an_unknown_user_is_one_clear_line(run: Run) -> None:
    """A wrong uid is named."""
    refused = run("nobody", "--yes")
    assert refused.exit_code == 1
    assert (
        refused.stderr
        == "admin: Firebase Auth of demo-ecolane: No user record found for the provided user ID: nobody.\n"
    )
