"""Commands whose options are the fields of a dataclass."""

from dataclasses import dataclass
from inspect import signature
from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from candlecast.cli.expand import expand_options
from candlecast.cli.models import PredictArguments
from candlecast.cli.training import EvaluateArguments, RetrainArguments, TrainArguments
from candlecast.trainer.evaluate import EvaluateOptions
from candlecast.trainer.predict import predict
from candlecast.trainer.retrain import RetrainOptions
from candlecast.trainer.train import train


@dataclass(frozen=True, kw_only=True)
class Shared:
    """Fields of several commands."""

    speed: Annotated[int, typer.Option(max=9, help="Speed in km/h.")] = 2


@dataclass(frozen=True, kw_only=True)
class Options:
    """One option of each kind."""

    file: Annotated[str, typer.Argument()]
    shared: Shared = Shared()
    quiet: Annotated[bool, typer.Option("--quiet", help="No output.")] = False


@pytest.fixture
def received():
    return []


@pytest.fixture
def run(received):
    def command(options: Options) -> None:
        """Print a file."""
        received.append(options)

    def plain(word: str) -> None:
        received.append(word)

    app = typer.Typer()
    app.command()(expand_options(command))
    app.command()(expand_options(plain))
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("a",), Options(file="a")),
        (("a", "--speed", "3"), Options(file="a", shared=Shared(speed=3))),
        (("a", "--quiet"), Options(file="a", quiet=True)),
    ],
)
def test_a_command_gets_its_options_as_one_object(run, received, arguments, expected):
    assert run("command", *arguments).exit_code == 0
    assert received == [expected]


def test_a_command_without_an_options_object_is_unchanged(run, received):
    assert run("plain", "word").exit_code == 0
    assert received == ["word"]


@pytest.mark.parametrize("arguments", [(), ("a", "--speed", "10"), ("a", "--shared", "1")])
def test_invalid_arguments_are_rejected(run, received, arguments):
    assert run("command", *arguments).exit_code == 2
    assert received == []


def test_the_help_lists_the_fields_in_order(run):
    text = run("command", "--help").output
    assert "Print a file." in text
    assert text.index("--speed") < text.index("Speed in km/h.") < text.index("--quiet")


@pytest.mark.parametrize(
    ("options", "accepted_by", "by_hand"),
    [
        (TrainArguments, train, set()),
        (RetrainArguments, RetrainOptions, {"symbols", "database_url"}),
        (EvaluateArguments, EvaluateOptions, {"symbol", "database_url"}),
        (PredictArguments, predict, set()),
    ],
)
def test_the_trainer_accepts_every_option_by_name(options, accepted_by, by_hand):
    """An option that the trainer does not accept would end the command with a TypeError."""
    expanded = signature(expand_options(_command_of(options))).parameters.keys()
    accepted = signature(accepted_by).parameters.keys()
    fitting = {"time_budget_minutes", "seed", "mamba_seeds", "threads"}
    assert expanded - by_hand - fitting == accepted - {"options", "training"} - fitting


def _command_of(options: type):
    def command(options):
        """Run."""

    command.__annotations__["options"] = options
    return command
