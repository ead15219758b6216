"""The page in a real browser: what its controls do, by mouse and keyboard, wide and narrow."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from auditor.report.paper import for_paper
from auditor.report.render import render
from tests.unit.chromium import CHROMIUM, Browser
from tests.unit.finished_run import Outline

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")

CHECKOUT = Path(__file__).parents[3]
AXE = Path(
    os.environ.get("AXE_CORE") or CHECKOUT / "node_modules" / "axe-core" / "axe.min.js"
)  # fmt: skip
SOME = ("smiling", "lipstick", "glasses", "necktie", "hat", "badge", "winking", "stripes")
DESKTOP, PHONE = 1280, 390

SHOWN = "[...document.querySelectorAll('#findings tbody tr')].filter(r => r.offsetHeight)"
COLUMN = """
[...document.querySelectorAll('.pairs tbody tr')].map(r => r.cells[{0}].textContent.trim())
"""


@pytest.fixture(scope="module")
def finished(make_run):
    titles = {name: name for name in SOME}
    return make_run(titles=titles, max_findings=2, num_examples=4, clauses=())


@pytest.fixture(scope="module")
def url(finished) -> str:
    (path,) = render(finished, formats=("html",))
    return path.resolve().as_uri()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def desktop(browser, url):
    browser.open(url, width=DESKTOP)
    return browser


def click(browser: Browser, selector: str) -> None:
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).click()")


def choose(browser: Browser, selector: str, value: str) -> None:
    browser.evaluate(
        f"(e => {{ e.value = {json.dumps(value)};"
        "e.dispatchEvent(new Event('input', {bubbles: true})); })"
        f"(document.querySelector({json.dumps(selector)}))"
    )


def shown(browser: Browser, what: str) -> list[str]:
    return browser.evaluate(f"{SHOWN}.map(r => {what})")


def numbers(browser: Browser) -> list[str]:
    return shown(browser, "r.cells[0].textContent")


def status(browser: Browser) -> str:
    return browser.evaluate("document.querySelector('#findings [role=status]').textContent")


def test_the_list_begins_with_what_did_not_pass_the_gravest_first(desktop, finished):
    verdicts = shown(desktop, "r.dataset.verdict")
    order = ["fail", "warn", "inconclusive"]
    assert verdicts == sorted(verdicts, key=order.index)
    assert len(verdicts) == sum(f.verdict != "pass" for f in finished.findings)
    assert status(desktop) == f"{len(verdicts)} of {len(finished.findings)} findings shown"


def test_findings_are_filtered_by_verdict_severity_and_audit(desktop, finished):
    everything = len(finished.findings)
    click(desktop, "[data-verdict=pass]")
    assert len(numbers(desktop)) == everything
    click(desktop, "[data-verdict=fail]")
    assert set(shown(desktop, "r.dataset.verdict")) == {
        f.verdict for f in finished.findings if f.verdict != "fail"
    }
    choose(desktop, "[data-severity]", "warning")
    warnings = [f for f in finished.findings if f.severity == "warning"]
    assert 0 < len(warnings) < everything
    assert set(shown(desktop, "r.dataset.severity")) == {"warning"}
    assert status(desktop).startswith(f"{len(warnings)} of ")
    choose(desktop, "[data-severity]", "")
    choose(desktop, "[data-audit]", "relationships")
    assert set(shown(desktop, "r.dataset.audit")) == {"relationships"}


def test_words_of_a_finding_find_it(desktop, finished):
    choose(desktop, "[data-search]", "evidence for GLASSES")
    claims = shown(desktop, "r.querySelector('a').textContent")
    assert claims
    assert all("evidence for glasses" in claim for claim in claims)
    choose(desktop, "[data-search]", "no such words")
    assert numbers(desktop) == []
    assert status(desktop).startswith("0 of ")


def test_findings_are_sorted_by_verdict_and_back(desktop):
    before = numbers(desktop)
    click(desktop, "#findings th:nth-child(2) button")
    click(desktop, "#findings th:nth-child(2) button")
    assert shown(desktop, "r.dataset.verdict")[0] == "inconclusive"
    click(desktop, "#findings th:nth-child(1) button")
    assert numbers(desktop) == before == sorted(before, key=int)


def test_numbers_are_sorted_as_numbers_with_the_missing_ones_last(desktop):
    click(desktop, ".pairs th:nth-child(6) button")
    rising = desktop.evaluate(COLUMN.format(5))
    known = [float(text.replace("\u2212", "-")) for text in rising if text[-1].isdigit()]
    assert known == sorted(known)
    assert known != sorted(known, key=str)
    click(desktop, ".pairs th:nth-child(6) button")
    falling = desktop.evaluate(COLUMN.format(5))
    assert falling[: len(known)] == rising[: len(known)][::-1] or len(set(known)) < len(known)
    assert falling[len(known) :] == rising[len(known) :]
    heading = "document.querySelector('.pairs th:nth-child(6)').getAttribute('aria-sort')"
    assert desktop.evaluate(heading) == "descending"


def test_rows_of_a_table_are_filtered(desktop):
    choose(desktop, "input.filter", "necktie")
    visible = desktop.evaluate(
        "[...document.querySelectorAll('.pairs tbody tr')].filter(r => r.offsetHeight)"
        ".map(r => r.textContent)"
    )
    assert len(visible) == len(SOME) - 1
    assert all("necktie" in text for text in visible)


def test_a_link_leads_to_the_finding_below_the_bar(desktop):
    click(desktop, "#findings tbody a")
    anchor = desktop.evaluate("location.hash.slice(1)")
    case = "document.querySelector(':target')"
    assert desktop.evaluate(f"{case}.matches('article.case')")
    identifier = desktop.evaluate("document.querySelector('#findings tbody code').textContent")
    assert identifier in desktop.evaluate(f"{case}.textContent"), anchor
    bar = desktop.evaluate("document.querySelector('.tools').getBoundingClientRect().bottom")
    top = desktop.evaluate(f"{case}.getBoundingClientRect().top")
    assert bar <= top + 1 < 400


def test_every_link_of_the_list_leads_somewhere(desktop):
    assert desktop.evaluate(
        "[...document.querySelectorAll('#findings a')]"
        ".every(a => document.getElementById(a.hash.slice(1)))"
    )


def test_colours_follow_the_system_until_the_switch_and_only_for_the_page(browser, url):
    paper = "getComputedStyle(document.documentElement).backgroundColor"
    switch = ".tools button"
    pressed = f"document.querySelector('{switch}').getAttribute('aria-pressed')"
    white, dark = "rgb(255, 255, 255)", "rgb(23, 28, 34)"
    browser.open(url)
    assert (browser.evaluate(paper), browser.evaluate(pressed)) == (white, "false")
    click(browser, switch)
    assert (browser.evaluate(paper), browser.evaluate(pressed)) == (dark, "true")
    browser.open(url, dark=True)
    assert (browser.evaluate(paper), browser.evaluate(pressed)) == (dark, "true")
    click(browser, switch)
    assert (browser.evaluate(paper), browser.evaluate(pressed)) == (white, "false")
    assert browser.evaluate("document.cookie") == ""
    browser.open(url, dark=True)
    assert browser.evaluate(paper) == dark


def test_everything_can_be_reached_and_seen_by_keyboard(desktop):
    desktop.press("Tab")
    assert desktop.evaluate("document.activeElement.className") == "skip"
    assert desktop.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    wanted = desktop.evaluate(
        "[...document.querySelectorAll('a, button, input, select, [tabindex=\"0\"]')]"
        ".filter(e => e.checkVisibility()).length"
    )
    seen = []
    for _ in range(wanted + 5):
        if desktop.evaluate("document.activeElement === document.body"):
            break
        seen.append(
            desktop.evaluate(
                "(e => { e.dataset.seen = ''; const s = getComputedStyle(e);"
                "return [e.tagName, s.outlineStyle, parseFloat(s.outlineWidth)]; })"
                "(document.activeElement)"
            )
        )
        desktop.press("Tab")
    assert all(style != "none" and width >= 2 for _, style, width in seen)
    assert (
        len(seen) == wanted == desktop.evaluate("document.querySelectorAll('[data-seen]').length")
    )
    assert {tag for tag, *_ in seen} >= {"A", "BUTTON", "INPUT", "SELECT", "DIV"}


def test_controls_obey_keys(desktop):
    desktop.press("Tab")
    desktop.press("Enter")
    assert desktop.evaluate("location.hash") == "#summary"
    desktop.evaluate("document.querySelector('[data-verdict=fail]').focus()")
    desktop.press(" ")
    assert "fail" not in shown(desktop, "r.dataset.verdict")
    desktop.evaluate("document.querySelector('.tools button').focus()")
    desktop.press("Enter")
    assert desktop.evaluate("document.documentElement.dataset.colours") == "dark"
    desktop.evaluate("document.querySelector('[data-search]').focus()")
    for letter in "tick":
        desktop.press(letter, text=letter)
    assert desktop.evaluate("document.querySelector('[data-search]').value") == "tick"


@pytest.mark.parametrize("width", [DESKTOP, PHONE])
def test_nothing_is_refused_complained_of_or_wider_than_the_window(browser, url, width):
    browser.open(url, width=width)
    assert browser.evaluate("document.fonts.ready.then(() => 0)") == 0
    assert browser.complaints == []
    assert browser.evaluate("document.documentElement.scrollWidth") == width
    # What is wider than its place scrolls there, and can be scrolled by keys.
    assert browser.evaluate(
        "[...document.querySelectorAll('.chart, pre, .wide')]"
        ".every(e => e.scrollWidth <= e.clientWidth || e.tabIndex === 0)"
    )
    browser.evaluate(
        "document.head.append(Object.assign(document.createElement('script'), {text: 'hacked=1'}))"
    )
    browser.evaluate("new Image().src = 'http://localhost:9/x.png'")
    assert browser.evaluate("typeof hacked") == "undefined"
    assert len([text for text in browser.complaints if "Content Security Policy" in text]) == 2


@pytest.mark.parametrize(("width", "dark"), [(DESKTOP, False), (PHONE, True)])
def test_the_page_looks_as_it_should(browser, url, tmp_path, width, dark):
    """Ink on paper: the paper has its colour, and a believable share of it is covered."""
    browser.open(url, width=width, dark=dark)
    with Image.open(browser.screenshot(tmp_path / "page.png")) as opened:
        picture = opened.convert("RGB")
    assert picture.size == (width, 900)
    colours = picture.getcolors(1 << 24)
    share, paper = max(colours)
    assert paper == ((23, 28, 34) if dark else (255, 255, 255))
    assert 0.6 < share / (width * 900) < 0.985
    assert len(colours) > 50


@pytest.mark.parametrize(("width", "dark"), [(DESKTOP, False), (PHONE, True)])
def test_no_rule_of_accessibility_is_broken(browser, url, width, dark):
    if not AXE.is_file():
        pytest.skip("axe-core is neither named by AXE_CORE nor in node_modules")
    browser.open(url, width=width, dark=dark)
    browser.evaluate(f"{AXE.read_text()}; 0")
    passed, violations = browser.evaluate(
        "axe.run(document, {resultTypes: ['violations']}).then(r => [r.passes.length, r.violations"
        ".map(v => [v.impact, v.id, v.nodes.map(n => n.html.slice(0, 120))])])"
    )
    assert passed > 20
    assert not violations


def test_without_a_script_the_page_is_complete(browser, url, finished):
    browser.open(url, script=False)
    answer = browser.send("DOM.getDocument")["root"]["nodeId"]

    def nodes(selector: str) -> list[int]:
        return browser.send("DOM.querySelectorAll", nodeId=answer, selector=selector)["nodeIds"]

    rows = nodes("#findings tbody tr")
    assert len(rows) == len(finished.findings)
    for row in (rows[0], rows[-1]):
        assert browser.send("DOM.getBoxModel", nodeId=row)["model"]["height"] > 0
    assert len(nodes(".controls[hidden]")) == 1
    assert not nodes("table button, .tools button, input.filter")


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="poppler is not installed")
def test_print_shows_every_row_in_the_order_of_the_pdf(desktop, finished, tmp_path):
    click(desktop, ".pairs th:nth-child(6) button")
    choose(desktop, "input.filter", "necktie")
    left = desktop.evaluate(COLUMN.format(0))
    printed = text_of(desktop.print(tmp_path / "printed.pdf"))
    assert desktop.evaluate(COLUMN.format(0)) == left
    html, pdf = render(finished, formats=("html", "pdf"))
    headings = headings_of(for_paper(html.read_text()))
    assert len(headings) > 25
    assert "All findings" not in printed
    for text in (printed, text_of(pdf)):
        place = text.index("Glossary") + 1  # the last line of the contents
        for heading in headings:
            place = text.find(heading, place)
            assert place >= 0, heading
    rows = [pair for pair in finished.results["relationships"].pairs if pair.outcome != "broken"]
    for text in (printed, text_of(pdf)):
        places = [text.rindex(f"{pair.a}{pair.b}") for pair in rows]
        assert places == sorted(places)


def text_of(path: Path) -> str:
    """The text of a PDF without white space: engines differ in where they see some."""
    command = ["pdftotext", "-raw", str(path), "-"]
    return "".join(subprocess.run(command, capture_output=True, check=True).stdout.decode().split())


def headings_of(html: str) -> list[str]:
    lines = Outline(html).lines
    return ["".join(line.split()) for line in lines if "<" not in line and line.strip()][1:]
