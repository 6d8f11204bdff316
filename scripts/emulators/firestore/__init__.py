"""An embedded Firestore for development and tests, and the way to Google's own emulator. See README.md."""

from .server import FirestoreServer
from .transactions import Timing

__all__ = ["FirestoreServer", "Timing"]
