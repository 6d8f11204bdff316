"""The documents. The only package that names a collection; what is written, and when, is decided in `core`."""

from functions.adapters.firestore.alerts import AlertDocuments
from functions.adapters.firestore.batches import StoredBatch
from functions.adapters.firestore.budget import BudgetDocuments
from functions.adapters.firestore.bulk import BulkJobDocuments, StoredBulk
from functions.adapters.firestore.checks import CheckDocuments
from functions.adapters.firestore.client import connected
from functions.adapters.firestore.config import SettingsDocuments
from functions.adapters.firestore.deletions import DeletionDocuments
from functions.adapters.firestore.disputes import DisputeDocuments
from functions.adapters.firestore.insights import UsageDocuments
from functions.adapters.firestore.jobs import StoredJob
from functions.adapters.firestore.operations import OperationDocuments
from functions.adapters.firestore.payments import PaymentDocuments, StoredBilling
from functions.adapters.firestore.reading import DamagedDocumentError, Found
from functions.adapters.firestore.refresh import RefreshDocuments
from functions.adapters.firestore.rollouts import RolloutDocuments
from functions.adapters.firestore.teams import Entry, TeamDocuments
from functions.adapters.firestore.trials import TrialDocuments
from functions.adapters.firestore.wallet import StoredWallet
from functions.core.shared.damage import DamagedDocument

__all__ = [
    "DamagedDocument",
    "DamagedDocumentError",
    "Entry",
    "FirestoreStore",
    "Found",
    "StoredBatch",
    "StoredBilling",
    "StoredBulk",
    "StoredJob",
    "StoredWallet",
    "connected",
]


class FirestoreStore(
    CheckDocuments,
    TrialDocuments,
    DisputeDocuments,
    DeletionDocuments,
    OperationDocuments,
    RefreshDocuments,
    BudgetDocuments,
    AlertDocuments,
    SettingsDocuments,
    UsageDocuments,
    RolloutDocuments,
    PaymentDocuments,
    BulkJobDocuments,
    TeamDocuments,
):
    """Everything that Ecolane stores in Firestore, over one client."""
