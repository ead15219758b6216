"""Drawings become SVG: one look for every figure, the same bytes on every run.

Text stays text, so that it prints in the page's own font, can be searched and read aloud. Colours
are the Okabe-Ito set, darkened until each is readable on white; as plain attributes rather than
styles, so that the screen's dark scheme can replace them and no inline style needs permission.
"""

from __future__ import annotations

import io
import re
import warnings
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from cycler import cycler
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from auditor.drawing import Drawing
from auditor.wording import plain

COLORS = ("#1f2933", "#7b8794", "#cbd2d9", "#b8431a", "#0b5c8f", "#00795a", "#8a5a00")
"""Ink, soft, faint, found, expected, second, third: the order of `auditor.drawing`."""

STYLE: dict[Any, Any] = {
    "axes.edgecolor": COLORS[1],
    "axes.labelcolor": COLORS[1],
    "axes.labelsize": 8.5,
    "axes.linewidth": 0.6,
    "axes.prop_cycle": cycler(color=COLORS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.size": 9,
    "svg.fonttype": "none",
    "svg.hashsalt": "auditor",
    "text.color": COLORS[0],
    "text.parse_math": False,  # a title is text, never a formula
    "xtick.color": COLORS[1],
    "xtick.labelsize": 8.5,
    "xtick.major.size": 2.5,
    "xtick.major.width": 0.6,
    "ytick.color": COLORS[0],
    "ytick.labelsize": 9,
}

SVG = "http://www.w3.org/2000/svg"
HREF = "{http://www.w3.org/1999/xlink}href"
FAMILY = "'Source Sans 3', 'DejaVu Sans', sans-serif"
FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
"""Characters that XML cannot hold; a title may."""
NUMBER = re.compile(r"-?\d+\.\d+")
BESIDE_LETTER = re.compile(r"\s*([A-Za-z])\s*")

DROPPED = {f"{{{SVG}}}metadata", f"{{{SVG}}}style"}


def to_svg(drawing: Drawing, prefix: str) -> str:
    """Draw.

    Args:
        drawing: What to draw.
        prefix: Put before every id, so that many figures can stand in one page.

    Returns:
        An `<svg>` element with a title for screen readers, free of styles, scripts and links.
    """
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # The page's fonts draw the text; what matplotlib measures with may lack the glyph.
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=(drawing.width, drawing.height))
        FigureCanvasSVG(figure)
        drawing.paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", transparent=True, metadata=NO_METADATA)
    return cleaned(buffer.getvalue(), drawing, prefix)


NO_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def cleaned(source: str, drawing: Drawing, prefix: str) -> str:
    """Only shapes and text: no metadata, no style sheet, styles as attributes, own ids."""
    root = ElementTree.fromstring(FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", source))
    for parent in root.iter():
        for child in [c for c in parent if c.tag in DROPPED]:
            parent.remove(child)
    for element in root.iter():
        for name, value in declarations(element.attrib.pop("style", "")):
            element.set(name, value)
        # Plain names and one `xmlns`: registered prefixes are global, and other libraries set them.
        element.tag = element.tag.removeprefix(f"{{{SVG}}}")
        rename_ids(element, prefix)
        tidy(element)
    flatten(root)
    merge_lines(root)
    root.attrib.pop("version", None)
    root.set("xmlns", SVG)
    root.set("role", "img")
    root.set("font-family", FAMILY)
    root.set("stroke-linejoin", "round")
    title = ElementTree.Element("title")
    title.text = plain(drawing.alt)
    root.insert(0, title)
    return ElementTree.tostring(root, encoding="unicode")


def flatten(parent: ElementTree.Element) -> None:
    """Drop what is not drawn: groups that only group, empty shapes and definitions, white space."""
    kept: list[ElementTree.Element] = []
    for child in parent:
        flatten(child)
        child.tail = None
        if child.tag == "g" and not child.attrib:
            kept += child
        elif child.tag not in {"g", "defs"} or len(child):
            kept.append(child)
    parent[:] = [child for child in kept if not is_blank(child)]
    if parent.tag != "text":
        parent.text = None


def is_blank(element: ElementTree.Element) -> bool:
    return element.tag == "path" and element.get("fill") == "none" and not element.get("stroke")


def tidy(element: ElementTree.Element) -> None:
    """Hundreds of figures stand in a report: what changes nothing, and digits no eye sees, go."""
    for name, nothing in (("stroke-dasharray", ""), ("stroke-dashoffset", "0")):
        if element.get(name) == nothing:
            del element.attrib[name]
    if element.get("transform", "").startswith("rotate(-0 "):
        del element.attrib["transform"]
    if element.tag == "path":
        element.set("d", compact(element.get("d", "")))


def compact(path: str) -> str:
    """Path data with coordinates to a hundredth of a point, and no space around letters."""
    rounded = NUMBER.sub(lambda found: f"{float(found[0]):.2f}".rstrip("0").rstrip("."), path)
    return BESIDE_LETTER.sub(r"\1", rounded).strip()


def merge_lines(parent: ElementTree.Element) -> None:
    """Neighbouring opaque lines of one look become one path: a tick is no element of its own."""
    kept: list[ElementTree.Element] = []
    for child in parent:
        merge_lines(child)
        if kept and is_line(child) and look(kept[-1]) == look(child):
            kept[-1].set("d", kept[-1].get("d", "") + child.get("d", ""))
        else:
            kept.append(child)
    parent[:] = kept


def is_line(element: ElementTree.Element) -> bool:
    return (
        element.tag == "path"
        and element.get("fill") == "none"
        and not {"id", "opacity", "stroke-opacity"} & set(element.attrib)
    )


def look(element: ElementTree.Element) -> tuple[str, dict[str, str]]:
    return element.tag, {name: value for name, value in element.items() if name != "d"}


def declarations(style: str) -> list[tuple[str, str]]:
    """Style declarations as presentation attributes, in the page's font and weights."""
    found: list[tuple[str, str]] = []
    for declaration in filter(None, (part.strip() for part in style.split(";"))):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        if name == "font-weight":
            found.append((name, "600"))
        elif name == "font-size":
            found.append((name, value.removesuffix("px")))
        elif name != "font-family":
            found.append((name, value))
    return found


def rename_ids(element: ElementTree.Element, prefix: str) -> None:
    """Ids that are pointed at get a prefix; the others go."""
    for name, value in list(element.attrib.items()):
        if name == "id" and element.tag == "g":
            del element.attrib[name]
        elif name == "id":
            element.set(name, f"{prefix}-{value}")
        elif name == HREF:
            del element.attrib[name]
            element.set("href", f"#{prefix}-{value.removeprefix('#')}")
        elif value.startswith("url(#"):
            element.set(name, f"url(#{prefix}-{value[5:]}")
