"""The local cloud: what the functions talk to on a developer's machine."""
