"""`make example`: the demo's report as one can look at it before installing anything.

Writes report.html, report.pdf, summary.md and pages.png (some of the first pages, side by side)
beside this file, together below 2 MB. It is the demo with three of its five audits, fewer pictures
and one clause map of three. Needs `pdftoppm` (poppler) for the picture.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from auditor.store.find import find_run
from auditor.store.layout import RunPaths

EXAMPLE = Path(__file__).parent
SHORTER = (
    "~audits.robust_filters",
    "~audits.groups",
    "audits.filters.cards.filters=2",
    "audits.failures.pictures.findings=1",
    "report.max_findings=2",
    "report.clauses=[eu_ai_act]",
    "report.formats=[html,pdf,md]",
)
PAGES = (1, 3, 6)
"""Cover, summary, and the first pair of attributes."""

HEIGHT, GAP = 760, 14
LIMIT = 2_000_000


def make_run(out: Path) -> RunPaths:
    """The demo, run through the command line; its policy fails it, which is the point."""
    auditor = str(Path(sys.executable).with_name("auditor"))
    command = [auditor, "run", "portraits", *SHORTER, "--out", str(out)]
    code = subprocess.run(command).returncode
    if code != 1:
        raise SystemExit(f"the demo should end in 1 (planted biases found), it ended in {code}")
    return RunPaths(find_run("portraits", out))


def picture(pdf: Path) -> Image.Image:
    """Some pages side by side on grey."""
    pages = []
    for number in PAGES:
        chosen = ["-f", str(number), "-l", str(number), "-scale-to", str(HEIGHT)]
        drawn = subprocess.run(["pdftoppm", "-png", *chosen, str(pdf)], capture_output=True)
        drawn.check_returncode()
        pages.append(Image.open(io.BytesIO(drawn.stdout)).convert("RGB"))
    width = sum(page.width for page in pages) + GAP * (len(pages) + 1)
    sheet = Image.new("RGB", (width, HEIGHT + 2 * GAP), (206, 211, 217))
    left = GAP
    for page in pages:
        sheet.paste(page, (left, GAP))
        left += page.width + GAP
    return sheet.quantize(64)


def main() -> None:
    """Run the demo and keep what is looked at."""
    with tempfile.TemporaryDirectory() as scratch:
        paths = make_run(Path(scratch))
        for source in (paths.html, paths.pdf, paths.report / "summary.md"):
            shutil.copyfile(source, EXAMPLE / source.name)
    picture(EXAMPLE / "report.pdf").save(EXAMPLE / "pages.png", optimize=True)
    sizes = {path.name: path.stat().st_size for path in sorted(EXAMPLE.glob("[!m]*"))}
    for name, size in sizes.items():
        print(f"{name}: {size / 1000:,.0f} kB")
    if sum(sizes.values()) > LIMIT:
        raise SystemExit(f"together {sum(sizes.values()):,} bytes, more than {LIMIT:,}")


if __name__ == "__main__":
    main()
