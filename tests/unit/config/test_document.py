"""One case for each kind of value that is refused: path, line, and the way out."""

from __future__ import annotations

import pytest

from tests.unit.config.loading import MYBOX, load, problems

A_PERCENTAGE = "must be a share of requests such as 5%, at most 100%"
BOX = "providers:\n  mybox:\n    dialect: openai\n    base_url: http://127.0.0.1:1/v1\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("servr: {}", "1: servr: unknown key; did you mean server?"),
        ("port: 1", "1: port: unknown key; port belongs under server"),
        ("api_key: x", "1: api_key: unknown key; api_key belongs under providers"),
        ("server: {models: 1}", "1: server.models: unknown key; models belongs under keys"),
        ("server: {zzz: 1}", "1: server.zzz: unknown key; known here: host, port, max_body_mb, body_timeout_s"),
        ("server:\n  port: 65536", "2: server.port: must be at most 65535, not 65536"),
        ("server:\n  port: -1", "2: server.port: must be at least 0, not -1"),
        ("server:\n  port: true", "2: server.port: must be a number, not true"),
        ("server:\n  port: 80.5", "2: server.port: must be a whole number, not 80.5"),
        ("server:\n  port: [1]", "2: server.port: must be a whole number"),
        ("server:\n  host: ''", "2: server.host: must be an address such as 127.0.0.1, or a host name"),
        ("server:\n  host: 1", "2: server.host: must be text; put it in quotes"),
        ("server:\n  host: 127.0.0", "2: server.host: must be an address such as 127.0.0.1, or a host name"),
        ("server:\n  max_body_mb: 0", "2: server.max_body_mb: must be at least 1, not 0"),
        ("server: 5", "1: server: must be a mapping of settings"),
        ("keys: {a: b}", "1: keys: must be a list"),
        ("providers: [a]", "1: providers: must be a mapping of names to settings"),
        ("store: mysql://x/y", "1: store: must be sqlite:///FILE or postgresql://user@host/database"),
        ("shared: redis", "1: shared: must be memory, or redis://host:6379/0"),
        ("retries: 11", "1: retries: must be at most 10, not 11"),
        ("timeouts:\n  gap_s: 0", "2: timeouts.gap_s: must be more than 0 and at most 86,400 seconds"),
        ("timeouts:\n  gap_s: 86401", "2: timeouts.gap_s: must be more than 0 and at most 86,400 seconds"),
        ("timeouts:\n  gap_s: .nan", "2: timeouts.gap_s: must be more than 0 and at most 86,400 seconds"),
        ("timeouts:\n  gaps_s: 5", "2: timeouts.gaps_s: unknown key; did you mean gap_s?"),
        ("health: {failures: 0}", "1: health.failures: must be at least 1, not 0"),
        ("hold: ful", "1: hold: must be one of first, full, not 'ful'; did you mean full?"),
        ("hedge: {after: p0}", "1: hedge.after: must be a percentile such as p95, or seconds"),
        ("hedge: {budget: 101%}", f"1: hedge.budget: {A_PERCENTAGE}"),
        ("hedge: {budget: 5}", f"1: hedge.budget: {A_PERCENTAGE}"),
        ("hedge: {budget: nan%}", f"1: hedge.budget: {A_PERCENTAGE}"),
        (
            "keys:\n- name: a",
            "2: keys[0].secret: is missing (The key itself, 20 characters or more; only its hash is kept",
        ),
        (
            "keys:\n- {name: a, secret: short}",
            "2: keys[0].secret: is shorter than 20 characters, so it could be guessed",
        ),
        ("keys:\n- {name: a, secret: 12345678901234567890}", "2: keys[0].secret: must be text; put it in quotes"),
        ("keys:\n- {name: a, secret: 'two words of twenty c'}", "2: keys[0].secret: holds a space, a line break or"),
        ("keys:\n- {name: '', secret: aaaaaaaaaaaaaaaaaaaa}", "2: keys[0].name: is empty"),
        ("keys:\n- {name: a, secret: aaaaaaaaaaaaaaaaaaaa, models: []}", "2: keys[0].models: must not be empty"),
        (
            "keys:\n- {name: a, secret: aaaaaaaaaaaaaaaaaaaa, limits: {rpm: 0}}",
            "2: keys[0].limits.rpm: must be at least",
        ),
        (
            "keys:\n- {name: a, secret: aaaaaaaaaaaaaaaaaaaa, budget: {usd: 1.5, per: day}}",
            '2: keys[0].budget.usd: must be exact: write it as text, in quotes: "1.5"',
        ),
        (
            "keys:\n- {name: a, secret: aaaaaaaaaaaaaaaaaaaa, budget: {usd: '1', per: dya}}",
            "2: keys[0].budget.per: must be one of day, week, month, total, not 'dya'; did you mean day?",
        ),
        ("models: {a: {}}", "1: models.a.targets: is missing"),
        ("models: {a: {targets: []}}", "1: models.a.targets: must not be empty"),
        ("models: {a: {targets: [1]}}", "1: models.a.targets[0]: must be text; put it in quotes"),
        ("models: {a: {targets: ['x/*/*']}}", "1: models.a.targets[0]: holds more than one *"),
        (
            "models: {a: {targets: [x], policy: chepest}}",
            "1: models.a.policy: must be one of cheapest, fastest, balanced",
        ),
        (f"{BOX}    api_key: 5", "5: providers.mybox.api_key: must be text; put it in quotes"),
        (f"{BOX}    api_key: ''", "5: providers.mybox.api_key: is empty"),
        (f"{BOX}    api_key: a b", "5: providers.mybox.api_key: holds a space"),
        (f"{BOX}    proxy: socks5://h:1", "5: providers.mybox.proxy: must be http://[user:password@]host:port; other"),
        (f"{BOX}    proxy: http://h", "5: providers.mybox.proxy: must name a host and a port"),
        (f"{BOX}    proxy: http://h:1/x", "5: providers.mybox.proxy: must end after the port"),
        (f"{BOX}    headers: {{a: 1}}", "5: providers.mybox.headers.a: must be text; put it in quotes"),
        (f'{BOX}    headers: {{a: "x\\r\\ny: z"}}', "5: providers.mybox.headers.a: holds a line break"),
        (f"{BOX}    auth_header: 'a: b'", "5: providers.mybox.auth_header: must be a header name, or"),
        (f"{BOX}    auth_header: host", "5: providers.mybox.auth_header: must be a header name, or"),
        (f"{BOX}    credentials: []", "5: providers.mybox.credentials: must not be empty"),
        (f"{BOX}    credentials: [{{name: a}}]", "5: providers.mybox.credentials[0].api_key: is missing"),
        (
            f"{BOX}    credentials: [{{name: a, api_key: b, weight: 0}}]",
            "5: providers.mybox.credentials[0].weight: must be more than 0",
        ),
        (f"{BOX}    models: [{{model: x}}]", "5: providers.mybox.models[0].id: is missing"),
        (f"{BOX}    models:\n    - {{ide: x}}", "6: providers.mybox.models[0].ide: unknown key; did you mean id?"),
        (
            f"{BOX}    models: [{{id: a, kind: chatt}}]",
            "5: providers.mybox.models[0].kind: must be one of chat, completion",
        ),
        (
            f"{BOX}    models: [{{id: a, capabilities: [tool]}}]",
            "5: providers.mybox.models[0].capabilities[0]: must be one of",
        ),
        (
            f"{BOX}    models: [{{id: a, context_tokens: 0}}]",
            "5: providers.mybox.models[0].context_tokens: must be at least",
        ),
    ],
)
def test_a_bad_value_is_told_with_its_line_its_path_and_the_way_out(text: str, expected: str) -> None:
    found = problems(text)
    assert any(line.startswith(f"headgate.yaml:{expected}") for line in found), found


@pytest.mark.parametrize(
    ("price", "message"),
    [
        ("0.1", 'must be exact: write it as text, in quotes: "0.1"'),
        ("1e-7", 'must be exact: write it as text, in quotes: "0.0000001"'),
        ("'-1'", 'must be an amount in US dollars as text, such as "0.15"'),
        ("'1e3'", 'must be an amount in US dollars as text, such as "0.15"'),
        ("cheap", 'must be an amount in US dollars as text, such as "0.15"'),
        ("true", 'must be an amount in US dollars as text, such as "0.15"'),
        ("'0.0000000000001'", "is finer than a pico-dollar (twelve decimals)"),
        ("'1000001'", "is more than 1,000,000 US dollars"),
    ],
)
def test_a_price_that_is_not_exact_text_is_refused(price: str, message: str) -> None:
    text = f"{BOX}    models:\n    - id: a\n      input_usd_per_mtok: {price}"
    assert problems(text) == [f"headgate.yaml:7: providers.mybox.models[0].input_usd_per_mtok: {message}"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("ftp://h/v1", "must begin with https:// or http://"),
        ("https:///v1", "names no host"),
        ("https://user:pw@h/v1", "must not hold a user or a password; credentials go under api_key"),
        ("https://h/v1?a=b", "must not hold a '?' or a '#'; parameters go to the provider with each request"),
        ("https://h/v1#x", "must not hold a '?' or a '#'; parameters go to the provider with each request"),
        ("https://h:99999/v1", "this URL has a host or a port that cannot be read"),
        ("https://[::1/v1", "this URL has a host or a port that cannot be read"),
        ("https://h:0/v1", "this URL names port 0"),
        ("https://a..b/v1", "names a host that cannot be: each part between its dots has 1 to 63 characters"),
        (
            f"https://{'x' * 64}.test/v1",
            "names a host that cannot be: each part between its dots has 1 to 63 characters",
        ),
        ("https://h /v1", "this URL holds a space or a character beyond ASCII"),
    ],
)
def test_an_address_that_cannot_be_called_is_refused_without_being_repeated(url: str, message: str) -> None:
    text = f"providers:\n  mybox:\n    dialect: openai\n    base_url: '{url}'"
    (found,) = problems(text)
    assert found == f"headgate.yaml:4: providers.mybox.base_url: {message}"


def test_values_left_empty_count_as_not_written() -> None:
    document = load(f"server: {{port: }}\nkeys:\n{MYBOX}timeouts:\n").document
    assert (document.server.port, document.keys, document.timeouts) == (8080, [], None)


def test_an_unknown_key_is_found_even_when_its_value_is_empty() -> None:
    assert problems("servr:") == ["headgate.yaml:1: servr: unknown key; did you mean server?"]


def test_whole_prices_may_stand_without_quotes() -> None:
    models = load(f"{BOX}    models: [{{id: a, input_usd_per_mtok: 0}}]").document.providers["mybox"].models
    assert models[0].input_usd_per_mtok == 0


def test_space_around_a_secret_is_dropped() -> None:
    document = load(f"{BOX}    api_key: ${{X}}", {"X": "abc\n"}).document
    key = document.providers["mybox"].api_key
    assert key is not None
    assert key.reveal() == "abc"


def test_no_problem_repeats_a_secret() -> None:
    text = f"{BOX}    api_key: 'hush hush'\n    proxy: ftp://user:hush@h:1\nkeys: [{{name: a, secret: hush}}]"
    found = problems(text)
    assert len(found) == 3
    assert not any("hush" in line for line in found)
