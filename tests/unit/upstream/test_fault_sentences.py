"""What sentences mean, and whose words are not believed."""

from __future__ import annotations

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.fault_sentences import (
    MAX_SEARCHED,
    can_never_fit,
    class_of_text,
    named_parameter,
    names_who_is_refused,
    without_quotes,
)
from headgate.upstream.faults import classify
from headgate.wire import json

F = FaultClass
WALLS = (
    "Your credit balance is too low to access the API",
    "insufficient balance",
    "You exceeded your current quota, please check your plan",
    "Please enable billing on your project",
    "invalid api key",
    "incorrect api key provided: x",
    "api key expired",
    "this organization has been disabled",
)
ECHOES = (
    "Invalid value: '{}'. Supported values are: 'a' and 'b'.",
    'Invalid value: "{}".',
    "The field `{}` is not one.",
    "{}: Extra inputs are not permitted",
    'Invalid JSON payload received. Unknown name "{}": Cannot find field.',
    "Unrecognized request argument supplied: {}",
    "property '{}' is unsupported",
)


@pytest.mark.parametrize("wall", WALLS)
@pytest.mark.parametrize("echo", ECHOES)
def test_a_client_cannot_have_a_credential_put_away_by_the_words_of_its_request(wall: str, echo: str) -> None:
    assert class_of_text(wall, 400) in (F.QUOTA_EXHAUSTED, F.BAD_CREDENTIAL)
    assert class_of_text(echo.format(wall), 400) in (None, F.UNSUPPORTED)


@pytest.mark.parametrize("wall", WALLS)
def test_the_place_of_a_fault_in_the_request_is_no_sentence_of_the_provider(wall: str) -> None:
    body = json.encode({"detail": [{"loc": ["body", wall], "msg": "Input should be a string", "type": "string_type"}]})
    fault = classify(422, {}, body, [])
    assert (fault.kind, fault.param) == (F.BAD_REQUEST, wall)
    assert wall in fault.message


@pytest.mark.parametrize(
    "apostrophe", ["It's too long: insufficient balance, isn't it", "your teams' insufficient balance"]
)
def test_an_apostrophe_quotes_nothing(apostrophe: str) -> None:
    assert class_of_text(apostrophe, 402) is F.QUOTA_EXHAUSTED


@pytest.mark.parametrize(
    ("text", "rest"),
    [
        ("a 'b' c", "a  c"),
        ("a 'b' c 'd' e", "a  e"),
        ('a "b" c "d" e', "a  e"),
        ("a `b` c `d` e", "a  e"),
        ("a “b” c “d” e", "a  e"),
        ("a ‘b’ c ‘d’ e", "a  e"),
        ("a ‘it’s b’ c", "a  c"),
        ("isn’t it", "isn’t it"),
        ("it's the teams' own", "it's the teams' own"),
        ("a 'b", "a "),
        ('a "b', "a "),
        ("a 'b' c 'd", "a "),
        ('a "b" c "d', "a "),
        ("a 'b \" c' d \"e f", "a e f"),
        ('a \'b " c\' d "e" f', "a "),
        ("a 'b" + "c" * MAX_SEARCHED + "' d", "a "),
        ("a", "a"),
        ("", ""),
    ],
)
def test_what_is_quoted_reaches_from_the_first_quote_to_the_last(text: str, rest: str) -> None:
    assert without_quotes(text) == rest


def test_a_sentence_that_something_contradicts_is_not_believed() -> None:
    assert class_of_text("Insufficient balance", 402, frozenset({F.QUOTA_EXHAUSTED})) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("key limit exceeded", F.QUOTA_EXHAUSTED),
        ("enable billing", F.QUOTA_EXHAUSTED),
        ("credits exhausted", F.QUOTA_EXHAUSTED),
    ],
)
def test_general_words_mean_something_beside_the_statuses_of_an_account_only(text: str, kind: F) -> None:
    for status in (401, 402, 403, 429):
        assert class_of_text(text, status) is kind
    for status in (200, 400, 404, 412, 422, 500, 503):
        assert class_of_text(text, status) is None


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (429, "This request has too many tokens for a minute", None),
        (400, "This request has too many tokens", F.CONTEXT_TOO_LONG),
        (500, "maximum context length", None),
        (403, "maximum context length", F.CONTEXT_TOO_LONG),
        (400, "the model is overloaded", None),
        (503, "the model is overloaded", F.OVERLOADED),
        (400, "rate limit", None),
        (403, "API rate limit exceeded", F.RATE_LIMITED),
        (500, "Unknown model x", None),
        (400, "Unknown model x", F.MODEL_NOT_FOUND),
        (401, "x does not support y", None),
        (400, "x does not support y", F.UNSUPPORTED),
        (429, "You exceeded your current quota, please check your plan", F.QUOTA_EXHAUSTED),
        (429, "You exceeded your current quota of requests per minute", None),
        (400, "The model `a/b` does not exist", F.MODEL_NOT_FOUND),
        (400, "The model a/b:c does not exist", F.MODEL_NOT_FOUND),
        (400, "The file of the model you gave, for all I know, does not exist", None),
        (400, "Invalid model response format", None),
        (400, "Too many tokens, please wait before trying again.", F.RATE_LIMITED),
        (403, "Too many tokens per day, please wait before trying again.", F.RATE_LIMITED),
        (400, "Too many tokens in the prompt. Please wait", F.CONTEXT_TOO_LONG),
        (400, "Prompt length of 5016 is longer than the maximum model length of 4096.", F.CONTEXT_TOO_LONG),
        (400, "`stop` must have less than 4 entries", None),
        (400, "input length 70 exceeds the maximum allowed length for the field user", None),
        (400, "prompt_cache_key limit exceeded", None),
        (400, "streaming is not enabled for your account", None),
        (400, "at most 5 image(s) may be provided in one prompt", None),
        (422, "unknown variant `image`, expected `text`", None),
        (400, "json_schema: unknown model type", None),
        (400, "Unknown model type", None),
        (400, "Tool choice model does not exist in tools", None),
        (403, "You have reached your limits", None),
        (400, "The balance of the request is odd", None),
        (400, "", None),
    ],
)
def test_a_sentence_means_something_only_beside_the_statuses_that_leave_it_open(
    status: int, text: str, kind: F | None
) -> None:
    assert class_of_text(text, status) is kind


def test_a_sentence_is_looked_for_at_the_beginning() -> None:
    assert class_of_text("x" * (MAX_SEARCHED - 20) + " prompt is too long", 400) is F.CONTEXT_TOO_LONG
    assert class_of_text("x" * MAX_SEARCHED + " prompt is too long", 400) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('Unknown name "store": Cannot find field.', "store"),
        ('Unknown name "a.b-c": Cannot find field.', "a.b-c"),
        ("property 'store' is unsupported", "store"),
        ("Unrecognized request argument supplied: top_k", "top_k"),
        ("Unrecognized request arguments supplied: top_k, min_p", "top_k"),
        ("logit_bias: Extra inputs are not permitted", "logit_bias"),
        ("Unsupported parameter: 'max_tokens' is not supported with this model.", "max_tokens"),
        ("two words: Extra inputs are not permitted", None),
        ("x does not support y", None),
    ],
)
def test_a_sentence_about_an_unsupported_parameter_names_it(text: str, name: str | None) -> None:
    assert named_parameter(text) == name


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("Request too large on tokens per minute (TPM): Limit 600, Requested 900", True),
        ("Request too large on tokens per min (TPM): Limit 30,000, Requested 45,000.", True),
        ("Rate limit reached on tokens per day (TPD): Limit 600, Used 5, Requested 601.", True),
        ("Rate limit reached on tokens per day (TPD): Limit 600, Used 599, Requested 600.", False),
        ("Request too large on tokens per minute (TPM): Limit 600, Requested 600", False),
        ("Rate limit reached on requests per minute (RPM): Limit 1, Requested 2", False),
        ("Limit, Requested", False),
        ("", False),
    ],
)
def test_what_is_larger_than_a_whole_share_can_never_fit(text: str, never: bool) -> None:
    assert can_never_fit(text) is never


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Your API key may not do that", True),
        ("You are not authorized", True),
        ("permission_error", True),
        ("Your account is closed", True),
        ("Country not supported", True),
        ("No such user", True),
        ("Forbidden", False),
        ("Access denied", False),
        ("Request blocked by a rule: monkeys", False),
        ("", False),
    ],
)
def test_a_refusal_names_who_is_refused_or_nobody(text: str, names: bool) -> None:
    assert names_who_is_refused(text) is names
