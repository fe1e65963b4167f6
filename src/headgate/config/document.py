"""The operator's document as a type: every key it may hold, and what each means.

The descriptions end up in the JSON Schema that editors complete from. Nothing here looks at another part of the
document; that is `check`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from headgate.config.fields import (
    AuthHeader,
    BaseUrl,
    CredentialText,
    Failures,
    HeaderText,
    HedgeAfter,
    HostName,
    KeyText,
    Name,
    Number,
    Pause,
    Percent,
    Places,
    ProxyUrl,
    Rate,
    Retries,
    Seconds,
    Share,
    SharedUrl,
    StoreUrl,
    Text,
    Usd,
    Whole,
    refuse,
)
from headgate.config.model_parts import ModelPart, Part
from headgate.config.tenancy import Moment, Network, WorkspaceName, Workspaces
from headgate.types.fault import FaultClass
from headgate.types.policy import Exhausted, Order, Period
from headgate.types.principal import DEFAULT_WORKSPACE

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8080
DEFAULT_STORE = "sqlite:///<data directory>/headgate.db"
DEFAULT_SHARED = "memory"
DEFAULT_WORKSPACES = (DEFAULT_WORKSPACE,)


class TimeoutsPart(Part):
    """The four clocks of a request, in seconds."""

    connect_s: Seconds | None = Field(default=None, description="Seconds to connect to the provider. Default 5.")
    first_token_s: Seconds | None = Field(
        default=None, description="Seconds until the first content of a stream. Default 15."
    )
    gap_s: Seconds | None = Field(default=None, description="Seconds of silence within an answer. Default 20.")
    total_s: Seconds | None = Field(
        default=None, description="Seconds for the whole request, all attempts. Default 600."
    )


class HealthPart(Part):
    """When a deployment sits out after failures."""

    failures: Failures | None = Field(default=None, description="Consecutive failures until it sits out.")
    cooldown_s: Seconds | None = Field(default=None, description="Seconds it sits out the first time.")


class HedgePart(Part):
    """A second attempt started while a slow first one still runs."""

    after: HedgeAfter = Field(default="p95", description="Start it after this percentile (p95) or so many seconds.")
    budget: Percent = Field(default=0.05, description="At most this share of requests is hedged, such as 5%.")


def _no_hedges(value: Any) -> Any:
    """`off`, for a route that must not have what stands above it."""
    return {"budget": "0%"} if value is False or value == "off" else value


HedgeField = Annotated[HedgePart | None, BeforeValidator(_no_hedges)]


class Policies(Part):
    """What may stand under a route, a provider, or at the top as the default."""

    timeouts: TimeoutsPart | None = Field(
        default=None, description="Clocks; each falls back to the next level by itself."
    )
    retries: Retries | None = Field(default=None, description="Further attempts on the same deployment.")
    health: HealthPart | None = Field(default=None, description="When a deployment sits out after failures.")
    hold: Literal["first", "full"] | None = Field(
        default=None, description="Send from the first content on (first), or only a whole checked answer (full)."
    )
    hedge: HedgeField = Field(default=None, description="A second attempt while a slow first one still runs; or off.")


class ServerPart(Part):
    """Where clients reach the gateway, and what they may send."""

    host: HostName = Field(
        default=DEFAULT_HOST, description="Address to listen on; beyond this machine only with keys."
    )
    port: Whole = Field(default=DEFAULT_PORT, ge=0, le=65535, description="Port to listen on; 0 takes any free one.")
    max_body_mb: Whole = Field(default=32, ge=1, le=1024, description="Largest request body in megabytes (2^20 bytes).")
    body_timeout_s: Seconds = Field(default=120.0, description="Seconds in which a request body must have arrived.")


class LimitsPart(Part):
    """How much a key may ask for."""

    rpm: Rate | None = Field(default=None, description="Requests a minute.")
    tpm: Rate | None = Field(default=None, description="Tokens a minute.")
    concurrent: Places | None = Field(default=None, description="Requests at the same time.")


class CeilingPart(Part):
    """The dearest a candidate may be once a budget is used up."""

    input_usd_per_mtok: Usd = Field(description="US dollars for a million tokens of input, at most.")
    output_usd_per_mtok: Usd = Field(description="US dollars for a million tokens of output, at most.")


class BudgetPart(Part):
    """How much may be spent in a period. Periods begin at 00:00 UTC, weeks on Monday."""

    usd: Usd = Field(description='US dollars, as text: "25".')
    per: Period = Field(description="The period after which spending starts at 0; total never starts again.")
    until: Moment | None = Field(default=None, description="When it ends: a date or a time with its zone.")
    on_exhausted: Exhausted = Field(
        default=Exhausted.REFUSE, description="Refuse what it cannot pay, or ask only cheaper candidates."
    )
    cheaper_than: CeilingPart | None = Field(default=None, description="With on_exhausted: cheaper, what is cheap.")

    @model_validator(mode="after")
    def _says_what_is_cheap(self) -> BudgetPart:
        if (self.on_exhausted is Exhausted.CHEAPER) != (self.cheaper_than is not None):
            refuse("cheaper_than and on_exhausted: cheaper go together")
        return self


class KeyPart(Part):
    """A virtual key: what a client shows to be served."""

    name: Text = Field(max_length=100, description="What the key is called in logs and reports.")
    secret: KeyText = Field(description="The key itself, 20 characters or more; only its hash is kept.")
    workspace: WorkspaceName = Field(default=DEFAULT_WORKSPACE, description="Whose key it is.")
    models: list[Text] = Field(
        default=["*"], min_length=1, description="Names the key may ask for; * stands for any text."
    )
    addresses: list[Network] = Field(
        default=[], description="Where it may be used from, such as 10.0.0.0/8; anywhere when empty."
    )
    policy: Order | None = Field(default=None, description="The order of candidates where a request names none.")
    limits: LimitsPart | None = Field(default=None, description="Requests and tokens a minute, and requests at once.")
    budget: BudgetPart | None = Field(default=None, description="What the key may spend.")
    budgets: list[BudgetPart] = Field(default=[], description="Several budgets, each of another period.")
    expires_at: Moment | None = Field(default=None, description="When it stops working: a date or a time with zone.")
    metadata: dict[str, str] = Field(default={}, description="Anything worth noting about it, as text.")


class CredentialPart(Part):
    """One of several credentials of a provider."""

    name: Text = Field(description="What the credential is called in logs and reports.")
    api_key: CredentialText = Field(description="The secret the provider issued; best as ${NAME}.")
    weight: Number = Field(default=1.0, gt=0, le=1_000_000, description="Its share of the traffic.")


class PacePart(Part):
    """How fast the provider inside Headgate answers."""

    first_token_s: Pause | None = Field(default=None, description="Seconds until the first token. Default 0.15.")
    per_token_s: Pause | None = Field(default=None, description="Seconds between tokens. Default 0.02.")


class ProviderPart(Policies):
    """Who can be called. Under a name we know it starts from what we know; any other name needs a base_url."""

    api_key: CredentialText | None = Field(default=None, description="The secret the provider issued; best as ${NAME}.")
    credentials: list[CredentialPart] | None = Field(
        default=None, min_length=1, description="Several, in place of api_key."
    )
    dialect: Text | None = Field(default=None, description="The wire format it speaks: openai.")
    base_url: BaseUrl | None = Field(default=None, description="Where it is called: https://host/v1.")
    headers: dict[str, HeaderText] = Field(default={}, description="Headers sent with every request.")
    auth_header: AuthHeader | None = Field(
        default=None,
        description='How the credential is sent: "x-api-key", or "authorization: Bearer {}" (the default).',
    )
    models: list[ModelPart] = Field(default=[], description="Models it serves, beside those of the catalog.")
    quirks: list[Text] = Field(default=[], description="Named edits of requests that this server needs.")
    proxy: ProxyUrl | None = Field(default=None, description="http://[user:password@]host:port to reach it through.")
    pace: PacePart | None = Field(default=None, description="How fast the sandbox answers; for no other provider.")
    workspaces: Workspaces = Field(default=DEFAULT_WORKSPACES, description="Who may use it: names, or * for everybody.")


class RulePart(Part):
    """What follows a class of faults."""

    retry: bool | None = Field(default=None, description="Whether the same deployment is asked again.")
    fallback: bool | None = Field(default=None, description="Whether the next candidate is asked.")


class RoutePart(Policies):
    """How a model name is served."""

    targets: list[Name] = Field(min_length=1, description="provider/id, a slug, or a provider's own id.")
    policy: Order = Field(default=Order.CHEAPEST, description="How targets are put in order.")
    fallback: list[Name] = Field(default=[], description="Tried, in order, when every target has failed.")
    variants: list[Text] = Field(
        default=[], description="Servings other than the plain one its targets may stand for: turbo, fp8, …, * for any."
    )
    weights: dict[str, Share] = Field(
        default={}, description="Shares of the traffic under the policy weighted, by target. Default 1 each."
    )
    faults: dict[FaultClass, RulePart] = Field(
        default={}, description="What follows a class of faults, where it differs: content_filtered: {fallback: true}."
    )
    workspaces: Workspaces = Field(default=DEFAULT_WORKSPACES, description="Who may use it: names, or * for everybody.")


class LedgerPart(Part):
    """The record of every request, and what happens when it cannot be kept."""

    retention_days: Whole = Field(
        default=90,
        ge=1,
        le=36_500,
        description="Days after which records of requests are deleted; sums for budgets stay.",
    )
    spool_mb: Whole = Field(
        default=1024, ge=1, le=1_048_576, description="Megabytes of records kept on disk while the database is away."
    )
    when_full: Literal["refuse", "serve"] = Field(
        default="refuse", description="When no record can be kept: refuse new requests, or serve them unrecorded."
    )


class CatalogPart(Part):
    """What is known of models beyond what is packaged."""

    refresh_hours: Whole = Field(
        default=24, ge=0, le=720, description="Hours after which the providers' lists are fetched again; 0 is never."
    )


def _empty_mapping(value: Any) -> Any:
    return {} if value is None else value


class Document(Policies):
    """The operator's document, headgate.yaml."""

    server: ServerPart = Field(default=ServerPart(), description="Where clients reach the gateway.")
    store: StoreUrl | None = Field(default=None, description=f"The database. Default {DEFAULT_STORE}.")
    shared: SharedUrl | None = Field(
        default=None, description="Where replicas share limits and health. Default memory."
    )
    ledger: LedgerPart = Field(default=LedgerPart(), description="The record of every request.")
    catalog: CatalogPart = Field(default=CatalogPart(), description="What providers publish about their models.")
    keys: list[KeyPart] = Field(
        default=[],
        description="Virtual keys. With none here the one made at the first run counts, else only these do.",
    )
    providers: dict[str, Annotated[ProviderPart, BeforeValidator(_empty_mapping)]] = Field(
        default={}, description="Who can be called, by name."
    )
    models: dict[str, RoutePart] = Field(default={}, description="Routes: a public model name and how it is served.")
