"""Tokens that users have, earn and see; their devices."""
