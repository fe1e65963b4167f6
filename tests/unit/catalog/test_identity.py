"""The table of slugs and names: what it says, and that it never takes one model for another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from headgate.catalog.identity import Identity, Meaning, load_identity
from tests.unit.catalog.evidence import EVIDENCE
from tests.unit.catalog.names import SERVING, differing, traits

DATA = resources.files("headgate.catalog").joinpath("data")
TABLE: dict[str, dict[str, Any]] = json.loads(DATA.joinpath("identity.json").read_bytes())
ROWS: list[dict[str, Any]] = [
    json.loads(line)
    for name in ("offers.jsonl", "genai_prices.jsonl")
    for line in DATA.joinpath(name).read_bytes().splitlines()
]


@pytest.fixture(scope="module")
def identity() -> Identity:
    return load_identity(None)


def names() -> Iterator[tuple[str, str, str | None]]:
    """Every spelling with its slug, and with the serving it stands for."""
    for slug, entry in TABLE.items():
        for alias in entry.get("aliases", ()):
            yield alias, slug, None
        for alias, kind in entry.get("variants", {}).items():
            yield alias, slug, kind


def own_name(slug: str) -> str:
    return slug.partition(":")[2] or slug


def test_no_spelling_belongs_to_two_slugs_and_none_is_another_slug() -> None:
    seen = {slug.lower(): slug for slug in TABLE}
    assert len(seen) == len(TABLE) == 702
    for alias, slug, _ in names():
        assert alias.lower() not in seen, f"{alias} of {slug}, and {seen.get(alias.lower())}"
        seen[alias.lower()] = slug
    assert len(seen) == len(TABLE) + 1362


def test_every_slug_and_every_spelling_means_what_the_table_says(identity: Identity) -> None:
    for slug in TABLE:
        assert identity.meaning(slug) == Meaning(slug, None)
    for alias, slug, kind in names():
        assert identity.meaning(alias) == (slug, kind)
    assert identity.meaning("gpt-9") is None


def test_a_name_is_matched_as_it_is_spelt_and_the_right_spelling_is_known(identity: Identity) -> None:
    for name in ("Glm-5.3", "ZAI-ORG/glm-5.3"):
        assert identity.meaning(name) is None
    assert identity.spelt("Glm-5.3") == "GLM-5.3"
    assert identity.spelt("ZAI-ORG/glm-5.3") == "zai-org/GLM-5.3"
    assert identity.spelt("GLM-5.3") == "GLM-5.3"
    assert identity.spelt("GLM-5.33") is None


def test_aliases_are_the_names_of_the_plain_serving(identity: Identity) -> None:
    aliases = identity.aliases_of("zai-org/GLM-5.3")
    assert "FW-GLM-5.3" in aliases
    assert all(identity.meaning(alias) == ("zai-org/GLM-5.3", None) for alias in aliases)
    assert identity.aliases_of("Qwen/nothing") == ()
    variants = TABLE["zai-org/GLM-5.3"]["variants"]
    assert variants
    assert not set(variants) & set(aliases)


def test_only_what_is_asked_for_is_loaded() -> None:
    some = load_identity(["zai-org/GLM-5.3", "no/such"])
    assert some.meaning("GLM-5.3") == ("zai-org/GLM-5.3", None)
    assert [some.meaning(name) for name in ("GLM-5.2", "zai-org/GLM-5.2", "no/such")] == [None, None, None]
    assert load_identity([]).spelt("zai-org/GLM-5.3") is None


def test_nothing_is_resolved_through_what_a_floating_name_points_at(identity: Identity) -> None:
    floating = {slug: entry["resolves_to"] for slug, entry in TABLE.items() if "resolves_to" in entry}
    assert len(floating) > 20
    for slug, target in floating.items():
        assert target in TABLE
        assert TABLE[slug]["rolling"]
        assert identity.meaning(slug) == (slug, None)
        assert all(identity.meaning(alias) == (slug, None) for alias in identity.aliases_of(slug))


@pytest.mark.parametrize(
    "name",
    [
        "deepseek-v4-flash",
        "deepseek-v4-pro",
        "deepseek-v4-flash-vision-exp",
        "mistral-medium-3",
        "mistralai/mistral-medium-3",
    ],
)
def test_a_name_that_means_other_weights_at_other_providers_means_nothing(identity: Identity, name: str) -> None:
    assert identity.meaning(name) is None
    assert identity.spelt(name) is None
    assert {row["model"] for row in ROWS if row["upstream_id"] == name}, "somebody sells it"


@pytest.mark.parametrize("name", ["perplexity/sonar", "deepseek-ai/DeepSeek-V3"])
def test_a_slug_that_is_spelt_like_another_providers_id_means_itself(identity: Identity, name: str) -> None:
    assert identity.meaning(name) == (name, None)
    assert {row["model"] for row in ROWS if row["upstream_id"] == name} > {name}


def test_a_slug_of_one_providers_own_has_no_offer_but_that_providers() -> None:
    scoped = {slug for slug in TABLE if ":" in slug}
    assert scoped == {slug for slug, entry in TABLE.items() if "candidates" in entry} | {
        slug for slug in scoped if TABLE[slug].get("rolling")
    }
    for row in ROWS:
        provider, colon, _ = row["model"].partition(":")
        assert not colon or provider == row["provider"]


def test_an_id_means_the_offers_own_weights_and_serving_or_nothing(identity: Identity) -> None:
    hidden = []
    for row in ROWS:
        meaning = identity.meaning(row["upstream_id"])
        if ":" in row["model"] and meaning == (row["upstream_id"], None):
            hidden.append(row["model"])
        else:
            assert meaning in (None, (row["model"], row.get("variant")))
    assert sorted(hidden) == ["perplexity:perplexity/sonar", "together:deepseek-ai/DeepSeek-V3"]


def test_the_table_knows_every_model_that_is_merged_and_no_other() -> None:
    sold = {row["model"] for row in ROWS if ":" not in row["model"]}
    assert sold == {slug for slug in TABLE if ":" not in slug}


def test_names_of_one_model_agree_in_size_version_date_and_kind_or_somebody_says_why_not() -> None:
    unlike = {
        alias: differing(alias, own_name(slug), TABLE[slug].get("snapshot"))
        for alias, slug, kind in names()
        if not kind
    }
    unlike = {alias: traits for alias, traits in unlike.items() if traits}
    assert {alias: sorted(traits) for alias, traits in unlike.items() if alias not in EVIDENCE} == {}
    assert set(EVIDENCE) - set(unlike) - {alias for alias, _, kind in names() if kind} == set(), "evidence of nothing"


def test_what_is_served_otherwise_is_a_variant_and_is_not_other_weights() -> None:
    for alias, slug, kind in names():
        unlike = differing(alias, own_name(slug), TABLE[slug].get("snapshot"))
        served = {trait for trait in unlike if trait[0] == "serving"}
        if kind is None:
            assert not served, f"{alias} is no plain {slug}"
        elif alias not in EVIDENCE:
            assert unlike == served != set(), alias


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-70B-Instruct"),
        ("Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-30B-A22B"),
        ("deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3-0324"),
        ("deepseek-ai/DeepSeek-V3.1", "deepseek.v3-v1:0"),
        ("Qwen/Qwen3-235B-A22B", "Qwen/Qwen3-235B-A22B-2507"),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", "qwen.qwen3-next-80b-a3b-thinking-v1:0"),
        ("Qwen/Qwen2.5-Coder-7B", "Qwen/Qwen2.5-Coder-7B-Instruct"),
        ("baidu/ERNIE-4.5-300B-A47B", "baidu/ERNIE-4.5-300B-A47B-Base"),
        ("nvidia/NVIDIA-Nemotron-Nano-12B-v2", "nvidia/NVIDIA-Nemotron-Nano-12B-v2-VL"),
        ("zai-org/GLM-4.5", "zai-org/GLM-4.5V"),
        ("deepseek-ai/DeepSeek-R1", "deepseek-ai/DeepSeek-R1-Distill"),
        ("xai/grok-4.20-reasoning", "xai/grok-4.20-non-reasoning"),
        ("openai/gpt-4o", "openai/gpt-4o-2024-08-06"),
        ("moonshotai/Kimi-K2.5", "moonshotai/Kimi-K2.5-fp4"),
        ("zai-org/GLM-5.2", "accounts/fireworks/routers/glm-5p2-fast"),
        ("meta/llama-3-8b-instruct", "@cf/meta/llama-3-8b-instruct-awq"),
        ("tencent/Hy4", "tencent/Hy4-preview"),
        ("Sao10K/L3-8B-Lunaris", "Sao10K/L3-8B-Lunaris-v1"),
    ],
)
def test_other_weights_and_other_servings_show_in_a_name(one: str, other: str) -> None:
    assert traits(one) != traits(other)
    assert differing(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anthropic/claude-opus-4-8", "eu.anthropic.claude-opus-4-8"),
        ("anthropic/claude-opus-4-6", "us.anthropic.claude-opus-4-6-v1"),
        ("cohere/embed-v4.0", "us.cohere.embed-v4:0"),
        ("meta-llama/Llama-3.2-1B-Instruct", "eu.meta.llama3-2-1b-instruct-v1:0"),
        ("deepseek-ai/DeepSeek-V3.1-Terminus", "accounts/fireworks/models/deepseek-v3p1-terminus"),
        ("mistralai/Mistral-7B-Instruct-v0.2", "mistral.mistral-7b-instruct-v0:2"),
    ],
)
def test_a_cloud_writes_the_same_names_its_own_way(one: str, other: str) -> None:
    assert differing(other, one) == frozenset()


def test_words_of_servings_are_in_no_slug_that_has_them_as_variants() -> None:
    for alias, slug, kind in names():
        if kind in SERVING and alias not in EVIDENCE:
            assert ("serving", kind) in traits(alias) - traits(own_name(slug))
