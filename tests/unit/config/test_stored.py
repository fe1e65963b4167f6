"""Document and store together: keys from both, and workspaces that read nothing of each other."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.config.document import Document, RoutePart
from headgate.config.load import load_document
from headgate.config.stored import Compiler, names_of, route_problems
from headgate.routing.resolve import resolve
from headgate.store.errors import WrongMasterKey
from headgate.store.records import (
    BudgetRecord,
    Credential,
    Everything,
    Key,
    LiveKey,
    RouteRecord,
    SealedCredential,
    Token,
    Workspace,
)
from headgate.types.policy import Budget, KeyLimits, Order, Period
from headgate.types.principal import Principal
from headgate.types.secret import Secret, key_hash
from headgate.types.snapshot import Snapshot

DOCUMENT = """
keys:
  - {name: declared, secret: hg-declared-key-of-the-default}
  - {name: theirs, secret: hg-declared-key-of-workspace-b, workspace: b}
providers:
  groq: {api_key: default-groq}
  shared: {dialect: openai, base_url: "http://127.0.0.1:1/v1", models: [{id: common}], workspaces: "*"}
  only-b: {dialect: openai, base_url: "http://127.0.0.1:2/v1", models: [{id: hidden}], workspaces: [b]}
models:
  mine: {targets: [shared/common]}
  everybodys: {targets: [shared/common], workspaces: "*"}
"""


def document(tmp_path: Path, text: str = DOCUMENT) -> Document:
    path = tmp_path / "headgate.yaml"
    path.write_text(text)
    return load_document(path, {}, tmp_path).document


def everything(**parts: Any) -> Everything:
    empty: dict[str, Any] = dict.fromkeys(("tokens", "keys", "budgets", "credentials", "routes"), ())
    made = tuple(Workspace(name=name, created_at=0, created_by="t") for name in ("default", "b", "c"))
    return Everything(**{"revision": 1, "workspaces": made, **empty, **parts})


def key(name: str = "stored", workspace: str = "b", **fields: Any) -> Key:
    given: dict[str, Any] = {
        "id": f"key_{name}",
        "workspace": workspace,
        "name": name,
        "hint": "hg-abcd",
        "models": ("*",),
        "addresses": (),
        "policy": None,
        "limits": KeyLimits(),
        "metadata": {},
        "creator_token": None,
        "created_by": "t",
        "created_at": 0,
        "expires_at": None,
        "disabled_at": None,
        "previous_until": None,
    }
    return Key(**given | fields)


def credential(provider: str, host: str, workspace: str = "b", sealed: bytes = b"sealed-secret") -> SealedCredential:
    record = Credential(
        id="cred_1", workspace=workspace, provider=provider, name="own", host=host, weight=1.0, sealed_by="k",
        created_at=0, created_by="t", disabled_at=None,
    )  # fmt: skip
    return SealedCredential(credential=record, sealed=sealed)


def opened(one: SealedCredential) -> Secret:
    return Secret(one.sealed.decode())


def compiled(document: Document, store: Everything, **more: Any) -> tuple[Snapshot, tuple[str, ...]]:
    made = Compiler(opened, {}, more.get("issued", {}))(document, store, revision=3, created=4)
    return made.snapshot, made.problems


def test_a_workspace_reads_what_is_meant_for_it_and_nothing_else(tmp_path: Path) -> None:
    snapshot, problems = compiled(document(tmp_path), everything())
    assert problems == ()
    own, b, c = snapshot.of("default"), snapshot.of("b"), snapshot.of("c")
    assert set(own.providers) == {"groq", "shared"}
    assert set(b.providers) == {"shared", "only-b"}
    assert set(c.providers) == {"shared"}
    assert [set(one.routes) for one in (own, b, c)] == [{"mine", "everybodys"}, {"everybodys"}, {"everybodys"}]
    assert resolve(c, "only-b/hidden") is None
    assert resolve(own, "only-b/hidden") is None
    assert resolve(b, "only-b/hidden") is not None
    assert not any(name.startswith("llama") for name in b.models)


def test_a_workspace_that_nobody_made_reads_nothing_of_another(tmp_path: Path) -> None:
    snapshot, _ = compiled(document(tmp_path), everything())
    with pytest.raises(KeyError):
        snapshot.of("nobody")


def test_keys_of_both_sources_are_found_by_their_hash_with_all_that_limits_them(tmp_path: Path) -> None:
    token = Token(
        id="tok_1", name="t", role="developer", workspace="b", models=("llama*",), limits=KeyLimits(rpm=5),
        created_at=0, created_by="t", expires_at=None, revoked_at=7,
    )  # fmt: skip
    budget = Budget(limit_pusd=1, per=Period.DAY)
    records = [
        BudgetRecord(id=f"bud_{scope}", workspace="b", scope=scope, budget=budget, created_at=0, created_by="t")
        for scope in ("key:key_stored", "token:tok_1", "workspace:b", "workspace:default")
    ]
    live = LiveKey(
        key=key(
            creator_token="tok_1", policy="fastest", addresses=("10.0.0.0/8",), limits=KeyLimits(tpm=9)
        ),
        hash=b"h",
        previous_hash=None,
    )  # fmt: skip
    store = everything(tokens=(token,), keys=(live,), budgets=tuple(records))
    snapshot, _ = compiled(document(tmp_path), store)
    stored = snapshot.keys[b"h"]
    assert [(one.scope, one.limits, len(one.budgets)) for one in stored.allowances] == [
        ("key:key_stored", KeyLimits(tpm=9), 1),
        ("token:tok_1", KeyLimits(rpm=5), 1),
        ("workspace:b", KeyLimits(), 1),
    ]
    assert stored.order is Order.FASTEST
    assert stored.may_use("llama-3")
    assert not stored.may_use("gpt-4"), "a key never exceeds its creator"
    declared = snapshot.keys[key_hash(b"hg-declared-key-of-the-default")]
    assert [(one.scope, len(one.budgets)) for one in declared.allowances] == [
        ("key:document:declared", 0),
        ("workspace:default", 1),
    ]
    assert snapshot.keys[key_hash(b"hg-declared-key-of-workspace-b")].workspace == "b"


def test_a_key_that_no_longer_works_says_why(tmp_path: Path) -> None:
    past, future = int(time.time()) - 60, int(time.time()) + 3600
    store = everything(
        keys=(
            LiveKey(key=key("off", disabled_at=past), hash=b"off", previous_hash=b"off-before"),
            LiveKey(key=key("turned", previous_until=past), hash=b"turned", previous_hash=b"turned-before"),
            LiveKey(key=key("turning", previous_until=future), hash=b"turning", previous_hash=b"turning-before"),
            LiveKey(
                key=key("ending", previous_until=future, expires_at=past),
                hash=b"ending",
                previous_hash=b"ending-before",
            ),
        )
    )
    snapshot, _ = compiled(document(tmp_path), store)
    assert "disabled" in snapshot.withdrawn[b"off"]
    assert "disabled" in snapshot.withdrawn[b"off-before"]
    assert "rotated" in snapshot.withdrawn[b"turned-before"]
    assert snapshot.keys[b"turning-before"].expires_at == future
    assert snapshot.keys[b"turning"].expires_at is None
    assert snapshot.keys[b"ending-before"].expires_at == past, "an old secret never outlives its key"
    assert not snapshot.keys.keys() & snapshot.withdrawn.keys()


def test_the_first_run_key_counts_while_the_document_declares_none(tmp_path: Path) -> None:
    issued = {b"first": Principal(key="first-run", key_id="first-run")}
    alone, _ = compiled(document(tmp_path, "providers: {sandbox: }"), everything(), issued=issued)
    assert [one.scope for one in alone.keys[b"first"].allowances] == ["key:first-run", "workspace:default"]
    beside, _ = compiled(document(tmp_path), everything(), issued=issued)
    assert b"first" not in beside.keys


def test_a_stored_credential_serves_its_workspace_alone(tmp_path: Path) -> None:
    store = everything(credentials=(credential("groq", "api.groq.com"), credential("shared", "127.0.0.1:1")))
    snapshot, problems = compiled(document(tmp_path), store)
    assert problems == ()

    def secrets(workspace: str, provider: str) -> set[str]:
        pins = snapshot.of(workspace).pins.get(provider, {})
        found = [one.credential.secret for deployments in pins.values() for one in deployments]
        return {secret.reveal() for secret in found if secret is not None}

    assert secrets("b", "groq") == {"sealed-secret"}
    assert secrets("default", "groq") == {"default-groq"}
    assert secrets("c", "groq") == set()
    assert (secrets("b", "shared"), secrets("default", "shared")) == ({"sealed-secret"}, set())


def test_a_credential_is_sent_to_no_other_host_than_it_was_stored_for(tmp_path: Path) -> None:
    snapshot, problems = compiled(document(tmp_path), everything(credentials=(credential("groq", "evil.example"),)))
    assert "groq" not in snapshot.of("b").providers
    (problem,) = problems
    assert "evil.example" in problem
    assert "api.groq.com" in problem


def test_what_cannot_be_opened_is_told_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    def refuse(one: SealedCredential) -> Secret:
        raise WrongMasterKey("sealed with another master key")

    store = everything(credentials=(credential("groq", "api.groq.com"),))
    made = Compiler(refuse, {}, {})(document(tmp_path), store, revision=1, created=1)
    assert "groq" not in made.snapshot.of("b").providers
    assert "sealed with another master key" in made.problems[0]
    assert made.snapshot.of("default").pins["groq"]


def test_a_stored_route_serves_its_workspace_and_leaves_out_what_is_not_its_own(tmp_path: Path) -> None:
    def record(name: str, definition: str) -> RouteRecord:
        return RouteRecord(id=name, workspace="b", name=name, definition=definition, created_at=0, created_by="t")

    routes = (
        record("good", '{"targets": ["only-b/hidden", "shared/common"]}'),
        record("half", '{"targets": ["groq/llama-3.1-8b-instant", "shared/common"]}'),
        record("lost", '{"targets": ["groq/llama-3.1-8b-instant"]}'),
        record("old", '{"goals": []}'),
    )
    snapshot, problems = compiled(document(tmp_path), everything(routes=routes))
    names = snapshot.of("b").routes
    assert set(names) == {"good", "half", "everybodys"}
    assert [one.deployment.name for one in names["half"].targets] == ["shared/common"]
    assert len(problems) == 3
    assert "good" not in snapshot.of("default").routes


def test_a_workspace_is_compiled_anew_only_when_something_of_it_changed(tmp_path: Path) -> None:
    compiler = Compiler(opened, {}, {})
    written = document(tmp_path)
    before = compiler(written, everything(), revision=1, created=1).snapshot
    store = everything(credentials=(credential("groq", "api.groq.com"),))
    after = compiler(written, store, revision=2, created=2).snapshot
    assert after.of("c") is before.of("c")
    assert after.of("b") is not before.of("b")
    other = compiler(document(tmp_path), store, revision=3, created=3).snapshot
    assert other.of("c") is not before.of("c")


def test_a_route_is_judged_by_what_its_workspace_offers(tmp_path: Path) -> None:
    snapshot, _ = compiled(document(tmp_path), everything())
    part = RoutePart.model_validate({"targets": ["only-b/hidden"], "fallback": ["shared/commn", "shared/*"]})
    assert route_problems(snapshot.of("b"), part) == [
        problem for problem in route_problems(snapshot.of("b"), part) if "commn" in problem
    ]
    assert len(route_problems(snapshot.of("c"), part)) == 2
    assert msgspec.structs.asdict(snapshot.of("b"))["providers"]


def test_the_workspaces_of_a_document_are_those_of_its_keys_providers_and_routes(tmp_path: Path) -> None:
    path = tmp_path / "headgate.yaml"
    path.write_text(
        "keys: [{name: k, secret: hg-written-in-the-document, workspace: a}]\n"
        "providers: {sandbox: {workspaces: [b, c]}}\n"
        "models: {r: {targets: [sandbox/x], workspaces: '*'}, s: {targets: [sandbox/x], workspaces: d}}\n"
    )
    assert names_of(load_document(path, {}, tmp_path).document) == {"a", "b", "c", "d"}
