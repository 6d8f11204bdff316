"""What the Firestore tests share: connecting clients, raw calls, and the table of known differences."""

import os
import shutil
import subprocess
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.firestore import AsyncClient, Client, Transaction, transactional
from google.cloud.firestore_v1.base_query import FieldFilter

from localcloud.firestore.protos import Message, rpc_types

HOST_VARIABLE = "FIRESTORE_EMULATOR_HOST"
WEB_SDK = Path(__file__).with_name("web_sdk")
AnyClient = TypeVar("AnyClient", Client, AsyncClient)

# Contract tests that only one of the two servers passes, with the reason; docs/firestore.md has the same rows.
DIFFERENCES: dict[str, tuple[str, str]] = {
    "test_a_commit_cannot_reach_another_database": ("official", "writes to other databases are let through"),
    "test_a_query_names_its_collection": ("official", "a query without a collection reads everything"),
    "test_more_than_five_aggregations_are_refused": ("official", "answers UNKNOWN without a text"),
    "test_a_sum_of_doubles_is_rounded_once": ("official", "rounds after every addition"),
    "test_a_listing_can_be_ordered_by_name_only": ("official", "lists in any order"),
    "test_missing_documents_are_told_last": ("official", "has them in the order asked for"),
    "test_a_page_of_a_listing_says_how_to_go_on_exactly": ("official", "gives a token for a further, empty page"),
}


@contextmanager
def emulator_host(host: str) -> Iterator[None]:
    """Point new clients to a server, as the environment does for a program."""
    before = os.environ.get(HOST_VARIABLE)
    os.environ[HOST_VARIABLE] = host
    try:
        yield
    finally:
        if before is None:
            del os.environ[HOST_VARIABLE]
        else:
            os.environ[HOST_VARIABLE] = before


def connect(host: str, project: str | None = None, kind: type[AnyClient] = Client) -> AnyClient:  # type: ignore[assignment]
    """Return a client of a server, of a project nobody has used unless one is named."""
    with emulator_host(host):
        return kind(project=project or f"demo-{uuid.uuid4().hex[:12]}", credentials=AnonymousCredentials())  # type: ignore[no-untyped-call]


def close(client: Any) -> None:
    """Let go of a client's connection."""
    client.close()


def count(query: Any) -> int:
    """Return how many documents a query counts."""
    return int(query.count().get()[0][0].value)


def documents_root(client: Client) -> str:
    """Return the name on the wire that all document names of a client's database start with."""
    return f"{client._database_string}/documents"  # noqa: SLF001 - the client has no public name for it


def call(client: Client, method: str, timeout: float = 10.0, **request: Any) -> Any:
    """Make one RPC through the client's own transport, for requests its public methods never make."""
    method_of_client = getattr(client._firestore_api, method)  # noqa: SLF001
    return method_of_client(request=request, metadata=client._rpc_metadata, timeout=timeout)  # noqa: SLF001


def ids(query: Any) -> list[str]:
    """Return the ids of what a query finds, in its order."""
    return [snapshot.id for snapshot in query.stream()]


def where(field: str, op: str, value: Any) -> FieldFilter:
    """Return a filter."""
    return FieldFilter(field, op, value)


def filtered(query: Any, *conditions: tuple[str, str, Any]) -> Any:
    """Return a query with conditions, all of which must hold."""
    for field, op, value in conditions:
        query = query.where(filter=where(field, op, value))
    return query


AS_OWNER = [("authorization", "Bearer owner")]
"""The metadata of a server client, whom no security rules concern."""


def raw_call(host: str, rpc: str, payload: bytes, timeout: float = 10) -> bytes:
    """Send bytes to an RPC with a unary answer and return the answer's bytes."""
    with grpc.insecure_channel(host) as channel:
        method: Callable[..., Any] = channel.unary_unary(f"/google.firestore.v1.Firestore/{rpc}")
        return bytes(method(payload, timeout=timeout, metadata=AS_OWNER))


def request_of(rpc: str, **fields: Any) -> Message:
    """Return a raw request message."""
    return rpc_types(rpc)[0](**fields)


def begun(client: Client, *, read_only: bool = False) -> Transaction:
    """Return a transaction that has begun, for taking its steps one by one."""
    transaction = client.transaction(read_only=read_only)
    transaction._begin()  # noqa: SLF001 - the public way runs all steps at once
    return transaction


def run(client: Client, body: Callable[[Transaction], Any]) -> Any:
    """Run a function as a transaction, with the client's own five attempts."""
    return transactional(body)(client.transaction())


def install_web_sdk() -> None:
    """Install the web SDK for tests that run it; skips the test where that is not possible, saying why."""
    lock, done = WEB_SDK / "package-lock.json", WEB_SDK / "node_modules" / ".installed"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: the web SDK comes from it")
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    ended = subprocess.run(command, cwd=WEB_SDK, capture_output=True, text=True, check=False)  # noqa: S603
    if ended.returncode:
        pytest.skip(f"npm could not install the web SDK: {ended.stderr.strip()}")
    done.write_bytes(lock.read_bytes())
