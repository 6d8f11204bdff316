"""A small Firebase Auth emulator: what the Firebase SDKs, firebase-admin and plain REST need."""

from localcloud.auth.server import AuthServer

__all__ = ["AuthServer"]
