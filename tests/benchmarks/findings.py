"""What a benchmark found: tables and single facts, printed for readers and written as JSON for docs/performance.py."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

import laaf_cli
from laaf_cli.derivatives import kernel_name, obstacle
from laaf_cli.files.atomic import replacing


@dataclass(frozen=True)
class Table:
    """A table of finished text: what stands above it, its headers, its rows."""

    caption: str
    headers: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def text(self) -> str:
        """As it is printed, columns aligned."""
        lines = [self.headers, *self.rows]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.headers))]
        aligned = [
            "  ".join(
                cell.rjust(w) if i else cell.ljust(w)
                for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([self.caption, *aligned])

    def markdown(self) -> str:
        """As a page shows it, without the caption."""
        lines = [self.headers, ("---",) * len(self.headers), *self.rows]
        return "\n".join(
            "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
        )


@dataclass(frozen=True)
class Findings:
    """The outcome of one benchmark.

    command: as it was called. machine: where. facts: numbers and sentences that a page may quote, as text.
    """

    benchmark: str
    tables: dict[str, Table]
    facts: dict[str, str] = field(default_factory=dict)
    command: str = ""
    machine: dict[str, str] = field(default_factory=dict)

    def write(self, path: Path) -> None:
        with replacing(path) as part:
            part.write_text(
                json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
            )

    @classmethod
    def read(cls, path: Path) -> Findings:
        found = json.loads(path.read_text(encoding="utf-8"))
        tables = {
            name: Table(
                table["caption"], tuple(table["headers"]), [tuple(row) for row in table["rows"]]
            )
            for name, table in found.pop("tables").items()
        }
        return cls(tables=tables, **found)


def tell(findings: Findings, output: Path | None) -> None:
    """Prints the findings, and writes them where a file is asked for."""
    machine = machine_facts()
    print("\n".join(f"{name}: {value}" for name, value in machine.items()))
    for table in findings.tables.values():
        print(f"\n{table.text()}")
    print()
    for name, value in findings.facts.items():
        print(f"{name}: {value}")
    if output is not None:
        output.parent.mkdir(parents=True, exist_ok=True)
        command = " ".join(["python", *_relative(sys.argv)])
        Findings(findings.benchmark, findings.tables, findings.facts, command, machine).write(
            output
        )
        print(f"written: {output}")


def _relative(arguments: Sequence[str]) -> list[str]:
    """The command line with the script as it is called from the root of the repository."""
    script, *rest = arguments
    quoted = [f"'{word}'" if " " in word or "*" in word else word for word in rest]
    return [f"tests/benchmarks/{Path(script).name}", *quoted]


def machine_facts() -> dict[str, str]:
    """What numbers depend on, as it is at this moment."""
    return {
        "processor": processor(),
        "cores": str(
            len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ),
        "threads": str(torch.get_num_threads()),
        "vector instructions": torch.backends.cpu.get_cpu_capability(),
        "GPU": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        "torch": torch.__version__,
        "laaf": laaf_cli.__version__,
        "kernel of laaf": kernel_name() or f"none: {obstacle('cpu', 'tanh', 2)}",
    }


def processor() -> str:
    """The model of the processor as the system names it."""
    listing = Path("/proc/cpuinfo")
    if listing.exists():
        for line in listing.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def make_parser(description: str | None, max_seconds: float | None) -> argparse.ArgumentParser:
    """A parser with the options that every benchmark has; max_seconds: the default of --max-seconds, None: no such."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="less of everything, in a minute at most"
    )
    if max_seconds is not None:
        parser.add_argument(
            "--max-seconds", type=float, default=max_seconds, help="default: %(default)g"
        )
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="default: %(default)s"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FILE", help="write the findings there, as JSON"
    )
    return parser


def milliseconds(seconds: float) -> str:
    return f"{1e3 * seconds:.3g}" if seconds < 0.9995 else f"{1e3 * seconds:.0f}"
