"""schemathesis holds the whole API to its own description: every check, good data and bad."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.control.every_route import make_objects
from tests.control.served import OWNER, Served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
HOOKS = "tests.control.accepts"
ROOT = Path(__file__).resolve().parents[2]
SECONDS = 240
"""Far more than it takes; only a run that hangs needs so long."""


def test_the_api_keeps_to_its_description(on_sqlite: Served, tmp_path: Path) -> None:
    config = tmp_path / "schemathesis.toml"
    on = make_objects(on_sqlite, "default", "own")
    ids = {"keys": on.key, "tokens": on.token, "credentials": on.credential, "routes": on.route}
    lines = [f'hooks = "{HOOKS}"']
    for kind, id in ids.items():
        # Deleting is left to what the run makes itself.
        lines += [
            "[[operations]]",
            f"include-path-regex = '^/api/{kind}/'",
            "exclude-method = 'DELETE'",
            f"parameters = {{ 'path.id' = '{id}' }}",
        ]
    lines += ["[[operations]]", "include-path-regex = '^/api/budgets/'", f"parameters = {{ scope = 'key:{on.key}' }}"]
    lines += ["[[operations]]", "include-path-regex = '^/api/ledger/requests/'"]
    lines += [f"parameters = {{ 'path.id' = '{on.request}' }}"]
    config.write_text("\n".join(lines) + "\n")
    command = [str(SCHEMATHESIS), "--config-file", str(config), "run", f"{on_sqlite.address}/api/openapi.json"]
    command += [
        "--checks",
        "all",
        "--exclude-checks",
        "positive_data_acceptance",
        "--max-examples",
        "6",
        "--continue-on-failure",
        "--no-color",
    ]
    command += ["--generation-database", "none", "--header", f"Authorization: Bearer {OWNER}", "--seed", "1"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"}
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr[-2000:]
    assert "Tested: 40" in ended.stdout, ended.stdout[-5000:]
