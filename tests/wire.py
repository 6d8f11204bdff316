"""The deployed functions as HTTP sees them, in one process: main.py behind the functions framework, production's checks
of tokens, and `InProcessCloud` underneath. Only Google's keys are ours."""

import importlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import firebase_admin
import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from firebase_admin import credentials
from google.auth.credentials import AnonymousCredentials
from jwt.algorithms import RSAAlgorithm
from werkzeug.test import Client, TestResponse

from localcloud.functions import Dispatcher, load
from scripts.inprocess import InProcessCloud

PROJECT = "demo-ecolane"
REGION = "us-central1"
KEY_ID = "key-1"
APP_ID = "1:123:android:abc"
_MAIN = Path(__file__).parents[1] / "main.py"


def use_case(name: str) -> Callable[..., Any]:
    """Return the use case that is deployed under this name."""
    (path,) = (_MAIN.parent / "functions" / "use_cases").rglob(f"{name}.py")
    module = importlib.import_module(".".join(path.relative_to(_MAIN.parent).with_suffix("").parts))
    handle: Callable[..., Any] = getattr(module, name)
    return handle


@cache
def new_key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of this name, which is made when it is first asked for."""
    del name
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


@cache
def certificate(name: str) -> str:
    """Return a certificate of a key as Google publishes them, in PEM."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "securetoken.system.gserviceaccount.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, new_key(name).public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - timedelta(days=1)).not_valid_after(now + timedelta(days=1))
    return builder.sign(new_key(name), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def id_token_claims(uid: str, **changes: Any) -> dict[str, Any]:
    """Return what an ID token of our project says, with other values for these claims; None leaves one out."""
    now = int(time.time())
    claims = {
        "iss": f"https://securetoken.google.com/{PROJECT}",
        "aud": PROJECT,
        "sub": uid,
        "user_id": uid,
        "auth_time": now - 60,
        "iat": now - 60,
        "exp": now + 3_540,
        "firebase": {"identities": {}, "sign_in_provider": "anonymous"},
        **changes,
    }
    return {name: value for name, value in claims.items() if value is not None}


def signed(claims: Mapping[str, Any], key: str = "google", algorithm: str = "RS256", **headers: Any) -> str:
    """Return a token with these claims, signed with the key of this name."""
    header = {name: value for name, value in {"kid": KEY_ID, **headers}.items() if value is not None}
    return jwt.encode(dict(claims), new_key(key), algorithm, headers=header)


def id_token(uid: str, **changes: Any) -> str:
    """Return an ID token as Google issues it."""
    return signed(id_token_claims(uid, **changes))


def operator_token(uid: str = "root", **changes: Any) -> str:
    """Return an ID token of an operator who has just signed in, with a second factor."""
    sign_in = {"identities": {}, "sign_in_provider": "password", "sign_in_second_factor": "totp"}
    return id_token(uid, **{"admin": True, "email_verified": True, "firebase": sign_in, **changes})


def app_check_token(key: str = "google", /, **changes: Any) -> str:
    """Return an App Check token as Google issues it."""
    now = int(time.time())
    claims = {
        "iss": "https://firebaseappcheck.googleapis.com/123",
        "aud": ["projects/123", f"projects/{PROJECT}"],
        "sub": APP_ID,
        "iat": now - 60,
        "exp": now + 3_540,
        **changes,
    }
    return signed({name: value for name, value in claims.items() if value is not None}, key)


@dataclass
class Wire:
    """The functions' HTTP side, and the cloud underneath."""

    cloud: InProcessCloud
    http: Client

    def request(self, name: str, body: bytes | str = b"", method: str = "POST", **headers: str) -> TestResponse:
        """Send a request to a function. Underscores in header names become hyphens."""
        sent = [(header.replace("_", "-"), value) for header, value in headers.items()]
        return self.http.open(f"/{PROJECT}/{REGION}/{name}", method=method, data=body, headers=sent)

    def call(self, name: str, data: object, token: str | None = None, **headers: str) -> TestResponse:
        """Call a callable as the app does."""
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        return self.request(name, json.dumps({"data": data}), Content_Type="application/json", **headers)


def content(response: TestResponse) -> Any:
    """Return the JSON that was answered."""
    return json.loads(response.data)


@cache
def functions() -> Dispatcher:
    """Load main.py, once a process."""
    return load(_MAIN, PROJECT, REGION)


def names(trigger: str | None = None) -> list[str]:
    """Return the names of the deployed functions: all, or those of one kind (callable, schedule, https)."""
    return [known["name"] for known in functions().triggers if trigger in {known["trigger"], None}]


class _Credential(credentials.Base):  # type: ignore[misc]  # published without types
    def get_credential(self) -> AnonymousCredentials:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]  # published without types


@contextmanager
def new_wire(monkeypatch: pytest.MonkeyPatch, cloud: InProcessCloud | None = None) -> Iterator[Wire]:
    """Put the functions in front of a cloud, a fresh one if none is given. They verify tokens as in production, but by
    keys of ours in place of Google's."""
    cloud = cloud or InProcessCloud(seed=1)
    monkeypatch.delenv("FIREBASE_AUTH_EMULATOR_HOST", raising=False)
    dispatcher = functions()
    monkeypatch.setattr("functions.wiring.deps", lambda: cloud.deps)
    certificates = SimpleNamespace(status=200, data=json.dumps({KEY_ID: certificate("google")}).encode())
    monkeypatch.setattr("firebase_admin._token_gen.CertificateFetchRequest.__call__", lambda *_, **__: certificates)
    jwk = RSAAlgorithm.to_jwk(new_key("google").public_key(), as_dict=True)
    keys = {"keys": [{**jwk, "kid": KEY_ID, "use": "sig", "alg": "RS256"}]}
    monkeypatch.setattr("jwt.PyJWKClient.fetch_data", lambda _: keys)
    if firebase_admin._apps:  # noqa: SLF001  (the SDK has no other way to ask)
        firebase_admin.delete_app(firebase_admin.get_app())
    ours = firebase_admin.initialize_app(_Credential(), {"projectId": PROJECT})
    try:
        yield Wire(cloud, Client(dispatcher))
    finally:
        firebase_admin.delete_app(ours)
        firebase_admin.initialize_app()  # as main.py left it
