"""Lets a command take one options object. Each option is declared once, as a field of a dataclass.

@dataclass(frozen=True, kw_only=True)
class CardOptions:
    version: Annotated[str, typer.Argument(help="A version's name.")]
    models: ModelsDir = Path("models")

def card(options: CardOptions) -> None:
    ...

app.command()(expand_options(card))
"""

from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints


def expand_options(command: Callable[..., None]) -> Callable[..., None]:
    """The command with one parameter per field of its dataclass, for Typer; other commands are returned unchanged.

    A field that is itself a dataclass (options that several commands share) is expanded in place.
    """
    parameters = list(signature(command).parameters.values())
    if len(parameters) != 1 or not is_dataclass(parameters[0].annotation):
        return command
    options: Any = parameters[0].annotation

    @wraps(command)
    def expanded(**values: Any) -> None:
        command(_collect(options, values))

    expanded.__signature__ = Signature(list(_expand(options)))  # type: ignore[attr-defined]
    expanded.__annotations__ = {}
    return expanded


def _expand(options: type) -> Iterator[Parameter]:
    for field, of in _fields(options):
        if is_dataclass(of):
            yield from _expand(of)  # type: ignore[arg-type]
        else:
            default = Parameter.empty if field.default is MISSING else field.default
            yield Parameter(field.name, Parameter.KEYWORD_ONLY, annotation=of, default=default)


def _collect(options: type, values: dict[str, Any]) -> Any:
    return options(
        **{
            field.name: _collect(of, values) if is_dataclass(of) else values[field.name]  # type: ignore[arg-type]
            for field, of in _fields(options)
        }
    )


def _fields(options: Any) -> Iterator[tuple[Field[Any], Any]]:
    hints = get_type_hints(options, include_extras=True)
    return ((field, hints[field.name]) for field in fields(options))
