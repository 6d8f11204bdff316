"""The Auth emulator, driven by firebase-admin and by the REST calls of the client SDKs."""

import json
import time
from collections.abc import Iterator
from typing import Any

import firebase_admin
import httpx
import pytest
from firebase_admin import auth as admin

from localcloud.auth import AuthServer
from localcloud.serving import PortTakenError

PROJECT = "demo-sample"


@pytest.fixture
def app(auth: AuthServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[firebase_admin.App]:
    """firebase-admin, pointed at the emulator as its documentation says."""
    monkeypatch.setenv("FIREBASE_AUTH_EMULATOR_HOST", auth.host)
    app = firebase_admin.initialize_app(options={"projectId": PROJECT}, name="test_auth")
    yield app
    firebase_admin.delete_app(app)


def rest(auth: AuthServer, operation: str, body: dict[str, Any]) -> httpx.Response:
    """Send what a client SDK sends."""
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/accounts:{operation}"
    return httpx.post(url, params={"key": "any"}, json={"returnSecureToken": True, **body})


def refusal(answer: httpx.Response) -> tuple[int, str]:
    """Return status and message of an error in Google's shape."""
    error = answer.json()["error"]
    assert error["code"] == answer.status_code
    return answer.status_code, error["message"]


def refresh(auth: AuthServer, token: str) -> httpx.Response:
    """Trade a refresh token for a new ID token, as the SDKs do."""
    url = f"http://{auth.host}/securetoken.googleapis.com/v1/token"
    return httpx.post(url, params={"key": "any"}, data={"grant_type": "refresh_token", "refresh_token": token})


def test_anonymous_sign_up_gives_a_token_that_firebase_admin_accepts(auth: AuthServer, app: firebase_admin.App) -> None:
    """An anonymous user's token carries the claims Google documents, dated by the machine's clock."""
    user = rest(auth, "signUp", {}).json()

    claims = admin.verify_id_token(user["idToken"], app, check_revoked=True)

    assert claims["uid"] == claims["user_id"] == user["localId"]
    assert claims["firebase"] == {"identities": {}, "sign_in_provider": "anonymous"}
    assert abs(claims["iat"] - time.time()) < 5
    assert claims["exp"] - claims["iat"] == int(user["expiresIn"]) == 3600
    assert claims["auth_time"] <= claims["iat"]


def test_tokens_are_unsigned(auth: AuthServer) -> None:
    """A token has algorithm none and no signature, so that nothing but an emulator takes it for real."""
    header, _, signature = rest(auth, "signUp", {}).json()["idToken"].split(".")

    assert header == "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0"  # {"alg":"none","typ":"JWT"}
    assert signature == ""


def test_email_and_password_sign_in(auth: AuthServer, app: firebase_admin.App) -> None:
    """Who signed up with an e-mail address signs in with it again, in whatever case, as the same user."""
    new = rest(auth, "signUp", {"email": "Ada@example.org", "password": "lovelace"}).json()

    back = rest(auth, "signInWithPassword", {"email": "ada@example.org", "password": "lovelace"}).json()

    assert back["localId"] == new["localId"]
    claims = admin.verify_id_token(back["idToken"], app)
    assert claims["email"] == "ada@example.org"
    assert claims["firebase"]["sign_in_provider"] == "password"


@pytest.mark.parametrize(
    ("operation", "body", "message"),
    [
        ("signUp", {"email": "taken@example.org", "password": "sixsix"}, "EMAIL_EXISTS"),
        ("signUp", {"email": "nobody", "password": "sixsix"}, "INVALID_EMAIL"),
        ("signUp", {"email": 5, "password": "sixsix"}, "INVALID_EMAIL"),
        ("signUp", {"email": "a@example.org"}, "MISSING_PASSWORD"),
        ("signUp", {"password": "sixsix"}, "MISSING_EMAIL"),
        (
            "signUp",
            {"email": "a@b.org", "password": "five5"},
            "WEAK_PASSWORD : Password should be at least 6 characters",
        ),
        ("signInWithPassword", {"email": "no@example.org", "password": "sixsix"}, "EMAIL_NOT_FOUND"),
        ("signInWithPassword", {"email": "taken@example.org", "password": "wrong!"}, "INVALID_PASSWORD"),
        ("signInWithCustomToken", {"token": "gibberish"}, "INVALID_CUSTOM_TOKEN"),
        ("lookup", {"idToken": "gibberish"}, "INVALID_ID_TOKEN"),
        ("lookup", {}, "MISSING_ID_TOKEN"),
    ],
)
def test_refusals_carry_googles_messages(auth: AuthServer, operation: str, body: dict[str, Any], message: str) -> None:
    """Each refused request gets the message that the SDKs translate into their error codes."""
    rest(auth, "signUp", {"email": "taken@example.org", "password": "sixsix"})

    assert refusal(rest(auth, operation, body)) == (400, message)


def test_a_request_without_an_api_key_is_refused(auth: AuthServer) -> None:
    """Leaving the key out is refused as Google refuses it."""
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/accounts:signUp"

    assert httpx.post(url, json={}).status_code == 403


def test_the_owner_s_operations_need_the_owner(auth: AuthServer) -> None:
    """Without `Bearer owner` nobody changes an account through the project's own paths."""
    user = rest(auth, "signUp", {}).json()
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts:update"

    answer = httpx.post(url, json={"localId": user["localId"], "customAttributes": '{"admin": true}'})

    assert answer.status_code == 403


def test_users_cannot_give_themselves_claims(auth: AuthServer, app: firebase_admin.App) -> None:
    """What only the project's owner sets is ignored in a user's own request, at sign-up and after."""
    grab = {"customAttributes": '{"admin": true}', "emailVerified": True}
    user = rest(auth, "signUp", {"email": "eve@example.org", "password": "sixsix", **grab}).json()
    after = rest(auth, "update", {"idToken": user["idToken"], "displayName": "Eve", **grab}).json()

    claims = admin.verify_id_token(after["idToken"], app)

    assert claims["name"] == "Eve"
    assert "admin" not in claims
    assert claims["email_verified"] is False


def test_custom_claims_are_in_the_next_token(auth: AuthServer, app: firebase_admin.App) -> None:
    """Claims set with firebase-admin are in the token after the next refresh, and in the user record."""
    user = rest(auth, "signUp", {}).json()
    admin.set_custom_user_claims(user["localId"], {"admin": True}, app)

    fresh = refresh(auth, user["refreshToken"]).json()

    assert admin.verify_id_token(fresh["id_token"], app)["admin"] is True
    assert "admin" not in admin.verify_id_token(user["idToken"], app)
    assert admin.get_user(user["localId"], app).custom_claims == {"admin": True}


@pytest.mark.parametrize(
    ("attributes", "message"),
    [
        ("no json", "INVALID_CLAIMS"),
        ("[1]", "INVALID_CLAIMS"),
        ('{"sub": "x"}', "FORBIDDEN_CLAIM : sub"),
        (json.dumps({"long": "x" * 1000}), "CLAIMS_TOO_LARGE"),
    ],
)
def test_bad_claims_are_refused(auth: AuthServer, attributes: str, message: str) -> None:
    """Claims that Google would refuse are refused, though a client might send them past firebase-admin."""
    user = rest(auth, "signUp", {}).json()
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/projects/{PROJECT}/accounts:update"
    body = {"localId": user["localId"], "customAttributes": attributes}

    answer = httpx.post(url, json=body, headers={"Authorization": "Bearer owner"})

    assert refusal(answer) == (400, message)


def test_a_custom_token_signs_its_user_in(auth: AuthServer, app: firebase_admin.App) -> None:
    """A custom token made with firebase-admin creates its user, and its claims are in the ID token."""
    token = admin.create_custom_token("robot-1", {"team": "blue"}, app).decode()

    first = rest(auth, "signInWithCustomToken", {"token": token}).json()
    again = rest(auth, "signInWithCustomToken", {"token": token}).json()

    assert (first["isNewUser"], again["isNewUser"]) == (True, False)
    claims = admin.verify_id_token(first["idToken"], app)
    assert (claims["uid"], claims["team"]) == ("robot-1", "blue")
    assert claims["firebase"]["sign_in_provider"] == "custom"


def test_an_anonymous_user_keeps_the_uid_when_linking_an_email(auth: AuthServer) -> None:
    """Linking an e-mail address to an anonymous account keeps the user, and with it the wallet."""
    user = rest(auth, "signUp", {}).json()
    link = {"idToken": user["idToken"], "email": "linked@example.org", "password": "sixsix"}

    linked = rest(auth, "signUp", link).json()

    assert linked["localId"] == user["localId"]
    again = rest(auth, "signInWithPassword", {"email": "linked@example.org", "password": "sixsix"}).json()
    assert again["localId"] == user["localId"]


def test_revoked_sessions_end(auth: AuthServer, app: firebase_admin.App) -> None:
    """After a revocation the old token is known as revoked, and its refresh token is dead."""
    user = rest(auth, "signUp", {}).json()
    admin.update_user(user["localId"], valid_since=int(time.time()) + 2, app=app)

    with pytest.raises(admin.RevokedIdTokenError):
        admin.verify_id_token(user["idToken"], app, check_revoked=True)
    assert refusal(refresh(auth, user["refreshToken"])) == (400, "TOKEN_EXPIRED")


def test_disabled_users_are_kept_out(auth: AuthServer, app: firebase_admin.App) -> None:
    """A disabled user neither signs in, nor refreshes, nor passes the check for revocation."""
    user = rest(auth, "signUp", {"email": "off@example.org", "password": "sixsix"}).json()
    admin.update_user(user["localId"], disabled=True, app=app)

    sign_in = rest(auth, "signInWithPassword", {"email": "off@example.org", "password": "sixsix"})

    assert refusal(sign_in) == (400, "USER_DISABLED")
    assert refusal(refresh(auth, user["refreshToken"])) == (400, "USER_DISABLED")
    with pytest.raises(admin.UserDisabledError):
        admin.verify_id_token(user["idToken"], app, check_revoked=True)


def test_deleted_users_are_gone(auth: AuthServer, app: firebase_admin.App) -> None:
    """Whoever deletes the account, user or owner, it is gone for both, and a second time is an error."""
    own = rest(auth, "signUp", {}).json()
    other = rest(auth, "signUp", {}).json()

    rest(auth, "delete", {"idToken": own["idToken"]})
    admin.delete_user(other["localId"], app)

    assert refusal(refresh(auth, own["refreshToken"])) == (400, "USER_NOT_FOUND")
    with pytest.raises(admin.UserNotFoundError):
        admin.get_user(other["localId"], app)
    with pytest.raises(admin.UserNotFoundError):
        admin.delete_user(own["localId"], app)


def test_the_owner_creates_finds_and_lists_users(auth: AuthServer, app: firebase_admin.App) -> None:
    """firebase-admin's create, get, and paged list agree."""
    uids = sorted(f"made-{n}" for n in range(5))
    for uid in uids:
        admin.create_user(uid=uid, email=f"{uid}@example.org", password="sixsix", app=app)
    with pytest.raises(admin.UidAlreadyExistsError):
        admin.create_user(uid=uids[0], app=app)

    listed = [user.uid for user in admin.list_users(max_results=2, app=app).iterate_all()]

    assert [uid for uid in listed if uid.startswith("made-")] == uids
    assert admin.get_user_by_email("made-3@example.org", app).uid == "made-3"


def test_the_signed_in_user_looks_itself_up(auth: AuthServer) -> None:
    """An SDK's reload after sign-in finds the user's own record."""
    user = rest(auth, "signUp", {"email": "me@example.org", "password": "sixsix"}).json()

    found = rest(auth, "lookup", {"idToken": user["idToken"]}).json()["users"]

    assert [record["localId"] for record in found] == [user["localId"]]
    assert found[0]["providerUserInfo"][0]["providerId"] == "password"


def test_browsers_may_call(auth: AuthServer) -> None:
    """A page of any origin passes the browser's check before the call."""
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/accounts:signUp"
    asked = {"Origin": "http://app.test", "Access-Control-Request-Method": "POST"}

    answer = httpx.options(url, headers=asked | {"Access-Control-Request-Headers": "x-client-version"})

    assert answer.headers["access-control-allow-origin"] in {"*", "http://app.test"}
    assert "x-client-version" in answer.headers["access-control-allow-headers"].lower()


def test_what_is_not_served_says_so(auth: AuthServer) -> None:
    """An operation this emulator lacks is an error in Google's shape that names it."""
    status, message = refusal(rest(auth, "sendOobCode", {}))

    assert status == 404
    assert "accounts:sendOobCode" in message


def test_bodies_that_are_no_json_are_refused(auth: AuthServer) -> None:
    """A malformed body is a 400, not a crash."""
    url = f"http://{auth.host}/identitytoolkit.googleapis.com/v1/accounts:signUp?key=any"

    for body in (b"{", b"[1, 2]", b"\xff\xfe"):
        answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"})
        assert answer.status_code == 400


def test_everything_can_be_cleared() -> None:
    """The official emulator's path for clearing removes every account."""
    server = AuthServer("demo-clear")
    server.start()
    user = rest(server, "signUp", {}).json()

    httpx.delete(f"http://{server.host}/emulator/v1/projects/demo-clear/accounts").raise_for_status()

    assert refusal(rest(server, "lookup", {"idToken": user["idToken"]})) == (400, "USER_NOT_FOUND")
    server.stop()


def test_a_taken_port_is_named(auth: AuthServer) -> None:
    """Asking for a port that is in use is an error that names it."""
    port = int(auth.host.split(":")[1])

    with pytest.raises(PortTakenError, match=f"port {port} is in use"):
        AuthServer(PROJECT, port)
