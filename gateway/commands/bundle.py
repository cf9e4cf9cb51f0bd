"""``weir bundle``: sign the folder of a version, and hold one to its signature; no gateway is needed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.problem import ProblemReported

__all__ = ["register"]

VersionFolder = Annotated[
    Path, typer.Argument(help="Folder of one version, such as models/fraud/1", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the verbs to the application."""
    group = typer.Typer(help="Sign the files of a version, and check a signature.", no_args_is_help=True)
    for verb in (sign, verify, key):
        group.command(verb.__name__)(verb)
    app.add_typer(group, name="bundle")


def sign(
    folder: VersionFolder,
    key: Annotated[Path, typer.Option(help="Private key in PEM, as weir bundle key makes it.")],
) -> None:
    """Sign all files of a version, into model.sig beside them; last of all, since any later change breaks it."""
    from gateway.catalog.files import FileRefused, FolderReader
    from gateway.signing.folder import sign_folder
    from gateway.signing.keys import read_private_key
    from gateway.signing.statement import SIGNATURE_FILE

    private = read_private_key(key)
    try:
        with FolderReader(folder.resolve()) as files:
            signature = sign_folder(files, folder.resolve().name, private)
    except FileRefused as refused:
        raise ProblemReported(f"{folder} is not signed: {refused}") from refused
    # Beside the folder: a file more in it, seen by a gateway that reads it now, would break the signature.
    draft = folder.resolve().parent / f".{SIGNATURE_FILE}.{os.getpid()}"
    draft.write_bytes(signature)
    draft.replace(folder / SIGNATURE_FILE)
    typer.echo(f"{folder / SIGNATURE_FILE}: signed by {private.public.id}")


def verify(
    folder: VersionFolder,
    key: Annotated[list[Path], typer.Option(help="Public key in PEM; repeatable.")],
) -> None:
    """Check that one of the keys signed exactly the files that are there, as a gateway does at load."""
    from gateway.catalog.files import FileRefused, FolderReader
    from gateway.signing.folder import open_signed
    from gateway.signing.keys import read_public_key
    from gateway.signing.statement import SIGNATURE_FILE, SignatureInvalid

    trusted = [read_public_key(path) for path in key]
    try:
        with FolderReader(folder.resolve()) as files:
            signed = open_signed(files, trusted)
            if signed is None:
                raise FileRefused(f"{SIGNATURE_FILE} is missing: nobody has signed it")
            signed.check_rest()
    except FileRefused as refused:
        raise ProblemReported(f"{folder}: {refused}") from refused
    except SignatureInvalid as invalid:
        raise ProblemReported(f"{folder / SIGNATURE_FILE}: {invalid}") from invalid
    typer.echo(f"{folder}: {signed.size} files, as {signed.signed_by} signed them")


def key(
    out: Annotated[Path, typer.Argument(help="File for the private key; must not exist.")],
) -> None:
    """Make a key pair: the private key in the given file, the public one beside it, with .pub at the end."""
    from gateway.signing.keys import make_key, read_private_key

    public_file = out.with_name(f"{out.name}.pub")
    if public_file.exists():
        raise ProblemReported(f"{public_file} is there already; give another name")
    make_key(out)
    public = read_private_key(out).public
    public_file.write_bytes(public.pem())
    typer.echo(f"{public_file}: {public.id}")
