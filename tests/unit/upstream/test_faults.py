"""Error replies in every provider's shape, and the class each of them is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.providers.sandbox.refusals import REFUSALS
from headgate.types.fault import CLIENT_FACE, Fault, FaultClass, Scope
from headgate.types.secret import Secret
from headgate.upstream.fault_bodies import MAX_MESSAGE, MAX_TEXT, parse_error
from headgate.upstream.faults import MAX_WORD, classify
from tests.unit.upstream.error_bodies import BODIES, RETRY, google, openai

F = FaultClass
SECRET = Secret("sk-proj-4f9Kx2LqPz81mNvB")


def encoded(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.mark.parametrize("name", BODIES)
def test_an_error_is_of_the_class_its_body_and_status_mean(name: str) -> None:
    status, body, kind = BODIES[name]
    fault = classify(status, {}, encoded(body), [SECRET])
    assert (fault.kind, fault.status) == (kind, status)
    assert fault.message.strip()


EXPECTED = {
    "429": F.RATE_LIMITED,
    "quota": F.QUOTA_EXHAUSTED,
    "400": F.BAD_REQUEST,
    "401": F.BAD_CREDENTIAL,
    "402": F.QUOTA_EXHAUSTED,
    "403": F.BAD_CREDENTIAL,
    "404": F.MODEL_NOT_FOUND,
    "413": F.BAD_REQUEST,
    "500": F.SERVER_ERROR,
    "502": F.SERVER_ERROR,
    "503": F.OVERLOADED,
    "overloaded": F.OVERLOADED,
    "context": F.CONTEXT_TOO_LONG,
    "html": F.SERVER_ERROR,
    "redirect": F.SERVER_ERROR,
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_the_sandbox_rehearses_is_classified_as_what_it_stands_for(name: str) -> None:
    script = REFUSALS[name].script
    body = b"".join(step.data for step in script.steps)
    assert classify(script.status, dict(script.headers), body, []).kind is EXPECTED[name]


@pytest.mark.parametrize(
    ("body", "message", "param", "code"),
    [
        (openai("m", "t", "c", "p"), "m", "p", "c"),
        (openai("m", "t", 5, ["p"]), "m", None, None),
        ({"error": "m"}, "m", None, None),
        ({"error": "Bad Request", "message": "m"}, "m", None, None),
        ({"code": "prose", "error": "m"}, "m", None, None),
        ({"object": "error", "message": "m", "type": "t", "param": "p", "code": "c"}, "m", "p", "c"),
        ({"detail": "m"}, "m", None, None),
        ({"detail": {"error": "m"}}, "m", None, None),
        ({"detail": {"error": {"message": "m", "code": "c"}}}, "m", None, "c"),
        ({"detail": {"message": "m"}}, "m", None, None),
        ({"detail": [{"loc": ["body", "a", 0], "msg": "m"}, {"loc": 5, "msg": "n"}, 7]}, "a.0: m; n", "a.0", None),
        ({"errors": [{"code": 1, "message": "m"}], "success": False}, "m", None, None),
        ([{"error": {"message": "m"}}], "m", None, None),
        ({"message": "m"}, "m", None, None),
        ("m", "m", None, None),
        ({"error": {"message": ["m"]}}, "", None, None),
        ({"error": "m", "message": {"secret": 1}}, "m", None, None),
        ({"error": {"details": 5}}, "", None, None),
        ({"error": {"message": "m", "details": [{"violations": 5}]}}, "m", None, None),
        ({"error": {"message": "m", "details": [{"violations": [{"quotaId": [[]]}]}]}}, "m", None, None),
        ({"detail": [{"loc": 5}]}, "", None, None),
        ({"detail": [{"loc": ["a", {"b": 1}], "msg": {"c": 1}}]}, "a: ", "a", None),
        ({}, "", None, None),
        ([], "", None, None),
        (7, "", None, None),
        (None, "", None, None),
    ],
)
def test_a_body_of_any_shape_is_brought_to_one(body: Any, message: str, param: str | None, code: str | None) -> None:
    error = parse_error(json.dumps(body).encode())
    assert (error.message, error.param, error.code) == (message, param, code)


def test_parameter_and_code_are_the_clients_business_only_when_the_request_was_wrong() -> None:
    body = encoded(openai("Bad.", "invalid_request_error", "odd_value", "messages"))
    wrong, failed = classify(400, {}, body, []), classify(500, {}, body, [])
    assert (wrong.param, wrong.code) == ("messages", "odd_value")
    assert (failed.param, failed.code) == (None, None)


@pytest.mark.parametrize(
    ("status", "headers", "details", "seconds"),
    [
        (429, {"retry-after": "7"}, [], 7.0),
        (503, {"retry-after": "7"}, [], 7.0),
        (429, {"retry-after-ms": "500"}, [RETRY], 0.5),
        (429, {}, [RETRY], 14.0),
        (429, {}, [{"retryDelay": 14}, "x", None], None),
        (429, {}, [], None),
        (200, {"retry-after": "30"}, [], None),
    ],
)
def test_how_long_a_provider_asks_to_be_left_alone(
    status: int, headers: dict[str, str], details: list[Any], seconds: float | None
) -> None:
    body = encoded(google(429, "RESOURCE_EXHAUSTED", "Slow.", *details))
    assert classify(status, headers, body, []).retry_after_s == seconds


def test_a_limit_of_no_requests_at_all_is_no_rate_limit() -> None:
    body = encoded({"object": "error", "message": "Rate limit exceeded"})
    assert classify(429, {"x-ratelimit-limit-req-minute": "0"}, body, []).kind is F.QUOTA_EXHAUSTED
    assert classify(429, {"x-ratelimit-limit-req-minute": "60"}, body, []).kind is F.RATE_LIMITED


def test_a_redirect_is_named_and_a_refused_credential_is_the_operators_business() -> None:
    assert "redirect (307)" in classify(307, {"location": "http://x.test"}, b"", []).message
    assert "its operator" in classify(401, {}, b"", []).message


def test_a_long_explanation_is_cut() -> None:
    assert len(classify(400, {}, encoded(openai("x" * 100_000)), []).message) < MAX_MESSAGE + 100


@pytest.mark.parametrize("placeholder", ["x", "none", "EMPTY", "ollama"])
def test_a_placeholder_for_a_credential_does_not_garble_the_explanation(placeholder: str) -> None:
    text = f"the maximum for {placeholder} is exceeded, none of it"
    assert text in classify(400, {}, encoded(openai(text)), [Secret(placeholder)]).message


@pytest.mark.parametrize(
    "key",
    [
        "sk-proj-abcdefghijklmnop",
        "sk-ant-api03-abcdefghijkl",
        "gsk_abcdefghijklmnop",
        "xai-abcdefghijklmnop",
        "hf_abcdefghijklmnop",
        "nvapi-abcdefghijklmnop",
        "AIza-abcdefghijklmnop",
        "AIzaSyA1234567890abcdefghijklmnopqrstuvw",
        "sk-or-v1-0123456789abcdef",
        "sk-proj-****mnop",
        "Bearer eyJhbGciOi.x.y",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0",
        "AKIAIOSFODNN7EXAMPLE",
        "ASIAIOSFODNN7EXAMPLE",
        "tgp_v1_abcdefghijklmnop",
        "tgp_v1_abcd****",
    ],
)
def test_what_looks_like_a_credential_is_never_passed_on(key: str) -> None:
    """Providers quote the key they refuse; it need not be one we know."""
    message = classify(401, {}, encoded(openai(f"Incorrect API key provided: {key}. See x.")), []).message
    assert key not in message
    assert key.split(" ")[-1] not in message


@pytest.mark.parametrize(
    "text",
    [
        "the keyJunction.name.other field of eyJ.x.y",
        "AKIA is no key, nor is AKIAIOSFODNN7EXAMPLEMORETHANTHAT",
        "a token begins with tgp_v1_",
        "llama-3.1-8b-instruct.q4_k_m.gguf and accounts/fireworks/models/glm-4p6",
        "chatcmpl-9ad5f6e5-c95f-905a-8c49-cea387148724",
        "req_011CZLrUfBVkVHn5T6EqQaf7",
    ],
)
def test_words_and_ids_are_no_credentials(text: str) -> None:
    assert classify(400, {}, encoded(openai(text)), [SECRET]).message == text


@pytest.mark.parametrize("around", ["{}", "user:{}", "{}:", "{}x", "{}xy"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("text", ["sk-proj-4f9Kx2LqPz81mNvB", "pass>>word??12", "pass>>word??123", "pass>>word??1234"])
def test_a_credential_in_base64_is_never_passed_on(text: str, encode: Callable[[bytes], bytes], around: str) -> None:
    code = encode(around.format(text).encode()).decode()
    message = classify(401, {}, encoded(openai(f"Refused: Basic {code}. See x.")), [Secret(text)]).message
    assert "Refused: Basic [redacted]. See x." in message


FIELDS = """
    error errors detail details message msg loc type code param status reason innererror metadata reasons violations
    quotaId retryDelay
"""
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**6), 10**6) | st.text(max_size=8) | st.just(SECRET.reveal()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS.split()), inner, max_size=5),
    max_leaves=12,
)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(VALUES, st.sampled_from([200, 204, 302, 400, 401, 403, 404, 413, 422, 429, 498, 500, 503, 529, 999]))
def test_any_json_is_classified_and_the_credential_never_survives(value: Any, status: int) -> None:
    fault = classify(status, {}, encoded(value), [SECRET])
    assert fault.kind in CLIENT_FACE
    for said in (fault.message, fault.param or "", fault.code or "", str(fault)):
        assert SECRET.reveal() not in said


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(list(BODIES)), st.integers(0, 400), st.booleans())
def test_a_credential_put_anywhere_into_a_real_body_never_survives(name: str, at: int, escaped: bool) -> None:
    status, body, _ = BODIES[name]
    wire, secret = encoded(body), SECRET.reveal()
    text = "".join(f"\\u{ord(char):04x}" for char in secret) if escaped else secret
    fault = classify(status, {}, wire[:at] + text.encode() + wire[at:], [SECRET])
    for said in (fault.message, fault.param or "", fault.code or "", repr(fault)):
        assert secret not in said


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.binary(max_size=60), st.integers(100, 999))
def test_any_bytes_are_classified(body: bytes, status: int) -> None:
    assert classify(status, {}, body, [SECRET]).kind in CLIENT_FACE


HEADER = Secret("tenant-4711-abcdef")
PASSWORD = Secret("hunter22hunter22")
LONGER = Secret("hunter22hunter22-and-more")


@pytest.mark.parametrize("secret", [SECRET, HEADER, PASSWORD, LONGER])
@pytest.mark.parametrize("status", [200, 400, 422, 401, 500])
def test_no_secret_of_the_upstream_survives_in_message_param_or_code(secret: Secret, status: int) -> None:
    text = secret.reveal()
    body = openai(f"no {text} here", "invalid_request_error", f"code {text} x", f"param {text} x")
    fault = classify(status, {}, encoded(body), [SECRET, HEADER, PASSWORD, LONGER])
    assert "[redacted] here" in fault.message
    for said in (fault.message, fault.param or "", fault.code or "", repr(fault)):
        assert text not in said
        assert "and-more" not in said


def test_parameter_and_code_are_cut_after_they_were_redacted() -> None:
    filler = "x" * (MAX_WORD - 5)
    body = openai("Bad.", "invalid_request_error", filler + HEADER.reveal(), "p" * 10_000)
    fault = classify(400, {}, encoded(body), [HEADER])
    assert (fault.param, fault.code) == ("p" * MAX_WORD, filler + "[reda")


TEXT = {"content-type": "text/plain; charset=utf-8"}


@pytest.mark.parametrize(
    ("headers", "body", "words"),
    [
        (TEXT, b"the field n is too big", "the field n is too big"),
        ({}, b"the field n is too big", "the field n is too big"),
        (TEXT, b"\xef\xbb\xbf  one\r\n\ttwo\n", "one two"),
        (TEXT, "zu groß".encode(), "zu groß"),
        (TEXT, b"1 < 2", "1 < 2"),
        (TEXT, b"your key " + SECRET.reveal().encode() + b" is odd", "your key [redacted] is odd"),
        (TEXT, b"", "status 400 without an explanation"),
        (TEXT, b" \n ", "status 400 without an explanation"),
        (TEXT, b"<html><body>Bad Request</body></html>", "status 400 without an explanation"),
        ({}, b"Oh: <b>Bad Request</b>", "status 400 without an explanation"),
        (TEXT, b"<?xml version='1.0'?><e/>", "status 400 without an explanation"),
        (TEXT, b"\xff\xfe no text", "status 400 without an explanation"),
        (TEXT, b"\x1b[31mred", "status 400 without an explanation"),
        ({}, b'{"error": {"message": "cut of', "status 400 without an explanation"),
        ({"content-type": "text/html"}, b"too big", "status 400 without an explanation"),
        ({"content-type": "application/json"}, b"too big", "status 400 without an explanation"),
        ({"content-type": "application/octet-stream"}, b"too big", "status 400 without an explanation"),
    ],
)
def test_an_explanation_in_plain_text_is_kept_and_markup_never(
    headers: dict[str, str], body: bytes, words: str
) -> None:
    assert classify(400, headers, body, [SECRET]).message == words


def test_a_long_plain_text_is_cut_after_it_was_redacted() -> None:
    body = b"x" * (MAX_TEXT - 5) + SECRET.reveal().encode()
    assert classify(400, TEXT, body, [SECRET]).message == "x" * (MAX_TEXT - 5) + "[reda"


def test_plain_text_says_what_kind_of_failure_it_was() -> None:
    assert classify(400, TEXT, b"maximum context length is 8192 tokens", []).kind is F.CONTEXT_TOO_LONG


@pytest.mark.parametrize("code", [b"9" * 5000, b"9" * 4300, b"9" * 4000, b"-" + b"9" * 4000, b"1e999", b"-1"])
def test_a_number_of_any_length_for_a_code_is_no_trouble(code: bytes) -> None:
    for status in (200, 400):
        fault = classify(status, {}, b'{"error":{"message":"m","code":' + code + b"}}", [])
        assert fault.kind in (F.SOFT_ERROR, F.BAD_REQUEST)


def test_digits_of_other_scripts_are_no_status() -> None:
    assert classify(200, {}, encoded(openai("m", None, "٤٢٩")), []).kind is F.SOFT_ERROR
    assert classify(200, {}, encoded(openai("m", None, "429")), []).kind is F.RATE_LIMITED


ANY_VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=6) | st.sampled_from(FIELDS.split()), inner, max_size=5)
    ),
    max_leaves=20,
)
HEADERS = st.dictionaries(
    st.sampled_from(["content-type", "retry-after", "retry-after-ms", "x-ratelimit-limit-req-minute"]),
    st.sampled_from(["text/plain", "application/json", "", "Mon, 01 Jan 99999999999 00:00:00 GMT"]) | st.text(),
)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(ANY_VALUE.map(encoded) | st.binary() | st.text().map(str.encode), HEADERS, st.integers(100, 999))
def test_whatever_an_upstream_sends_there_is_one_fault_with_something_to_say(
    body: bytes, headers: dict[str, str], status: int
) -> None:
    fault = classify(status, headers, body, [SECRET, HEADER])
    assert fault.kind in CLIENT_FACE
    assert fault.message.strip()
    assert len(fault.message) <= MAX_MESSAGE + 200
    assert len(fault.param or "") <= MAX_WORD
    assert len(fault.code or "") <= MAX_WORD


@pytest.mark.parametrize("kind", FaultClass)
def test_a_health_record_belongs_to_what_a_fault_is_the_fault_of(kind: FaultClass) -> None:
    scopes = {F.QUOTA_EXHAUSTED: Scope.CREDENTIAL, F.BAD_CREDENTIAL: Scope.CREDENTIAL, F.MODEL_NOT_FOUND: Scope.OFFER}
    assert Fault(kind, "m").scope is scopes.get(kind, Scope.DEPLOYMENT)
