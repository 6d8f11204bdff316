"""Thin translators between the rules and the systems outside."""
