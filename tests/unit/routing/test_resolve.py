"""What a model name means."""

from __future__ import annotations

import functools

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from headgate.providers.sandbox import FAULTS, MODELS, SANDBOX
from headgate.routing.resolve import LONGEST_NAME, SUGGESTIONS, not_found, resolve, served_by
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.snapshot import Snapshot
from headgate.types.suffixes import SUFFIXES
from tests.surface.gateway import snapshot_of
from tests.unit.routing.snapshots import NAME

EVERYTHING = Principal(key="k")
DOCUMENT = """
providers:
  sandbox:
  acme:
    dialect: openai
    base_url: http://127.0.0.1:9/v1
    models:
      - {id: acme/llama-8b, input_usd_per_mtok: "1", output_usd_per_mtok: "1"}
      - {id: "acme/llama:floor"}
      - {id: "tuned-*"}
  other: {dialect: openai, base_url: "http://127.0.0.1:9/v1", models: [{id: acme/llama-8b}, {id: plain}]}
  open: {dialect: openai, base_url: "http://127.0.0.1:9/v1"}
  deepinfra: {api_key: x}
  groq: {api_key: x}
models:
  fast: {targets: [other/plain, acme/acme/llama-8b], policy: ordered}
  "my-*": {targets: ["open/your-*"]}
  "my-longer-*": {targets: ["open/longer-*"]}
  "fas*:nitro": {targets: ["open/rocket-*"]}
  "zz*": {targets: ["deepinfra/*"]}
"""
CATCH_ALL = DOCUMENT + '  "*": {targets: ["open/*"]}\n'


@functools.cache
def snapshot(text: str = DOCUMENT) -> Snapshot:
    return snapshot_of(text)


def sent(name: str, text: str = DOCUMENT) -> list[tuple[str, str]]:
    """Providers and the ids they are sent."""
    found = resolve(snapshot(text), name)
    if found is None:
        return []
    return [(one.deployment.upstream.provider, one.upstream_id) for one in found.targets]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("fast", [("other", "plain"), ("acme", "acme/llama-8b")]),
        ("acme/llama-8b", [("acme", "acme/llama-8b"), ("other", "acme/llama-8b")]),
        ("acme/acme/llama-8b", [("acme", "acme/llama-8b")]),
        ("other/acme/llama-8b", [("other", "acme/llama-8b")]),
        ("plain", [("other", "plain")]),
        ("open/any/thing", [("open", "any/thing")]),
        ("tuned-x", [("acme", "tuned-x")]),
        ("acme/tuned-x", [("acme", "tuned-x")]),
        ("my-model", [("open", "your-model")]),
        ("my-longer-model", [("open", "longer-model")]),
        ("sandbox/429", [("sandbox", "429")]),
        ("sandbox/made-up", [("sandbox", "made-up")]),
        ("tuned-", []),
        ("my-", []),
        ("other/plain/", []),
        ("/plain", []),
        ("open/", []),
        ("open", []),
        ("", []),
        ("Fast", []),
        ("hello", []),
        ("zzz", [("deepinfra", "z")]),
        ("zz", []),
    ],
)
def test_a_name_means_what_the_document_says(name: str, meant: list[tuple[str, str]]) -> None:
    assert sent(name) == meant


NAMES = ["fast", "acme/llama-8b", "other/plain", "open/x", "tuned-x", "my-model", "sandbox/hello"]
# `fast:nitro` is what a route of the document is called.
SUFFIXED = [(name, suffix) for name in NAMES for suffix in SUFFIXES if (name, suffix) != ("fast", "nitro")]


@pytest.mark.parametrize(("name", "suffix"), SUFFIXED)
@pytest.mark.parametrize("text", [DOCUMENT, CATCH_ALL])
def test_a_suffix_is_an_order_and_never_part_of_what_is_sent(name: str, suffix: str, text: str) -> None:
    found = resolve(snapshot(text), f"{name}:{suffix}")
    assert found is not None
    assert found.order is SUFFIXES[suffix]
    assert sent(f"{name}:{suffix}", text) == sent(name, text)


def test_a_suffix_that_somebody_wrote_is_part_of_the_name() -> None:
    assert sent("acme/llama:floor") == [("acme", "acme/llama:floor")]
    assert sent("acme/acme/llama:floor") == [("acme", "acme/llama:floor")]
    assert sent("fast:nitro") == [("open", "rocket-t")], "the route that ends in :nitro"
    found = resolve(snapshot(), "acme/llama:floor:fastest")
    assert found is not None
    assert found.order is Order.FASTEST


def test_colons_that_are_no_suffix_are_left_alone() -> None:
    assert sent("open/llama3:8b") == [("open", "llama3:8b")]
    assert sent("fast:slowest") == []
    assert sent(":cheapest") == []


def test_the_route_of_a_lone_star_takes_what_nobody_else_claims() -> None:
    assert sent("made-up", CATCH_ALL) == [("open", "made-up")]
    assert sent("fast", CATCH_ALL) == sent("fast")
    assert sent("other/plain", CATCH_ALL) == [("other", "plain")]
    # A slug comes behind the routes, this one too.
    assert sent("plain", CATCH_ALL) == [("open", "plain")]


def test_an_order_and_a_fallback_are_the_routes_own() -> None:
    found = resolve(snapshot(), "fast")
    assert found is not None
    assert (found.order, found.route and found.route.name) == (Order.ORDERED, "fast")


@pytest.mark.parametrize("text", [DOCUMENT, CATCH_ALL])
def test_every_listed_name_resolves_and_says_who_serves_it(text: str) -> None:
    listed = snapshot(text).listed
    assert len(listed) > 20
    for name in listed:
        assert resolve(snapshot(text), name) is not None, name
        assert served_by(snapshot(text), name), name


def test_every_sandbox_model_is_listed_under_its_provider() -> None:
    assert {f"{SANDBOX.name}/{name}" for name in (*MODELS, *FAULTS)} <= set(snapshot().listed)


@given(NAME | st.sampled_from([*MODELS, *FAULTS]) | st.text(max_size=20), st.sampled_from(["", *SUFFIXES]))
def test_the_sandbox_is_never_chosen_for_a_name_that_is_not_its_own(name: str, suffix: str) -> None:
    name = f"{name}:{suffix}" if suffix else name
    assume(not name.startswith(f"{SANDBOX.name}/"))
    for text in (DOCUMENT, CATCH_ALL):
        found = resolve(snapshot(text), name)
        for one in (*found.targets, *found.fallback) if found else ():
            assert one.deployment.upstream.provider != SANDBOX.name
            assert one.deployment.upstream.script is None


@given(st.text(min_size=1, max_size=20))
def test_what_a_star_stands_for_reaches_the_provider_as_it_was_written(text: str) -> None:
    assume(":" not in text)
    assume(not text.startswith("longer-"))
    assert sent(f"my-{text}") == [("open", f"your-{text}")]
    assert sent(f"open/{text}") == [("open", text)]


@given(NAME | st.text(max_size=300) | st.sampled_from(["acme/Llama-8B", "llama-8b", "fest"]))
def test_a_404_names_at_most_five_names_and_all_of_them_work(name: str) -> None:
    assume(resolve(snapshot(), name) is None)
    message = not_found(snapshot(), EVERYTHING, name).message
    assert len(message) < 12 * LONGEST_NAME
    _, nearest, rest = message.partition(" Nearest: ")
    if nearest:
        suggested = [one.rpartition(" (")[0] for one in rest.partition(").")[0].split("; ")]
        assert 1 <= len(suggested) <= SUGGESTIONS
        for one in suggested:
            assert resolve(snapshot(), one) is not None


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("ACME/LLAMA-8B", "acme/llama-8b"),
        ("llama-8b", "acme/llama-8b"),
        ("acme/lama-8b", "acme/llama-8b"),
        ("wrong/llama-8b", "acme/llama-8b"),
        ("fasr", "fast"),
        ("meta-llama/llama-3.1-8b-instruct", "Llama-3.1-8B-Instruct"),
        ("Meta-Llama-3.1-8B-Instruct", "meta-llama/Meta-Llama-3.1-8B-Instruct"),
    ],
)
def test_a_slip_finds_the_name_that_was_meant(name: str, nearest: str) -> None:
    if resolve(snapshot(), name) is None:
        assert nearest in not_found(snapshot(), EVERYTHING, name).message


def test_another_spelling_of_a_models_name_means_the_model_and_is_not_listed() -> None:
    here = snapshot()
    assert len(here.aliases) > 100
    for name, entry in here.aliases.items():
        found = resolve(here, name)
        assert found is not None
        assert name not in here.models
        assert [one.deployment for one in found.targets] == list(entry.deployments)
        assert [one.deployment for one in found.variants] == list(entry.variants)
        assert {one.deployment.offer.model for one in (*found.targets, *found.variants)} == {entry.model}
    assert not {*here.aliases} & {*here.listed}


def test_a_suffix_goes_with_another_spelling_too_and_the_order_is_then_the_names() -> None:
    here = snapshot()
    for name in list(here.aliases)[:20]:
        found = resolve(here, f"{name}:nitro")
        assert found is not None
        assert (found.order, found.named) == (Order.FASTEST, True)
        plain = resolve(here, name)
        assert plain is not None
        assert (plain.named, plain.targets) == (False, found.targets)


def test_a_name_in_another_letter_case_means_nothing_unless_somebody_calls_it_so() -> None:
    here = snapshot()
    for known in (here.aliases, here.models):
        for name in known:
            for other in {name.upper(), name.lower(), name.swapcase()} - {*here.aliases, *here.models}:
                assert resolve(here, other) is None, other


def test_a_variant_is_beside_the_plain_serving_and_what_the_name_means_only_where_it_is_spelt_out() -> None:
    here = snapshot()
    beside = {name: entry for name, entry in {**here.models, **here.aliases}.items() if entry.variants}
    assert len(beside) > 5
    for name, entry in beside.items():
        found = resolve(here, name)
        assert found is not None
        assert all(one.deployment.offer.variant is None for one in found.targets), name
        assert all(one.deployment.offer.variant is not None for one in found.variants), name
        for variant in entry.variants:
            pinned = resolve(here, f"{variant.upstream.provider}/{variant.offer.upstream_id}")
            assert pinned is not None
            assert [one.deployment for one in pinned.targets] == [variant]
            assert pinned.variants == ()


def test_a_404_suggests_only_what_the_key_may_use() -> None:
    narrow = Principal(key="k", models=("fast", "fest*"))
    message = not_found(snapshot(), narrow, "fest").message
    assert "fast (other, acme)" in message
    assert "open" not in message
    nothing = Principal(key="k", models=("absent",))
    assert "No model is configured for this key" in not_found(snapshot(), nothing, "fast").message
    assert "providers.deepinfra" not in not_found(snapshot(), nothing, "deepinfra/x").message


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GPT-OSS-120B", "gpt-oss-120b"),
        ("GPT-OSS-120B:nitro", "gpt-oss-120b"),
        ("OpenAI/GPT-OSS-120b", "openai/gpt-oss-120b"),
        ("Other/Plain", "other/plain"),
        ("FAST", "fast"),
        ("GROQ/OpenAI/gpt-oss-120b", "groq/openai/gpt-oss-120b"),
    ],
)
def test_what_differs_in_letter_case_alone_is_suggested_first(name: str, meant: str) -> None:
    assert resolve(snapshot(), name) is None
    assert f" Nearest: {meant} (" in not_found(snapshot(), EVERYTHING, name).message
    assert f" Nearest: {meant} (" in not_found(snapshot(), Principal(key="k", models=(meant, "x")), name).message
    assert f"{meant} (" not in not_found(snapshot(), Principal(key="k", models=("plain",)), name).message


def test_the_404_for_a_name_of_different_models_names_the_pins_the_key_may_use() -> None:
    box = 'dialect: openai, base_url: "http://127.0.0.1:9/v1"'
    here = snapshot(f"""
providers:
  a: {{{box}, models: [{{id: one, model: org/One}}]}}
  b: {{{box}, models: [{{id: one, model: org/Two}}]}}
""")
    for name in ("one", "one:nitro"):
        assert resolve(here, name) is None
        message = not_found(here, EVERYTHING, name).message
        assert "a/one" in message
        assert "b/one" in message
    assert "is not the same at every provider. Name one: a/one; b/one." in not_found(here, EVERYTHING, "one").message
    narrow = not_found(here, Principal(key="k", models=("one", "b/*")), "one").message
    assert " Nearest: b/one (b)." in narrow
    assert "a/one" not in narrow
