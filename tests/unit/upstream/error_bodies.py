"""Error bodies as providers send them, with their status and the class each of them is."""

from __future__ import annotations

from typing import Any

from headgate.types.fault import FaultClass

F = FaultClass


def openai(message: str, type: str | None = None, code: Any = None, param: Any = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def google(code: int, status: str, message: str, *details: Any) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "status": status, "details": list(details)}}


def anthropic(type: str, message: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": type, "message": message}, "request_id": "req_1"}


PER_DAY = {"violations": [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}
PER_MINUTE = {"violations": [{"quotaId": "GenerateContentInputTokensPerModelPerMinute"}]}
QUOTA_WORDS = "You exceeded your current quota, please check your plan and billing details."
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "14s"}
FILTERED = {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {"hate": {"filtered": True}}}

BODIES: dict[str, tuple[int, Any, FaultClass]] = {
    # Quota and billing
    "openai, no credit": (429, openai("No credit.", "insufficient_quota", "insufficient_quota"), F.QUOTA_EXHAUSTED),
    "openai, hard limit": (429, openai("Hard limit.", "x", "billing_hard_limit_reached"), F.QUOTA_EXHAUSTED),
    "openai, limit of the project": (429, openai("Spent.", None, "project_spend_limit_exceeded"), F.QUOTA_EXHAUSTED),
    "openai, in words only": (429, openai(QUOTA_WORDS), F.QUOTA_EXHAUSTED),
    "deepseek": (402, openai("Insufficient Balance", "unknown_error", "invalid_request_error"), F.QUOTA_EXHAUSTED),
    "openrouter": (402, {"error": {"code": 402, "message": "Add credits"}, "user_id": "u"}, F.QUOTA_EXHAUSTED),
    "hugging face": (402, {"error": "You have spent your included credits."}, F.QUOTA_EXHAUSTED),
    "anthropic, prepaid": (
        400,
        anthropic("invalid_request_error", "Your credit balance is too low to use the API."),
        F.QUOTA_EXHAUSTED,
    ),
    "anthropic, billing": (402, anthropic("billing_error", "Pay."), F.QUOTA_EXHAUSTED),
    "google, a day": (429, google(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, PER_DAY), F.QUOTA_EXHAUSTED),
    "google, no billing": (
        400,
        google(400, "FAILED_PRECONDITION", "Please enable billing on the project."),
        F.QUOTA_EXHAUSTED,
    ),
    "moonshot": (429, openai("No money.", "exceeded_current_quota_error"), F.QUOTA_EXHAUSTED),
    "z.ai, no balance": (429, {"error": {"code": "1113", "message": "Recharge, please."}}, F.QUOTA_EXHAUSTED),
    "z.ai, plan used up": (429, {"error": {"code": 1308, "message": "Plan used up."}}, F.QUOTA_EXHAUSTED),
    "novita": (403, {"code": 403, "reason": "NOT_ENOUGH_BALANCE", "message": "No."}, F.QUOTA_EXHAUSTED),
    "fireworks, suspended": (412, {"error": {"message": "Account suspended.", "object": "error"}}, F.QUOTA_EXHAUSTED),
    "perplexity": (401, openai("No.", "insufficient_quota", 401), F.QUOTA_EXHAUSTED),
    # Rate limits
    "openai": (429, openai("Slow down.", "requests", "rate_limit_exceeded"), F.RATE_LIMITED),
    "mistral": (429, {"object": "error", "message": "Service tier capacity exceeded", "code": "3505"}, F.RATE_LIMITED),
    "google, a minute": (429, google(429, "RESOURCE_EXHAUSTED", QUOTA_WORDS, PER_MINUTE, RETRY), F.RATE_LIMITED),
    "google, in a list": (429, [google(429, "RESOURCE_EXHAUSTED", "Slow down.", PER_MINUTE)], F.RATE_LIMITED),
    "google, behind a gateway": (500, google(429, "RESOURCE_EXHAUSTED", "Slow down."), F.RATE_LIMITED),
    "anthropic, too fast": (429, anthropic("rate_limit_error", "Too fast."), F.RATE_LIMITED),
    "bedrock": (429, {"message": "Too many tokens, please wait before trying again."}, F.RATE_LIMITED),
    "github": (429, openai("Rate limit of 50 per 86400s exceeded.", None, "RateLimitReached"), F.RATE_LIMITED),
    "groq, too large for a minute": (413, openai("Limit 6000.", "tokens", "rate_limit_exceeded"), F.RATE_LIMITED),
    "cerebras, flat": (429, {"message": "Tokens.", "type": "x", "param": "q", "code": "too_many"}, F.RATE_LIMITED),
    "cloudflare": (
        429,
        {"success": False, "errors": [{"code": 3049, "message": "No."}], "result": None},
        F.RATE_LIMITED,
    ),
    "an empty body": (429, b"", F.RATE_LIMITED),
    # Overload
    "anthropic, overloaded": (529, anthropic("overloaded_error", "Overloaded"), F.OVERLOADED),
    "anthropic, overloaded in a stream": (200, anthropic("overloaded_error", "Overloaded"), F.OVERLOADED),
    "google, overloaded": (503, google(503, "UNAVAILABLE", "The model is overloaded."), F.OVERLOADED),
    "together": (503, openai("Engine Overloaded", "service_unavailable"), F.OVERLOADED),
    "moonshot, overloaded": (429, openai("Busy.", "engine_overloaded_error"), F.OVERLOADED),
    "tgi": (429, {"error": "Model is overloaded", "error_type": "overloaded"}, F.OVERLOADED),
    "groq, over capacity": (503, openai("qwen is currently over capacity.", "internal_server_error"), F.OVERLOADED),
    "groq, flex tier": (498, openai("No capacity.", None, "capacity_exceeded"), F.OVERLOADED),
    "deepinfra": (429, {"detail": {"error": "Model busy, retry later"}}, F.OVERLOADED),
    "llama.cpp, loading": (
        503,
        {"error": {"code": 503, "message": "Loading", "type": "unavailable_error"}},
        F.OVERLOADED,
    ),
    # No such model
    "openai, no model": (404, openai("No such model.", "invalid_request_error", "model_not_found"), F.MODEL_NOT_FOUND),
    "openai, no model, 400": (400, openai("No.", "invalid_request_error", "model_not_found"), F.MODEL_NOT_FOUND),
    "anthropic, no model": (404, anthropic("not_found_error", "model: x"), F.MODEL_NOT_FOUND),
    "google, no model": (404, google(404, "NOT_FOUND", "models/x is not found"), F.MODEL_NOT_FOUND),
    "azure, no deployment": (404, openai("No.", None, "DeploymentNotFound"), F.MODEL_NOT_FOUND),
    "mistral, no model": (400, {"object": "error", "type": "invalid_model", "message": "Invalid"}, F.MODEL_NOT_FOUND),
    "deepseek, no model": (400, openai("Model Not Exist", "invalid_request_error"), F.MODEL_NOT_FOUND),
    "bedrock, no model": (400, {"message": "The provided model identifier is invalid."}, F.MODEL_NOT_FOUND),
    "cohere, no model": (404, {"id": "1", "message": "model 'x' not found"}, F.MODEL_NOT_FOUND),
    "ollama, no model": (404, {"error": "model 'x' not found, try pulling it first"}, F.MODEL_NOT_FOUND),
    # Too long
    "openai, too long": (400, openai("Long.", None, "context_length_exceeded", "messages"), F.CONTEXT_TOO_LONG),
    "vllm, too long": (
        400,
        {"object": "error", "message": "This model's maximum context length is 10 tokens.", "type": "B", "code": 400},
        F.CONTEXT_TOO_LONG,
    ),
    "groq, too long": (400, openai("Please reduce the length of the messages."), F.CONTEXT_TOO_LONG),
    "anthropic, too long": (
        400,
        anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        F.CONTEXT_TOO_LONG,
    ),
    "bedrock, too long": (400, {"message": "Input is too long for requested model."}, F.CONTEXT_TOO_LONG),
    "google, too long": (
        400,
        google(400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
        F.CONTEXT_TOO_LONG,
    ),
    "cerebras, too long": (400, {"message": "Current length is 9 while limit is 8", "type": "x"}, F.CONTEXT_TOO_LONG),
    "llama.cpp, too long": (
        400,
        {"error": {"code": 400, "message": "Too big", "type": "exceed_context_size_error"}},
        F.CONTEXT_TOO_LONG,
    ),
    "mistral, too long": (400, {"object": "error", "message": "Too big", "code": "3051"}, F.CONTEXT_TOO_LONG),
    "xai, too long": (
        400,
        {"code": "Client specified an invalid argument", "error": "This model's maximum prompt length is 8."},
        F.CONTEXT_TOO_LONG,
    ),
    "together, too long": (403, openai("9 tokens exceed this model's context length of 8."), F.CONTEXT_TOO_LONG),
    "github, too long": (413, openai("Body too large.", None, "tokens_limit_reached"), F.CONTEXT_TOO_LONG),
    # Filtered
    "azure, filtered": (
        400,
        {"error": {"message": "Filtered.", "code": "content_filter", "innererror": FILTERED}},
        F.CONTENT_FILTERED,
    ),
    "openai, policy": (400, openai("No.", None, "content_policy_violation"), F.CONTENT_FILTERED),
    "openai, prompt": (400, openai("No.", None, "invalid_prompt"), F.CONTENT_FILTERED),
    "openrouter, moderated": (
        403,
        {"error": {"code": 403, "message": "Flagged", "metadata": {"reasons": ["violence"]}}},
        F.CONTENT_FILTERED,
    ),
    # Credentials
    "openai, wrong key": (401, openai("Incorrect API key provided.", None, "invalid_api_key"), F.BAD_CREDENTIAL),
    "google, wrong key": (
        400,
        google(400, "INVALID_ARGUMENT", "API key not valid.", {"reason": "API_KEY_INVALID"}),
        F.BAD_CREDENTIAL,
    ),
    "cerebras, wrong key": (401, {"message": "Wrong API Key", "code": "wrong_api_key"}, F.BAD_CREDENTIAL),
    "fastapi, wrong key": (401, {"detail": "Invalid token"}, F.BAD_CREDENTIAL),
    "vllm, wrong key": (401, {"error": "Unauthorized"}, F.BAD_CREDENTIAL),
    "forbidden": (403, openai("Not yours.", "permission_error"), F.BAD_CREDENTIAL),
    # Bad requests
    "openai, bad": (400, openai("Bad.", "invalid_request_error", None, "messages"), F.BAD_REQUEST),
    "openai, unsupported": (400, openai("No n.", None, "unsupported_parameter", "n"), F.UNSUPPORTED),
    "openai, unsupported value": (400, openai("No.", None, "unsupported_value", "temperature"), F.UNSUPPORTED),
    "fastapi, bad": (422, {"detail": [{"loc": ["body", "n"], "msg": "Too big", "type": "v"}]}, F.BAD_REQUEST),
    "too large": (413, anthropic("request_too_large", "Too many bytes."), F.BAD_REQUEST),
    "a method": (405, {"detail": "Method Not Allowed"}, F.BAD_REQUEST),
    # The server's own
    "openai, its own": (500, openai("Sorry.", "server_error"), F.SERVER_ERROR),
    "an HTML page": (502, b"<html><body>Bad Gateway</body></html>", F.SERVER_ERROR),
    "a gateway's time": (504, b"upstream request timeout", F.SERVER_ERROR),
    "unavailable": (503, b"no healthy upstream", F.OVERLOADED),
    "a redirect": (302, b"", F.SERVER_ERROR),
    "teapot": (418, {"error": None}, F.BAD_REQUEST),
    # Inside a 200
    "with a status inside": (200, {"error": {"code": 503, "message": "No provider."}}, F.OVERLOADED),
    "with a rate limit inside": (200, {"error": {"code": 429, "message": "Slow down."}}, F.RATE_LIMITED),
    "without a status inside": (200, openai("Sorry.", "server_error"), F.SOFT_ERROR),
    "text inside": (200, {"error": "sorry"}, F.SOFT_ERROR),
    "a code of thousands of digits": (200, {"error": {"code": "9" * 5000, "message": "x"}}, F.SOFT_ERROR),
    "a number of thousands of digits": (200, b'{"error":{"code":%b,"message":"x"}}' % (b"9" * 5000), F.SOFT_ERROR),
}
