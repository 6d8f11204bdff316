"""An embedded Firestore for development and tests, and the way to Google's own emulator. See docs/firestore.md."""

from .inprocess import in_process_client
from .official import OfficialFirestore, OfficialInstall, find_official
from .server import FirestoreServer
from .transactions import Timing

__all__ = ["FirestoreServer", "OfficialFirestore", "OfficialInstall", "Timing", "find_official", "in_process_client"]
