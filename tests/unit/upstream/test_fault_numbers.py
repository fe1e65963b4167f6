"""Numbers, statuses and quoted errors that mean more than they seem to."""

from __future__ import annotations

import json

import pytest

from headgate.types.fault import FaultClass, Scope
from headgate.upstream.faults import classify
from tests.unit.upstream.error_bodies import openai
from tests.unit.upstream.test_faults import SECRET, F, encoded


@pytest.mark.parametrize("number", [1308, 1309, 1310, 1311, *range(1313, 1322)])
def test_a_spent_plan_has_many_numbers(number: int) -> None:
    assert classify(429, {}, encoded(openai("m", None, number)), []).kind is F.QUOTA_EXHAUSTED


@pytest.mark.parametrize("status", [401, 402, 403, 412])
def test_a_status_of_another_account_further_upstream_puts_away_no_credential_of_ours(status: int) -> None:
    body = {"error": {"message": "your account", "code": status, "metadata": {"raw": "no", "provider_name": "x"}}}
    assert classify(status, {}, encoded(body), []).scope is Scope.DEPLOYMENT
    body["error"]["metadata"] = {"raw": None, "provider_name": None}
    assert classify(status, {}, encoded(body), []).scope is Scope.CREDENTIAL


def test_the_secret_in_an_error_that_is_quoted_survives_no_more_than_elsewhere() -> None:
    quoted = json.dumps(openai(f"no {SECRET.reveal()} here", "invalid_request_error"))
    body = {"error": {"message": "Provider returned error", "code": 400, "metadata": {"raw": quoted}}}
    assert classify(400, {}, encoded(body), [SECRET]).message == "no [redacted] here"


@pytest.mark.parametrize(
    ("exception", "kind"),
    [
        ("throttlingException", F.RATE_LIMITED),
        ("serviceUnavailableException", F.OVERLOADED),
        ("validationException", F.BAD_REQUEST),
        ("internalServerException", F.SERVER_ERROR),
        ("modelStreamErrorException", F.SERVER_ERROR),
        ("ThrottlingException:http://internal.amazon.com/coral/com.amazon.bedrock/", F.RATE_LIMITED),
        ("somethingNewException", F.SOFT_ERROR),
        ("", F.SOFT_ERROR),
    ],
)
def test_an_error_type_in_a_header_counts_inside_a_success_too(exception: str, kind: FaultClass) -> None:
    assert classify(200, {"x-amzn-errortype": exception}, encoded({"message": "m"}), []).kind is kind
