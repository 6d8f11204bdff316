"""The embedded Firestore, with the product's own indexes, for the tests of the adapters."""

from pathlib import Path

import pytest
from google.cloud.firestore import Client

from localcloud.firestore import FirestoreServer, in_process_client
from scripts.ecolane_cloud import PROJECT
from scripts.operators.store import OperatorStore

INDEXES = Path(__file__).parents[2] / "firestore.indexes.json"


@pytest.fixture
def firestore() -> FirestoreServer:
    """An empty Firestore that enforces `firestore.indexes.json`, keeps a bill and takes faults."""
    return FirestoreServer(indexes=INDEXES)


@pytest.fixture
def client(firestore: FirestoreServer) -> Client:
    """A real client of it, in process: no socket, no waiting."""
    return in_process_client(firestore, PROJECT)


@pytest.fixture
def store(client: Client) -> OperatorStore:
    """The adapter over it."""
    return OperatorStore(client)
