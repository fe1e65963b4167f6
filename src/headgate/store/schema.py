"""Every table, and nothing else. Money is pico-dollars, `…_at` is Unix seconds, `…_us` is microseconds.

A fresh database is made from these tables and stamped with `HEAD`; an older one is brought here by `migrations/`. A
test holds both to the same result.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    text,
)

HEAD = "0002"
"""The newest migration."""

metadata = MetaData()

# What a gateway reads to know that something here has changed: one row, counted up in the transaction of the change.
revision = Table(
    "revision", metadata, Column("only", Integer, primary_key=True), Column("value", BigInteger, nullable=False)
)

workspaces = Table(
    "workspaces",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("metadata", Text, nullable=False, server_default="{}"),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    Column("role", Text, nullable=False),
    # NULL: every workspace.
    Column("workspace", Text, ForeignKey("workspaces.name")),
    # What its keys may ask for and use, at most; NULL: no limit.
    Column("models", Text),
    Column("rpm", BigInteger),
    Column("tpm", BigInteger),
    Column("concurrent", Integer),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("expires_at", BigInteger),
    Column("revoked_at", BigInteger),
)

keys = Table(
    "keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("workspaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True),
    # After a rotation the old secret works until `previous_until`.
    Column("previous_hash", LargeBinary, unique=True),
    Column("previous_until", BigInteger),
    # The first characters of the secret, to tell keys apart.
    Column("hint", Text, nullable=False),
    Column("models", Text, nullable=False),
    Column("addresses", Text, nullable=False, server_default="[]"),
    Column("policy", Text),
    Column("rpm", BigInteger),
    Column("tpm", BigInteger),
    Column("concurrent", Integer),
    Column("metadata", Text, nullable=False, server_default="{}"),
    # The token that made it, when one did: the key never exceeds that token.
    Column("creator_token", Text, ForeignKey("tokens.id")),
    Column("created_by", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger),
    Column("disabled_at", BigInteger),
    Column("deleted_at", BigInteger),
)
Index(
    "keys_name",
    keys.c.workspace,
    keys.c.name,
    unique=True,
    sqlite_where=keys.c.deleted_at.is_(None),
    postgresql_where=keys.c.deleted_at.is_(None),
)

budgets = Table(
    "budgets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("workspaces.name"), nullable=False),
    # key:ID, token:ID or workspace:NAME
    Column("scope", Text, nullable=False),
    Column("limit_pusd", BigInteger, nullable=False),
    Column("per", Text, nullable=False),
    Column("until", BigInteger),
    Column("on_exhausted", Text, nullable=False),
    Column("cheaper_input_pusd_per_mtok", BigInteger),
    Column("cheaper_output_pusd_per_mtok", BigInteger),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("scope", "per"),
)

credentials = Table(
    "credentials",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("workspaces.name"), nullable=False),
    Column("provider", Text, nullable=False),
    Column("name", Text, nullable=False),
    # The one host it may ever be sent to.
    Column("host", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    # Which master key sealed it.
    Column("sealed_by", Text, nullable=False),
    # Weights in thousandths, so that no float is stored.
    Column("weight_milli", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("disabled_at", BigInteger),
    UniqueConstraint("workspace", "provider", "name"),
)

routes = Table(
    "routes",
    metadata,
    Column("id", Text, primary_key=True),
    Column("workspace", Text, ForeignKey("workspaces.name"), nullable=False),
    Column("name", Text, nullable=False),
    # The same mapping as under `models:` in the document, as JSON.
    Column("definition", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
    UniqueConstraint("workspace", "name"),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("actor", Text, nullable=False),
    # NULL: of no single workspace.
    Column("workspace", Text),
    Column("action", Text, nullable=False),
    Column("object_type", Text, nullable=False),
    Column("object_id", Text, nullable=False),
    # JSON without secrets; NULL where there was or is nothing.
    Column("before", Text),
    Column("after", Text),
)
Index("audit_workspace", audit.c.workspace, audit.c.id)

events = Table(
    "events",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("at_us", BigInteger, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("message", Text, nullable=False),
)
Index("events_workspace", events.c.workspace, events.c.id)

# The ledger. Ids grow within one run of a gateway, so a table sorted by them appends.
requests = Table(
    "requests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at_us", BigInteger, nullable=False),
    Column("workspace", Text, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("stream", Boolean, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("provider", Text, nullable=False),
    Column("upstream_model", Text, nullable=False),
    # Tokens of all attempts, NULL when nobody was asked.
    Column("input", BigInteger),
    Column("cached_input", BigInteger),
    Column("cache_write", BigInteger),
    Column("audio_input", BigInteger),
    Column("output", BigInteger),
    Column("reasoning", BigInteger),
    Column("audio_output", BigInteger),
    Column("estimated", Boolean),
    Column("cost_pusd", BigInteger),
    # What the spending counters of `scopes` were raised by, on the UTC day of arrival.
    Column("charged_pusd", BigInteger, nullable=False),
    Column("done_us", BigInteger, nullable=False),
    Column("scopes", Text, nullable=False),
    # Who could have served it, in order, and who could not: JSON, NULL for a request that never came so far.
    Column("plan", Text),
    sqlite_with_rowid=False,
)
Index("requests_at", requests.c.at_us)
Index("requests_workspace", requests.c.workspace, requests.c.at_us)

attempts = Table(
    "attempts",
    metadata,
    Column("request_id", Text, primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    Column("deployment", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("model", Text, nullable=False),
    Column("credential", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("status", SmallInteger),
    Column("started_us", BigInteger, nullable=False),
    Column("connected_us", BigInteger),
    Column("first_token_us", BigInteger),
    Column("done_us", BigInteger, nullable=False),
    Column("input", BigInteger),
    Column("cached_input", BigInteger),
    Column("cache_write", BigInteger),
    Column("audio_input", BigInteger),
    Column("output", BigInteger),
    Column("reasoning", BigInteger),
    Column("audio_output", BigInteger),
    Column("estimated", Boolean),
    Column("service_tier", Text),
    Column("cost_pusd", BigInteger),
    Column("cost_source", Text, nullable=False),
    Column("computed_pusd", BigInteger),
    Column("reported_pusd", BigInteger),
    Column("disagree", Boolean, nullable=False),
    Column("price_id", Text),
    sqlite_with_rowid=False,
)

# Prices that were applied, once each: past costs stay explicable when the catalog changes.
prices = Table(
    "prices",
    metadata,
    # The first 16 hex digits of the SHA-256 of the two others.
    Column("id", Text, primary_key=True),
    Column("price", Text, nullable=False),
    Column("source", Text, nullable=False),
)

# Spending by scope and UTC day: what budgets start from. Kept when the requests it came from are deleted.
spending = Table(
    "spending",
    metadata,
    Column("scope", Text, primary_key=True),
    # Days since 1970-01-01.
    Column("day", Integer, primary_key=True),
    Column("pusd", BigInteger, nullable=False, server_default=text("0")),
    Column("requests", BigInteger, nullable=False, server_default=text("0")),
    Column("tokens", BigInteger, nullable=False, server_default=text("0")),
    # The part of the above whose requests are no longer kept.
    Column("pusd_expired", BigInteger, nullable=False, server_default=text("0")),
    sqlite_with_rowid=False,
)
