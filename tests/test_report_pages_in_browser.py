"""Pages in a browser: plots follow the slider, tables sort, and nothing is loaded or goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright
from report_pages import TITLE, write_runs

from laaf_cli.report.page import write_page
from laaf_cli.report.page.document import Still

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

SECONDS = 60
"""To wait for, where other work has the processor."""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The pages of a run, of a comparison, and of a run over a plane."""
    folder = tmp_path_factory.mktemp("pages")
    runs = write_runs(folder)
    of_heat = [runs[name] for name in ("nlaaf-0", "nlaaf-1", "fixed-0", "fixed-1")]
    shown = {"run": of_heat[:1], "comparison": of_heat, "membrane": [runs["membrane"]]}
    made = {name: folder / f"{name}.html" for name in shown}
    write_page(shown.pop("run"), made["run"])
    with pytest.MonkeyPatch.context() as patch:  # drawing takes most of the time of a page
        patch.setattr(Still, "address", "data:,")
        for name, paths in shown.items():
            write_page(paths, made[name])
    return made


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def wrong() -> list[str]:
    """What went wrong in pages, and what they asked for."""
    return []


@pytest.fixture(scope="module")
def pages(browser: Browser, files: dict[str, Path], wrong: list[str]) -> dict[str, Page]:
    """The pages, opened once."""
    pages = {}
    for name, file in files.items():
        page = pages[name] = browser.new_page()
        page.set_default_timeout(1000 * SECONDS)
        page.on(
            "console", lambda m: wrong.append(m.text) if m.type in ("error", "warning") else None
        )
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: wrong.append(r.url) if r.url.startswith("http") else None)
        page.goto(file.as_uri())
        page.wait_for_selector("html.ready")
    return pages


Open = Callable[..., Page]


@pytest.fixture
def opened(pages: dict[str, Page], wrong: list[str]) -> Iterator[Open]:
    """A page as others have left it, with another window; nothing may go wrong in it."""

    def show(name: str, width: int = 1280, **media: Any) -> Page:
        page = pages[name]
        page.set_viewport_size({"width": width, "height": 900})
        page.emulate_media(**({"media": "screen", "color_scheme": "light"} | media))
        return page

    yield show
    assert wrong == []


@pytest.mark.parametrize("name", ["run", "comparison"])
@pytest.mark.parametrize("width", [390, 1920])
def test_a_page_is_as_wide_as_its_window(opened: Open, name: str, width: int) -> None:
    page = opened(name, width)
    page.wait_for_function("w => document.documentElement.scrollWidth <= w", arg=width)
    assert page.locator(".plot:visible").count() >= 2
    assert page.locator("img:visible").count() == 0


def test_the_slider_moves_the_slice_by_keyboard(opened: Open) -> None:
    page = opened("run")
    assert page.title() == TITLE
    slice_ = page.locator("[data-of=u] .plot").nth(3)
    slider = page.locator("input[type=range]")
    slider.press("End")
    before, at = slice_.screenshot(), page.locator("output").inner_text()
    values = "Bokeh.documents[0].get_model_by_name('u slice').data.solution.join()"
    numbers = page.evaluate(values)
    slider.press("Home")
    page.wait_for_timeout(300)
    assert page.locator("output").inner_text() == "t = 0" != at
    assert page.evaluate(values) != numbers
    assert slice_.screenshot() != before


def test_the_slider_moves_a_field_over_a_plane(opened: Open) -> None:
    page = opened("membrane")
    field = page.locator(".plot").nth(1)
    before = field.screenshot()
    values = "[...Bokeh.documents[0].get_model_by_name('u reference').data.image[0]]"
    page.locator("input[type=range]").press("Home")
    page.wait_for_timeout(300)
    # [y, x] of x y (1 + t) at t = 0.
    assert page.evaluate(values)[-5:] == pytest.approx([0, 0.5, 1, 1.5, 2])
    assert field.screenshot() != before


def test_a_click_in_a_field_picks_the_time(opened: Open) -> None:
    page = opened("run")
    page.select_option("select", "u")
    before = page.locator("output").inner_text()
    field = page.locator("[data-of=u] .plot").first
    box = field.bounding_box()
    assert box is not None
    field.click(position={"x": 0.3 * box["width"], "y": 0.5 * box["height"]})
    page.wait_for_function(
        "before => document.querySelector('output').textContent !== before", arg=before
    )


def test_the_choice_shows_one_unknown(opened: Open) -> None:
    page = opened("run")
    page.select_option("select", "u")
    assert page.locator("[data-of=u]").is_visible()
    assert page.locator("[data-of=v]").is_hidden()
    page.select_option("select", "v")
    assert page.locator("[data-of=u]").is_hidden()
    page.wait_for_function(
        "document.querySelector('[data-of=v] .plot').getBoundingClientRect().height > 200"
    )


def test_tables_sort_and_filter(opened: Open) -> None:
    page = opened("comparison")
    section = page.locator("section", has=page.get_by_role("heading", name="Every run"))
    rows = section.locator("tbody tr:visible")
    assert rows.count() == 4
    errors = section.locator("tbody tr td:nth-child(3)")
    section.get_by_role("button", name="error").click()
    shown = [float(text) for text in errors.all_inner_texts()]
    assert shown == sorted(shown)
    section.get_by_role("button", name="error").click()
    shown = [float(text) for text in errors.all_inner_texts()]
    assert shown == sorted(shown, reverse=True)
    section.get_by_role("searchbox").fill("fixed-1")
    assert rows.count() == 1
    section.get_by_role("searchbox").fill("")
    assert rows.count() == 4


def test_dark_mode_is_dark_and_its_plots_are_legible(opened: Open) -> None:
    page = opened("run", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(22, 22, 22)"
    ink = """[...Bokeh.documents[0].all_models].filter((m) => m.type === "LinearAxis")
        .map((m) => m.major_label_text_color?.value ?? m.major_label_text_color)"""
    assert set(page.evaluate(ink)) == {"#e8e8e8"}
    dots = """[...Bokeh.documents[0].all_models].filter((m) => m.type === "Scatter")
        .map((m) => m.line_color?.value ?? m.line_color)"""
    for scheme, shown, hidden in (("dark", "#e8e8e8", "#000000"), ("light", "#000000", "#e8e8e8")):
        page = opened("comparison", color_scheme=scheme)
        page.wait_for_function(f"{dots}.includes('{shown}') && !{dots}.includes('{hidden}')")


@pytest.mark.parametrize("font", ["sans-serif", "DejaVu Math TeX Gyre"])
def test_subscripts_stand_below_the_line(opened: Open, font: str) -> None:
    page = opened("run")
    page.add_style_tag(content=f"math, msub > * {{ font-family: {font!r} }}")
    drops = """[...document.querySelectorAll("msub")].map((m) => {
        const [base, below] = [m.children[0], m.children[1].firstChild].map((part) =>
            part.getBoundingClientRect());
        return (below.bottom - base.bottom) / base.height; })"""
    found = page.evaluate(drops)
    assert min(found) > 0.15
    assert max(found) < 0.6


def test_without_scripts_there_are_pictures_and_tables(
    browser: Browser, files: dict[str, Path]
) -> None:
    page = browser.new_page(java_script_enabled=False)
    page.goto(files["run"].as_uri())
    assert page.locator("img:visible").count() == 4
    assert page.locator("table:visible").count() >= 5
    assert page.locator(".plot:visible, button:visible, input:visible").count() == 0


def test_print_has_pictures_in_place_of_plots(opened: Open) -> None:
    page = opened("run", media="print")
    assert page.locator("img:visible").count() == 4
    assert page.locator(".plot:visible, button:visible, input:visible").count() == 0


@pytest.mark.parametrize("name", ["run", "comparison"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_serious_obstacle_for_people(opened: Open, name: str, scheme: str) -> None:
    """By axe-core: contrast, names, roles, order of headings."""
    found = Axe().run(opened(name, color_scheme=scheme)).response["violations"]
    assert [
        (one["id"], node["html"][:200])
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ] == []
