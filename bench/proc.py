"""Processes of the program under test: cores, file limits, start and stop, CPU time and memory of the whole tree."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

_TICK_NS = 1_000_000_000 // os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Which core runs the program under test and which the load and the fake provider; equal when there is only one."""

    program: int
    load: int

    @property
    def shared(self) -> bool:
        return self.program == self.load


@dataclass(frozen=True)
class Memory:
    """Bytes of a process tree: resident (shared pages counted in each process) and proportional."""

    rss: int
    pss: int


def claim_cores() -> Cores:
    """Pins this process to the load's core and raises its limit of open files; returns the cores."""
    allowed = sorted(os.sched_getaffinity(0))
    cores = Cores(allowed[0], allowed[1] if len(allowed) > 1 else allowed[0])
    os.sched_setaffinity(0, {cores.load})
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return cores


def spawn(argv: list[str], core: int, folder: Path, env: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Starts a program on one core, in a session of its own; its output goes to `log` in that folder."""
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(
            argv,
            env={**os.environ, **(env or {})},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )


def stop(process: subprocess.Popen[bytes], patience_s: float = 5) -> None:
    """Ends a process made by `spawn`, and whatever it left in its session."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(patience_s)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(patience_s)


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on (the name before them may hold spaces)."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def tree(root: int) -> list[int]:
    """The process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, IndexError):
                children.setdefault(int(_stat(int(entry))[1]), []).append(int(entry))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def cpu_ns(root: int) -> int:
    """CPU time the tree's living threads have used; from ticks of 10 ms where the kernel keeps no finer account."""
    total = 0
    for pid in tree(root):
        with contextlib.suppress(OSError, IndexError):
            total += _threads_ns(pid) or sum(map(int, _stat(pid)[11:13])) * _TICK_NS
    return total


def _threads_ns(pid: int) -> int:
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with contextlib.suppress(OSError, IndexError):
            total += int(Path(f"/proc/{pid}/task/{task}/schedstat").read_text().split()[0])
    return total


def memory(root: int) -> Memory:
    """Memory of the tree now."""
    rss = pss = 0
    for pid in tree(root):
        with contextlib.suppress(OSError):
            for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Rss:"):
                    rss += int(line.split()[1]) * 1024
                elif line.startswith("Pss:"):
                    pss += int(line.split()[1]) * 1024
    return Memory(rss, pss)
