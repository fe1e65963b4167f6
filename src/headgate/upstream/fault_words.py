"""What machine codes and sentences of error bodies mean, whoever says them.

A code means the same whatever the status beside it. A sentence is looked at only where its status leaves the matter
open, and what it quotes is left out where believing it would cost more than this one request: clients can have their
own words quoted. Codes and sentences: each provider's error reference.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import msgspec

from headgate.types.fault import FaultClass

MAX_SEARCHED = 2000
"""An explanation begins with what is wrong; nothing is looked for beyond this."""

TOO_LARGE = "request_too_large"

_QUOTA = """
    insufficient_quota billing_hard_limit_reached billing_not_active credit_balance_exhausted
    organization_spend_limit_exceeded project_spend_limit_exceeded organization_usage_limit_exceeded
    exceeded_current_quota_error not_enough_balance billing_error billing_disabled
    servicequotaexceededexception arrearage accountoverdueerror operationdenied.serviceoverdue
    allocationquota.freetieronly errors:3036
    1113 1308 1309 1310 1311 1313 1314 1315 1316 1317 1318 1319 1320 1321
"""
_CONTEXT = "context_length_exceeded exceed_context_size_error tokens_limit_reached 3051 1261"
_FILTER = """
    content_filter content_policy_violation responsibleaipolicyviolation invalid_prompt cyber_policy
    data_inspection_failed 1301
"""
_CREDENTIAL = """
    invalid_api_key api_key_invalid wrong_api_key incorrect_api_key_error authentication_error
    invalid_authentication_error unauthenticated unauthorized account_deactivated
    organization_restricted consumer_suspended service_disabled unrecognizedclientexception expiredtokenexception
    invalidsignatureexception missingauthenticationtokenexception
"""
_MODEL = """
    model_not_found deploymentnotfound invalid_model unknown_model unavailable_model model_not_supported
    model_decommissioned model_not_available model_terms_required model_access_denied model_permission_blocked_org
    model_permission_blocked_project resourcenotfoundexception errors:5007 errors:5016 errors:5018 errors:3041
    errors:3042 1211
"""
_OVERLOAD = """
    overloaded_error engine_overloaded_error overloaded unavailable_error queue_exceeded capacity_exceeded
    resource_unavailable modelnotreadyexception serviceunavailableexception errors:3040
"""
_UNSUPPORTED = "unsupported_parameter unsupported_value extra_forbidden operationnotsupported errors:5005"
# Some say it with another status: 413 for a request over the tokens a minute, 500 from a gateway in between.
_RATE = """
    rate_limit_exceeded rate_limit_error rate_limit_reached_error rate_limited resource_exhausted ratelimitreached
    too_many_requests too_many_requests_error token_quota_exceeded request_quota_exceeded throttlingexception 1302 1303
"""
# What the model wrote was no call of a tool: nobody's request is wrong, and another model may do better.
_SOFT = "tool_use_failed"

_WORDS: tuple[tuple[frozenset[str], FaultClass], ...] = tuple(
    (frozenset(words.split()), kind)
    for words, kind in (
        (_QUOTA, FaultClass.QUOTA_EXHAUSTED),
        (_CONTEXT, FaultClass.CONTEXT_TOO_LONG),
        (_FILTER, FaultClass.CONTENT_FILTERED),
        (_CREDENTIAL, FaultClass.BAD_CREDENTIAL),
        (_MODEL, FaultClass.MODEL_NOT_FOUND),
        (_OVERLOAD, FaultClass.OVERLOADED),
        (_UNSUPPORTED, FaultClass.UNSUPPORTED),
        (_RATE, FaultClass.RATE_LIMITED),
        (_SOFT, FaultClass.SOFT_ERROR),
        (TOO_LARGE, FaultClass.BAD_REQUEST),
    )
)

# Too general to overrule a sentence or a status; they count where the status is 200.
_GENERAL = {
    "not_found_error": FaultClass.MODEL_NOT_FOUND,
    "permission_error": FaultClass.BAD_CREDENTIAL,
    "accessdeniedexception": FaultClass.BAD_CREDENTIAL,
    "invalid_request_error": FaultClass.BAD_REQUEST,
    "badrequesterror": FaultClass.BAD_REQUEST,
    "validationexception": FaultClass.BAD_REQUEST,
    "internalserverexception": FaultClass.SERVER_ERROR,
    "modelerrorexception": FaultClass.SERVER_ERROR,
    "modelstreamerrorexception": FaultClass.SERVER_ERROR,
    "modeltimeoutexception": FaultClass.SERVER_ERROR,
}


class Sentence(msgspec.Struct, frozen=True):
    """A class of fault, the sentences that mean it, and the statuses beside which they do.

    `bare` looks at the text without what it quotes.
    """

    kind: FaultClass
    pattern: re.Pattern[str]
    beside: Callable[[int], bool]
    bare: bool = False


def _sentence(kind: FaultClass, beside: Callable[[int], bool], *patterns: str, bare: bool = False) -> Sentence:
    return Sentence(kind, re.compile("|".join(patterns), re.IGNORECASE), beside, bare)


def _any(status: int) -> bool:
    return True


def _refused(status: int) -> bool:
    return status < 500 and status != 429


def _wrong(status: int) -> bool:
    return status in (200, 400, 404, 405, 415, 422, 501)


def _strained(status: int) -> bool:
    return status in (200, 429, 500, 502, 503, 504)


_SENTENCES = (
    # First of all, so that a client's own field cannot be named like one of the sentences below.
    _sentence(
        FaultClass.UNSUPPORTED,
        _wrong,
        r"extra inputs are not permitted",
        r"unknown name \"",
        r"unrecognized request argument",
        r"unsupported (parameter|value)",
        r"property '[^']{1,200}' is unsupported",
    ),
    _sentence(
        FaultClass.QUOTA_EXHAUSTED,
        _any,
        r"credit balance is too low",
        r"insufficient (account )?(balance|credits?|funds)",
        # Some call the share of a minute a quota, too.
        r"exceeded your current quota(?! of)",
        r"enable billing",
        r"billing account",
        r"used all (available |your )?credits",
        r"run out of credits",
        r"(exceeded|spent|used up) your (monthly|daily) (included |free )?(credits|allocation)",
        r"n[o']t have any credits",
        r"requires more credits",
        r"monthly spending limit",
        r"balance is insufficient",
        r"credits? ((is|are|has been|have been) )?exhausted",
        r"\bkey limit exceeded",
        r"reached your specified (workspace )?api usage limits",
        r"overdue (account|balance)",
        r"account is in good standing",
        bare=True,
    ),
    _sentence(
        FaultClass.BAD_CREDENTIAL,
        lambda status: status in (200, 400, 404, 498),
        r"(incorrect|invalid) api[ -]?(key|token)",
        r"api[ -]?(key|token) (is )?(not valid|invalid|expired|not found)",
        r"location is not supported",
        r"this organization has been disabled",
        r"credential is only authorized for",
        bare=True,
    ),
    _sentence(
        FaultClass.CONTENT_FILTERED,
        _refused,
        r"content filtering policy",
        r"content management policy",
        r"content exists risk",
        r"violates (our )?usage (guidelines|policy|policies)",
        r"considered high risk",
    ),
    # Ahead of what a prompt with too many of them is called.
    _sentence(FaultClass.RATE_LIMITED, _any, r"too many tokens[^.]{0,20}, please wait"),
    _sentence(
        FaultClass.CONTEXT_TOO_LONG,
        _refused,
        r"maximum context length",
        r"reduce the length of",
        r"prompt is too long",
        r"input is too long",
        r"input token length too long",
        r"too many (input )?tokens",
        r"exceeds the maximum number of tokens",
        r"current length is \d+ while limit is",
        r"available context size",
        r"context size has been exceeded",
        r"maximum prompt length",
        r"exceeded model token limit",
        r"(greater|longer) than the (model's )?context (length|window|size)",
        r"exceed(s|ed)? [^.]{0,60}context (length|window|size|limit)",
        r"max_new_tokens\W{1,3}must (be <=|not exceed)",
        r"max size: \d+ tokens",
        r"longer than the maximum model length",
        r"must have less than \d+ tokens",
        r"keep the first \d+ tokens when context",
        r"context window exceeds limit",
        r"range of input length should be",
        r"input length \(\d+ tokens\) exceeds",
    ),
    _sentence(
        FaultClass.UNSUPPORTED,
        _wrong,
        r"not supported (with|by|for|in) (this|the) (model|v1)",
        r"(does not|doesn't) (currently )?support",
        r"endpoints found that support",
        r"is not a multimodal model",
        r"does not work with the specified model",
        r"only supported by certain models",
        r"is not enabled for models/",
        r"at most 0 \w+\(s\) may be provided",
        # A part of a message, of a kind that others know.
        r"unknown variant [`'\"](image_url|input_audio|video_url|file)\b",
    ),
    _sentence(
        FaultClass.MODEL_NOT_FOUND,
        lambda status: status in (200, 400, 403, 404, 410, 422),
        r"model not exist",
        r"model identifier is invalid",
        r"(no such|unknown) model",
        r"model not found",
        r"not a valid model",
        r"invalid model\s*([:.,]|name|id|$)",
        r"model:?( [\w./:@-]{1,120})? +(does not exist|(is |was )?not found|has been de(precated|commissioned))",
        r"n[o']t have access to (the )?model",
        r"on-demand throughput isn.t supported",
        bare=True,
    ),
    _sentence(
        FaultClass.OVERLOADED,
        _strained,
        r"overloaded",
        r"(over|at|out of) capacity",
        r"model (is )?busy",
        r"(currently|still) loading",
        r"^loading model",
    ),
    _sentence(
        FaultClass.RATE_LIMITED,
        lambda status: status in (200, 403, 500, 502, 503),
        r"rate[ -]?limit",
        r"too many requests",
    ),
)

_QUOTES = re.compile(r"\"[^\"]*\"|`[^`]*`|(?<!\w)'[^']*'(?!\w)")
_NAMED = (
    re.compile(r"unknown name \"([\w.-]{1,100})\"", re.IGNORECASE),
    re.compile(r"property '([\w.-]{1,100})' is unsupported", re.IGNORECASE),
    re.compile(r"unrecognized request arguments? supplied: ([\w.-]{1,100})", re.IGNORECASE),
    re.compile(r"(?:^|; )([\w.-]{1,100}): extra inputs are not permitted", re.IGNORECASE),
    re.compile(r"unsupported (?:parameter|value): '([\w.-]{1,100})'", re.IGNORECASE),
)


def class_of_words(words: frozenset[str]) -> FaultClass | None:
    """The class that the machine codes of a body mean, whatever the status; None when they leave it open."""
    for known, kind in _WORDS:
        if not known.isdisjoint(words):
            return kind
    return None


def class_of_general_words(words: frozenset[str]) -> FaultClass | None:
    """The class that codes mean which are too general to overrule anything else."""
    return next((kind for word, kind in _GENERAL.items() if word in words), None)


def class_of_text(text: str, status: int) -> FaultClass | None:
    """The class that the sentences of a message mean beside this status; None when they leave it open."""
    text = text[:MAX_SEARCHED]
    if not text:
        return None
    bare = _QUOTES.sub("", text)
    for sentence in _SENTENCES:
        if sentence.beside(status) and sentence.pattern.search(bare if sentence.bare else text):
            return sentence.kind
    return None


def named_parameter(text: str) -> str | None:
    """The parameter that a sentence about an unsupported one names."""
    text = text[:MAX_SEARCHED]
    return next((match[1] for pattern in _NAMED if (match := pattern.search(text))), None)
