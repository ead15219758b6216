"""The page model through Jinja into one self-contained HTML file.

Templates come from strangers' folders too: they run sandboxed, every value is escaped, and an
unknown name is an error. The page may load nothing: its policy allows the one script and the one
style sheet by their hashes, and pictures and fonts as data alone. No template can leave that
policy out, or put anything before it that runs or loads.
"""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from auditor.errors import AuditorError, RenderError
from auditor.report.images import data_uri
from auditor.report.page import Page
from auditor.report.plates import Plates
from auditor.resources import templates_dir

FONTS = (
    ("Source Sans 3", "source-sans-3-latin-400-normal", 400, "normal"),
    ("Source Sans 3", "source-sans-3-latin-400-italic", 400, "italic"),
    ("Source Sans 3", "source-sans-3-latin-600-normal", 600, "normal"),
    # One family per alphabet: PDF engines do not read `unicode-range`.
    ("Source Sans 3 Extended", "source-sans-3-latin-ext-400-normal", 400, "normal"),
    ("Source Sans 3 Greek", "source-sans-3-greek-400-normal", 400, "normal"),
    ("Source Serif 4", "source-serif-4-latin-400-normal", 400, "normal"),
    ("Source Serif 4", "source-serif-4-latin-600-normal", 600, "normal"),
)

MAX_PAGE = 128 << 20
"""Characters of the largest page; a report of 200 findings and 400 pictures has 8 million."""


@dataclass(frozen=True)
class Assets:
    """Style, script and policy of the page."""

    style: Markup
    script: Markup
    policy: str


def render_html(page: Page, plates: Plates, template_dir: Path | None = None) -> str:
    """The whole report as one HTML document.

    Args:
        page: What it says.
        plates: Where its figures and pictures come from.
        template_dir: Templates found here replace those of the package.

    Raises:
        RenderError: a template is missing, broken, too large, reaches for what it may not, or
            leaves the page without its security policy.
    """
    environment = make_environment(template_dir)
    environment.globals.update(draw=plates.draw, show=plates.show)
    try:
        assets = make_assets(environment)
        template = environment.get_template("report.html.jinja")
        document = "".join(bounded(template.generate(page=page, assets=assets)))
    except TemplateSyntaxError as error:
        raise broken(f"{error.name}, line {error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise broken(str(error)) from error
    except AuditorError:
        raise
    except Exception as error:
        if template_dir is None:
            raise
        # A stranger's template can make Python throw anything, such as ZeroDivisionError.
        raise broken(f"{type(error).__name__}: {error}") from error
    refuse_unguarded(document, assets.policy)
    return document


def bounded(pieces: Iterator[str]) -> Iterator[str]:
    """The pieces of a page as long as they fit into one that can be opened.

    Raises:
        RenderError: they do not.
    """
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > MAX_PAGE:
            raise broken(f"the page is larger than {MAX_PAGE >> 20} MiB")
        yield piece


def refuse_unguarded(document: str, policy: str) -> None:
    """Refuse a page whose policy is not the first thing that a browser obeys.

    Raises:
        RenderError: the beginning of the page is not the package's.
    """
    content = re.escape(html.escape(policy).replace("&#x27;", "&#39;"))
    head = (
        r'\s*<!DOCTYPE html>\s*<html lang="[\w-]+">\s*<head>\s*<meta charset="utf-8">\s*'
        rf'<meta http-equiv="Content-Security-Policy" content="{content}">'
    )
    if re.match(head, document) is None:
        raise broken("the page does not begin as the package's does, up to its security policy")


def make_environment(template_dir: Path | None) -> ImmutableSandboxedEnvironment:
    if template_dir is not None and not template_dir.is_dir():
        raise RenderError(
            f"the template folder {template_dir} does not exist",
            hint="Give a folder that holds templates under the names that the package uses.",
        )
    folders = [templates_dir()]
    if template_dir is not None:
        refuse_links_out(template_dir)
        folders.insert(0, template_dir)
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def refuse_links_out(folder: Path) -> None:
    """Refuse a folder of templates with a link to what lies elsewhere: its text would be shown.

    Raises:
        RenderError: there is one.
    """
    root = folder.resolve()
    for path in folder.rglob("*"):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            raise RenderError(
                f"{path} is a link out of the template folder",
                hint="Put a copy of the file in its place, or take the link away.",
            )


def make_assets(environment: ImmutableSandboxedEnvironment) -> Assets:
    sheets = [text_of(environment, name) for name in ("page.css", "screen.css", "print.css")]
    style = "\n".join([*map(font_face, FONTS), *sheets])
    script = text_of(environment, "tables.js")
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; font-src data:; "
        f"style-src '{source_hash(style)}'; script-src '{source_hash(script)}'"
    )
    # Style sheets and script are the package's or the user's own files, never a run's.
    return Assets(style=Markup(style), script=Markup(script), policy=policy)


def text_of(environment: ImmutableSandboxedEnvironment, name: str) -> str:
    """A template's text as it is: style sheets and scripts are not templates."""
    if environment.loader is None:
        raise RenderError(f"{name} cannot be loaded")
    return environment.loader.get_source(environment, name)[0].strip("\n")


def font_face(font: tuple[str, str, int, str]) -> str:
    family, file, weight, style = font
    source = data_uri("font/woff2", (templates_dir() / "fonts" / f"{file}.woff2").read_bytes())
    return (
        f'@font-face {{ font-family: "{family}"; font-weight: {weight}; font-style: {style}; '
        f'src: url("{source}") format("woff2"); }}'
    )


def source_hash(text: str) -> str:
    """Hash of an inline element's content, as a content security policy names it."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def broken(why: str) -> RenderError:
    return RenderError(
        f"a report template cannot be rendered: {why}",
        hint="Mend the template, or render without --template-dir.",
    )
