"""What codes mean, whatever the status."""

from __future__ import annotations

import pytest

from headgate.types.fault import FaultClass
from headgate.upstream.fault_words import are_of_a_field, class_of_words

F = FaultClass
OF_ELSE = """
    invalid_request_error invalid_argument invalid_api_key invalid_model model_not_found model_unavailable
    insufficient_quota validationexception failed_precondition badrequesterror not_found_error 400
    """
OF_A_FIELD = """
    invalid_value invalid_type unknown_parameter missing_required_parameter invalid_function_parameters
    string_above_max_length array_below_min_length integer_above_max_value string_type int_parsing value_error
    type_error.enum literal_error json_invalid missing model_type union_tag_invalid greater_than_equal validation_error
    """


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ({"rate_limit_exceeded", "insufficient_quota"}, F.QUOTA_EXHAUSTED),
        ({"too_many_requests_error", "queue_exceeded"}, F.OVERLOADED),
        ({"invalid_request_error", "context_length_exceeded"}, F.CONTEXT_TOO_LONG),
        ({"3036"}, None),
        ({"errors:3036"}, F.QUOTA_EXHAUSTED),
        ({"errors:1113"}, None),
        ({"1113"}, F.QUOTA_EXHAUSTED),
        ({"429"}, None),
        ({"request_too_large"}, F.BAD_REQUEST),
        ({"invalid_request_error"}, None),
        (set(), None),
    ],
)
def test_of_several_codes_the_more_particular_one_counts(words: set[str], kind: F | None) -> None:
    assert class_of_words(frozenset(words)) is kind


@pytest.mark.parametrize("word", OF_A_FIELD.split())
def test_a_code_may_say_that_a_field_is_wrong(word: str) -> None:
    assert are_of_a_field(frozenset({"400", word}))


@pytest.mark.parametrize("word", OF_ELSE.split())
def test_a_code_of_anything_else_says_nothing_of_a_field(word: str) -> None:
    assert not are_of_a_field(frozenset({word}))
