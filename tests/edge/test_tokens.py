"""Who is let in, with tokens checked as in production: signature, audience, issuer, times, revocation, App Check."""

import base64
import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from google.auth.exceptions import TransportError
from jwt import PyJWKClientConnectionError

from functions.adapters import identity
from tests.wire import (
    Wire,
    app_check_token,
    certificate,
    content,
    id_token,
    id_token_claims,
    names,
    new_key,
    operator_token,
    signed,
)

CALLABLES = names("callable")
UNAUTHENTICATED = (401, {"reason": "UNAUTHENTICATED"})
NOT_VERIFIED = (401, {"reason": "APP_NOT_VERIFIED"})
UNAVAILABLE = (503, {"reason": "AUTH_UNAVAILABLE", "retryAfter": 5})


def refusal(wire: Wire, token: str | None, name: str = "get_wallet", **headers: str) -> tuple[int, Any]:
    """Make a call that must be refused. Returns status and details; nothing was read or written for it."""
    wire.cloud.firestore.bill.reset()
    answer = wire.call(name, {}, token, **headers)
    assert not any(wire.cloud.firestore.bill.reset()["totals"].values())
    return answer.status_code, content(answer)["error"]["details"]


def part(value: object) -> str:
    """Return a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def by_public_key(claims: dict[str, Any]) -> str:
    """Return a token whose HMAC was made with what everybody can fetch: the public key as the shared secret."""
    import hmac  # noqa: PLC0415 (this trick's own)

    public = new_key("google").public_key()
    secret = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': 'key-1'})}.{part(claims)}"
    mac = base64.urlsafe_b64encode(hmac.digest(secret, text.encode(), "sha256")).rstrip(b"=").decode()
    return f"{text}.{mac}"


def edited(token: str, **changes: Any) -> str:
    """Return a good token whose claims somebody has changed afterwards."""
    head, _, signature = token.split(".")
    return f"{head}.{part(id_token_claims('ann', **changes))}.{signature}"


NOW = int(time.time())
GOOD = id_token_claims("ann")

FORGED: dict[str, Callable[[], str]] = {
    "another key's signature": lambda: signed(GOOD, "mallory"),
    "a key nobody knows": lambda: signed(GOOD, kid="key-2"),
    "no key named": lambda: signed(GOOD, kid=None),
    "claims changed afterwards": lambda: edited(id_token("bob"), admin=True),
    "signature cut off": lambda: id_token("ann").rpartition(".")[0] + ".",
    "signature of another token": lambda: id_token("ann").rpartition(".")[0] + "." + id_token("bob").split(".")[2],
    "algorithm none": lambda: f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(GOOD)}.",
    "algorithm none, with a key named": lambda: f"{part({'alg': 'none', 'kid': 'key-1'})}.{part(GOOD)}.",
    "HS256 with the public key": lambda: by_public_key(GOOD),
    "RS512": lambda: signed(GOOD, algorithm="RS512"),
    "another project's": lambda: id_token("ann", aud="other", iss="https://securetoken.google.com/other"),
    "another audience": lambda: id_token("ann", aud="other"),
    "several audiences": lambda: id_token("ann", aud=["demo-ecolane", "other"]),
    "another issuer": lambda: id_token("ann", iss="https://securetoken.google.com/other"),
    "a service account's issuer": lambda: id_token("ann", iss="https://accounts.google.com"),
    "a custom token": lambda: id_token(
        "ann", aud="https://identitytoolkit.googleapis.com/google.identity.identitytoolkit.v1.IdentityToolkit"
    ),
    "an App Check token": app_check_token,
    "expired": lambda: id_token("ann", iat=NOW - 7_200, exp=NOW - 3_600),
    "expired a minute ago": lambda: id_token("ann", exp=NOW - 60),
    "issued in the future": lambda: id_token("ann", iat=int(time.time()) + 600),
    "no expiry": lambda: id_token("ann", exp=None),
    "no time of issue": lambda: id_token("ann", iat=None),
    "no subject": lambda: id_token("ann", sub=None),
    "an empty subject": lambda: id_token(""),
    "a subject that is a number": lambda: signed_raw({**GOOD, "sub": 7}),
    "a subject that is too long": lambda: id_token("x" * 129),
    "a subject that is a path": lambda: id_token("ann/wallet/main"),
    "a subject that climbs": lambda: id_token(".."),
    "claims that are a list": lambda: signed_raw([1, 2]),
    "claims that are no JSON": lambda: f"{part({'alg': 'RS256', 'kid': 'key-1'})}.e30-.c2ln",
    "claims nested without end": lambda: signed_raw(json.loads('{"a":' * 900 + "1" + "}" * 900)),
    "a word": lambda: "secret-word",
    "nothing": lambda: "",
    "dots": lambda: "..",
    "many dots": lambda: "a.b.c.d.e",
    "not ASCII": lambda: "ä.ö.ü",
    "a long text": lambda: "x" * 100_000,
}


def signed_raw(claims: object) -> str:
    """Return a token that is rightly signed, whatever its claims are."""
    from jwt.algorithms import RSAAlgorithm  # noqa: PLC0415 (PyJWT's encoder refuses what is tried here)

    text = f"{part({'alg': 'RS256', 'typ': 'JWT', 'kid': 'key-1'})}.{part(claims)}"
    algorithm = RSAAlgorithm(RSAAlgorithm.SHA256)
    signature = algorithm.sign(text.encode(), new_key("google"))
    return f"{text}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def test_a_good_token_is_let_in(wire: Wire) -> None:
    """The other tests of this file rest on it."""
    assert content(wire.call("get_wallet", {}, id_token("ann")))["result"]["balance"] == 10
    assert content(wire.call("get_wallet", {}, signed_raw(GOOD)))["result"]["balance"] == 10


@pytest.mark.parametrize("what", FORGED)
def test_a_token_that_proves_nothing_is_refused(wire: Wire, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    """401 before anything is read, and no part of the token in the log: it may be somebody's good one, mistyped."""
    token = FORGED[what]()
    assert refusal(wire, token) == UNAUTHENTICATED
    captured = capfd.readouterr()
    logged = captured.out + captured.err
    pieces = [piece[:40] for piece in token.split(".") if len(piece) > 7]
    assert not [piece for piece in pieces if piece in logged]
    assert "Traceback" not in logged


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "bearer", "Basic YTpi", "token", "Bearer\t", "\xff"])
def test_another_kind_of_authorization_is_refused(wire: Wire, header: str) -> None:
    """What is no bearer token is not taken for nobody, who would be told to sign in for the first time."""
    answer = wire.call("get_wallet", {}, Authorization=header)
    assert (answer.status_code, content(answer)["error"]["details"]) == UNAUTHENTICATED


@pytest.mark.parametrize("name", CALLABLES)
def test_no_function_forgets_to_ask(wire: Wire, name: str) -> None:
    """Without a token, or with another's signature, each of them refuses."""
    assert refusal(wire, None, name) == UNAUTHENTICATED
    assert refusal(wire, signed(id_token_claims("ann", admin=True), "mallory"), name) == UNAUTHENTICATED


def test_googles_keys_out_of_reach_are_no_sign_out(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The app is told to come back, and not that its user is nobody."""

    def down(*_: object, **__: object) -> None:
        raise TransportError("no route")  # type: ignore[no-untyped-call]  # published without types

    monkeypatch.setattr("firebase_admin._token_gen.CertificateFetchRequest.__call__", down)
    assert refusal(wire, id_token("ann")) == UNAVAILABLE


def test_googles_keys_are_read_again_every_few_minutes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each token, and not a failure: a key that Google has withdrawn counts for five minutes more at the
    most."""
    now, asked, statuses = [1_000.0], list[int](), iter([503, 200, 200])
    published = {"key-1": certificate("google")}

    def fetch(*_: object, **__: object) -> SimpleNamespace:
        asked.append(next(statuses))
        return SimpleNamespace(status=asked[-1], data=json.dumps(published).encode())

    monkeypatch.setattr("firebase_admin._token_gen.CertificateFetchRequest.__call__", fetch)
    monkeypatch.setattr(identity, "monotonic", lambda: now[0])
    assert refusal(wire, id_token("ann")) == UNAVAILABLE
    for uid in ("ann", "bob", "ann"):
        assert wire.call("get_wallet", {}, id_token(uid)).status_code == 200
    assert asked == [503, 200]
    published["key-1"] = certificate("mallory")
    now[0] += 299
    assert wire.call("get_wallet", {}, id_token("ann")).status_code == 200
    now[0] += 1
    assert refusal(wire, id_token("ann")) == UNAUTHENTICATED
    assert asked == [503, 200, 200]


CLOCKS = {
    "issued a few seconds from now": ({"iat": 5}, 200),
    "issued half a minute from now": ({"iat": 30}, 401),
    "expired a few seconds ago": ({"iat": -3_600, "exp": -5}, 200),
    "expired half a minute ago": ({"iat": -3_600, "exp": -30}, 401),
}


def from_now(times: dict[str, int]) -> dict[str, int]:
    """Return these claims with their seconds counted from now."""
    return {claim: int(time.time()) + seconds for claim, seconds in times.items()}


@pytest.mark.parametrize("what", CLOCKS)
def test_clocks_may_be_a_few_seconds_apart(wire: Wire, account: SimpleNamespace, what: str) -> None:
    """Who has signed in this second is let in though our clock is behind Google's, with and without the question
    whether the token was revoked; a token is not much younger or older than it says."""
    times, status = CLOCKS[what]
    for revocation in (False, True):
        settings(wire, check_revoked_tokens=revocation)
        assert wire.call("get_wallet", {}, id_token("ann", **from_now(times))).status_code == status


def test_bearer_is_written_as_anybody_likes(wire: Wire) -> None:
    """RFC 9110: the name of the scheme is the same in capitals and in small letters."""
    assert wire.call("get_wallet", {}, Authorization=f"bearer {id_token('ann')}").status_code == 200


# Emulators


def test_unsigned_tokens_count_nowhere_but_in_an_emulator(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK stops verifying under one variable; `FUNCTIONS_EMULATOR` alone changes nothing."""
    unsigned = FORGED["algorithm none"]()
    monkeypatch.setenv("FUNCTIONS_EMULATOR", "true")
    assert refusal(wire, unsigned) == UNAUTHENTICATED


# Revoked


@pytest.fixture
def account(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """What Firebase Authentication says of the user, and how often it was asked."""
    account = SimpleNamespace(disabled=False, tokens_valid_after_timestamp=0, asked=0, error=None)

    def get_user(_self: object, uid: str) -> SimpleNamespace:
        account.asked += 1
        account.uid = uid
        if account.error is not None:
            raise account.error
        return account

    monkeypatch.setattr("firebase_admin._auth_client.Client.get_user", get_user)
    return account


def test_revocation_is_asked_for_where_the_deploy_wants_it(wire: Wire, account: SimpleNamespace) -> None:
    """Off, a revoked token lives out its hour; on, it is refused, and so is a disabled user's or a deleted one's."""
    account.tokens_valid_after_timestamp = int(time.time() + 60) * 1_000
    assert wire.call("get_wallet", {}, id_token("ann")).status_code == 200
    assert account.asked == 0

    settings(wire, check_revoked_tokens=True)
    assert refusal(wire, id_token("ann")) == UNAUTHENTICATED
    account.tokens_valid_after_timestamp = 0
    assert wire.call("get_wallet", {}, id_token("ann")).status_code == 200
    account.disabled = True
    assert refusal(wire, id_token("ann")) == UNAUTHENTICATED
    account.disabled, account.error = False, gone()
    assert refusal(wire, id_token("ann")) == UNAUTHENTICATED
    assert account.asked == 4


def test_an_operators_token_is_always_asked_about(wire: Wire, account: SimpleNamespace) -> None:
    """A token with power is worth a request on every call: an operator who was let go is out at once."""
    assert wire.call("admin_stats", {}, operator_token()).status_code == 200
    assert account.asked == 1
    account.tokens_valid_after_timestamp = int(time.time() + 60) * 1_000
    assert refusal(wire, operator_token(), "admin_stats") == UNAUTHENTICATED


def test_a_users_call_asks_about_no_operator(wire: Wire, account: SimpleNamespace) -> None:
    """As a user an operator is anybody: only the functions for operators run as an account that may ask Firebase."""
    assert wire.call("get_wallet", {}, operator_token()).status_code == 200
    assert account.asked == 0


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"auth_time": NOW - 1_000}, "signInAgain"),
        ({"firebase": {"sign_in_provider": "google.com"}}, "secondFactor"),
        ({"email_verified": False}, "emailNotVerified"),
        ({"admin": False}, None),
    ],
)
def test_who_changes_the_config_has_to_be_there(
    wire: Wire, account: SimpleNamespace, changed: dict[str, Any], problem: str | None
) -> None:
    """A stolen phone, or its session of last year, changes nothing, and the app is told what would help."""
    del account
    changes = {"changes": {"tokens": {"welcome": 11}}}
    refused = wire.call("admin_set_config", changes, operator_token(**changed))
    details = {"reason": "NOT_ADMIN"} | ({"problem": problem} if problem else {})
    assert (refused.status_code, content(refused)["error"]["details"]) == (403, details)
    assert not wire.cloud.client.document("config/runtime").get().exists
    assert wire.call("admin_set_config", changes, operator_token()).status_code == 200


def test_no_operator_sets_a_budget_above_the_deploys(
    wire: Wire, account: SimpleNamespace, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither by a call nor by writing into the document; what is changed is logged with who did it."""
    del account
    settings(wire, daily_limit_micros_max=20_000_000)

    def set_limit(micros: int) -> Any:
        return wire.call("admin_set_config", {"changes": {"budget": {"dailyLimitMicros": micros}}}, operator_token())

    refused = set_limit(20_000_001)
    assert (refused.status_code, content(refused)["error"]["details"]["field"]) == (400, "budget.dailyLimitMicros")
    assert "config_changed" not in capfd.readouterr().out
    assert set_limit(15_000_000).status_code == 200
    (entry,) = (json.loads(line) for line in capfd.readouterr().out.splitlines() if "config_changed" in line)
    changed = {"field": "budget.dailyLimitMicros", "before": None, "after": 15_000_000}
    assert (entry["severity"], entry["by"], entry["changed"]) == ("WARNING", "root", [changed])

    wire.cloud.configure({"budget": {"dailyLimitMicros": 9_000_000_000}})
    assert wire.cloud.deps.runtime().budget.daily_limit_micros == 20_000_000


def test_accounts_out_of_reach_let_nobody_in(wire: Wire, account: SimpleNamespace) -> None:
    """Where revocation is asked for and cannot be found out, the door stays shut: 503, to be tried again."""
    from firebase_admin.exceptions import UnavailableError  # noqa: PLC0415 (this test's own)

    account.error = UnavailableError("down")
    assert refusal(wire, operator_token(), "admin_stats") == UNAVAILABLE


def gone() -> Exception:
    """Return what the SDK raises for a user who is not there any more."""
    from firebase_admin.auth import UserNotFoundError  # noqa: PLC0415 (this file's only use)

    error: Exception = UserNotFoundError("no user")
    return error


def settings(wire: Wire, **changes: Any) -> None:
    """Change what the deploy decides."""
    wire.cloud.restart(changes)


# App Check


@pytest.mark.parametrize("token", [None, "junk"])
def test_app_check_is_the_deploys_choice(wire: Wire, token: str | None) -> None:
    """Off, nobody needs a token of it, and a bad one costs nobody a call."""
    headers = {} if token is None else {"X-Firebase-AppCheck": token}
    assert wire.call("get_wallet", {}, id_token("ann"), **headers).status_code == 200


BAD_APPS: dict[str, Callable[[], str]] = {
    "junk": lambda: "junk",
    "empty": lambda: "",
    "another key's": lambda: app_check_token("mallory"),
    "expired": lambda: app_check_token(exp=NOW - 60),
    "another project's": lambda: app_check_token(aud=["projects/456", "projects/other"]),
    "one audience as text": lambda: app_check_token(aud="projects/demo-ecolane"),
    "another issuer": lambda: app_check_token(iss="https://example.org/123"),
    "no issuer": lambda: app_check_token(iss=None),
    "no subject": lambda: app_check_token(sub=None),
    "an ID token": lambda: id_token("ann"),
    "algorithm none": lambda: f"{part({'alg': 'none', 'typ': 'JWT', 'kid': 'key-1'})}.{part(GOOD)}.",
    "another type": lambda: signed(jwt.decode(app_check_token(), options={"verify_signature": False}), typ="at+jwt"),
}


@pytest.mark.parametrize("what", CLOCKS)
def test_clocks_may_be_a_few_seconds_apart_for_app_check_too(wire: Wire, what: str) -> None:
    """An app's new token counts at once, and for ten seconds longer than it says."""
    times, status = CLOCKS[what]
    settings(wire, enforce_app_check=True)
    answer = wire.call("get_wallet", {}, id_token("ann"), X_Firebase_AppCheck=app_check_token(**from_now(times)))
    assert answer.status_code == status


@pytest.mark.parametrize("what", BAD_APPS)
def test_enforced_app_check_refuses_other_apps(wire: Wire, what: str, capfd: pytest.CaptureFixture[str]) -> None:
    """On, a caller whose app proves nothing is refused, however good the user's token is."""
    settings(wire, enforce_app_check=True)
    assert refusal(wire, id_token("ann"), X_Firebase_AppCheck=BAD_APPS[what]()) == NOT_VERIFIED
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize("name", CALLABLES)
def test_enforced_app_check_holds_for_every_callable(wire: Wire, account: SimpleNamespace, name: str) -> None:
    """None of them is left out."""
    settings(wire, enforce_app_check=True)
    assert refusal(wire, operator_token("ann"), name) == NOT_VERIFIED


def test_enforced_app_check_lets_the_app_in(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both tokens the call is served; while Google's keys are out of reach it is to be tried again."""
    settings(wire, enforce_app_check=True)
    answer = wire.call("get_wallet", {}, id_token("ann"), X_Firebase_AppCheck=app_check_token())
    assert content(answer)["result"]["balance"] == 10

    def down(_: object) -> None:
        raise PyJWKClientConnectionError("no route")

    monkeypatch.setattr("jwt.PyJWKClient.get_signing_key_from_jwt", lambda *_: down(None))
    assert refusal(wire, id_token("ann"), X_Firebase_AppCheck=app_check_token()) == UNAVAILABLE
