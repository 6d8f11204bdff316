"""Firestore over HTTP/1.1, for browsers: WebChannel and REST, on one port with gRPC for all others."""

from .front import Front

__all__ = ["Front"]
