"""`headgate simulate`: scenarios by name and by file, figures as a table and as JSON, and one line for each mistake."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from headgate.cli.scenario_file import parse_scenario, read_scenario
from headgate.cli.simulate import list_scenarios, run_simulation, show_scenario, table
from headgate.config.problems import ConfigError
from headgate.simulation import shipped
from headgate.simulation.figures import simulate
from headgate.simulation.scenario import StepPart
from headgate.types.policy import Order
from tests.process.headgate import HEADGATE, TIMEOUT_S

DOCUMENTATION = Path(__file__).parents[3] / "docs" / "simulation.md"

SMALL = """\
duration_s: 700
arrivals_per_s: 1
mix: {prompt_tokens: 500, output_tokens: {low: 50, high: 150}}
providers:
  - name: cheap
    price: {input_usd_per_mtok: "0.1", output_usd_per_mtok: "0.2"}
    first_token_s: {median: 0.5, sigma: 0.3}
    tokens_per_s: 60
  - name: quick
    price: {input_usd_per_mtok: "0.3", output_usd_per_mtok: "0.6"}
    first_token_s: 0.2
    tokens_per_s: 150
events:
  - {at_s: 50, provider: quick, slow_down: 2}
"""


@pytest.fixture
def small(tmp_path: Path) -> str:
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return str(path)


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        parse_scenario(text, "s.yaml")
    return str(error.value).splitlines()


def changed(old: str, new: str) -> str:
    assert SMALL.count(old) == 1
    return SMALL.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("duration_s: 700", "duration: 700", "s.yaml:1: duration: unknown key; did you mean duration_s?"),
        ("arrivals_per_s: 1", "arrivals_per_s: -1", "s.yaml:2: arrivals_per_s: must be more than 0, not -1"),
        ("arrivals_per_s: 1", "arrivals_per_s: [{from_s: 5, per_s: 1}]", "must have a first step from_s: 0"),
        (
            "arrivals_per_s: 1",
            "arrivals_per_s: [{from_s: 0, per_s: 1}, {from_s: 9, per_s: 1}, {from_s: 9, per_s: 2}]",
            "s.yaml:2: arrivals_per_s[2].from_s: must come after the step before",
        ),
        ("arrivals_per_s: 1", "arrivals_per_s: 1000000", "come to more than 5,000,000 requests"),
        ("prompt_tokens: 500", "prompt_tokens: {median: 5}", "must be a number, {median: …, sigma: …} or {low: …"),
        ("low: 50, high: 150", "low: 150, high: 50", "s.yaml:3: mix.output_tokens: its high is below its low"),
        ("sigma: 0.3", "sigma: 30", "s.yaml:7: providers[0].first_token_s: its sigma must be between 0 and 3"),
        ("tokens_per_s: 60", "tokens_per_s: 0", "s.yaml:8: providers[0].tokens_per_s: must be more than 0"),
        ("tokens_per_s: 60", "tokens_per_s: 60\n    eror: {}", "providers[0].eror: unknown key; did you mean errors?"),
        ("tokens_per_s: 60", "tokens_per_s: 60\n    slots: 0", "providers[0].slots: must be at least 1, not 0"),
        ('"0.1"', "0.1", "s.yaml:6: providers[0].price.input_usd_per_mtok: must be an amount in US dollars as text"),
        ('"0.1"', '"cheap"', 'must be an amount in US dollars as text, such as "0.15"'),
        ('{input_usd_per_mtok: "0.1", output_usd_per_mtok: "0.2"}', '{input_usd_per_mtok: "0.1"}', "is missing"),
        ("name: cheap", "name: quick", "s.yaml:9: providers[1].name: quick is the name of another provider too"),
        ("name: cheap", "name: a/b", "providers[0].name: must be a word of at most 60 characters, without / # *"),
        ("provider: quick", "provider: quik", "no provider is called quik; there are cheap, quick"),
        ("slow_down: 2", "outage: perhaps", "events[0].outage: must be one of refuses, hangs, over, not 'perhaps'"),
        (", slow_down: 2", "", "changes nothing: give slow_down, price, outage or error_rate"),
        ("slow_down: 2", "slow_down: 2, announced: true", "says when a price becomes known, and names no price"),
        ("at_s: 50", "at_s: 700", "s.yaml:14: events[0].at_s: comes after the end"),
        ("duration_s: 700", "duration_s: 700\npolicies: [fast]", "did you mean fastest?"),
        ("duration_s: 700", "duration_s: 700\ntargets: {fastest_p95: 50}", "give no reason; write one under because"),
        ("duration_s: 700", "duration_s: 700\nduration_s: 700", "is written twice, on lines 1 and 2"),
        (SMALL, "", "s.yaml: is empty"),
        (SMALL, "- a", "must be a mapping"),
        (SMALL, "a: [", "not valid YAML"),
    ],
)
def test_each_mistake_is_one_line_with_its_place(old: str, new: str, line: str) -> None:
    found = [one for one in problems(changed(old, new)) if "duration_s: is missing" not in one]
    assert len(found) == 1, found
    assert line in found[0]


def test_all_mistakes_are_found_at_once_in_the_order_of_the_file() -> None:
    text = changed("slow_down: 2", "slow_down: 0").replace("median", "medium").replace("mix", "mixed")
    assert [one.partition(": ")[0] for one in problems(text)] == ["s.yaml", "s.yaml:3", "s.yaml:7", "s.yaml:14"]


def test_a_number_of_arrivals_is_the_same_all_the_time() -> None:
    assert parse_scenario(SMALL, "s.yaml").arrivals_per_s == (StepPart(from_s=0, per_s=1),)


def test_a_scenario_is_found_by_its_name_or_its_path(small: str) -> None:
    assert read_scenario("steady").providers[0].name == "thrifty"
    assert [one.name for one in read_scenario(small).providers] == ["cheap", "quick"]
    with pytest.raises(ConfigError, match="stedy: cannot be read: no such file or directory; did you mean steady"):
        read_scenario("stedy")


def test_the_table_has_a_section_for_the_run_and_one_for_each_window(small: str) -> None:
    lines = table(simulate(read_scenario(small), policies=[Order.CHEAPEST, Order.FASTEST]))
    heads = [line for line in lines if " requests " in line]
    assert [line.split("  ")[0] for line in heads] == ["whole run", "after quick 2 times slower at 50 s"]
    names = [line.split("  ")[0] for line in lines if line and line not in heads]
    assert names == ["cheapest", "fastest", "oracle: cheapest", "oracle: fastest"] * 2


def test_json_holds_the_same_figures(small: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_simulation(small, [Order.CHEAPEST], 7, as_json=True, enforce=True) == 0
    told = json.loads(capsys.readouterr().out)
    report = simulate(read_scenario(small), seed=7, policies=[Order.CHEAPEST])
    assert told["seed"] == 7
    assert told["missed"] == []
    assert told["policies"][0]["whole"]["cost_pusd"] == report.policies[0].whole.cost_pusd
    assert told["policies"][0]["whole"]["shares"] == report.policies[0].whole.shares
    assert list(told["policies"][0]["windows"]) == ["quick 2 times slower at 50 s"]


def test_a_missed_target_is_said_and_with_enforce_is_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = tmp_path / "secret.yaml"
    dearer = 'price: {input_usd_per_mtok: "0.1", output_usd_per_mtok: "0.2"}'
    charged = 'charged: {input_usd_per_mtok: "9", output_usd_per_mtok: "9"}'
    secret.write_text(changed(dearer, f"{dearer}\n    {charged}"))
    for enforce, code in ((False, 0), (True, 1)):
        assert run_simulation(str(secret), [Order.CHEAPEST], None, as_json=False, enforce=enforce) == code
        assert "missed: cheapest: cost +" in capsys.readouterr().err


def test_scenarios_are_listed_and_shown(capsys: pytest.CaptureFixture[str]) -> None:
    assert list_scenarios() == 0
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == shipped.names()
    assert show_scenario("steady") == 0
    assert parse_scenario(capsys.readouterr().out, "shown") == read_scenario("steady")
    assert show_scenario("stedy") == 2


def test_the_command_itself(small: str) -> None:
    def ran(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [HEADGATE, "simulate", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)

    done = ran(small, "--policy", "fastest", "--seed", "2", "--json")
    assert done.returncode == 0, done.stderr
    assert [one["name"] for one in json.loads(done.stdout)["policies"]] == ["fastest"]
    assert ran(small, "--policy", "fastes").returncode == 2
    assert ran("no-such.yaml").returncode == 2
    assert ran().returncode == 2


def test_the_file_in_the_documentation_is_a_good_one() -> None:
    block = DOCUMENTATION.read_text().partition("```yaml\n")[2].partition("```")[0]
    scenario = parse_scenario(block, "simulation.md")
    assert len(scenario.events) == 6
    assert scenario.providers[0].cache is not None
