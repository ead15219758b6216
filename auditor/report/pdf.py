"""The HTML report as a tagged PDF, with the evidence attached inside it.

WeasyPrint sets the page. It may open data URIs, files of the run directory and the fall-back
fonts that ship with matplotlib; nothing else on the disk, and nothing on a network.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import matplotlib as mpl

from auditor.errors import MissingDependencyError, RenderError
from auditor.report.page import Page
from auditor.store.reader import Run

if TYPE_CHECKING:
    from weasyprint import Attachment

VARIANT = "pdf/ua-1"

FALLBACK_FONTS = (
    ("Report Fallback", "DejaVuSans.ttf", 400),
    ("Report Fallback", "DejaVuSans-Bold.ttf", 700),
    ("Report Mono", "DejaVuSansMono.ttf", 400),
)
"""For code, and for letters that the report's own fonts lack."""

PANGO_HINT = (
    "Install Pango: `apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0` on "
    "Debian and Ubuntu, `brew install pango` on macOS; then run `auditor report RUN`."
)


def render_pdf(run: Run, page: Page, html: str) -> bytes:
    """Set the report as a PDF: tagged, bookmarked, every font embedded.

    Two calls on the same run directory give the same bytes where SOURCE_DATE_EPOCH is set (the
    time stamp of embedded fonts); every other date is the run's own.

    Args:
        run: Where attachments come from.
        page: Its title, language and date.
        html: The report as HTML.

    Raises:
        MissingDependencyError: the system library Pango is missing.
        RenderError: the page cannot be set.
    """
    weasyprint = load_weasyprint()
    from weasyprint.text.fonts import FontConfiguration

    fetcher = make_fetcher(run.paths.root)
    fonts = FontConfiguration()
    try:
        extra = weasyprint.CSS(
            string=fallback_faces(), font_config=fonts, url_fetcher=fetcher, base_url=None
        )
        source = weasyprint.HTML(
            string=html, base_url=f"{run.paths.root.resolve().as_uri()}/", url_fetcher=fetcher
        )
        content = source.write_pdf(
            font_config=fonts,
            stylesheets=[extra],
            attachments=attachments(run, page),
            pdf_variant=VARIANT,
            pdf_identifier=run.record.provenance.spec_digest[:32].encode(),
        )
    except (ValueError, OSError) as error:
        raise RenderError(f"the PDF cannot be made: {error}") from error
    return bytes(content)


def load_weasyprint() -> ModuleType:
    """WeasyPrint, which looks for Pango when it is imported.

    Raises:
        MissingDependencyError: Pango is missing.
    """
    try:
        import weasyprint
    except OSError as error:
        raise MissingDependencyError(
            "the PDF needs the system library Pango, which is not installed", hint=PANGO_HINT
        ) from error
    module: ModuleType = weasyprint
    return module


def make_fetcher(root: Path) -> Any:
    """A fetcher that opens data URIs and files below the run directory or the fonts."""
    from weasyprint.urls import URLFetcher

    allowed = (root.resolve(), fallback_folder().resolve())

    class Fetcher(URLFetcher):  # type: ignore[misc]  # WeasyPrint is untyped
        def fetch(self, url: str, headers: Any = None) -> Any:
            parts = urlsplit(url)
            if parts.scheme == "file":
                path = Path(url2pathname(parts.path)).resolve()
                if parts.netloc or not any(path.is_relative_to(folder) for folder in allowed):
                    raise ValueError(f"{url} lies outside the run directory")
            return super().fetch(url, headers)

    return Fetcher(allowed_protocols=("data", "file"), allow_redirects=False)


def fallback_folder() -> Path:
    return Path(mpl.get_data_path()) / "fonts" / "ttf"


def fallback_faces() -> str:
    return "\n".join(
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; '
        f'src: url("{(fallback_folder() / file).resolve().as_uri()}"); }}'
        for family, file, weight in FALLBACK_FONTS
    )


def attachments(run: Run, page: Page) -> list[Attachment]:
    """Spec, findings and results as they lie in the run directory."""
    from weasyprint import Attachment

    files = [
        (run.paths.resolved, "resolved.yaml", "The audit spec with every default filled in"),
        (run.paths.findings, "findings.json", "Every check made, the passed ones included"),
        *(
            (run.paths.audit(audit).result, f"{audit}.result.json", f"Result of audit {audit}")
            for audit in run.results
        ),
    ]
    created = dt.datetime.fromisoformat(page.created)
    return [
        Attachment(
            string=path.read_bytes(),
            name=name,
            description=description,
            created=created,
            modified=created,
            relationship="Data",
        )
        for path, name, description in files
    ]
