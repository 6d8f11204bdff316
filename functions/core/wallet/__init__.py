"""Tokens: the ledger, what users may do and earn, prices, devices."""
