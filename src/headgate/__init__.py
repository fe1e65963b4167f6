"""Headgate: one endpoint and one key in front of every model provider."""

__version__ = "0.1.0"
