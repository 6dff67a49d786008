"""The `cbm` program: gathers the commands, turns errors into words and exit statuses.

Owns the exit statuses: 0 done; 1 unexpected; 2 usage or configuration; 3 not found; 4 invalid message
or document; 5 nobody may receive it; 6 not authorised; 7 RabbitMQ unreachable; 8 timed out.
"""

import sys
import traceback
from importlib.metadata import entry_points

import typer

from broker import __version__
from broker.cli import exchange, identity, operate, repair
from broker.cli.common import note, print_faults
from schemas.errors import CbmError, ConfigError, MessageError

app = typer.Typer(
    name="cbm",
    help="Coordinated border management: shipment events and alerts between agencies, under agreements.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit status: 0 done, 1 unexpected, 2 usage, 3 not found, 4 invalid, 5 nobody may receive it, "
    "6 not authorised, 7 RabbitMQ unreachable, 8 timed out.",
)
operate.register(app)
exchange.register(app)
identity.register(app)
repair.register(app)
# Commands of further packages: the adapters bring `adapter` and `convert`.
for _entry in entry_points(group="cbm.commands"):
    _entry.load()(app)


@app.callback(invoke_without_command=True)
def _main(
    context: typer.Context,
    version: bool = typer.Option(False, "--version", help="Show the version and exit.", is_eager=True),
) -> None:
    if version:
        print(f"cbm {__version__}")  # noqa: T201
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())  # noqa: T201
        raise typer.Exit(2)


def run() -> None:
    """Run the program; never returns."""
    try:
        app()
    except ConfigError as error:
        note("cbm: the configuration is wrong:")
        print_faults(error.faults)
        sys.exit(error.exit_status)
    except MessageError as error:
        note(f"cbm: {len(error.faults)} fault{'s' if len(error.faults) != 1 else ''}:")
        print_faults(error.faults)
        sys.exit(error.exit_status)
    except CbmError as error:
        note(f"cbm: {error}")
        sys.exit(error.exit_status)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        note(f"cbm: unexpected {type(error).__name__}; please report it with the lines below")
        note("".join(traceback.format_tb(error.__traceback__)))
        sys.exit(1)
