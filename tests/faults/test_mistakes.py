"""A client's mistake is the client's own, whatever words of it the provider repeats: it takes nothing from others."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.types.fault import Fault, FaultClass, Scope
from headgate.upstream.faults import classify

F = FaultClass
WRONG = "invalid_request_error"


def openai(message: str, code: str | None = None, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": WRONG, "param": param, "code": code}}


def google(message: str) -> dict[str, Any]:
    return {"error": {"code": 400, "message": message, "status": "INVALID_ARGUMENT"}}


def anthropic(message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": WRONG, "message": message}}


def pydantic(message: str, kind: str, *loc: str | int) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", *loc], "msg": message, "type": kind}]}


def vllm(message: str) -> dict[str, Any]:
    return {"object": "error", "message": message, "type": "BadRequestError", "param": None, "code": 400}


ROLES = "Supported values are: 'system', 'assistant', 'user'."
MISTAKES: list[tuple[int, Any]] = [
    (400, openai(f"Invalid value: 'x' enable billing 'y'. {ROLES}", "invalid_value", "messages[0].role")),
    (400, openai(f"Invalid value: 'x' incorrect api key 'y'. {ROLES}", "invalid_value", "messages[0].role")),
    (400, openai("Invalid value: 'a' no such model 'b'.", "invalid_value", "tool_choice")),
    (400, openai("Invalid value: 'a' no such model 'b'.")),
    (400, openai("Invalid value: 'it\\'s enable billing'. Supported values are: 'a'.")),
    (400, openai("“enable billing” is not a valid role")),
    (400, openai("‘x’ incorrect api key ‘y’ is not a role")),
    (400, openai("Unknown field rôle’s enable billing")),
    (400, openai("invalid role: enable billing")),
    (400, openai("value is not a valid enumeration member; permitted: user (given=enable billing)")),
    (400, openai("Invalid tool schema: property billing account must be string")),
    (400, openai("Invalid schema for function 'check_balance': insufficient funds is not a valid type")),
    (400, openai("insufficient funds is not a valid type")),
    (400, openai("Insufficient balance", "invalid_value", "messages[0].name")),
    (400, openai("Your credit balance is too low to access the API is not a valid role")),
    (400, openai("Invalid API token type for field logit_bias")),
    (400, openai("Invalid api key format in tool x")),
    (400, openai("json_schema: unknown model type")),
    (400, openai("Unknown model type")),
    (400, openai("Tool choice model does not exist in tools")),
    (400, openai("file_id for model: abc not found")),
    (400, openai("Invalid 'messages[0].content': invalid model.")),
    (400, openai("Failed to download image: 404 model not found at url")),
    (400, openai("Error fetching image https://x.test/y.png: rate limit reached by host")),
    (400, openai("Unable to fetch image: too many requests")),
    (400, openai("JSON schema invalid at $.properties.key limit exceeded")),
    (400, openai("Tool schema error: field credits exhausted missing")),
    (400, openai("user says: my account is in good standing - invalid value")),
    (404, openai("No tool output found for 'insufficient credits'.", None, "previous_response_id")),
    (404, openai("File for the image not found.", "invalid_value", "messages[0].content")),
    (400, google("Please use a valid role: user, model.")),
    (400, google("Invalid value at 'contents[0].role' (TYPE_STRING), api key not valid")),
    (400, google("Unable to process input image. API key not valid in its metadata")),
    (400, google("The billing account field of function_declarations[0] should be a STRING")),
    (400, google("* GenerateContentRequest.tools[0].name: enable billing is no name")),
    (400, anthropic("messages.0.content.0.type: Input tag 'x' incorrect api key 'y' found using 'type'")),
    (
        400,
        anthropic(
            "messages.1: tool_use ids insufficient_balance without tool_result blocks: credit balance is too low"
        ),
    ),
    (400, anthropic("tools.0.custom.name: your credit balance is too low to be a name")),
    (400, anthropic("max_tokens: 0 reached your specified API usage limits")),
    (422, pydantic("Input should be a valid string", "string_type", "enable billing")),
    (422, pydantic("Insufficient balance", "value_error", "messages", 0)),
    (422, pydantic("API key expired", "literal_error", "messages", 0, "role")),
    (422, {"detail": [{"loc": ["body"], "msg": "Model not found", "type": "value_error"}]}),
    (400, vllm("[{'type': 'literal_error', 'loc': ('body', 'role'), 'input': 'x' no such model 'y'}]")),
    (400, vllm("Unknown role: insufficient quota, exceeded your current quota")),
    (400, vllm("Unexpected message role: run out of credits")),
    (403, openai("Prompt holds 'incorrect api key'.", "invalid_value", "messages")),
    (400, {"error": "invalid option given: overdue account"}),
    (400, {"message": "tools[0]: requires more credits"}),
]


@pytest.mark.parametrize(("status", "body"), MISTAKES)
def test_a_mistake_is_nobody_elses(status: int, body: Any) -> None:
    fault = judged(status, body)
    assert fault.kind in (F.BAD_REQUEST, F.UNSUPPORTED)
    assert fault.scope is Scope.DEPLOYMENT


def judged(status: int, body: Any) -> Fault:
    return classify(status, {"content-type": "application/json"}, json.dumps(body).encode(), [])


TRIGGERS = """
Your credit balance is too low to access the API
Insufficient balance
You exceeded your current quota, please check your plan and billing details.
Please enable billing on your project.
The billing account for the owning project is disabled
You have run out of credits
Key limit exceeded
Incorrect API key provided: x
Invalid API key
API key not valid. Please pass a valid API key.
This organization has been disabled.
model not found
Unknown model x
The model x does not exist
x is not a valid model ID
Model Not Exist
too many tokens, please wait
Rate limit reached
overloaded
""".strip().splitlines()
QUOTES = ["", "'", '"', "`", "“", "”", "‘", "’", "\\'", " ", ". ", "\n", "x", "' ", " '"]
CLIENTS = st.lists(st.sampled_from(TRIGGERS) | st.sampled_from(QUOTES) | st.text(max_size=5), max_size=6).map("".join)
ECHOES = [
    "{}",
    "Invalid value: {}.",
    "Invalid value: '{}'. Supported values are: 'a' and 'b'.",
    'Invalid value: "{}".',
    "The field `{}` is not one.",
    "“{}” is not a valid role",
    "{} is not one of 'a', 'b'",
    "messages.0: ‘{}’ unexpected",
    "(given={})",
]
PARKS = {F.QUOTA_EXHAUSTED, F.BAD_CREDENTIAL, F.MODEL_NOT_FOUND}


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.sampled_from(ECHOES), CLIENTS, st.sampled_from([400, 404, 422]))
def test_no_words_of_a_client_in_a_field_that_is_wrong_take_anything_from_others(
    echo: str, text: str, status: int
) -> None:
    fault = judged(status, openai(echo.format(text), "invalid_value", "messages[0].role"))
    assert fault.kind not in PARKS


QUOTED = [echo for echo in ECHOES if any(f"{quote}{{}}" in echo for quote in "'\"`“‘")]


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.sampled_from(QUOTED), CLIENTS, st.sampled_from([400, 422]))
def test_no_words_of_a_client_in_quotes_take_anything_from_others_even_without_a_code(
    echo: str, text: str, status: int
) -> None:
    assert judged(status, openai(echo.format(text))).kind not in PARKS
