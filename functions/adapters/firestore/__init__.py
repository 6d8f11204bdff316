"""The documents. The only package that names a collection; what is written, and when, is decided in `core`."""

from functions.adapters.firestore.batches import BatchDocuments, StoredBatch
from functions.adapters.firestore.budget import BudgetDocuments
from functions.adapters.firestore.client import BoundedClient, BoundedTransport
from functions.adapters.firestore.jobs import Opening, StoredJob
from functions.adapters.firestore.queue import QueueDocuments
from functions.adapters.firestore.refresh import RefreshDocuments
from functions.adapters.firestore.settings import SettingsDocuments

__all__ = ["BoundedClient", "BoundedTransport", "FirestoreStore", "Opening", "StoredBatch", "StoredJob"]


class FirestoreStore(QueueDocuments, BatchDocuments, BudgetDocuments, RefreshDocuments, SettingsDocuments):
    """Everything that Ecolane stores in Firestore, over one client."""
