"""What stands before the command: which settings, and whether a program reads the answer."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from sdfo.client import Archive
    from sdfo.conf import Settings
    from sdfo.nightly.place import Place

DEFAULT_CONF = Path(__file__).parents[3] / "conf" / "embedded.toml"
"""The checkout's own settings: everything in folders."""

app = typer.Typer(
    name="sdfo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 done · 1 failed · 2 usage · 3 done, but a person must look (night, check) · 75 postponed, try later.",
)


@dataclass(frozen=True, slots=True)
class Given:
    """The words before the command. Nothing is read until a command asks."""

    conf: Path

    def settings(self) -> Settings:
        from sdfo import conf

        return conf.load(self.conf)

    def place(self, run: str) -> Place:
        from sdfo.nightly.place import Place

        return Place(self.settings(), run)

    def archive(self) -> Archive:
        from sdfo.client import Archive

        return Archive(self.settings())


@app.callback()
def before(
    ctx: typer.Context,
    conf: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Settings, TOML. Else $SDFO_CONF, else conf/embedded.toml of the checkout."),
    ] = None,
    json: Annotated[
        bool,
        typer.Option(
            "--json", help="One JSON document on standard output, errors too; the rest goes to standard error."
        ),
    ] = False,
) -> None:
    """The archive of a hospital's images: nights, queries, and care. docs/operations.md is the manual."""
    ctx.obj = Given(conf or Path(os.environ.get("SDFO_CONF") or DEFAULT_CONF))


def given(ctx: typer.Context) -> Given:
    """What `before` made of the words before this command."""
    found: Given = ctx.obj
    return found
