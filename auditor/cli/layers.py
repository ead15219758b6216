"""`auditor layers`: the module paths of the spec's networks, to fill in `layer:`."""

from __future__ import annotations

import typer

from auditor.cli.terminal import say_json, say_table

COLUMNS = ("network", "layer", "module", "output shape")


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as model=portraits_clean."),
    allow_code: bool = typer.Option(
        False, "--allow-code", help="Let models run code of their own (TorchScript, python …)."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """List the layers of the model and the extractor with the shapes of their outputs."""
    from auditor.catalog import network_of
    from auditor.compose.load import load_spec
    from auditor.engine.layers import list_layers
    from auditor.plan.facts import ROLES

    composed = load_spec(spec, tuple(overrides or ()))
    # A spec without any network says so itself, in the words of the model.
    roles = [role for role in ROLES if network_of(composed.spec, role) is not None] or ["model"]
    layers = [
        (role, *layer)
        for role in roles
        for layer in list_layers(composed, allow_code, network=role)
    ]
    if as_json:
        keys = ("network", "path", "module", "shape")
        say_json({"layers": [dict(zip(keys, layer, strict=True)) for layer in layers]})
        return
    rows = [
        (role, path, module, " × ".join(str(side) for side in shape))
        for role, path, module, shape in layers
    ]
    first = 0 if len(roles) > 1 else 1
    say_table(COLUMNS[first:], [row[first:] for row in rows])
