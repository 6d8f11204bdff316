"""A small Firebase Auth emulator: what the Firebase SDKs, firebase-admin and plain REST need."""

from scripts.emulators.auth.server import AuthServer

__all__ = ["AuthServer"]
