"""The hosts' API."""
