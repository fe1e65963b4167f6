"""From a request to its plan: whose word counts, and what is kept from request to request."""

from __future__ import annotations

import gc
import json
import weakref
from typing import Any

import pytest

from headgate.dialects.openai.request import parse_request
from headgate.routing.observed import Observed
from headgate.routing.planner import MOST_ANSWERS, MOST_SHORTLISTS, MOST_TOKENS, Planner, extent_of
from headgate.routing.requirements import Extent
from headgate.types.deployment import Deployment, Operation
from headgate.types.policy import Order
from headgate.types.principal import Principal
from headgate.types.request import Plan, Request
from headgate.types.snapshot import Snapshot
from tests.surface.gateway import snapshot_of
from tests.unit.routing.snapshots import even, providers, seen

DOCUMENT = """
providers:
  cheap: {dialect: openai, base_url: "http://127.0.0.1:9/v1",
    models: [{id: m, input_usd_per_mtok: "1", output_usd_per_mtok: "1", capabilities: [tools]}]}
  dear: {dialect: openai, base_url: "http://127.0.0.1:9/v1",
    models: [{id: m, input_usd_per_mtok: "9", output_usd_per_mtok: "9", capabilities: [tools, vision]}]}
  open: {dialect: openai, base_url: "http://127.0.0.1:9/v1"}
models:
  both: {targets: [dear/m, cheap/m], policy: ordered}
  spare: {targets: [cheap/m], fallback: [dear/m]}
"""
TOOLS = [{"type": "function", "function": {"name": "f"}}]
IMAGE = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://example.invalid/a"}}]}]


class Counting(Observed):
    """Counts how often somebody looks a deployment up: once for each candidate of a list that is made."""

    looked_up = 0

    def of(self, deployment: Deployment) -> Any:
        self.looked_up += 1
        return super().of(deployment)


def asking(model: str = "both", operation: Operation = Operation.CHAT, **fields: Any) -> bytes:
    said = {"messages": [{"role": "user", "content": "hi"}]} if operation is Operation.CHAT else {}
    return json.dumps({"model": model, **said, **fields}).encode()


def extent(operation: Operation = Operation.CHAT, **fields: Any) -> Extent:
    return extent_of(parse_request(operation, asking("m", operation, **fields)))


class Desk:
    """Plans requests for one snapshot."""

    def __init__(self, text: str = DOCUMENT, observed: Observed | None = None) -> None:
        self.snapshot: Snapshot = snapshot_of(text)
        self.observed = observed or Counting()
        self.planner = Planner(self.observed, even)

    def plan(self, model: str = "both", *, order: Order | None = None, key: Order | None = None, **fields: Any) -> Plan:
        envelope = parse_request(Operation.CHAT, asking(model, **fields))
        principal = Principal(key="k", key_id="1", order=key)
        request = Request(id="r", snapshot=self.snapshot, principal=principal, envelope=envelope, at_us=0, order=order)
        made = self.planner.plan(request, 0.0)
        assert made is not None
        return made

    def order_of(self, model: str = "both", **more: Any) -> Order:
        return self.plan(model, **more).order


LEVELS: tuple[tuple[dict[str, Any], Order], ...] = (
    ({"order": Order.WEIGHTED}, Order.WEIGHTED),
    ({"model": "both:fastest"}, Order.FASTEST),
    ({"provider": {"sort": "price"}}, Order.CHEAPEST),
    ({"key": Order.BALANCED}, Order.BALANCED),
    ({}, Order.ORDERED),
)
"""Whatever can name a policy, and the one it names; each counts before those below it."""


def test_a_header_counts_before_a_suffix_before_a_sort_before_the_keys_policy_before_the_routes() -> None:
    desk = Desk()
    for place, (alone, expected) in enumerate(LEVELS):
        assert desk.order_of(**alone) is expected
        together = {name: value for level, _ in LEVELS[place:] for name, value in level.items()}
        assert desk.order_of(**together) is expected


@pytest.mark.parametrize(
    ("sort", "order"), [("price", Order.CHEAPEST), ("throughput", Order.FASTEST), ("latency", Order.FASTEST)]
)
def test_a_sort_is_a_policy(sort: str, order: Order) -> None:
    assert Desk().order_of(provider={"sort": sort}) is order


def test_a_name_that_means_nothing_has_no_plan() -> None:
    desk = Desk()
    for model in ("nonsense", "nonsense" * 100):
        envelope = parse_request(Operation.CHAT, asking(model))
        assert (
            desk.planner.plan_for(
                desk.snapshot, Principal(key="k"), envelope, extent_of(envelope), order=None, at=0.0, now=0.0
            )
            is None
        )


def test_the_models_of_a_list_are_tried_in_its_order_and_those_that_mean_nothing_are_left_out() -> None:
    made = Desk().plan("dear/m", models=["nonsense", "open/x", "cheap/m", "dear/m"])
    assert providers(made) == ["dear", "open", "cheap"]
    assert providers(Desk().plan("nonsense", models=["cheap/m"])) == ["cheap"]


def test_no_fallbacks_means_the_first_alone_and_with_an_order_those_of_the_order() -> None:
    assert providers(Desk().plan(provider={"allow_fallbacks": False})) == ["dear"]
    assert providers(Desk().plan("spare", provider={"allow_fallbacks": False})) == ["cheap"]
    made = Desk().plan("m", provider={"allow_fallbacks": False, "order": ["dear", "cheap"]})
    assert providers(made) == ["dear", "cheap"]


def test_names_and_requirements_are_looked_up_once_for_each_snapshot() -> None:
    observed = Counting()
    desk = Desk(observed=observed)

    def looked_up(**fields: Any) -> int:
        before = observed.looked_up
        desk.plan("m", **fields)
        return observed.looked_up - before

    assert looked_up() == 2
    assert looked_up() == 0
    assert looked_up(max_tokens=5, user="u") == 0, "the rest of a request is none of its business"
    assert looked_up(tools=TOOLS) == 2
    assert looked_up(messages=IMAGE) == 1, "only one has eyes"
    assert looked_up(provider={"only": ["dear"]}) == 1
    assert looked_up(provider={"only": ["dear"]}, tools=TOOLS) == 1
    assert [looked_up() for _ in range(3)] == [0, 0, 0]


def test_what_changes_from_request_to_request_is_never_remembered() -> None:
    desk = Desk()
    assert providers(desk.plan("m", order=Order.FASTEST))[0] == "cheap"
    for one in desk.plan("m").candidates:
        seen(desk.observed, one, 1.0 if one.deployment.upstream.provider == "dear" else 2.0)
    assert providers(desk.plan("m", order=Order.FASTEST))[0] == "dear"
    assert providers(desk.plan("m"))[0] == "cheap"


def test_parameters_that_have_to_be_honoured_are_looked_at_in_every_request() -> None:
    observed = Counting()
    desk = Desk(observed=observed)
    for seed in (1, 2):
        before = observed.looked_up
        desk.plan("m", seed=seed, provider={"require_parameters": True})
        assert observed.looked_up - before == 2


def test_no_snapshot_gets_what_was_made_for_another() -> None:
    one = Desk()
    other = snapshot_of(DOCUMENT)
    principal, envelope = Principal(key="k"), parse_request(Operation.CHAT, asking("m"))

    def deployments(snapshot: Snapshot) -> set[Deployment]:
        made = one.planner.plan_for(snapshot, principal, envelope, extent_of(envelope), order=None, at=0.0, now=0.0)
        assert made is not None
        return {each.deployment for each in made.candidates}

    own = {each for ids in one.snapshot.pins.values() for each in ids.get("m", ())}
    theirs = {each for ids in other.pins.values() for each in ids.get("m", ())}
    for _ in range(2):
        assert deployments(one.snapshot) == own
        assert deployments(other) == theirs
    assert not own & theirs


def test_what_is_remembered_is_bounded_and_goes_with_its_snapshot() -> None:
    observed = Counting()
    desk = Desk(observed=observed)
    desk.plan("open/0")
    for number in range(1, MOST_SHORTLISTS):
        desk.plan(f"open/{number}")
    before = observed.looked_up
    desk.plan("open/0")
    assert observed.looked_up == before
    desk.plan("open/one more")
    desk.plan("open/0")
    assert observed.looked_up == before + 2
    gone, deployment = weakref.ref(desk.snapshot), weakref.ref(desk.snapshot.open_pins["open"][0])
    del desk.snapshot
    gc.collect()
    assert gone() is None
    assert deployment() is None


def test_what_a_client_can_make_as_large_as_it_likes_is_not_remembered() -> None:
    observed = Counting()
    desk = Desk(observed=observed)
    for fields in ({"model": "open/" + "x" * 400}, {"model": "m", "provider": {"order": [str(n) for n in range(90)]}}):
        before = observed.looked_up
        desk.plan(**fields)
        once = observed.looked_up - before
        desk.plan(**fields)
        assert observed.looked_up - before == 2 * once > 0


def test_the_length_of_the_keys_answers_counts_once_it_is_known() -> None:
    desk = Desk()
    before, of_route = desk.plan("m").tokens, desk.plan("both").tokens
    for _ in range(6):
        desk.observed.answered("1", "m", "unrelated", 400, 100, 9_000, 0.0)
    assert desk.plan("m").tokens == before + 8_500
    assert desk.plan("both").tokens == of_route


@pytest.mark.parametrize("figure", [10**18, 10**400])
def test_figures_without_sense_do_not_get_into_the_arithmetic(figure: int) -> None:
    hostile = extent(n=figure, max_tokens=figure)
    assert hostile.answers == MOST_ANSWERS
    assert hostile.each == MOST_TOKENS
    assert providers(Desk().plan("open/x", n=figure, max_tokens=figure)) == ["open"]


def test_an_extent_is_bytes_of_text_and_what_each_answer_may_be() -> None:
    plain = extent(max_tokens=7, n=3)
    assert (plain.each, plain.answers, plain.other) == (7, 3, 0)
    assert plain.text == len(asking("m", max_tokens=7, n=3))
    assert extent(max_completion_tokens=9).each == 9
    assert extent().each is None
    embedding = extent(Operation.EMBEDDING, input=["a", "b"])
    assert (embedding.each, embedding.answers) == (0, 1)
    assert extent(Operation.COMPLETION, prompt=["a", "b"], max_tokens=5).answers == 2


@pytest.mark.parametrize("text", ["привет, мир", "你好世界", "नमस्ते दुनिया"])
@pytest.mark.parametrize("times", [50, 500, 20_000])
def test_a_text_is_about_as_long_however_it_is_escaped(text: str, times: int) -> None:
    said = {"model": "m", "messages": [{"role": "user", "content": text * times}]}
    written, escaped = (
        extent_of(parse_request(Operation.CHAT, json.dumps(said, ensure_ascii=ascii_only).encode())).text
        for ascii_only in (False, True)
    )
    assert written <= escaped < 1.6 * written


def test_a_file_inside_the_request_is_no_text() -> None:
    data = "data:application/pdf;base64," + "QUJD" * 100_000
    parts = [{"type": "file", "file": {"filename": "a.pdf", "file_data": data}}, {"type": "text", "text": "x" * 400}]
    made = extent(messages=[{"role": "user", "content": parts}])
    assert 400 <= made.text < 1_000
    assert 1_000 < made.other < 100_000
    quoted = extent(messages=[{"role": "user", "content": '"file_data": "' + "x" * 5_000}])
    assert (quoted.text > 5_000, quoted.other) == (True, 0)
    picture = extent(messages=IMAGE)
    assert (picture.text < 1_000, picture.other > 0) == (True, True)
