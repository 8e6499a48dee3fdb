"""Trains the study of the paper, and writes docs/reproduction.md and its pictures from the run files.

    python docs/reproduction.py                 trains what is missing, then writes the page
    python docs/reproduction.py --jobs 16       more runs at a time than one; each has one thread
    python docs/reproduction.py --only NAME     trains one block of the study
    python docs/reproduction.py --page          trains nothing
    python docs/reproduction.py --check         exits with 1 where the page is not what the runs say

It may be stopped at any time and goes on from there. Runs lie in FOLDER/runs as `laaf reproduce` and `laaf sweep` name
them, and FOLDER/commit names the commit that trained them: another one with other training code trains nothing there.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from reproduction_page import draw, page
from reproduction_study import DOCS, STUDY, read, train

from laaf_cli.files.atomic import replacing

PAGE = DOCS / "reproduction.md"
FOLDER = DOCS.parent / "runs" / "reproduction"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--jobs", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--only", metavar="NAME", help="train one block and write no page")
    parser.add_argument("--page", action="store_true", help="train nothing")
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--folder", type=Path, default=FOLDER, metavar="DIR", help="of the runs")
    asked = parser.parse_args(arguments)
    blocks = [block for block in STUDY if asked.only in (None, block.name)]
    if not blocks:
        names = ", ".join(block.name for block in STUDY)
        raise SystemExit(f"there is no block '{asked.only}' in the study: {names}")
    if not (asked.page or asked.check):
        train(blocks, asked.folder, asked.jobs)
    if asked.only:
        return
    study = read(asked.folder)
    if not any(study.found.values()):
        raise SystemExit(f"there is no run of the study in {asked.folder}")
    if asked.check:
        if page(study) != PAGE.read_text(encoding="utf-8"):
            raise SystemExit(f"{PAGE} is not what the runs in {asked.folder} say")
        return
    draw(study)
    with replacing(PAGE) as aside:
        aside.write_text(page(study), encoding="utf-8")


if __name__ == "__main__":
    main()
