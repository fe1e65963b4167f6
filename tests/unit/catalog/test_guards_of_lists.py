"""Which ids and which lists are believed; and that no list at all gets a price past the guards that is none."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.catalog.guards import MAX_MODELS, Distrust, Known, ListRefused, Reason, gather, is_sound, judge
from headgate.catalog.price_guards import FIGURES, OUTLIER_TIMES, ceiling
from headgate.types.listing import ListedModel, ListedTier
from tests.unit.catalog.listed import listed, usd


@pytest.mark.parametrize(
    "id",
    [
        "",
        " ",
        "a b",
        "a\tb",
        "a\nb",
        "a\x00b",
        "a\u202eb",
        "a\u00a0b",
        "*",
        "a*",
        "/a",
        "a/",
        "../a",
        "a/../b",
        "a#b",
        "x" * 257,
        "m:cheapest",
        "lab/m:floor",
        "m:fastest",
        "m:nitro",
        "m:free:balanced",
    ],
)
def test_an_id_that_no_model_can_have_is_refused_and_shown_harmlessly(id: str) -> None:
    judged = judge([listed(id), listed("good")], Known())
    assert [model.id for model in judged.models] == ["good"]
    (refusal,) = judged.refusals
    assert refusal.reason is Reason.HOSTILE_ID
    assert refusal.id.isprintable()
    assert len(refusal.id) < 400
    assert judge([listed("good", aliases=(id, "b"))], Known()).models[0].aliases == ("b",)


@pytest.mark.parametrize(
    ("provider", "id", "is_kept"),
    [
        ("openrouter", "deepseek:deepseek-v4-flash", False),
        ("openrouter", "openrouter:m", True),
        ("openrouter", "lab/m:free", True),
        ("openrouter", "balanced", True),
        ("ollama", "mistral:7b", True),
        ("mybox", "mistral:7b", True),
    ],
)
def test_an_id_in_the_scope_of_another_provider_is_refused(provider: str, id: str, is_kept: bool) -> None:
    judged = judge([listed(id), listed("good")], Known(provider=provider))
    assert [model.id for model in judged.models] == [id, "good"][not is_kept :]
    assert [refusal.reason for refusal in judged.refusals] == [Reason.HOSTILE_ID] * (not is_kept)


@pytest.mark.parametrize("id", ["a", "lab/a", "accounts/x/models/y", "a:b", "a@b", "a..b", "ä", "@cf/meta/llama"])
def test_an_id_that_models_do_have_is_taken(id: str) -> None:
    assert [model.id for model in judge([listed(id)], Known()).models] == [id]


def test_an_answer_that_has_a_model_twice_contradicts_itself_only_where_the_two_differ() -> None:
    judged = judge(gather([[listed("a", input="1"), listed("a", input="1.5"), listed("b"), listed("b")]]), Known())
    assert [model.id for model in judged.models] == ["b"]
    assert [(one.id, one.reason) for one in judged.refusals] == [("a", Reason.DUPLICATE_ID)]


def test_a_contradiction_of_one_answer_is_not_settled_by_another() -> None:
    twice = [listed("a", input="1"), listed("a", input="1.5")]
    for pages in ([twice, [listed("a")]], [[listed("a")], twice]):
        judged = judge([*gather(pages), listed("b")], Known())
        assert [model.id for model in judged.models] == ["b"]


def test_a_model_that_is_there_twice_stays_as_the_last_good_copy_had_it() -> None:
    last = listed("a", input="3", output="4", context_tokens=1000, aliases=("c",))
    twice = [listed("a", input="1"), listed("a", input="1.5"), listed("b")]
    judged = judge(gather([twice]), Known(last={"a": last}))
    assert {model.id: model for model in judged.models} == {"a": last, "b": listed("b")}
    assert judged.carried == {"a"}
    assert [(one.id, one.reason) for one in judged.refusals] == [("a", Reason.DUPLICATE_ID)]
    damaged = Known(last={"a": listed("a", input="-1")})
    assert [model.id for model in judge(gather([twice]), damaged).models] == ["b"]


def test_what_a_later_answer_says_is_laid_over_an_earlier_one() -> None:
    first = listed("a", prices=usd(input="1", output="2"), context_tokens=1000, capabilities=frozenset({"tools"}))
    later = ListedModel(id="a", prices=usd(input="3"), kind="chat", lacks=frozenset({"tools"}), aliases=("b",))
    (model,) = gather([[first], [later]])
    assert model == ListedModel(
        id="a",
        kind="chat",
        prices=usd(input="3", output="2"),
        context_tokens=1000,
        lacks=frozenset({"tools"}),
        aliases=("b",),
    )


def refused(models: list[ListedModel], known: Known) -> Distrust:
    with pytest.raises(ListRefused) as caught:
        judge(models, known)
    assert caught.value.message.isprintable()
    return caught.value.reason


def test_a_list_of_nothing_is_refused() -> None:
    assert refused([], Known()) is Distrust.EMPTY
    assert refused([listed("*")], Known()) is Distrust.EMPTY


def test_a_list_that_has_lost_more_than_half_is_refused() -> None:
    models = [listed(f"m{number}") for number in range(100)]
    known = Known(last={model.id: model for model in models})
    assert refused(models[:10], known) is Distrust.SHRUNK
    assert refused(models[:49], known) is Distrust.SHRUNK
    assert len(judge(models[:50], known).models) == 50
    few = Known(last={model.id: model for model in models[:9]})
    assert len(judge(models[:1], few).models) == 1


def test_a_list_in_another_unit_is_refused_as_a_whole() -> None:
    known = Known(last={f"m{number}": listed(f"m{number}") for number in range(100)})
    scaled = [listed(f"m{number}", input="100", output="200") for number in range(11)]
    same = [listed(f"m{number}") for number in range(11, 100)]
    assert len(judge([*scaled[:9], listed("m9"), listed("m10"), *same], known).refusals) == 18
    assert refused([*scaled, *(listed(f"m{number}") for number in range(11, 54))], known) is Distrust.UNIT_CHANGED
    per_token = [listed(f"n{number}", input="0.000001", output="0.000002") for number in range(3)]
    assert refused(per_token, Known()) is Distrust.UNIT_CHANGED
    assert len(judge(per_token[:2], Known()).refusals) == 4


def test_prices_of_0_are_refused_one_by_one_and_are_no_other_unit() -> None:
    nothing = [listed(f"m{number}", input="0", output="0") for number in range(10)]
    assert {one.reason for one in judge(nothing, Known()).refusals} == {Reason.ZERO}


def test_a_list_without_bounds_is_refused() -> None:
    assert refused([ListedModel(id=str(number)) for number in range(MAX_MODELS + 1)], Known()) is Distrust.TOO_MANY


figures = st.sampled_from([*sorted(FIGURES), "something_else"])
amounts = st.one_of(
    st.decimals(allow_nan=True, allow_infinity=True),
    st.decimals(min_value="0.0005", max_value=1000, allow_nan=False),
    st.sampled_from([Decimal(text) for text in ("sNaN", "-0", "1e-400", "1e400", "0.001", "200", "700", "5")]),
)
some_prices = st.lists(st.tuples(figures, amounts), max_size=6).map(tuple)
kinds = st.sampled_from([None, "chat", "completion", "embedding", "rerank", "image", "audio_in", "audio_out"])
some_tiers = st.lists(
    st.builds(ListedTier, st.sampled_from([-1, 0, 300, 200_000, 10**9]), some_prices), max_size=2
).map(tuple)
models = st.builds(
    ListedModel,
    id=st.sampled_from(["a", "b"]),
    kind=kinds,
    prices=some_prices,
    tiers=some_tiers,
    free=st.booleans(),
)


@given(st.lists(models, max_size=4), st.lists(models, max_size=4), st.lists(models, max_size=4))
def test_no_price_comes_out_that_cannot_be_one(
    first: list[ListedModel], second: list[ListedModel], third: list[ListedModel]
) -> None:
    last: dict[str, ListedModel] = {}
    for answer in (first, second, third):
        try:
            judged = judge(gather([answer]), Known(last=last))
        except ListRefused:
            continue
        for model in judged.models:
            before = dict(last[model.id].prices) if model.id in last else {}
            for held, known in ((model.prices, before), *((tier.prices, {}) for tier in model.tiers)):
                for figure, value in held:
                    assert value.is_finite()
                    assert 0 < value <= ceiling(figure, model.kind)
                    if figure in known:
                        assert known[figure] / OUTLIER_TIMES <= value <= known[figure] * OUTLIER_TIMES
            assert is_sound(model)
        last = {model.id: model for model in judged.models}
