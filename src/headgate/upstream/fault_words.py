"""What machine codes of error bodies mean, whoever says them and whatever the status. Codes: each provider's error
reference."""

from __future__ import annotations

import re

from headgate.types.fault import FaultClass

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


# Those of API references, and those of pydantic.
_OF_A_FIELD = re.compile(
    r"invalid_(value|type|enum|json|schema|parameters?|argument_value|role|string|integer|number|array|object|format)"
    r"|invalid_(function|tool|image|base64|file|url|message)\w*"
    r"|(unknown|missing|unrecognized|missing_required|required)_(parameter|field|argument|value)"
    r"|missing|extra_forbidden|json_\w+|literal_error|value_error(\.\w+)*|type_error(\.\w+)*|enum|assertion_error"
    r"|(string|int|integer|float|bool|list|dict|model_attributes|union_tag|array|object|decimal|number|tuple)_\w+"
    r"|(\w+_)?(above|below)_m\w+|model_type|too_(short|long)|(greater|less)_than(_equal)?|validation_?error"
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


def are_of_a_field(words: frozenset[str]) -> bool:
    """Whether the codes say that a field of the request is wrong, so that the message is about that field."""
    return any(_OF_A_FIELD.fullmatch(word) for word in words)
