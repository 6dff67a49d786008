"""`cbm credentials`: how an agency gets in, and with what it signs."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError

from broker.cli.common import ConfigOption, agency_url, check_agency, config_path, load, note, out
from broker.credentials import Credentials, http_token
from broker.keys import PublicKey, SigningKey
from broker.provision import close_connections, configured_place
from schemas.errors import NotFound


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(credentials)


def credentials(
    agency: Annotated[str, typer.Argument(help="The agency, e.g. kr.customs.")],
    config: ConfigOption = None,
    certificate: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write a new key and client certificate there instead of a password."),
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=3650, help="The certificate's term.")] = 365,
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="Withdraw the certificates issued before; close the agency's connections."),
    ] = False,
    http: Annotated[bool, typer.Option("--http", help="Print the token of its adapter's HTTP side instead.")] = False,
    signing_key: Annotated[
        Path | None, typer.Option(help="Make a key to sign with instead: the private half into FILE.", metavar="FILE")
    ] = None,
    key_id: Annotated[str, typer.Option(help="The new key's id; today's date unless given.", metavar="ID")] = "",
) -> None:
    """Print an agency's AMQP URL: CBM_URL for its programs, any AMQP 0-9-1 client's address.

    It holds the password; with --certificate it names the files of a certificate instead, made by the private
    node's own authority for trials. Called again it renews: a new key, a new term.

    With --signing-key, make a pair of keys: the private half is written to a new file that only its owner reads, the
    public half is printed as it goes below the agency's entry in cbm.toml.
    """
    check_agency(agency)
    if key_id and signing_key is None:
        raise typer.BadParameter("--key-id goes with --signing-key")
    if signing_key is not None:
        _make_key(agency, signing_key, key_id)
    elif http:
        out(Credentials(load(config).state_dir).get(http_token(agency)))
    elif certificate is None and not withdraw:
        out(agency_url(config, agency))
    else:
        _certificates(agency, config, certificate, days, withdraw=withdraw)


def _certificates(agency: str, config: Path | None, folder: Path | None, days: int, *, withdraw: bool) -> None:
    settings = load(config)
    if settings.find_agency(agency) is None:
        raise NotFound(f"there is no agency {agency} in {config_path(config)}")
    place = configured_place(settings)
    place.require_tls()
    from broker.authority import Authority

    authority = Authority(settings.state_dir)
    if withdraw:
        count = authority.withdraw(agency)
        closed = asyncio.run(close_connections(place, agency))
        note(f"certificates withdrawn: {count}; " + ("its connections are closed" if closed else "RabbitMQ is down"))
    if folder is not None:
        bundle = authority.agency(agency, folder, days)
        note(
            f"{bundle.certificate} with its key (keep it to yourself) and {bundle.authority.name}; good for {days} days"
        )
        out(place.certificate_url(agency, bundle))


def _make_key(agency: str, path: Path, id_: str) -> None:
    today = datetime.now(UTC).date()
    key = SigningKey.new(id_ or str(today))
    try:
        public = PublicKey(id=key.id, public=key.public, valid_from=today)
    except ValidationError:
        raise typer.BadParameter("a key's id has 1 to 64 letters, digits, dots, hyphens and underscores") from None
    if path.exists():
        raise typer.BadParameter(f"{path} is there already: a private key is never overwritten")
    try:
        key.write(path)
    except OSError as error:
        raise NotFound(f"{path}: {error.strerror}") from None
    out(f'[[agency.key]] # of {agency}\nid = "{public.id}"\npublic = "{public.public}"\nvalid_from = {today}')
    note(f"the private key is in {path}: only {agency} may ever have it")
