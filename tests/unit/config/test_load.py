from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from headgate.config.document import Document
from headgate.config.load import MAX_BYTES, Loader, load_document
from headgate.config.problems import ConfigError
from headgate.providers.sandbox import SANDBOX
from tests.unit.config.loading import FILE, MYBOX, load, problems, warnings

ARCHITECTURE_EXAMPLE = """\
server:  {host: 127.0.0.1, port: 8080}
store:   sqlite:///./headgate.db           # or postgresql://user@host/db
shared:  memory                            # or redis://host:6379/0 : limits, budgets, health over replicas
keys:
  - name: dev
    secret: ${HEADGATE_KEY}                # kept only as a hash
    models: ["*"]
    limits: {rpm: 600, tpm: 1000000, concurrent: 50}
    budget: {usd: 25, per: month}          # day | week | month | total
providers:
  deepinfra: {api_key: ${DEEPINFRA_API_KEY}}
  mybox:                                   # any server that speaks a dialect we know
    dialect: openai
    base_url: http://127.0.0.1:8000/v1
    api_key: x
    models:
      - {id: meta-llama/Meta-Llama-3.1-8B-Instruct, input_usd_per_mtok: "0", output_usd_per_mtok: "0"}
models:
  fast-llama:
    targets: [deepinfra/meta-llama/Meta-Llama-3.1-8B-Instruct, groq/llama-3.1-8b-instant]
    policy: cheapest
    fallback: [openai/gpt-4o-mini]         # tried when every target failed
    timeouts: {connect_s: 5, first_token_s: 15, gap_s: 20, total_s: 600}
    retries: 2
    health: {failures: 5, cooldown_s: 10}  # breaker: consecutive failures to open, first cooldown
"""
KEYS = {"DEEPINFRA_API_KEY": "di-1", "GROQ_API_KEY": "gr-1", "OPENAI_API_KEY": "oa-1"}
FULL_ENV = {**KEYS, "HEADGATE_KEY": "a-key-of-twenty-characters"}


def test_the_example_of_the_design_loads_as_it_stands() -> None:
    loaded = load(ARCHITECTURE_EXAMPLE, FULL_ENV)
    document = loaded.document
    assert document.keys[0].secret.reveal() == FULL_ENV["HEADGATE_KEY"]
    assert list(document.providers) == ["deepinfra", "mybox", "groq", "openai"]
    assert loaded.found == {"groq": "GROQ_API_KEY", "openai": "OPENAI_API_KEY"}
    assert loaded.origins[("providers", "deepinfra", "api_key")] == ("DEEPINFRA_API_KEY",)


def test_every_problem_of_a_document_is_told_at_once() -> None:
    assert problems(ARCHITECTURE_EXAMPLE.replace("api_key: x", "api_kye: x")) == [
        "headgate.yaml:6: keys[0].secret: the environment variable HEADGATE_KEY is not set"
        " (set it, or write ${HEADGATE_KEY:-default})",
        "headgate.yaml:11: providers.deepinfra.api_key: the environment variable DEEPINFRA_API_KEY is not set"
        " (set it, or write ${DEEPINFRA_API_KEY:-default})",
        "headgate.yaml:15: providers.mybox.api_kye: unknown key; did you mean api_key?",
        "headgate.yaml:20: models.fast-llama.targets[1]: 'groq/llama-3.1-8b-instant' needs the provider groq,"
        " which is not configured; set GROQ_API_KEY, or add groq: {api_key: …} under providers",
        "headgate.yaml:22: models.fast-llama.fallback[0]: 'openai/gpt-4o-mini' needs the provider openai,"
        " which is not configured; set OPENAI_API_KEY, or add openai: {api_key: …} under providers",
    ]


def test_a_number_may_come_from_the_environment() -> None:
    assert load("server: {port: ${PORT}}", {"PORT": "9000"}).document.server.port == 9000
    assert problems("server:\n  port: ${PORT}", {"PORT": "abc"}) == [
        "headgate.yaml:2: server.port: must be a whole number, which $PORT is not"
    ]


@pytest.mark.parametrize("text", ["server: {port: '${KEY}'}", "hold: ${KEY}", "retries: ${KEY}", "store: ${KEY}"])
def test_a_secret_in_the_wrong_place_is_not_repeated(text: str) -> None:
    (found,) = problems(text, {"KEY": "sk-hush"})
    assert "hush" not in found


def write(folder: Path, name: str, port: int) -> Path:
    path = folder / name
    path.write_text(f"server: {{port: {port}}}\n{MYBOX}")
    return path


def test_an_explicit_file_wins_over_the_variable_and_that_over_the_working_directory(tmp_path: Path) -> None:
    explicit = write(tmp_path, "explicit.yaml", 1)
    env = {"HEADGATE_CONFIG": str(write(tmp_path, "named.yaml", 2))}
    write(tmp_path, FILE, 3)
    ports = [
        load_document(explicit, env, tmp_path).document.server.port,
        load_document(None, env, tmp_path).document.server.port,
        load_document(None, {}, tmp_path).document.server.port,
    ]
    assert ports == [1, 2, 3]


def test_a_named_file_is_looked_for_in_the_working_directory(tmp_path: Path) -> None:
    write(tmp_path, "named.yaml", 7)
    loaded = load_document(None, {"HEADGATE_CONFIG": "named.yaml"}, tmp_path)
    assert (loaded.document.server.port, loaded.source, loaded.path) == (7, "named.yaml", tmp_path / "named.yaml")


def test_without_a_file_hosted_providers_come_from_the_environment(tmp_path: Path) -> None:
    loaded = load_document(None, {**KEYS, "OPENAI_API_KEY": " "}, tmp_path)
    assert list(loaded.document.providers) == ["deepinfra", "groq"]
    assert loaded.document.providers["groq"].api_key is not None
    assert loaded.found == {"deepinfra": "DEEPINFRA_API_KEY", "groq": "GROQ_API_KEY"}
    assert loaded.path is None


def test_a_provider_whose_address_needs_more_variables_is_left_out_with_a_warning(tmp_path: Path) -> None:
    alone = load_document(None, {"CLOUDFLARE_API_TOKEN": "t"}, tmp_path)
    assert list(alone.document.providers) == [SANDBOX.name]
    assert [str(warning) for warning in alone.warnings] == [
        "environment: CLOUDFLARE_API_TOKEN is set, but cloudflare needs CLOUDFLARE_ACCOUNT_ID too; left out"
    ]
    both = load_document(None, {"CLOUDFLARE_API_TOKEN": "t", "CLOUDFLARE_ACCOUNT_ID": "acc"}, tmp_path)
    assert both.document.providers["cloudflare"].base_url is not None
    assert "/accounts/acc/" in both.document.providers["cloudflare"].base_url


def test_with_nothing_at_all_the_sandbox_runs(tmp_path: Path) -> None:
    loaded = load_document(None, {}, tmp_path)
    assert list(loaded.document.providers) == [SANDBOX.name]
    assert loaded.warnings == ()


def test_a_variable_that_cannot_be_a_credential_is_named_and_not_shown(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_document(None, {"GROQ_API_KEY": "two words"}, tmp_path)
    assert str(caught.value).startswith("environment: GROQ_API_KEY: holds a space")
    assert "two words" not in str(caught.value)


def test_a_document_without_providers_takes_them_from_the_environment() -> None:
    loaded = load("server: {port: 1}", {"GROQ_API_KEY": "g"})
    assert list(loaded.document.providers) == ["groq"]
    assert warnings("server: {port: 1}", {"GROQ_API_KEY": "g"}) == [
        "headgate.yaml: providers: none is written here; taken from the environment: groq"
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "headgate.yaml: is empty; the least that runs is: providers: {sandbox: {}}"),
        (b"# only this\n", "headgate.yaml: is empty; the least that runs is: providers: {sandbox: {}}"),
        (b"~\n", "headgate.yaml: is empty; the least that runs is: providers: {sandbox: {}}"),
        (b"- a\n", "headgate.yaml:1: must be a mapping, such as providers: …"),
        (b"a: 1\nb: \xff\n", "headgate.yaml:2: is not UTF-8 text"),
        (b"#" * (MAX_BYTES + 1), "headgate.yaml: is larger than 5 MB"),
        (b"a: \x00", "headgate.yaml: not valid YAML: "),
        (b"a: [1\n", "headgate.yaml:2: not valid YAML: "),
    ],
)
def test_a_file_that_is_no_document_is_one_clear_line(content: bytes, message: str) -> None:
    (found,) = problems(content)
    assert found.startswith(message)


def test_the_least_that_runs_runs() -> None:
    assert list(load("providers: {sandbox: {}}").document.providers) == ["sandbox"]


def test_a_missing_file_or_a_folder_is_one_clear_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^none\.yaml: cannot be read: no such file or directory$"):
        load_document(Path("none.yaml"), {}, tmp_path)
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigError, match=r"^headgate\.yaml: cannot be read: is a directory$"):
        load_document(None, {}, tmp_path)
    with pytest.raises(ConfigError, match="is not a file name"):
        load_document(Path("a\0b"), {}, tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / FILE).touch(mode=0)
    with pytest.raises(ConfigError, match="cannot be read: permission denied"):
        load_document(None, {}, tmp_path)


def test_what_is_not_a_regular_file_is_refused_also_behind_a_link(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/dev/null")
    for name in ("link", "/dev/null"):
        with pytest.raises(ConfigError, match=rf"^{name}: cannot be read: not a regular file$"):
            load_document(Path(name), {}, tmp_path)


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    write(tmp_path, "real.yaml", 5)
    (tmp_path / FILE).symlink_to("real.yaml")
    assert load_document(None, {}, tmp_path).document.server.port == 5


def test_once_it_came_from_a_file_it_always_comes_from_that_file(tmp_path: Path) -> None:
    loader = Loader(None, {"GROQ_API_KEY": "g"}, tmp_path)
    assert list(loader().document.providers) == ["groq"]
    write(tmp_path, FILE, 1)
    first = loader()
    assert (first.source, first.document.server.port) == (FILE, 1)
    (tmp_path / FILE).unlink()
    with pytest.raises(ConfigError, match="no such file"):
        loader()
    write(tmp_path, FILE, 2)
    assert (loader().source, loader().document.server.port) == (FILE, 2)


def test_a_file_that_was_never_good_does_not_bind_the_loader(tmp_path: Path) -> None:
    loader = Loader(None, {}, tmp_path)
    (tmp_path / FILE).write_text("servr: 1")
    with pytest.raises(ConfigError):
        loader()
    (tmp_path / FILE).unlink()
    assert loader().path is None


def test_no_secret_shows_in_the_loaded_document() -> None:
    text = f"""
        keys: [{{name: a, secret: {"k" * 20}}}]
        providers:
          mybox:
            dialect: openai
            base_url: http://127.0.0.1:1/v1
            credentials: [{{name: a, api_key: hidden-one}}]
            headers: {{x-secret: hidden-two}}
            proxy: http://user:hidden-three@127.0.0.1:3128
        """
    shown = repr(load(text).document)
    assert "hidden" not in shown
    assert "k" * 20 not in shown


_WORDS = st.sampled_from(
    [
        *Document.model_fields,
        *("api_key", "base_url", "dialect", "openai", "groq", "mybox", "targets", "mybox/*", "*", "id", "name"),
        *("secret", "credentials", "gap_s", "sandbox", "http://127.0.0.1:1/v1", "${X}", "a" * 20),
    ]
)
_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | _WORDS | st.text(max_size=6)
_TREES = st.recursive(
    _VALUES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_WORDS | st.text(max_size=4), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from([*Document.model_fields]), _TREES, max_size=6))
def test_any_tree_loads_or_is_refused_with_problems(tree: dict[str, object]) -> None:
    text = yaml.safe_dump(tree, allow_unicode=True).encode("utf-8", "surrogatepass")
    for line in problems(text, {"X": "1"}):
        assert line.startswith("headgate.yaml")
        assert "Input should" not in line
