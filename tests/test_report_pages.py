"""Pages without a browser: what they say, that texts are escaped, and what they are made of."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from conftest import Laaf
from report_pages import HEAT, TITLE, write_runs

import laaf_cli as laaf
from laaf_cli.errors import ExitCode
from laaf_cli.expression import mathml
from laaf_cli.report.figures import RunData
from laaf_cli.report.page import write_page
from laaf_cli.report.page.document import Still
from laaf_cli.report.page.plots import MAX_VALUES, make_plot, moments_of, name_ticks
from laaf_cli.report.page.run_page import make_verdict
from laaf_cli.report.run_report import RunReport
from laaf_cli.runfile.learned_constants import EstimatedConstant
from laaf_cli.runfile.record import GridFields

GOLDEN = Path(__file__).parent / "golden"
MAX_BYTES = 5_000_000


class Content(HTMLParser):
    """The texts of a page, and what its tags point at."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data: str) -> None:
        if self.tags[-1:] not in (["script"], ["style"]):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.texts).split())


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def one(runs: dict[str, Path]) -> str:
    page = runs["nlaaf-0"].with_name("one.html")
    write_page([runs["nlaaf-0"]], page)
    return page.read_text(encoding="utf-8")


def test_the_page_of_a_run_says_the_error_first_and_all_else(one: str) -> None:
    text = Content(one).text
    verdict = text.index("Not solved: wrong by")
    order = ["Problem", "Solution", "Error", "Loss", "Slopes", "Recipe", "Spec", "Repeat it"]
    places = [text.index(f" {heading} ", verdict) for heading in order]
    assert places == sorted(places)
    for said in ("closed form of the spec", "Its own error", "at held-out points", "layer 2", "neurons that grew most",
                 "equation: [u = x, v = 0]", "spec.yaml', set={'seed': '0'}, output='nlaaf-0-again.h5')"):  # fmt: skip
        assert said in text, said


def test_texts_of_a_spec_are_shown_and_not_obeyed(one: str) -> None:
    content = Content(one)
    assert TITLE in content.text
    assert "<b>nobody</b>" in content.text
    assert "b" not in content.tags
    assert "<script>document" not in one
    assert content.tags.count("script") == 3


def test_a_page_is_small_and_loads_nothing(one: str) -> None:
    assert len(one) < MAX_BYTES
    assert {address[:22] for address in Content(one).addresses} == {"data:image/png;base64,"}


def test_every_picture_says_what_it_shows(one: str) -> None:
    pictures = re.findall(r"<img[^>]*>", one)
    assert len(pictures) == 4
    assert all(re.search(r'alt="[^"]{10,}', picture) for picture in pictures)


def test_equations_are_typeset(one: str) -> None:
    assert one.count("<math ") >= 8
    assert "<msub><mi>u</mi><mrow><mi>x</mi><mi>x</mi></mrow></msub>" in one
    assert "<mi>ν</mi>" in one


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("u_tt = laplacian(u)", "<msub>utt</msub>=Δu"),
        ("a/b", "<mfrac>ab</mfrac>"),
        ("k*laplacian(u)*(a/b)**2", "k&#x2062;Δu&#x2062;<msup>(<mfrac>ab</mfrac>)2</msup>"),
        ("-(a - b)*c", "−(a−b)&#x2062;c"),
        ("a - (b - c) + -d", "a−(b−c)+(−d)"),
        ("2*3**x", "2·<msup>3x</msup>"),
        ("sqrt(abs(x))", "<msqrt>|x|</msqrt>"),
        ("D(k*u_x, x)", "<mfrac><msup>∂</msup>∂x</mfrac>(k&#x2062;<msub>ux</msub>)"),
        ("D(u, x, t)", "<mfrac><msup>∂2</msup>∂x∂t</mfrac>u"),
        ("exp(-x)*log(y)", "<msup>e−x</msup>&#x2062;ln&#x2061;(y)"),
        ("1e-5*k_1", "<msup>10−5</msup>&#x2062;<msub>k1</msub>"),
        ("x > 0 and Omega <= 1", "x&gt;0<mtext> and </mtext>Ω≤1"),
        (
            "where(x < 1, 2, 3)",
            "{<mtable><mtr><mtd>2</mtd><mtd><mtext>if </mtext>x&lt;1</mtd></mtr>"
            "<mtr><mtd>3</mtd><mtd><mtext>else</mtext></mtd></mtr></mtable>",
        ),
    ],
)
def test_trees_become_mathml(text: str, shown: str) -> None:
    typeset = mathml(text, ["u"], ["x", "y", "t"])
    assert re.sub(r"</?(math|mrow|mi|mo|mn)\b[^>]*>", "", typeset) == shown


@pytest.mark.parametrize("text", ["u(x=0)", "<img src=x onerror=y>", "a b", "__import__('os')"])
def test_what_is_no_expression_is_code(text: str) -> None:
    shown = mathml(text)
    assert shown.startswith("<code>")
    assert "<img" not in shown


@pytest.mark.parametrize(
    ("error", "reason", "state", "headline"),
    [
        (2.3e-5, "completed", "good", "Solved to 2.3e-05"),
        (0.2, "completed", "bad", "Not solved: wrong by 20%"),
        (float("inf"), "completed", "bad", "Not solved: wrong by not finite"),
        (2.3e-5, "diverged", "bad", "Not solved: the training diverged; error 2.3e-05"),
    ],
)
def test_the_verdict(
    runs: dict[str, Path], error: float, reason: str, state: str, headline: str
) -> None:
    report = RunReport.read(runs["nlaaf-0"])
    facts = report.attributes | {"stop_reason": reason}
    verdict = make_verdict(replace(report, relative_l2=error, attributes=facts))
    assert (verdict.state, verdict.headline) == (state, headline)


@pytest.mark.parametrize(
    ("name", "facts", "state", "headline"),
    [
        ("nlaaf-0", {"goal": 1e-4}, "open", "Not solved to the goal: 2.0e-03 (goal 0.0001)"),
        ("nlaaf-0", {"goal": 0.01}, "good", "Solved to 2.0e-03 (goal 0.01)"),
        ("bare", {"goal": 1e-4}, "open", "Whether it is solved to the goal 0.0001 is not known"),
        ("bare", {"goal": 1e-4, "estimate": 2e-5, "estimated_by": "residuals"}, "good",
         "Solved to 2.0e-05, by residuals (goal 0.0001)"),
        ("bare", {"goal": 1e-4, "estimate": 0.3, "estimated_by": "residuals"}, "bad",
         "Not solved to the goal: 3.0e-01, by residuals (goal 0.0001)"),
        ("nlaaf-0", {"goal": 0.01, "stop_reason": "running"}, "bad",
         "Not solved: the training is not finished, and this is its last checkpoint; error 2.0e-03"),
    ],
)  # fmt: skip
def test_the_verdict_says_of_the_goal_what_the_training_said(
    runs: dict[str, Path], name: str, facts: dict[str, str | float], state: str, headline: str
) -> None:
    report = RunReport.read(runs[name])
    error = None if name == "bare" else 2e-3
    verdict = make_verdict(replace(report, relative_l2=error, attributes=report.attributes | facts))
    assert (verdict.state, verdict.headline) == (state, headline)


def test_what_learned_constants_came_to_is_said_first(runs: dict[str, Path]) -> None:
    found = EstimatedConstant(
        start=1, lower=0, upper=1, value=0.21, mean=0.21, deviation=0, drift=0, truth=0.2,
        interval=None, no_interval="",
    )  # fmt: skip
    report = replace(RunReport.read(runs["nlaaf-0"]), constants={"k": found})
    (said,) = [text for text in make_verdict(report).texts if "Found" in text]
    assert said == "Found: k = 0.21; its truth is 0.2, so the relative error is 5.0e-02."


@pytest.mark.parametrize(
    ("values", "n_ticks"), [([0.02, 1.5], 18), ([1e-6, 1.0], 0), ([1.0, 1.2], 0), ([0.0], 0)]
)
def test_short_log_axes_have_ticks_of_a_log_scale(values: list[float], n_ticks: int) -> None:
    plot = make_plot("x", "y", y_axis_type="log")
    name_ticks(plot.yaxis, np.array(values))
    ticks = getattr(plot.yaxis.ticker, "ticks", [])
    assert len(ticks) == n_ticks
    assert set(ticks) >= ({0.02, 0.05, 0.1, 1.0} if n_ticks else set())


def test_without_a_reference_the_error_is_not_known(runs: dict[str, Path]) -> None:
    verdict = make_verdict(RunReport.read(runs["bare"]))
    assert (verdict.state, verdict.headline) == ("open", "How wrong this is, is not known")
    assert "held-out points" in verdict.texts[1]


def test_large_grids_are_thinned(runs: dict[str, Path]) -> None:
    run = RunData.read(runs["nlaaf-0"])
    axes = {"x": list(range(2000)), "t": list(range(501))}
    run = replace(run, solution=GridFields(axes, {}))  # type: ignore[arg-type]
    n = len(moments_of(run))
    assert n * (n * 4) * 3 * 2 <= MAX_VALUES * 1.1
    assert moments_of(run)[:2] == [0, 501 // n + (501 % n > 0)]


def test_several_runs_become_claims_and_tables(
    runs: dict[str, Path], tmp_path: Path, laaf: Laaf
) -> None:
    page, broken = tmp_path / "all.html", tmp_path / "broken.h5"
    broken.write_text("no run", encoding="utf-8")
    pairs = [path for name, path in runs.items() if name not in ("bare", "membrane")]
    done = laaf("report", *pairs, broken, "--output", page)
    assert done.code == ExitCode.RUN_FILE
    assert "written: " in done.err
    text = Content(page.read_text(encoding="utf-8")).text
    for said in ("No method is shown to be better, of 1 pair of methods; missing runs: 1", "beats", "not shown", "slopes.kind",
                 "completed", "broken.h5"):  # fmt: skip
        assert said in text, said


def test_a_run_of_images_shows_its_mistakes(tmp_path: Path, laaf: Laaf) -> None:
    page = tmp_path / "images.html"
    assert laaf("report", GOLDEN / "image-run-format-7.h5", "-o", page).code == 0
    text = Content(page.read_text(encoding="utf-8")).text
    for said in ("of 6 test images are classified wrongly", "by the most frequent class: ", "taken for",
                 "laaf classify "):  # fmt: skip
        assert said in text, said


@pytest.mark.parametrize("name", ["page.pdf", "page", "folder.html", "mine.html"])
def test_a_page_goes_into_an_html_file(
    runs: dict[str, Path], tmp_path: Path, laaf: Laaf, name: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    (tmp_path / "mine.html").write_text("<!DOCTYPE html>", encoding="utf-8")
    done = laaf("report", runs["bare"], "-o", tmp_path / name)
    assert done.code == ExitCode.USAGE
    assert name in done.err


@pytest.fixture
def without_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawing takes most of the time of a page."""
    monkeypatch.setattr(Still, "address", "data:,")


@pytest.mark.usefixtures("without_pictures")
def test_solve_and_sweep_write_a_page(
    tmp_path: Path, laaf: Laaf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("heat.yaml").write_text(HEAT, encoding="utf-8")
    page = ("--quiet", "--report", "page.html")
    assert laaf("solve", "heat.yaml", "-o", "one.h5", "--max-seconds", 9, *page).code == 0
    text = Content(Path("page.html").read_text(encoding="utf-8")).text
    assert re.search(r"laaf solve \S*heat.yaml --max-seconds 9 --output one-again.h5 ", text)
    assert laaf("sweep", "heat.yaml", "--seeds", 2, *page).code == 0
    assert "2 runs compared" in Path("page.html").read_text(encoding="utf-8")


def test_a_page_that_cannot_be_written_is_refused_before_training(
    tmp_path: Path, laaf: Laaf
) -> None:
    run = tmp_path / "run.h5"
    done = laaf("solve", "heat", "-o", run, "--report", tmp_path / "page.txt")
    assert done.code == ExitCode.USAGE
    assert not run.exists()


@pytest.mark.usefixtures("without_pictures")
def test_a_run_reports_itself(runs: dict[str, Path], tmp_path: Path) -> None:
    page = laaf.load(runs["bare"]).report(tmp_path / "page.html")
    assert "How wrong this is" in page.read_text(encoding="utf-8")
