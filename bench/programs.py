"""The programs under test: how each is found, configured, started on its core and stopped."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import ClassVar

from bench import proc, wire
from bench.load import closed_loop

_TEMPLATE = Path(__file__).with_name("nginx.conf.template")


@dataclass(frozen=True)
class Launch:
    """What to run, and what to add to its environment."""

    argv: list[str]
    env: dict[str, str]


class Program:
    """A program that can stand between the load and the fake provider; `slower` divides the load it is given,
    `env` is added to its environment."""

    name = ""
    slower = 1
    version_flag = "--version"
    env: ClassVar[dict[str, str]] = {}

    def find(self) -> str | None:
        """The path of its binary, or None when it is not installed."""
        raise NotImplementedError

    def launch(self, binary: str, folder: Path, port: int, fakes: list[int]) -> Launch:
        """Writes its configuration into the folder and says how to start it on that port."""
        raise NotImplementedError

    def version(self) -> str:
        """What the binary says of itself, on one line."""
        binary = self.find()
        if binary is None:
            return ""
        done = subprocess.run(
            [binary, self.version_flag],
            env={**os.environ, **self.env},
            capture_output=True,
            text=True,
            check=False,
        )
        lines = (done.stdout + done.stderr).strip().splitlines()
        return lines[-1].strip() if lines and not done.returncode else "unknown"


class Nginx(Program):
    """nginx as a bare reverse proxy: the practical limit of a proxy on this machine."""

    name = "nginx"
    version_flag = "-v"

    def find(self) -> str | None:
        return shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"]))

    def launch(self, binary: str, folder: Path, port: int, fakes: list[int]) -> Launch:
        text = Template(_TEMPLATE.read_text()).substitute(
            port=port,
            upstream=fakes[0],
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",
        )
        (folder / "nginx.conf").write_text(text)
        argv = [binary, "-p", str(folder), "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
        return Launch(argv, {})


class Headgate(Program):
    """Headgate with a key, stated limits, a budget, and one route over three deployments with prices."""

    name = "headgate"

    def find(self) -> str | None:
        beside = Path(sys.executable).with_name("headgate")
        return str(beside) if beside.exists() else shutil.which("headgate")

    def launch(self, binary: str, folder: Path, port: int, fakes: list[int]) -> Launch:
        lines = [
            "keys:",
            "  - name: bench",
            f"    secret: {wire.KEY}",
            '    models: ["*"]',
            "    limits: {rpm: 1000000000, tpm: 1000000000000, concurrent: 100000}",
            "    budget: {usd: 1000000, per: month}",
            "providers:",
        ]
        names = [f"box{number}" for number in range(1, len(fakes) + 1)]
        for name, fake in zip(names, fakes, strict=True):
            lines += [
                f"  {name}:",
                "    dialect: openai",
                f"    base_url: http://127.0.0.1:{fake}/v1",
                "    api_key: bench",
                "    models:",
                f'      - {{id: {wire.MODEL}, input_usd_per_mtok: "0.10", output_usd_per_mtok: "0.30"}}',
            ]
        targets = ", ".join(f"{name}/{wire.MODEL}" for name in names)
        lines += ["models:", f"  {wire.MODEL}:", f"    targets: [{targets}]", ""]
        document = folder / "headgate.yaml"
        document.write_text("\n".join(lines))
        document.chmod(0o600)
        argv = [binary, "up", "--config", str(document), "--port", str(port)]
        return Launch(argv, {"HEADGATE_DATA_DIR": str(folder / "data")})


class Litellm(Program):
    """The LiteLLM proxy, one worker, no database; found by BENCH_LITELLM or on the path."""

    name = "litellm"
    slower = 20
    env: ClassVar[dict[str, str]] = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOG": "ERROR",
        "LITELLM_MASTER_KEY": wire.KEY,
    }

    def find(self) -> str | None:
        return shutil.which(os.environ.get("BENCH_LITELLM") or "litellm")

    def launch(self, binary: str, folder: Path, port: int, fakes: list[int]) -> Launch:
        lines = ["model_list:"]
        for fake in fakes:
            lines += [
                f"  - model_name: {wire.MODEL}",
                "    litellm_params:",
                f"      {{model: openai/{wire.MODEL}, api_base: 'http://127.0.0.1:{fake}/v1', api_key: bench}}",
            ]
        (folder / "litellm.yaml").write_text("\n".join(lines) + "\n")
        argv = [binary, "--config", str(folder / "litellm.yaml"), "--host", "127.0.0.1", "--port", str(port)]
        return Launch(argv, self.env)


PROGRAMS: tuple[Program, ...] = (Nginx(), Headgate(), Litellm())


class StartFailedError(Exception):
    """The program ended, or gave no answer in time; the text holds the end of its output."""


class Running:
    """A started program; `start_s` is the time from spawning it to its first 200 answer to a chat request."""

    def __init__(self, program: Program, core: int, fakes: list[int]) -> None:
        binary = program.find()
        assert binary is not None, f"{program.name} is not installed"
        self._folder = TemporaryDirectory(prefix=f"bench-{program.name}-")
        self._path = Path(self._folder.name)
        self.port = free_port()
        launch = program.launch(binary, self._path, self.port, fakes)
        self._began = perf_counter()
        self._process = proc.spawn(launch.argv, core, self._path, launch.env)
        self.pid = self._process.pid
        self.start_s = 0.0

    async def first_answer(self, limit_s: float = 60) -> None:
        """Asks every two milliseconds until a chat request is answered; sets `start_s`.

        Raises StartFailedError when the program ends, answers wrongly, or after `limit_s`.
        """
        fault = "nothing listened"
        while self._process.poll() is None and perf_counter() - self._began < limit_s:
            try:
                tally = await closed_loop(self.port, 1, 1, 10)
            except OSError:
                await asyncio.sleep(0.002)
                continue
            if tally.done:
                self.start_s = perf_counter() - self._began
                return
            fault = tally.faults[0]
            if fault.startswith("wrong answer"):
                break
            await asyncio.sleep(0.002)
        code = self._process.poll()
        state = fault if code is None else f"ended with code {code}"
        raise StartFailedError(f"{state}; it wrote: {self.output()[-600:]}")

    def output(self) -> str:
        """What it wrote so far."""
        logs = [self._path / "log", self._path / "error.log"]
        return "".join(log.read_text(errors="replace") for log in logs if log.exists()).strip()

    @property
    def folder(self) -> Path:
        """Where it keeps what it keeps, until `stop`."""
        return self._path

    def end(self, patience_s: float = 5) -> None:
        """Ends it, killed when that takes longer; its folder stays."""
        proc.stop(self._process, patience_s)

    def stop(self) -> None:
        """Ends it and removes its folder."""
        self.end()
        self._folder.cleanup()


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


class Fakes:
    """The fake provider's process, on the load's core, with one port for each deployment."""

    def __init__(self, core: int, ports: int = 3) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.fake", str(ports)],
            cwd=Path(__file__).parent.parent,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=lambda: os.sched_setaffinity(0, {core}),
        )
        assert self._process.stdout is not None
        self.ports = [int(port) for port in self._process.stdout.readline().split()]

    def stop(self) -> None:
        proc.stop(self._process)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
