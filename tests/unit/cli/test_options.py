"""Options are declared once: as fields of a dataclass, which its command gets filled."""

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
    """Fields that several commands have."""

    speed: Annotated[int, typer.Option(max=9, help="How fast.")] = 2


@dataclass(frozen=True, kw_only=True)
class Options:
    """One of each kind."""

    file: Annotated[str, typer.Argument()]
    shared: Shared = Shared()
    quiet: Annotated[bool, typer.Option("--quiet", help="Say nothing.")] = False


@pytest.fixture
def got():
    return []


@pytest.fixture
def run(got):
    def command(options: Options) -> None:
        """What it does."""
        got.append(options)

    def plain(word: str) -> None:
        got.append(word)

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
def test_a_command_gets_its_options_as_one_object(run, got, arguments, expected):
    assert run("command", *arguments).exit_code == 0
    assert got == [expected]


def test_a_command_without_such_an_object_stays_as_it_is(run, got):
    assert run("plain", "word").exit_code == 0
    assert got == ["word"]


@pytest.mark.parametrize("arguments", [(), ("a", "--speed", "10"), ("a", "--shared", "1")])
def test_what_no_field_allows_is_refused(run, got, arguments):
    assert run("command", *arguments).exit_code == 2
    assert got == []


def test_help_has_each_field_in_its_place(run):
    text = run("command", "--help").output
    assert "What it does." in text
    assert text.index("--speed") < text.index("How fast.") < text.index("--quiet")


@pytest.mark.parametrize(
    ("options", "taken_by", "by_hand"),
    [
        (TrainArguments, train, set()),
        (RetrainArguments, RetrainOptions, {"symbols", "database_url"}),
        (EvaluateArguments, EvaluateOptions, {"symbol", "database_url"}),
        (PredictArguments, predict, set()),
    ],
)
def test_the_trainer_takes_options_by_their_names(options, taken_by, by_hand):
    """An option that the trainer does not take would end the command with a TypeError."""
    expanded = signature(expand_options(_command_of(options))).parameters.keys()
    taken = signature(taken_by).parameters.keys()
    fitting = {"time_budget_minutes", "seed", "mamba_seeds", "threads"}
    assert expanded - by_hand - fitting == taken - {"options", "training"} - fitting


def _command_of(options: type):
    def command(options):
        """Takes them."""

    command.__annotations__["options"] = options
    return command
