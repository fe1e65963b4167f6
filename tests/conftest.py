"""What any test may ask for: a real Postgres, one for the whole run, started when the first test wants it."""

from __future__ import annotations

from tests.fakes.postgres import postgres

__all__ = ["postgres"]
