"""The page model through Jinja into one self-contained HTML file.

Templates come from strangers' folders too: they run sandboxed, every value is escaped, and an
unknown name is an error. The page may load nothing: its policy allows the one script and the one
style sheet by their hashes, and pictures and fonts as data alone.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from auditor.errors import RenderError
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
        RenderError: a template is missing, broken, or reaches for what it may not.
    """
    environment = make_environment(template_dir)
    environment.globals.update(draw=plates.draw, show=plates.show)
    try:
        template = environment.get_template("report.html.jinja")
        return template.render(page=page, assets=make_assets(environment))
    except TemplateSyntaxError as error:
        raise broken(f"{error.name}, line {error.lineno}: {error.message}") from error
    except TemplateError as error:
        raise broken(str(error)) from error


def make_environment(template_dir: Path | None) -> ImmutableSandboxedEnvironment:
    if template_dir is not None and not template_dir.is_dir():
        raise RenderError(
            f"the template folder {template_dir} does not exist",
            hint="Give a folder that holds templates under the names that the package uses.",
        )
    folders = [templates_dir()] if template_dir is None else [template_dir, templates_dir()]
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
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
