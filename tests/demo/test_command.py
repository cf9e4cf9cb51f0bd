import typer
from typer.testing import CliRunner

from gateway.demo.command import register


def test_the_command_says_what_it_does_and_takes() -> None:
    app = typer.Typer()
    register(app)
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert shown.exit_code == 0
    assert all(option in shown.output for option in ("--exit", "--prepare", "--port", "--dir", "--duration-scale"))
