"""The HTTP face of the Auth emulator: the paths and error shapes of Identity Toolkit and Secure Token.

https://cloud.google.com/identity-platform/docs/reference/rest/v1/accounts and /v1/token
"""

import threading
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, jsonify, request
from flask_cors import CORS
from werkzeug.exceptions import HTTPException

from localcloud.auth.accounts import Account, Accounts, AuthError
from localcloud.auth.tokens import TOKEN_SECONDS, Session, Tokens, decode
from localcloud.serving import HOST, BackgroundServer

_LIST_PAGE_MAX = 1000
_STATUS_NAMES = {400: "INVALID_ARGUMENT", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 405: "UNIMPLEMENTED"}
_OWN_FIELDS = frozenset({"email", "password", "displayName", "photoUrl", "deleteAttribute"})

Json = dict[str, Any]


class AuthServer:
    """Firebase Auth for one project, in memory. Point `FIREBASE_AUTH_EMULATOR_HOST` at `host`."""

    def __init__(self, project: str, port: int = 0) -> None:
        """Take the port; `start` begins to answer.

        Raises:
            PortTakenError: another program listens on `port`.
        """
        self.project = project
        self._accounts = Accounts()
        self._tokens = Tokens(project)
        self._one_at_a_time = threading.Lock()
        self._server = BackgroundServer(self._app(), "auth-emulator", port)
        self.host = f"{HOST}:{self._server.port}"

    def start(self) -> None:
        """Begin to answer."""
        self._server.start()

    def stop(self) -> None:
        """Stop answering and forget every account."""
        self._server.stop()

    def _app(self) -> Flask:
        app = Flask("auth-emulator")
        CORS(app)
        toolkit = "/identitytoolkit.googleapis.com/v1"
        for name, user_operation in self._user_operations().items():
            view = self._as_user(user_operation)
            app.add_url_rule(f"{toolkit}/accounts:{name}", name, view, methods=["POST"])
        for (method, path), operation in self._admin_operations().items():
            rule = f"{toolkit}/projects/{self.project}/accounts{path}"
            app.add_url_rule(rule, f"admin {method} {path}", self._as_admin(operation), methods=[method])
        refresh = self._as_user(self._refresh)
        app.add_url_rule("/securetoken.googleapis.com/v1/token", "token", refresh, methods=["POST"])
        emulator = f"/emulator/v1/projects/{self.project}/accounts"
        app.add_url_rule(emulator, "clear", self._clear, methods=["DELETE"])
        app.register_error_handler(AuthError, lambda error: _refusal(error.message, error.status))
        app.register_error_handler(HTTPException, lambda error: _refusal(_unserved(error), error.code))
        return app

    def _user_operations(self) -> dict[str, Callable[[Json], Json]]:
        return {
            "signUp": self._sign_up,
            "signInWithPassword": self._sign_in_with_password,
            "signInWithCustomToken": self._sign_in_with_custom_token,
            "lookup": self._lookup_own,
            "update": self._update_own,
            "delete": self._delete_own,
        }

    def _admin_operations(self) -> dict[tuple[str, str], Callable[[Json], Json]]:
        return {
            ("POST", ""): self._create,
            ("POST", ":lookup"): self._lookup,
            ("POST", ":update"): self._update,
            ("POST", ":delete"): self._delete,
            ("GET", ":batchGet"): self._list,
        }

    def _as_user(self, operation: Callable[[Json], Json]) -> Callable[[], Response]:
        def answer() -> Response:
            if not request.args.get("key"):
                raise AuthError("The request is missing a valid API key.", 403)
            with self._one_at_a_time:
                return jsonify(operation(_body()))

        return answer

    def _as_admin(self, operation: Callable[[Json], Json]) -> Callable[[], Response]:
        def answer() -> Response:
            if request.headers.get("Authorization") != "Bearer owner":
                raise AuthError("INSUFFICIENT_PERMISSION : send 'Authorization: Bearer owner'", 403)
            with self._one_at_a_time:
                return jsonify(operation(_body()))

        return answer

    # What a user does, with an API key.

    def _sign_up(self, body: Json) -> Json:
        if body.keys() & {"idToken", "email", "password"}:
            _require(body, "email", "password")
        if "idToken" in body:  # an anonymous user takes an e-mail address and stays the same user
            account = self._signed_in(body)
            self._accounts.update(account, _own_fields(body))
        else:
            account = self._accounts.create(**_own_fields(body))
        session = Session(account.uid, "password" if account.email else "anonymous")
        answer = {
            "kind": "identitytoolkit#SignupNewUserResponse",
            "localId": account.uid,
            **self._tokens.start(account, session),
        }
        return answer | ({"email": account.email} if account.email else {})

    def _sign_in_with_password(self, body: Json) -> Json:
        _require(body, "email", "password")
        account = self._accounts.find_by_email(str(body["email"]))
        if account is None:
            raise AuthError("EMAIL_NOT_FOUND")
        if account.password != body["password"]:
            raise AuthError("INVALID_PASSWORD")
        if account.disabled:
            raise AuthError("USER_DISABLED")
        return {
            "kind": "identitytoolkit#VerifyPasswordResponse",
            "registered": True,
            "localId": account.uid,
            "email": account.email,
            **self._tokens.start(account, Session(account.uid, "password")),
        }

    def _sign_in_with_custom_token(self, body: Json) -> Json:
        _require(body, "token")
        token = decode(str(body["token"]), "INVALID_CUSTOM_TOKEN")
        uid = token.get("uid")
        if not isinstance(uid, str) or not uid:
            raise AuthError("INVALID_CUSTOM_TOKEN : the token names no uid")
        account = self._accounts.find(uid)
        new = account is None
        if account is None:
            account = self._accounts.create(uid)
        if account.disabled:
            raise AuthError("USER_DISABLED")
        session = Session(uid, "custom", token.get("claims") or {})
        return {
            "kind": "identitytoolkit#VerifyCustomTokenResponse",
            "isNewUser": new,
            **self._tokens.start(account, session),
        }

    def _lookup_own(self, body: Json) -> Json:
        return _found([self._signed_in(body)])

    def _update_own(self, body: Json) -> Json:
        account = self._signed_in(body)
        self._accounts.update(account, _own_fields(body))
        provider = "password" if account.email else "anonymous"
        return _updated(account) | self._tokens.start(account, Session(account.uid, provider))

    def _delete_own(self, body: Json) -> Json:
        self._accounts.delete(self._signed_in(body).uid)
        return {"kind": "identitytoolkit#DeleteAccountResponse"}

    def _refresh(self, body: Json) -> Json:
        if body.get("grant_type") != "refresh_token":
            raise AuthError("INVALID_GRANT_TYPE")
        if not body.get("refresh_token"):
            raise AuthError("MISSING_REFRESH_TOKEN")
        session = self._tokens.session(str(body["refresh_token"]))
        account = self._allowed(session.uid, session.auth_time)
        id_token = self._tokens.id_token(account, session)
        return {
            "id_token": id_token,
            "access_token": id_token,
            "refresh_token": body["refresh_token"],
            "expires_in": str(TOKEN_SECONDS),
            "token_type": "Bearer",
            "user_id": account.uid,
            "project_id": self.project,
        }

    def _signed_in(self, body: Json) -> Account:
        if not body.get("idToken"):
            raise AuthError("MISSING_ID_TOKEN")
        claims = self._tokens.read(str(body["idToken"]))
        return self._allowed(claims["sub"], claims["auth_time"])

    def _allowed(self, uid: str, auth_time: int) -> Account:
        account = self._accounts.find(uid)
        if account is None:
            raise AuthError("USER_NOT_FOUND")
        if account.disabled:
            raise AuthError("USER_DISABLED")
        if auth_time < account.valid_since:
            raise AuthError("TOKEN_EXPIRED")
        return account

    # What firebase-admin does, as the project's owner.

    def _create(self, body: Json) -> Json:
        profile = {name: value for name, value in body.items() if name != "localId"}
        account = self._accounts.create(body.get("localId"), **profile)
        return {"kind": "identitytoolkit#SignupNewUserResponse", "localId": account.uid}

    def _lookup(self, body: Json) -> Json:
        found = [self._accounts.find(uid) for uid in body.get("localId", ())]
        found += [self._accounts.find_by_email(email) for email in body.get("email", ())]
        return _found([account for account in found if account is not None])

    def _update(self, body: Json) -> Json:
        _require(body, "localId")
        account = self._accounts.find(str(body["localId"]))
        if account is None:
            raise AuthError("USER_NOT_FOUND")
        self._accounts.update(account, body)
        return _updated(account)

    def _delete(self, body: Json) -> Json:
        _require(body, "localId")
        self._accounts.delete(str(body["localId"]))
        return {"kind": "identitytoolkit#DeleteAccountResponse"}

    def _list(self, _body: Json) -> Json:
        size = min(int(request.args.get("maxResults", _LIST_PAGE_MAX)), _LIST_PAGE_MAX)
        after = request.args.get("nextPageToken", "")
        rest = [account for account in self._accounts if account.uid > after]
        users = [account.as_json() for account in rest[:size]]
        page: Json = {"kind": "identitytoolkit#DownloadAccountResponse", "users": users}
        return page | ({"nextPageToken": rest[size - 1].uid} if len(rest) > size else {})

    def _clear(self) -> Response:
        with self._one_at_a_time:
            self._accounts.clear()
        return jsonify({})


def _body() -> Json:
    """Return the fields of the request, sent as JSON or as a form."""
    if request.method == "GET" or request.form:
        return dict(request.form)
    body = request.get_json(silent=True)
    if not isinstance(body, dict):
        raise AuthError("Invalid JSON payload received.")
    return body


def _own_fields(body: Json) -> Json:
    """Return what users may set on their own account: roles and verification are the project owner's to give."""
    return {name: body[name] for name in _OWN_FIELDS & body.keys()}


def _require(body: Json, *names: str) -> None:
    for name in names:
        if not body.get(name):
            raise AuthError(f"MISSING_{''.join('_' + c if c.isupper() else c.upper() for c in name)}")


def _found(accounts: list[Account]) -> Json:
    answer: Json = {"kind": "identitytoolkit#GetAccountInfoResponse"}
    return answer | ({"users": [account.as_json() for account in accounts]} if accounts else {})


def _updated(account: Account) -> Json:
    return {"kind": "identitytoolkit#SetAccountInfoResponse"} | account.as_json()


def _unserved(error: HTTPException) -> str:
    return f"{request.method} {request.path}: {error.name}; localcloud/README.md lists what is served"


def _refusal(message: str, status: int | None) -> tuple[Response, int]:
    code = status or 500
    error = {
        "code": code,
        "message": message,
        "status": _STATUS_NAMES.get(code, "INTERNAL"),
        "errors": [{"message": message, "reason": "invalid", "domain": "global"}],
    }
    return jsonify(error=error), code
