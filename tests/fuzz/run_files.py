"""Run files damaged by chance: each is refused in one sentence that names it, or nothing of it has changed.

Twice: as damage leaves them, which the seal finds; and sealed again, as a hostile writer would. HDF5 and the reader meet
the damage both times, for a file whose seal does not fit is read too where nobody asks for a sealed one. A wrong number
cannot be decided then, but nothing may crash, hang or get through.

All are read in one process of its own, which has 256 MB of address space and ten seconds for each file. What kills it
is told apart from what it reports, and a new one goes on with the next file.

    python tests/fuzz/run_files.py
    python tests/fuzz/run_files.py --n 20000 --seed 7
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path

import h5py

from laaf_cli.errors import ChangedRunWarning, RunFileError
from laaf_cli.images.runfile.read import ImageRunFile
from laaf_cli.runfile import AnyRunFile, RunFile, task_of
from laaf_cli.runfile.seal import SIZE, seal

GOLDEN = Path(__file__).parents[1] / "golden" / "run-format-7.h5"
GOLDEN_IMAGES = GOLDEN.with_name("image-run-format-7.h5")

PACKED = (
    "solution/u",
    "history/total",
    "history/test_loss",
    "network/layer_1/weight",
    "network/conv2.weight",
)
"""What is packed in the good files, where they have it."""

ROOM = 256_000_000
SECONDS = 10

BATCH = 200
"""So many files lie on the disk at a time."""

READ, REFUSED, FAILED = "read", "refused", "failed"


@dataclass(frozen=True)
class Told:
    """How reading a file ended, what was said of it, how long it took, and whether its seal fits."""

    end: str
    said: str
    seconds: float
    is_sealed: bool


def read_everything(path: Path) -> None:
    """Every part of a run file that has a reader."""
    if task_of(path) == "images":
        read_images(path)
        return
    with RunFile(path) as run:
        assert run.attributes
        assert run.text("spec/yaml") is not None
        assert run.settings
        assert run.spec
        for group in ("solution", "reference", "error", "slices"):
            run.grid(group)
        run.error_at_times()
        run.history()
        run.constants()
        run.final_terms()
        run.validation()
        run.functions()
        run.n_points()
        run.network()
        run.source()
        run.phases()
        run.events()
        run.checkpoint()


def read_images(path: Path) -> None:
    """Every part of a run file of images."""
    with ImageRunFile(path) as run:
        assert run.attributes
        assert run.text("spec/yaml") is not None
        assert run.settings
        assert run.spec
        run.files()
        run.classes()
        run.history()
        run.largest_scale()
        run.recovery()
        run.confusion()
        run.network()
        run.source()
        run.events()
        run.checkpoint()


def examine(paths: list[str]) -> None:
    """Reads files and writes a line for each: how it ended, and what was left open."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    room = pages * resource.getpagesize() + ROOM
    resource.setrlimit(resource.RLIMIT_AS, (room, room))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    warnings.simplefilter("ignore", ChangedRunWarning)
    for path in paths:
        signal.alarm(SECONDS)
        end, said, is_sealed = READ, "", True
        before, start = len(list(Path("/proc/self/fd").iterdir())), time.perf_counter()
        try:
            read_everything(Path(path))
        except RunFileError as error:
            end, said = REFUSED, str(error)
        except Exception as error:  # noqa: BLE001 - which it is, the test tells
            end, said = FAILED, f"{type(error).__name__} got through: {error}"
        seconds = time.perf_counter() - start
        try:
            AnyRunFile(Path(path), must_be_sealed=True).close()
        except RunFileError:
            is_sealed = False
        if len(list(Path("/proc/self/fd").iterdir())) > before:
            end, said = FAILED, f"{said} AND LEFT FILES OPEN"
        sys.stdout.write(json.dumps(asdict(Told(end, said, seconds, is_sealed))) + "\n")
        sys.stdout.flush()


def examined(paths: list[Path]) -> dict[str, Told]:
    """How reading each file ends, by file name."""
    told: dict[str, Told] = {}
    left = list(paths)
    while left:
        command = [sys.executable, __file__, "--examine", *map(str, left)]
        ended = subprocess.run(
            command, capture_output=True, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"}
        )
        found = [Told(**json.loads(line)) for line in ended.stdout.splitlines()]
        told |= {path.name: one for path, one in zip(left, found, strict=False)}
        left = left[len(found) :]
        if left and ended.returncode < 0:
            signalled = signal.Signals(-ended.returncode)
            seconds = SECONDS if signalled == signal.SIGALRM else 0
            said = f"KILLED by {signalled.name}"
            told[left.pop(0).name] = Told(FAILED, said, seconds, is_sealed=False)
        elif left:
            raise AssertionError(f"the reader ended early: {ended.stderr}")
    return told


# --- Damage --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Good:
    """A good run file. Most of a small one is unused room within its metadata: what holds something is hit."""

    content: bytes
    used: list[int]
    addresses: list[int]

    @classmethod
    def of(cls, content: bytes) -> Good:
        words = {
            i: int.from_bytes(content[i : i + 8], "little") for i in range(0, len(content) - 8, 8)
        }
        addresses = [i for i, word in words.items() if 0 < word < len(content) and word % 8 == 0]
        return cls(content, [i for i, byte in enumerate(content) if byte], addresses)

    def damaged(self, name: str) -> bytes:
        """The file, damaged in a way that the name alone decides."""
        chance = random.Random(name)  # noqa: S311 - no secret
        content, damage = bytearray(self.content), chance.choice(DAMAGES)
        for _ in range(chance.choice([1, 1, 2, 8])):
            damage(content, self, chance)
        return bytes(content)


Damage = Callable[[bytearray, Good, random.Random], None]


def flip_a_bit(content: bytearray, good: Good, chance: random.Random) -> None:
    content[chance.choice(good.used)] ^= 1 << chance.randrange(8)


def set_a_byte(content: bytearray, good: Good, chance: random.Random) -> None:
    content[chance.choice(good.used)] = chance.choice([0, 1, 0x7F, 0x80, 0xFF])


def set_a_word(content: bytearray, good: Good, chance: random.Random) -> None:
    at = min(chance.choice(good.used), len(content) - 8)
    content[at : at + 8] = chance.choice(
        [bytes(8), b"\xff" * 8, chance.randbytes(8), chance.randbytes(4) + bytes(4)]
    )


def lead_elsewhere(content: bytearray, good: Good, chance: random.Random) -> None:
    """What leads to a thing leads to another, or in a circle."""
    at, source = chance.choice(good.addresses), chance.choice(good.addresses)
    content[at : at + 8] = good.content[source : source + 8]


def zero_a_block(content: bytearray, good: Good, chance: random.Random) -> None:
    at, n = chance.choice(good.used), chance.choice([16, 512, 4096])
    content[at : at + n] = bytes(len(content[at : at + n]))


def zero_the_end(content: bytearray, good: Good, chance: random.Random) -> None:
    at = chance.choice(good.used)
    content[at:] = bytes(len(content) - at)


def swap_blocks(content: bytearray, _good: Good, chance: random.Random) -> None:
    n = chance.choice([8, 512, 4096])
    a, b = (n * chance.randrange(len(content) // n) for _ in range(2))
    content[a : a + n], content[b : b + n] = content[b : b + n], content[a : a + n]


def repeat_a_block(content: bytearray, good: Good, chance: random.Random) -> None:
    """What follows moves to where nothing looks for it."""
    at, n = chance.choice(good.used), chance.choice([1, 8, 512])
    content[at:at] = content[at : at + n]


def truncate(content: bytearray, _good: Good, chance: random.Random) -> None:
    del content[chance.randrange(len(content) + 1) :]


def append(content: bytearray, good: Good, chance: random.Random) -> None:
    content += chance.choice(
        [bytes(512), chance.randbytes(chance.randrange(1, 5000)), good.content]
    )


DAMAGES: tuple[Damage, ...] = (
    flip_a_bit,
    set_a_byte,
    set_a_word,
    lead_elsewhere,
    zero_a_block,
    zero_the_end,
    swap_blocks,
    repeat_a_block,
    truncate,
    append,
)


# --- Counting ------------------------------------------------------------------------------------------------------


@dataclass
class Counts:
    """How reading damaged files ended; `read` are those that were changed and read all the same."""

    refused: int = 0
    unchanged: int = 0
    read: int = 0
    slowest_s: float = 0.0
    failed: list[str] = field(default_factory=list)


def make_good(path: Path, golden: Path) -> bytes:
    """A run file with packed data as well, without its seal."""
    path.write_bytes(golden.read_bytes())
    with h5py.File(path, "r+") as file:
        for name in (name for name in PACKED if name in file):
            values = file[name][()]
            del file[name]
            file.create_dataset(
                name, data=values, compression="gzip", shuffle=True, fletcher32=True
            )
    seal(path)
    return path.read_bytes()


def counted(folder: Path, n: int, seed: int, *, resealed: bool, golden: Path = GOLDEN) -> Counts:
    """Damages a good run file n times and reads what comes of it."""
    whole = make_good(folder / "good.h5", golden)
    good = Good.of(whole[SIZE:] if resealed else whole)
    counts = Counts()
    for start in range(0, n, BATCH):
        files: dict[Path, bool] = {}
        for i in range(start, min(start + BATCH, n)):
            path, content = folder / f"{seed}-{i}.h5", good.damaged(f"{seed}-{i}")
            files[path] = content == good.content
            path.write_bytes(bytes(SIZE) + content if resealed else content)
            if resealed:
                seal(path)
        for path, told in zip(files, examined(list(files)).values(), strict=True):
            count(counts, path, told, is_unchanged=files[path], may_be_sealed=resealed)
            path.unlink()
    return counts


def count(
    counts: Counts, path: Path, told: Told, *, is_unchanged: bool, may_be_sealed: bool
) -> None:
    counts.slowest_s = max(counts.slowest_s, told.seconds)
    if told.end == READ and is_unchanged:
        counts.unchanged += 1
    elif told.is_sealed and not is_unchanged and not may_be_sealed:
        counts.failed.append(f"{path.name}: its seal was found to fit")
    elif told.end == READ:
        counts.read += 1
    elif told.end == REFUSED and not is_unchanged and is_one_sentence(told.said, path):
        counts.refused += 1
    else:
        counts.failed.append(f"{path.name}: {told.end}: {told.said}")


def is_one_sentence(said: str, path: Path) -> bool:
    """Whether what is said names the file, and nothing in it upsets a terminal."""
    return str(path) in said and said.isprintable() and len(said) < len(str(path)) + 250


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--n", type=int, default=2000, help="damaged files, of each of the two ways"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--examine", nargs="+", metavar="PATH", help="read these files, and tell how that ended"
    )
    chosen = parser.parse_args()
    if chosen.examine:
        examine(chosen.examine)
        return 0
    failed: list[str] = []
    for golden, resealed in product((GOLDEN, GOLDEN_IMAGES), (False, True)):
        with tempfile.TemporaryDirectory() as folder:
            counts = counted(Path(folder), chosen.n, chosen.seed, resealed=resealed, golden=golden)
        print(
            f"{golden.stem}, {'damaged and sealed again' if resealed else 'damaged'}: "
            f"{chosen.n:,} files, refused {counts.refused:,}, unchanged {counts.unchanged:,}, read {counts.read:,}, "
            f"failed {len(counts.failed):,}; slowest {counts.slowest_s:.2f} s"
        )
        failed += counts.failed
    print("\n".join(failed), end="\n" if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
