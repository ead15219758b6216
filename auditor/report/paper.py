"""The page as a PDF engine gets it: the same content, with less for the engine to do.

What is left out changes nothing on paper and costs time there: in a report of 200 findings the
engine made a box of every line break between two blocks, and looked up every colour for every
element.
"""

from __future__ import annotations

import re

# No value of a run can hold these marks or tags: every one is escaped.
SCREEN_ONLY = re.compile(r"<!--screen-->.*?<!--/screen-->\n?", re.DOTALL)
BLOCK = (
    r"</?(?:article|caption|dd|div|dl|dt|figcaption|figure|h[1-6]|header|li|main|nav|ol|p|pre|"
    r"section|table|tbody|td|th|thead|tr|ul)(?: [^<>]*)?>"
)
BETWEEN_BLOCKS = re.compile(rf"\n+(?={BLOCK})|({BLOCK})\n+")
STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
VARIABLES = re.compile(r"^:root \{(.*?)^\}", re.DOTALL | re.MULTILINE)
VARIABLE = re.compile(r"(--[\w-]+):\s*([^;]*);")
USE = re.compile(r"var\((--[\w-]+)\)")


def for_paper(document: str) -> str:
    """A page without what only screens have, line breaks between blocks, and variables of style.

    Templates put what only screens have between `<!--screen-->` and `<!--/screen-->`; the style
    hides it from print as well.
    """
    paper = SCREEN_ONLY.sub("", document)
    paper = BETWEEN_BLOCKS.sub(lambda found: found[1] or "", paper)
    return STYLE.sub(lambda found: f"<style>{written_out(found[1])}</style>", paper, count=1)


def written_out(style: str) -> str:
    """A style sheet with the variables of its first `:root` rule, which hold on paper, replaced."""
    rule = VARIABLES.search(style)
    values = dict(VARIABLE.findall(rule[1])) if rule else {}
    return USE.sub(lambda found: values.get(found[1], found[0]), style)
