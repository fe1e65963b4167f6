from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.config.compile import compile_snapshot
from headgate.config.document import Document
from headgate.providers.builtin import PROVIDERS
from headgate.providers.quirks import QUIRKS
from headgate.providers.sandbox import FAULTS, MODELS
from headgate.routing.resolve import resolve
from headgate.types.policy import Budget, HealthPolicy, HedgePolicy, KeyLimits, Order, Period, Timeouts
from headgate.types.principal import Principal
from headgate.types.secret import Secret, key_hash
from headgate.types.snapshot import Route, Snapshot
from tests.unit.config.loading import load, snapshot

SECRET = "s" * 20
THREE = """
providers:
  openai: {api_key: a}
  deepinfra: {api_key: b}
  openrouter: {api_key: c}
"""
MYBOX = """
  mybox:
    dialect: openai
    base_url: http://127.0.0.1:8000/v1/
    api_key: hidden
    models:
      - {id: alpha, model: org/Alpha, input_usd_per_mtok: "0.1", output_usd_per_mtok: "0.25"}
      - {id: "tuned-*"}
"""


def targets(route: Route) -> list[str]:
    return [candidate.deployment.name for candidate in route.targets]


def check_consistency(made: Snapshot) -> None:
    """What holds for every snapshot."""
    pinned = {id(one) for ids in made.pins.values() for found in ids.values() for one in found}
    opened = {id(one) for found in made.open_pins.values() for one in found}
    for name, entry in made.models.items():
        assert entry.name == name
        assert entry.deployments or entry.variants
        assert {id(one) for one in (*entry.deployments, *entry.variants)} <= pinned
        assert not {id(one) for one in entry.deployments} & {id(one) for one in entry.variants}
        retired = [one.offer.retired for one in entry.deployments]
        assert retired == sorted(retired)
    for provider, ids in made.pins.items():
        for upstream_id, found in ids.items():
            assert found
            assert all((one.offer.upstream_id, one.upstream.provider) == (upstream_id, provider) for one in found)
            assert all(one.offer.provider == provider for one in found)
    assert set(made.pins) == set(made.providers)
    assert all("*" in one.offer.upstream_id for found in made.open_pins.values() for one in found)
    for route in made.routes.values():
        assert route.targets
        assert {id(one.deployment) for one in (*route.targets, *route.fallback)} <= pinned | opened
    assert all(resolve(made, name) is not None for name in made.listed)


def test_three_large_providers_compile_consistently() -> None:
    made = snapshot(THREE)
    check_consistency(made)
    assert sum(map(len, made.pins.values())) > 500
    assert list(made.listed) == sorted(made.listed)
    names = [one.name for one in made.models["openai/gpt-oss-120b"].deployments]
    assert {name.split("/")[0] for name in names} >= {"deepinfra", "openrouter"}


def test_nothing_retired_or_uncallable_is_listed_but_stays_reachable() -> None:
    made = snapshot(THREE)
    gone = [name for name, entry in made.models.items() if all(one.offer.retired for one in entry.deployments)]
    images = [
        name for name, entry in made.models.items() if all(one.offer.kind == "image" for one in entry.deployments)
    ]
    assert gone
    assert images
    assert not {*gone, *images} & set(made.listed)


def test_an_upstream_is_the_row_with_the_entry_laid_over_it() -> None:
    made = snapshot("""
        providers:
          groq: {api_key: secret-one, headers: {X-Team: research}, quirks: [no_store, developer_as_system]}
        """)
    deployment = next(iter(made.pins["groq"].values()))[0]
    upstream, row = deployment.upstream, PROVIDERS["groq"]
    assert upstream.base_url == row.base_url
    assert upstream.auth_header == row.auth_header
    assert upstream.headers == (("X-Team", Secret("research")),)
    assert upstream.usage_aside == row.usage_aside
    assert upstream.operations == row.operations
    assert upstream.quirks == tuple(QUIRKS[name] for name in (*row.quirks, "developer_as_system"))
    assert deployment.credential.secret is not None
    assert deployment.credential.secret.reveal() == "secret-one"


def test_a_server_of_ones_own_is_called_as_written() -> None:
    made = snapshot("""
        providers:
          mybox:
            dialect: openai
            base_url: https://box.example/v1/
            api_key: k
            auth_header: X-Api-Key
            proxy: http://u:p@127.0.0.1:3128
        """)
    (deployment,) = made.open_pins["mybox"]
    upstream = deployment.upstream
    assert (upstream.base_url, upstream.dialect) == ("https://box.example/v1", "openai")
    assert upstream.auth_header == ("x-api-key", "{}")
    assert upstream.proxy == Secret("http://u:p@127.0.0.1:3128")
    assert "u:p" not in repr(upstream)
    assert deployment.name == "mybox/*"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (None, ("authorization", "Bearer {}")),
        ("api-key", ("api-key", "{}")),
        ("Authorization: Token {}", ("authorization", "Token {}")),
    ],
)
def test_the_operator_says_how_a_credential_is_sent(written: str | None, expected: tuple[str, str]) -> None:
    line = f"auth_header: '{written}'" if written else ""
    made = snapshot(f"providers:\n  m:\n    dialect: openai\n    base_url: http://127.0.0.1:1\n    {line}\n")
    assert made.open_pins["m"][0].upstream.auth_header == expected


def test_there_is_a_deployment_for_each_credential() -> None:
    made = snapshot("""
        providers:
          groq: {credentials: [{name: one, api_key: a}, {name: two, api_key: b, weight: 3}]}
        """)
    found = made.pins["groq"]["llama-3.1-8b-instant"]
    assert [one.name for one in found] == ["groq/llama-3.1-8b-instant#one", "groq/llama-3.1-8b-instant#two"]
    assert [one.credential.weight for one in found] == [1.0, 3.0]
    assert found[0].upstream is found[1].upstream
    check_consistency(made)


def test_prices_are_exact_and_unknown_ones_stay_unknown() -> None:
    made = snapshot("providers:" + MYBOX)
    price = made.pins["mybox"]["alpha"][0].offer.price
    assert (price.input_pusd_per_mtok, price.output_pusd_per_mtok) == (10**11, 25 * 10**10)
    assert price.cached_input_pusd_per_mtok is None


def test_a_route_takes_its_targets_in_written_order_and_each_once() -> None:
    made = snapshot(
        THREE
        + MYBOX
        + """
models:
  fast:
    targets: [mybox/alpha, gpt-4o-mini, alpha, mybox/tuned-x]
    policy: ordered
    fallback: [deepinfra/openai/gpt-oss-120b]
"""
    )
    route = made.routes["fast"]
    assert targets(route) == ["mybox/alpha", "openai/gpt-4o-mini", "openrouter/openai/gpt-4o-mini", "mybox/tuned-*"]
    assert [candidate.upstream_id for candidate in route.targets][-1] == "tuned-x"
    assert route.order is Order.ORDERED
    assert [candidate.deployment.name for candidate in route.fallback] == ["deepinfra/openai/gpt-oss-120b"]
    assert made.listed[0] == "fast"


def test_routes_with_a_star_keep_their_targets_as_written_longest_name_first() -> None:
    made = snapshot(
        "providers:"
        + MYBOX
        + """
models:
  "*": {targets: ["mybox/*"]}
  "my-*": {targets: ["mybox/tuned-*", alpha], fallback: ["mybox/*"]}
"""
    )
    assert [route.name for route in made.patterns] == ["my-*", "*"]
    assert made.routes == {}
    assert made.patterns[0].templates == ("mybox/tuned-*", "alpha")
    assert made.patterns[0].fallback_templates == ("mybox/*",)
    assert "*" not in "".join(made.listed)
    found = resolve(made, "my-model")
    assert found is not None
    assert [candidate.upstream_id for candidate in found.targets] == ["tuned-model", "alpha"]


def test_each_clock_comes_from_the_first_level_that_sets_it() -> None:
    made = snapshot("""
        timeouts: {total_s: 300, gap_s: 30}
        health: {cooldown_s: 3}
        retries: 1
        hold: full
        providers:
          mybox:
            dialect: openai
            base_url: http://127.0.0.1:1
            timeouts: {connect_s: 2, gap_s: 9}
            health: {failures: 7}
            hedge: {after: 2.5}
          other: {dialect: openai, base_url: "http://127.0.0.1:2", retries: 0}
        models:
          quick: {targets: [mybox/a, other/a], timeouts: {gap_s: 4}, retries: 5, health: {failures: 1}}
          plain: {targets: [mybox/a]}
        """)
    upstream = made.open_pins["mybox"][0].upstream
    assert upstream.timeouts == Timeouts(connect_s=2, first_token_s=15, gap_s=9, total_s=300)
    assert upstream.health == HealthPolicy(failures=7, cooldown_s=3)
    assert (upstream.retries, made.open_pins["other"][0].upstream.retries) == (1, 0)
    assert (upstream.hold, upstream.hedge) == ("full", HedgePolicy(after="2.5"))
    quick = made.routes["quick"]
    assert quick.timeouts == Timeouts(connect_s=5, first_token_s=15, gap_s=4, total_s=300)
    assert quick.provider_timeouts["mybox"] == Timeouts(connect_s=2, first_token_s=15, gap_s=4, total_s=300)
    assert set(quick.provider_timeouts) == {"mybox"}, "who sets no clocks has the route's"
    assert (quick.retries, quick.health) == (5, HealthPolicy(failures=1, cooldown_s=3))
    plain = made.routes["plain"]
    assert (plain.timeouts, plain.provider_timeouts, plain.retries, plain.health) == (None, {}, None, None)


def test_keys_are_kept_as_hashes_and_the_document_wins() -> None:
    document = load(f"""
        keys:
          - name: dev
            secret: {SECRET}
            models: [fast]
            limits: {{rpm: 6, tpm: 7, concurrent: 8}}
            budget: {{usd: "2.5", per: week}}
        """).document
    issued = {key_hash(SECRET.encode()): Principal(key="old"), b"other": Principal(key="first")}
    made = compile_snapshot(document, revision=4, created=5, issued_keys=issued)
    principal = made.keys[key_hash(SECRET.encode())]
    assert (principal.key, principal.models) == ("dev", ("fast",))
    own, workspace = principal.allowances
    assert own.scope == "key:document:dev"
    assert own.limits == KeyLimits(rpm=6, tpm=7, concurrent=8)
    assert own.budgets == (Budget(limit_pusd=2_500_000_000_000, per=Period.WEEK),)
    assert (workspace.scope, workspace.budgets) == ("workspace:default", ())
    assert principal.has_limits
    assert principal.has_budget
    assert list(made.keys) == [key_hash(SECRET.encode())], "a key made outside the document counts beside those in it"
    assert (made.revision, made.created) == (4, 5)
    assert SECRET not in repr(made.keys)


def test_a_key_made_outside_counts_while_the_document_declares_none() -> None:
    issued = {b"other": Principal(key="first")}
    document = load("providers: {sandbox: {}}").document
    assert compile_snapshot(document, revision=1, created=0, issued_keys=issued).keys == issued


def test_the_sandbox_serves_its_own_names_beside_a_declared_one() -> None:
    made = snapshot("providers: {sandbox: {models: [{id: mine}]}}")
    check_consistency(made)
    for name in ("sandbox/mine", "sandbox/hello", "sandbox/429"):
        found = resolve(made, name)
        assert found is not None
        assert [one.upstream_id for one in found.targets] == [name.partition("/")[2]]


def test_what_the_server_section_says_reaches_the_snapshot() -> None:
    made = snapshot("server: {max_body_mb: 2, body_timeout_s: 7}")
    assert (made.max_body_bytes, made.body_timeout_s) == (2 * 1024 * 1024, 7.0)


def test_the_sandbox_is_listed_by_its_names_and_never_meant_by_another() -> None:
    made = snapshot("providers: {sandbox: {}}")
    check_consistency(made)
    assert set(made.listed) == {f"sandbox/{name}" for name in (*MODELS, *FAULTS)}
    assert made.models == {}
    assert made.open_pins["sandbox"][0].upstream.script is not None


def test_a_document_that_was_not_checked_is_not_compiled_into_empty_routes() -> None:
    document = Document.model_validate({"models": {"a": {"targets": ["nobody/x"]}}, "providers": {"ollama": {}}})
    with pytest.raises(ValueError, match="'nobody/x'"):
        compile_snapshot(document, revision=1, created=0, issued_keys={})


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(list(PROVIDERS)), unique=True, min_size=1, max_size=5))
def test_any_mix_of_known_providers_compiles_consistently(names: list[str]) -> None:
    entries = "".join(f"  {name}: {{}}\n" if PROVIDERS[name].local else f"  {name}: {{api_key: x}}\n" for name in names)
    made = snapshot("providers:\n" + entries, {"CLOUDFLARE_ACCOUNT_ID": "a"})
    check_consistency(made)
    assert made.providers == tuple(names)


def test_the_sandbox_answers_at_the_pace_the_document_sets() -> None:
    body = b'{"model":"hello","stream":true,"messages":[{"role":"user","content":"hi"}]}'

    def delays(text: str) -> list[float]:
        (deployment,) = snapshot(text).open_pins["sandbox"]
        assert deployment.upstream.script is not None
        return [step.delay_s for step in deployment.upstream.script("chat", body).steps]

    quick = delays("providers: {sandbox: {pace: {first_token_s: 0.5, per_token_s: 0}}}")
    assert quick[0] == 0.5
    assert set(quick[1:]) == {0.0}
    assert max(delays("providers: {sandbox: {}}")) < 0.5


def test_a_star_target_is_asked_for_ids_nobody_listed_and_a_listed_one_comes_first() -> None:
    made = snapshot(f"providers:{MYBOX}models: {{'*': {{targets: ['mybox/*']}}}}")

    def meant(name: str) -> list[tuple[str, str]]:
        found = resolve(made, name)
        return [] if found is None else [(one.deployment.name, one.upstream_id) for one in found.targets]

    assert meant("alpha") == [("mybox/alpha", "alpha")]
    assert meant("org/Whatever-7B:v2") == [("mybox/*", "org/Whatever-7B:v2")]
    assert made.catch_all["mybox"][0].offer.price.known is False


def test_a_routes_health_falls_back_to_the_providers_before_the_documents() -> None:
    made = snapshot("""
        health: {cooldown_s: 90}
        providers:
          mybox: {dialect: openai, base_url: "http://127.0.0.1:1", health: {cooldown_s: 2}}
          other: {dialect: openai, base_url: "http://127.0.0.1:2"}
        models:
          quick: {targets: [mybox/a, other/a], health: {failures: 3}}
        """)
    quick = made.routes["quick"]
    assert quick.provider_health == {"mybox": HealthPolicy(failures=3, cooldown_s=2)}
    assert quick.health == HealthPolicy(failures=3, cooldown_s=90)


@pytest.mark.parametrize("off", ["off", "false", '"off"', "{budget: 0%}"])
def test_hedges_can_be_switched_off_below_where_they_are_on(off: str) -> None:
    made = snapshot(f"""
        hedge: {{after: 0.5, budget: 2.5%}}
        providers:
          mybox: {{dialect: openai, base_url: "http://127.0.0.1:1"}}
        models:
          on: {{targets: [mybox/a]}}
          out: {{targets: [mybox/a], hedge: {off}}}
        """)
    assert made.open_pins["mybox"][0].upstream.hedge == HedgePolicy(after="0.5", budget=0.025)
    assert made.routes["on"].hedge is None
    hedge = made.routes["out"].hedge
    assert hedge is not None
    assert hedge.budget == 0
