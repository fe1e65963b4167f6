"""A process that records and ships is killed at any moment; the next one finds every entry, once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

from headgate.ledger.journal import Journal
from headgate.ledger.verify import verify
from headgate.ledger.writer import Writer
from headgate.store.engine import open_store
from tests.unit.ledger.entries import AT_US, COST_PUSD, DAY_US

KILLS = 5
PATIENCE_S = 60.0

GATEWAY = """
import sys
from pathlib import Path
from headgate.ledger.journal import Journal
from headgate.ledger.ledger import Ledger
from headgate.ledger.writer import Writer
from headgate.store.engine import open_store
from tests.unit.ledger.entries import entry, ids

data_dir = Path(sys.argv[1])
store = open_store(None, data_dir=data_dir, env={})
journal = Journal(data_dir / "journal", segment_bytes=50_000)
ledger = Ledger(journal)
writer = Writer(journal, store.ledger, keep_days=None, each_round=ledger.retry)
writer.start()
for number, id_ in enumerate(ids()):
    ledger.record(entry(id_))
    # Said only once the entry is recorded, as a reply ends only then.
    sys.stdout.write(id_ + "\\n")
    sys.stdout.flush()
    if number % 50 == 0:
        writer.poke()
"""


def killed_at_some_moment(data_dir: Path, luck: random.Random) -> list[str]:
    """Run until killed; returns the ids whose recording had returned."""
    said: list[bytes] = []
    with subprocess.Popen([sys.executable, "-c", GATEWAY, str(data_dir)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        output = process.stdout
        reader = threading.Thread(target=lambda: said.extend(output))
        reader.start()
        deadline = time.monotonic() + PATIENCE_S
        while not said and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(luck.uniform(0.0, 0.6))
        process.kill()
        reader.join(PATIENCE_S)
    return [line.decode().strip() for line in said if line.endswith(b"\n")]


def test_a_kill_at_any_moment_loses_and_doubles_nothing(tmp_path: Path) -> None:
    luck = random.Random(20_261_123)
    said: list[str] = []
    for _ in range(KILLS):
        said += killed_at_some_moment(tmp_path, luck)
    store = open_store(None, data_dir=tmp_path, env={})
    journal = Journal(tmp_path / "journal")
    assert journal.findings.damaged == []
    writer = Writer(journal, store.ledger, keep_days=None)
    writer.start()
    assert writer.stop(PATIENCE_S)
    assert verify(store.ledger, tmp_path / "journal").findings == []
    kept = [one.id for one in store.ledger.export(None)]
    assert len(kept) == len(set(kept))
    assert set(said) - set(kept) == set()
    # Of each killed process at most one was recorded and not yet said.
    assert len(kept) - len(set(said)) <= KILLS
    assert store.ledger.spending(AT_US // DAY_US)["key:k_dev"][3] == len(kept) * COST_PUSD
    journal.close()
    store.close()
