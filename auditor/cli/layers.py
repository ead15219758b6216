"""`auditor layers`: the module paths of the spec's network, to fill in `layer:`."""

from __future__ import annotations

import typer

from auditor.cli.terminal import say_json, say_table


def command(
    spec: str = typer.Argument(help="A .yaml file, or the name of a packaged spec."),
    overrides: list[str] = typer.Argument(None, help="Changes such as model=portraits_clean."),
    allow_code: bool = typer.Option(
        False, "--allow-code", help="Let models run code of their own (TorchScript, python …)."
    ),
    as_json: bool = typer.Option(False, "--json", help="Print one JSON document."),
) -> None:
    """List the layers of the network under audit with the shapes of their outputs."""
    from auditor.compose.load import load_spec
    from auditor.engine.layers import list_layers

    layers = list_layers(load_spec(spec, tuple(overrides or ())), allow_code)
    if as_json:
        say_json(
            {
                "layers": [
                    {"path": path, "module": module, "shape": list(shape)}
                    for path, module, shape in layers
                ]
            }
        )
    else:
        say_table(
            ("layer", "module", "output shape"),
            [
                (path, module, " × ".join(str(side) for side in shape))
                for path, module, shape in layers
            ],
        )
