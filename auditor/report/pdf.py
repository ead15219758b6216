"""The HTML report as a tagged PDF, with the evidence attached inside it.

WeasyPrint sets the page. It may open data URIs, files of the run directory and the fall-back
fonts that ship with matplotlib; nothing else on the disk, and nothing on a network.
"""

from __future__ import annotations

import datetime as dt
import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import matplotlib as mpl

from auditor.errors import MissingDependencyError, RenderError
from auditor.report.attachments import Attachment, make_attachments
from auditor.report.finish import finish
from auditor.report.images import ImageMode
from auditor.report.page import Page
from auditor.report.paper import for_paper
from auditor.store.reader import Run
from auditor.store.seal import fill_seal
from auditor.store.sign import Signer

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


def render_pdf(
    run: Run, page: Page, html: str, *, images: ImageMode, signer: Signer | None = None
) -> bytes:
    """Set the report as a PDF: tagged, bookmarked, every font embedded, sealed.

    Two calls on the same run directory give the same bytes where SOURCE_DATE_EPOCH is set (the
    time stamp of embedded fonts); every other date is the run's own.

    Args:
        run: Where attachments come from, as this report shows it.
        page: Its title, language and date.
        html: The report as HTML.
        images: How much of the run the report shows.
        signer: Who signs it, where anybody does.

    Raises:
        MissingDependencyError: the system library Pango is missing.
        RenderError: the page cannot be set.
        ArtifactError: a file of the run cannot be read.
    """
    load_weasyprint()
    attached = make_attachments(run, images, signer)
    content = typeset(
        for_paper(html),
        run.paths.root if images == "full" else None,  # the pictures of a run lie in its folder
        created=page.created,
        files=attached.files,
        variant=run.spec.report.pdf_variant,
        identifier=run.record.provenance.spec_digest,
    )
    return fill_seal(content, signer, attached.statement_for)


def typeset(
    html: str,
    folder: Path | None,
    *,
    created: str,
    files: Sequence[Attachment],
    variant: str,
    identifier: str,
) -> bytes:
    """Set a page as a PDF: tagged, bookmarked, every font embedded.

    Args:
        html: The page.
        folder: Folder that the page may load files from; None for a page that is all in itself.
        created: Date of the page and of what is attached, ISO 8601.
        files: What is attached.
        variant: Such as `pdf/ua-1`.
        identifier: Digest of what the page is about; the same one gives the same bytes.

    Raises:
        MissingDependencyError: the system library Pango is missing.
        RenderError: the page cannot be set.
    """
    weasyprint = load_weasyprint()
    from weasyprint.text.fonts import FontConfiguration

    fetcher = make_fetcher(folder)
    fonts = FontConfiguration()
    base = None if folder is None else f"{folder.resolve().as_uri()}/"
    try:
        extra = weasyprint.CSS(
            string=fallback_faces(), font_config=fonts, url_fetcher=fetcher, base_url=None
        )
        source = weasyprint.HTML(string=html, base_url=base, url_fetcher=fetcher)
        with uncollected():
            content = source.write_pdf(
                font_config=fonts,
                stylesheets=[extra],
                attachments=[embedded(file, created) for file in files],
                pdf_variant=variant,
                pdf_tags=True,  # PDF/A-3b does not ask for tags; readers do
                pdf_identifier=identifier[:32].encode(),
                finisher=lambda _, pdf: finish(pdf, files),
            )
        return bytes(content)
    except (ValueError, OSError) as error:
        raise RenderError(f"the PDF cannot be made: {error}") from error


@contextmanager
def uncollected() -> Iterator[None]:
    """No search for cycles while millions of boxes are made that all stay: a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


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


def make_fetcher(root: Path | None) -> Any:
    """A fetcher that opens data URIs and files below the run directory or the fonts."""
    from weasyprint.urls import URLFetcher

    allowed = tuple(folder.resolve() for folder in (root, fallback_folder()) if folder)

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


def embedded(file: Attachment, date: str) -> Any:
    """An attachment as WeasyPrint takes it, dated like the page."""
    from weasyprint import Attachment as Embedded

    created = dt.datetime.fromisoformat(date)
    return Embedded(
        string=file.content,
        name=file.name,
        description=file.description,
        created=created,
        modified=created,
        relationship=file.relationship,
    )
