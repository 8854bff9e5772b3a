"""The relay's command line: it reads options, calls one function per command and gives the exit code."""

import json
import re
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from typer.core import TyperGroup

from httpkit.quarantine import quarantined_in
from relay.demo import run_demo
from relay.errors import UnavailableError
from relay.foreground import Foreground, Interruption
from relay.preview import PreviewStoppedError, check_place_for, read_preview_order, run_preview, write_recording
from relay.preview_text import show_preview
from relay.quarantine import show_table, show_whole, with_key
from relay.quarantine import to_json as to_json_list
from relay.sekoia.ending import rule_for
from relay.sekoia.report import show, to_json
from relay.sekoia.run_errors import RunError
from relay.serving import serve_until_stopped
from relay.settings import RelaySettings
from relay.single_run import read_order, run_once

REPOSITORY = Path(__file__).resolve().parent.parent
USAGE_ERROR = 2
INTERRUPTED = 130
DURATION = re.compile(r"(?P<number>\d+(\.\d+)?)(?P<unit>[smh]?)")
SECONDS_OF_UNIT = {"": 1, "s": 1, "m": 60, "h": 3600}


class CommandGroup(TyperGroup):
    """Names the known commands when an unknown one is given."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and not args[0].startswith("-") and args[0] not in self.commands:
            ctx.fail(f"No such command {args[0]!r}. Known commands: {', '.join(self.commands)}.")
        return super().resolve_command(ctx, args)


commands = typer.Typer(
    name="relay",
    cls=CommandGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="The relay plays Sekoia.io on this machine: modules run unmodified against it.",
)

Port = Annotated[int | None, typer.Option(min=0, max=65535, help="Port of the relay; the next free one if taken.")]


@commands.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Port = None,
    database_url: Annotated[
        str | None, typer.Option(help="SQLAlchemy URL of the database. [default: sqlite:///relay.sqlite3]")
    ] = None,
) -> None:
    """Serve the relay until Ctrl-C, for modules that run elsewhere.

    Settings are also read from the environment variables RELAY_HOST, RELAY_PORT, RELAY_DATABASE_URL, RELAY_TOKEN,
    RELAY_INTAKE_KEY and RELAY_ALLOWED_HOSTS.
    """
    given = {"host": host, "port": port, "database_url": database_url}
    settings = _settings(**{name: value for name, value in given.items() if value is not None})
    with Interruption() as interruption:
        try:
            serve_until_stopped(settings, Foreground(console=Console(), interruption=interruption))
        except (UnavailableError, OSError) as error:
            _refuse(str(error))


@commands.command()
def run(
    component: Annotated[str, typer.Argument(help="The component's docker_parameters, such as Request.")],
    config: Annotated[
        Path, typer.Option(help="JSON file with module_configuration and the component's settings.", metavar="FILE")
    ],
    once: Annotated[
        bool, typer.Option("--once", help="Stop when the first delivery has arrived, or after 60 s.")
    ] = False,
    for_: Annotated[
        str | None, typer.Option("--for", help="Stop after this long.", metavar="30s|2m|1h", show_default=False)
    ] = None,
    module: Annotated[Path, typer.Option(help="Folder of the module.", show_default="this repository")] = REPOSITORY,
    python: Annotated[
        Path | None, typer.Option(help="Interpreter that runs the module.", show_default="the relay's own")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the report as JSON on stdout, all else on stderr.")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the relay.", show_default="any free one")] = 0,
) -> None:
    """Run one component of a module against a relay of its own and report what arrived.

    An action runs to its end; a connector or a trigger until --once or --for is fulfilled, or until Ctrl-C.
    The exit code is 0 only if something was delivered and the component ended in order.
    """
    if once and for_ is not None:
        raise typer.BadParameter("choose one of --once and --for", param_hint="--for")
    seconds = None if for_ is None else _seconds(for_)
    console = Console(stderr=as_json)
    with Interruption() as interruption:
        try:
            order = read_order(component=component, config=config, module=module, python=python)
            rule = rule_for(order.component.kind, once=once, seconds=seconds)
            report = run_once(order, Foreground(console=console, interruption=interruption), port=port, rule=rule)
        except (RunError, OSError) as error:
            _refuse(str(error))
    if as_json:
        print(json.dumps(to_json(report), indent=2))
    else:
        show(report, console)
    raise typer.Exit(0 if report.succeeded else 1)


@commands.command()
def preview(
    config: Annotated[
        Path | None,
        typer.Option(help="JSON file with module_configuration and the settings to try.", metavar="FILE"),
    ] = None,
    stream: Annotated[str, typer.Option(help="Stream to look at.", metavar="NAME", show_default="the first one")] = "",
    record: Annotated[
        Path | None, typer.Option(help="Save the exchange, without secrets, to this new file.", metavar="FILE")
    ] = None,
    replay: Annotated[
        Path | None,
        typer.Option(help="Take the answers from a saved exchange; nothing is sent.", metavar="FILE"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Try a configuration of the connector or the trigger: a few requests, nothing delivered, nothing remembered.

    The exit code is 1 when something fails, and 2 when the configuration cannot be used at all.
    """
    if record is not None and replay is not None:
        raise typer.BadParameter("choose one of --record and --replay", param_hint="--record")
    with Interruption() as interruption:
        try:
            if record is not None:
                check_place_for(record)
            order = read_preview_order(config=config, replay=replay, stream=stream)
            outcome = run_preview(order, module=REPOSITORY, interruption=interruption)
            if record is not None:
                write_recording(record, outcome["recording"])
        except PreviewStoppedError:
            raise typer.Exit(INTERRUPTED) from None
        except (RunError, OSError) as error:
            _refuse(str(error))
    report = outcome["report"]
    if as_json:
        print(json.dumps(report, indent=2))
    else:
        show_preview(report, Console())
    if record is not None:
        typer.echo(f"Recorded to {record.absolute()}; replay it with --replay {record}", err=True)
    raise typer.Exit(1 if report["verdict"] == "fail" else 0)


@commands.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End when all three have delivered, or after 60 s.")] = False,
    port: Port = None,
) -> None:
    """Show the action, the connector and the trigger of this module at work on a sample API."""
    wanted = port if port is not None else _settings().port
    with Interruption() as interruption:
        try:
            foreground = Foreground(console=Console(), interruption=interruption)
            succeeded = run_demo(foreground, repository=REPOSITORY, port=wanted, once=once)
        except (RunError, OSError) as error:
            _refuse(str(error))
    raise typer.Exit(0 if succeeded else 1)


@commands.command()
def quarantine(
    data: Annotated[
        Path, typer.Option(help="Folder in which components keep their files.", metavar="FOLDER", exists=True)
    ],
    show_key: Annotated[
        str | None, typer.Option("--show", help="Print all that is known of one, by its key.", metavar="KEY")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print them as JSON.")] = False,
) -> None:
    """List the events that could not be delivered, with the reason of each; nothing is changed."""
    try:
        found = list(quarantined_in(data))
    except OSError as error:
        _refuse(f"{data} cannot be read: {error.strerror}.")
    if show_key is not None:
        found = with_key(found, show_key)
        if not found:
            _refuse(f"No event in quarantine has the key {show_key!r}; list them without --show.")
    if as_json:
        print(to_json_list(found))
    elif show_key is not None:
        show_whole(found, Console())
    else:
        show_table(found, Console())


def _seconds(duration: str) -> float:
    found = DURATION.fullmatch(duration.strip())
    if found is None:
        raise typer.BadParameter(f"{duration!r} is no duration; write 30s, 2m or 1h", param_hint="--for")
    return float(found["number"]) * SECONDS_OF_UNIT[found["unit"]]


def _settings(**given: Any) -> RelaySettings:
    try:
        return RelaySettings(**given)
    except ValidationError as error:
        first = error.errors()[0]
        name = "_".join(str(part) for part in first["loc"])
        _refuse(f"The setting {name} (RELAY_{name.upper()}) is wrong: {first['msg']}.")


def _refuse(sentence: str) -> NoReturn:
    typer.echo(f"Error: {sentence}", err=True)
    raise typer.Exit(USAGE_ERROR)


if __name__ == "__main__":
    commands(prog_name="python -m relay")
