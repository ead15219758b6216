"""Hostile templates, names and comments: nothing is run, read or fetched, and the policy stays."""

from __future__ import annotations

import functools
import http.server
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

from auditor.errors import RenderError
from auditor.report import html as html_module
from auditor.report.html import render_html
from auditor.report.page import Page, make_page
from auditor.report.pdf import typeset
from auditor.report.plates import Plates
from auditor.report.render import render
from auditor.resources import templates_dir
from auditor.store.reader import Run, read_run
from tests.unit.privacy.test_reports_for_others import pictures_in, unpacked
from tests.unit.report.conftest import make_findings, make_result, write_run

SECRET = "OUTSIDE-SECRET-42"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")

CREATED = "2025-03-01T14:06:42+00:00"

Rendering = Callable[[dict[str, str]], str]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run with one attribute pair and no figure worth waiting for."""
    titles = {"smiling": "smiling", "hat": "wearing a hat"}
    return read_run(
        write_run(tmp_path_factory.mktemp("runs"), titles=titles, num_examples=2, clauses=[])
    )


@pytest.fixture
def rendered(run: Run, page: Page, tmp_path: Path) -> Rendering:
    """Renders the run with templates of a stranger's."""
    folder = tmp_path / "templates"

    def go(templates: dict[str, str]) -> str:
        for name, text in templates.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
        return render_html(page, Plates(run, "withheld", "key"), folder)

    return go


@pytest.fixture(scope="module")
def page(run: Run) -> Page:
    return make_page(run)


@pytest.mark.parametrize(
    "attack",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ ''['__class__'] }}",
        "{{ page|attr('__class__') }}",
        "{{ '{0.__class__}'.format(page) }}",
        "{{ '%s' % page.__dict__ }}",
        "{{ show.__self__.run }}",
        "{{ show.__func__.__globals__ }}",
        "{{ cycler.__init__.__globals__ }}",
        "{{ lipsum.__globals__['os'] }}",
        "{{ self._TemplateReference__context }}",
        "{{ page.sections.append(1) }}",
        "{% include '/etc/passwd' %}",
        "{% include '../outside.txt' %}",
        "{% include 'parts/../../outside.txt' %}",
        "{% import 'file:///etc/passwd' as x %}",
        "{% extends '../../outside.txt' %}",
        "{% include 'parts/cover.html.jinja' %}",
        "{% for i in range(10 ** 9) %}{% endfor %}",
        "{{ 1 / 0 }}",
        "{{ page.title.nothing }}",
        "{{ 10 ** 5000 }}",
    ],
)
def test_a_template_that_attacks_is_refused(rendered: Rendering, tmp_path: Path, attack: str):
    (tmp_path / "outside.txt").write_text(SECRET)
    with pytest.raises(RenderError, match="template"):
        rendered({"parts/cover.html.jinja": attack})


def test_a_template_without_end_is_cut_off(rendered: Rendering, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(html_module, "MAX_PAGE", 1 << 20)
    endless = "{% for i in range(99999) %}{% for j in range(99999) %}x{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="larger than 1 MiB"):
        rendered({"parts/cover.html.jinja": endless})


def test_a_template_in_another_encoding_is_refused(rendered: Rendering, tmp_path: Path):
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "page.css").write_bytes(b"\xff\xfe")
    with pytest.raises(RenderError, match="template"):
        rendered({})


def test_a_link_out_of_the_template_folder_is_refused(rendered: Rendering, tmp_path: Path):
    (tmp_path / "outside.txt").write_text(SECRET)
    (tmp_path / "templates" / "parts").mkdir(parents=True)
    (tmp_path / "templates" / "parts" / "cover.html.jinja").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(RenderError, match=r"cover\.html\.jinja is a link"):
        rendered({})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<meta http-equiv="Content-Security-Policy" content="{{ assets.policy }}">\n', ""),
        ("{{ assets.policy }}", "default-src *"),
        ("{{ assets.policy }}", "{{ assets.policy }}; script-src 'unsafe-inline'"),
        ('<meta charset="utf-8">', '<meta charset="utf-8"><script>alert(1)</script>'),
        ("<head>", '<head><link rel="stylesheet" href="http://evil.example/x.css">'),
        ("<html lang", "<html onclick='alert(1)' lang"),
        ("<!DOCTYPE html>", "<!DOCTYPE html><!--"),
    ],
)
def test_no_template_weakens_the_security_policy(rendered: Rendering, before: str, after: str):
    own = (templates_dir() / "report.html.jinja").read_text()
    assert before in own
    with pytest.raises(RenderError, match="security policy"):
        rendered({"report.html.jinja": own.replace(before, after)})


class Trap(http.server.BaseHTTPRequestHandler):
    """Answers every request with a way to the secret, and remembers that there was one."""

    def __init__(self, *args: object, seen: list[str], outside: Path) -> None:
        self.seen, self.outside = seen, outside
        super().__init__(*args)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self.seen.append(self.path)
        self.send_response(302)
        self.send_header("Location", self.outside.as_uri())
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[tuple[str, list[str], Path]]:
    """Address of a server, the requests it saw, and a picture outside the run."""
    seen: list[str] = []
    outside = tmp_path / "outside.png"
    Image.new("RGB", (40, 40), (1, 2, 3)).save(outside)
    (tmp_path / "outside.txt").write_text(SECRET)
    handler = functools.partial(Trap, seen=seen, outside=outside)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen, outside
    server.shutdown()
    thread.join()
    server.server_close()


def hostile_words(address: str, outside: Path) -> list[str]:
    """Texts for names, labels, files and comments."""
    text = outside.with_suffix(".txt")
    return [
        f'<img src="{address}/name.png"><link rel="stylesheet" href="{address}/name.css">',
        f'"><iframe src="{text.as_uri()}"></iframe>url({address}/label)',
        f"{{% include '{text}' %}}{{{{ ''.__class__ }}}}",
        f"<a rel=attachment href='{text.as_uri()}'>x</a>@import url('{address}/file.css');",
    ]


def hostile_template(address: str, outside: Path) -> dict[str, str]:
    """Everything a page can ask to be loaded, for the cover, the style sheet and the script."""
    text = outside.with_suffix(".txt").as_uri()
    urls = [f"{address}/a.png", outside.as_uri(), f"//{address.partition('//')[2]}/b.png"]
    urls += [f"../../../{outside.name}", "file://localhost/etc/passwd", "ftp://127.0.0.1/x"]
    tags = "".join(
        f'<img src="{url}" alt="x"><embed src="{url}"><object data="{url}"></object>'
        f'<input type="image" src="{url}"><video poster="{url}"></video>'
        f'<svg width="9" height="9"><image href="{url}" width="9" height="9"/></svg>'
        f'<svg width="9" height="9"><use href="{url}#x"/></svg>'
        f'<link rel="stylesheet" href="{url}"><link rel="attachment" href="{url}">'
        for url in urls
    )
    attached = f'<link rel="attachment" href="{text}"><a rel="attachment" href="{text}">x</a>'
    css = (templates_dir() / "page.css").read_text()
    loads = f"@import url({address}/c.css); body {{ background: url({outside.as_uri()}) }} "
    faces = f"@font-face {{ font-family: x; src: url({address}/f.woff2) }} p {{ font-family: x }}"
    return {
        "parts/cover.html.jinja": f"<h1>Cover</h1>{tags}{attached}",
        "page.css": f"{loads}{css}{faces} body::before {{ content: url({address}/d.png) }}",
    }


@pytest.fixture
def attacked(tmp_path: Path, trap: tuple[str, list[str], Path]) -> tuple[bytes, bytes]:
    """Page and PDF of a run whose every text is hostile, with hostile templates."""
    address, _, outside = trap
    names = hostile_words(address, outside)
    titles = {"smiling": names[0], "hat": names[1]}
    result = make_result(titles)
    findings = make_findings(result)
    review = (
        "version: 1\nfindings:\n"
        f"  {findings[0].id}:\n    decision: confirmed\n    reviewer: Ada\n    date: 2025-03-02\n"
        f"    comment: {names[2]!r}\n    evidence_digest: {findings[0].evidence_digest}\n"
    ).encode()
    folder = tmp_path / "templates"
    for name, text in hostile_template(address, outside).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    run = read_run(
        write_run(
            tmp_path / "runs", titles=titles, result=result, findings=findings, review=review,
            num_examples=2, clauses=[],
        )
    )  # fmt: skip
    inputs = tuple(
        each.model_copy(update={"name": names[3]}) for each in run.record.provenance.inputs
    )
    told = run.record.provenance.model_copy(update={"inputs": inputs, "command": names[3]})
    record = run.record.model_copy(update={"provenance": told, "title": names[1]})
    hostile = type(run)(**{**vars(run), "record": record})
    pages = render(hostile, formats=("html", "pdf"), template_dir=folder, images="withheld")
    return pages[0].read_bytes(), pages[1].read_bytes()


def test_nothing_is_fetched_and_nothing_outside_is_read(
    attacked: tuple[bytes, bytes], trap: tuple[str, list[str], Path], tmp_path: Path
):
    html, pdf = attacked
    everything = html + unpacked(pdf)
    assert SECRET.encode() not in everything
    assert pictures_in(pdf) == 0
    assert b"root:x:0" not in everything
    if CHROMIUM is not None:
        browse(html, tmp_path)
    assert trap[1] == [], "the server saw a request"


def test_a_template_attaches_nothing_of_its_own():
    page = '<h1>Cover</h1><link rel="attachment" href="data:text/plain,forged">'
    with pytest.raises(RenderError, match="attaches"):
        typeset(page, None, created=CREATED, files=(), variant="pdf/ua-1", identifier="a" * 64)


def browse(html: bytes, folder: Path) -> str:
    """Open a page in a real browser; what it says on its console."""
    (folder / "opened.html").write_bytes(html)
    command = [
        str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
        "--no-first-run", "--disable-background-networking", "--disable-component-update",
        "--disable-sync", "--enable-logging=stderr", f"--user-data-dir={folder}/chrome",
        "--virtual-time-budget=2000", "--dump-dom", (folder / "opened.html").as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert "<h1" in done.stdout, done.stderr[-2000:]
    return done.stderr


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_finds_nothing_in_the_page_that_its_policy_forbids(
    rendered: Rendering, run: Run, page: Page, tmp_path: Path
):
    clean = render_html(page, Plates(run, "full", "key"))
    assert "Content Security Policy" not in browse(clean.encode(), tmp_path)
    styled = rendered({"parts/cover.html.jinja": '<h1 style="color: red">Cover</h1>'})
    assert "Content Security Policy" in browse(styled.encode(), tmp_path), "the console is seen"
