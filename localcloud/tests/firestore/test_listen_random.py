"""Whatever is written and whatever is listened to: a client always comes to have what its query finds.

Commits, queries, moments at which clients look, and tokens to resume from are drawn at random; what a client has is
compared with what the query finds at that moment.
"""

import random
from typing import Any

import pytest
from google.cloud.firestore import Client, CollectionReference, Or

from localcloud.firestore import FirestoreServer, in_process_client
from localcloud.firestore.listen import ListenRequest, ListenResponse, ListenStream
from localcloud.tests.firestore.streaming import View, query_target
from localcloud.tests.firestore.support import close, filtered, where

NAMES = "abcdefgh"


def queries(client: Client) -> list[Any]:
    """Return queries of every kind that listeners treat differently."""
    things: CollectionReference = client.collection("c")
    return [
        things.order_by("n"),
        filtered(things, ("n", ">", 3)),
        filtered(things, ("k", "==", "x"), ("n", "<", 7)),
        filtered(things, ("k", "in", ["x", "y"])).order_by("n", direction="DESCENDING").limit(2),
        filtered(things, ("tags", "array_contains", 1)),
        filtered(things, ("tags", "array_contains_any", [1, 2])).limit(3),
        things.where(filter=Or([where("k", "==", "x"), where("n", ">=", 8)])),
        filtered(things, ("k", "!=", "y")).order_by("k").order_by("n"),
        things.order_by("n").offset(1).limit(2),
        things.order_by("n").start_at({"n": 2}).end_before({"n": 6}),
        things.order_by("k").order_by("n").limit(3),
        client.collection_group("c").order_by("n").limit(4),
        filtered(things, ("m.x", "==", 1)),
    ]


def content(chance: random.Random) -> dict[str, Any]:
    """Draw a document's fields; any may be missing."""
    fields = {
        "n": chance.randrange(10),
        "k": chance.choice("xyz"),
        "tags": chance.sample([1, 2, 3], chance.randrange(3)),
        "m": {"x": chance.randrange(2)},
    }
    return {name: value for name, value in fields.items() if chance.random() < 0.9}


def commit(client: Client, chance: random.Random) -> None:
    """Set and delete some documents at once, here and in another collection of the same id."""
    batch = client.batch()
    for name in chance.sample(NAMES, chance.randrange(1, 4)):
        document = client.document(chance.choice(["c", "c", "c", "p/q/c"]), name)
        if chance.random() < 0.3:
            batch.delete(document)
        else:
            batch.set(document, content(chance))
    batch.commit()


class Device(View):
    """A client that looks at its listeners now and then, and sometimes loses its connection."""

    def __init__(self, server: FirestoreServer, client: Client) -> None:
        super().__init__()
        self._server, self._client = server, client
        self.queries = queries(client)
        self.connect()

    def connect(self) -> None:
        """Open a stream with a target for each query, resumed from the last token."""
        self._stream = ListenStream(self._server.service)
        known = {"resume_token": self.token} if self.token else {}
        for target_id, query in enumerate(self.queries, start=1):
            count = {"expected_count": {"value": len(self.targets[target_id])}} if known else {}
            wanted = query_target(self._client, target_id, query, **known, **count)
            self._stream.receive(ListenRequest(database=self._client._database_string, add_target=wanted))  # noqa: SLF001

    def lose(self) -> None:
        """Lose the connection."""
        self._stream.close()

    def look(self) -> None:
        """Take in all that there is, and compare what the client has with what its queries find."""
        for raw in self._stream.take(0) or []:
            self.take(ListenResponse.FromString(raw))
        assert self.filters == []
        for target_id, query in enumerate(self.queries, start=1):
            found = {found.reference._document_path: found.to_dict() for found in query.stream()}  # noqa: SLF001
            has = {name: fields.get("n") for name, fields in self.targets[target_id].items()}
            assert has == {name: fields.get("n") for name, fields in found.items()}, f"target {target_id}"


@pytest.mark.parametrize("seed", range(6))
def test_a_client_has_what_its_queries_find(seed: int) -> None:
    """With any commits between its looks, lost connections included, a client misses nothing and has nothing else."""
    chance = random.Random(seed)  # noqa: S311 - repeatable on purpose
    server = FirestoreServer(enforce_indexes=False)
    client = in_process_client(server)
    device = Device(server, client)
    for _ in range(40):
        for _ in range(chance.randrange(4)):
            commit(client, chance)
        if chance.random() < 0.3:
            device.lose()
            for _ in range(chance.randrange(3)):
                commit(client, chance)
            device.connect()
        device.look()
    close(client)
