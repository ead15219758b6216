"""`auditor verify`: is it still what was sealed? Exit 0 intact, 1 altered, 2 not a run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from auditor.cli.terminal import say, say_json, shown

if TYPE_CHECKING:
    from auditor.store.agree import Agreement
    from auditor.store.signature import SignatureCheck
    from auditor.store.verify import Verification

ALTERED = 1

ACCIDENTS = "unsigned evidence shows accidents, signed evidence shows forgery"
NAMED = 5


def command(
    run: str = typer.Argument(
        help="A run directory, the name of a spec, `latest`, or a report.pdf alone."
    ),
    public_key: Path | None = typer.Option(
        None, help="Ed25519 key (PEM) that it must have been signed with."
    ),
    out: Path = typer.Option(Path("reports"), help="Folder of all runs."),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """Check every digest of a run or of its PDF, and say what was changed.

    Digests show accidents. Whoever alters a run on purpose can make its digests anew; that shows
    only where the run was signed, and the signer's public key is given.
    """
    from auditor.store.agree import compare_reports
    from auditor.store.find import find_run
    from auditor.store.sign import load_public_key
    from auditor.store.verify import verify_run
    from auditor.store.verify_pdf import verify_pdf

    key = None if public_key is None else load_public_key(public_key)
    pages: tuple[Agreement, ...] = ()
    if Path(run).is_file():
        place, kind = Path(run), "pdf"
        found = verify_pdf(place, public_key=key)
    else:
        place, kind = find_run(run, out), "run"
        found, pages = verify_run(place, public_key=key), compare_reports(place)
    ok = found.intact and not any(page.state == "differs" for page in pages)
    if as_json:
        say_json({"ok": ok, kind: shown(place), **fields(found, pages)})
    else:
        say_lines(found, pages)
        say(f"{kind}: {shown(place)}")
        say(f"{'seal' if kind == 'pdf' else 'manifest'} digest: {found.digest or 'none'}")
        say(f"signature: {signature_sentence(found.signature)}")
        say(f"verdict: {verdict(found, pages)}")
    if not ok:
        raise typer.Exit(ALTERED)


def fields(found: Verification, pages: Sequence[Agreement]) -> dict[str, object]:
    """Everything that was found, for a JSON document."""
    signature = found.signature
    return {
        "digest": found.digest,
        "num_files": found.num_files,
        "history": list(found.history),
        "changed": list(found.changed),
        "missing": list(found.missing),
        "added": list(found.added),
        "signature": signature
        and {
            "state": signature.state,
            "key": signature.keyid,
            "uncovered": list(signature.uncovered),
            "holds": signature.holds,
        },
        "reports": {page.file: {"state": page.state, "why": page.why} for page in pages},
        "notes": list(found.notes),
    }


def say_lines(found: Verification, pages: Sequence[Agreement]) -> None:
    """One line per file that is not what it was, and per page and note."""
    kinds = {"changed": found.changed, "missing": found.missing, "added": found.added}
    for kind, names in kinds.items():
        for name in names:
            say(f"{kind}: {name}")
    for page in pages:
        match page.state:
            case "agrees":
                say(f"{page.file}: agrees with the results")
            case "differs":
                say(f"{page.file}: does not agree with the results: {page.why}")
            case "unknown":
                say(f"{page.file}: whether it agrees with the results is not known: {page.why}")
    for note in found.notes:
        say(f"note: {note}")


def signature_sentence(check: SignatureCheck | None) -> str:
    """What the signature is worth, in words."""
    if check is None:
        return f"not looked at; {ACCIDENTS}"
    key = f"key {check.keyid[:16]}" if check.keyid else "a key that it does not name"
    listed = ", ".join(check.uncovered[:NAMED]) + (", …" if len(check.uncovered) > NAMED else "")
    beyond = f"; it does not cover {listed}" if check.uncovered else ""
    match check.state:
        case "absent" if check.demanded:
            return "none, although a public key was given"
        case "absent":
            return f"none; {ACCIDENTS}"
        case "invalid":
            return "not valid: it is damaged, or was not made with this key"
        case "unchecked":
            return f"by {key}, not checked: give --public-key to see forgery, too{beyond}"
        case "valid":
            return f"valid, by {key}{beyond}"


def verdict(found: Verification, pages: Sequence[Agreement]) -> str:
    """What became of it, in words; without a manifest nobody can tell what it was."""
    if found.digest is None and not found.changed:
        return "not sealed: the run was stopped before its report, or its manifest was removed"
    if not found.unaltered:
        return "altered since it was sealed"
    if not found.intact:
        return "not what was signed"
    if any(page.state == "differs" for page in pages):
        return "every file is as it was sealed, but a report does not show these results"
    return f"intact ({found.num_files} files sealed)"
