"""Bulk jobs: thousands of photos by one request, paid at once and taken on in pages."""
