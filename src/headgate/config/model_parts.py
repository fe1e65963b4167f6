"""What the document says of the models that a provider serves, and what every part of it has in common."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from headgate.config.fields import Count, Name, Text, Usd, refuse
from headgate.types.usage import USUAL_TIERS, service_tier

Capability = Literal[
    "streaming",
    "tools",
    "parallel_tools",
    "json_object",
    "json_schema",
    "vision",
    "pdf",
    "audio_in",
    "images",
    "audio",
    "files",
    "reasoning",
    "logprobs",
    "n",
    "prefill",
    "prompt_cache",
]


class Part(BaseModel):
    """A mapping of the document. Unknown keys are errors; a key whose value is left empty is not there."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if item is not None or key not in cls.model_fields}


class PricesPart(Part):
    """US dollars for a million tokens, as decimal text; what is left out is unknown, not free."""

    input_usd_per_mtok: Usd | None = Field(default=None, description="Input, US dollars per million tokens.")
    output_usd_per_mtok: Usd | None = Field(default=None, description="Output, US dollars per million tokens.")
    cached_input_usd_per_mtok: Usd | None = Field(
        default=None, description="Input read from the provider's prompt cache."
    )
    cache_write_usd_per_mtok: Usd | None = Field(
        default=None, description="Input written to the provider's prompt cache."
    )
    audio_input_usd_per_mtok: Usd | None = Field(default=None, description="Spoken input. Default: as input.")
    reasoning_usd_per_mtok: Usd | None = Field(default=None, description="Reasoning. Default: as output.")
    audio_output_usd_per_mtok: Usd | None = Field(default=None, description="Spoken output. Default: as output.")


class TierPart(PricesPart):
    """Prices of the whole request once its prompt is longer than `above_tokens`."""

    above_tokens: Count = Field(description="Prompts longer than this many tokens cost these prices.")


class ModelPart(PricesPart):
    """A model a provider serves, added to what the catalog knows, or correcting it."""

    id: Name = Field(description="What is sent to the provider; * stands for whatever the client wrote.")
    model: Name | None = Field(default=None, description="The slug of the model it is, when the id is not it.")
    kind: Literal["chat", "completion", "embedding", "any"] | None = Field(
        default=None, description="What it does. Default any: it is asked for whatever clients ask of it."
    )
    context_tokens: Count | None = Field(default=None, description="Window: prompt and answer together.")
    max_output_tokens: Count | None = Field(default=None, description="Longest answer.")
    capabilities: list[Capability] | None = Field(default=None, description="What it can do; left out is unknown.")
    quantization: Text | None = Field(default=None, description="How its weights are stored: fp8, int4, …")
    tiers: list[TierPart] | None = Field(default=None, description="Other prices for long prompts.")
    service_tiers: dict[str, PricesPart] | None = Field(
        default=None, description="Other prices where the provider says it served at a tier: priority, flex, batch, …"
    )

    @field_validator("tiers")
    @classmethod
    def _each_length_once(cls, tiers: list[TierPart] | None) -> list[TierPart] | None:
        lengths = [tier.above_tokens for tier in tiers or ()]
        for length in lengths:
            if lengths.count(length) > 1:
                refuse(f"has two tiers above {length} tokens")
        return tiers

    @field_validator("service_tiers")
    @classmethod
    def _tiers_a_reply_can_name(cls, tiers: dict[str, PricesPart] | None) -> dict[str, PricesPart] | None:
        for name in tiers or ():
            if name in USUAL_TIERS:
                refuse(f"holds {name}, which is the usual tier: its prices are those of the model itself")
            if service_tier(name) != name:
                refuse(f"holds {name[:40]!r}; a tier has up to 32 small letters, digits, '-' and '_'")
        return tiers
