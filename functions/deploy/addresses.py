"""Where keys and photos may be sent, and who is there."""

from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

OPENAI_HOST = "api.openai.com"
"""Regions have addresses below it, as eu.api.openai.com."""


def is_sealed(url: str, *, emulated: bool) -> bool:
    """Whether what is sent to this URL is private: by https, or http within this machine; in an emulator by any. False
    for what is no URL of a host."""
    parts = _split(url)
    if parts is None or not parts.hostname:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and (emulated or _is_this_machine(parts.hostname)))


def is_openai(url: str) -> bool:
    """Whether OpenAI itself is at this URL, in whatever region."""
    parts = _split(url)
    host = (parts and parts.hostname) or ""
    return host == OPENAI_HOST or host.endswith(f".{OPENAI_HOST}")


def openai_region(url: str) -> str | None:
    """Return the region whose address of OpenAI's this is; None for any other address."""
    parts = _split(url)
    region, dot, host = ((parts and parts.hostname) or "").partition(".")
    return region if dot and host == OPENAI_HOST else None


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:  # as of a bracket that is left open
        return None


def _is_this_machine(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
