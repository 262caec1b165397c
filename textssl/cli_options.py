"""From plain functions and dataclasses to command-line options, for the command line alone.

A command is a plain function: its arguments become the command's arguments, its docstring their help.
The fields of an options dataclass (made with ``config.option``) become ``--kebab-case`` options with help, default
and range. What is built here is a signature for cyclopts; binding tokens to it gives only the options that the person
really typed, so that a preset or a configuration file can supply the others.
"""

import dataclasses
import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Group, Parameter

POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
OUTPUT_GROUP = "Output"
DEFAULT_GROUP = "Options"


def from_function(function: Callable[..., Any], *, leave_out: Sequence[str] = ()) -> list[inspect.Parameter]:
    """The parameters of a command's function, with the help that its docstring gives them.

    Args:
        function: its positional parameters become arguments of the command, the keyword-only ones options.
        leave_out: names that are filled by something else than this command's options.

    Returns:
        Parameters annotated for cyclopts; a ``**given`` parameter is left out (an options dataclass stands for it).
    """
    hints = _hints_of_parameters(function)
    helps = argument_help(inspect.getdoc(function) or "")
    parameters = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.name in leave_out or parameter.kind is inspect.Parameter.VAR_KEYWORD:
            continue
        kind = inspect.Parameter.POSITIONAL_ONLY if parameter.kind in POSITIONAL else parameter.kind
        annotation = _annotate(
            parameter.name,
            as_typed(hints.get(parameter.name, str)),
            helps.get(parameter.name, ""),
            parameter.default,
            kind,
        )
        parameters.append(parameter.replace(annotation=annotation, kind=kind))
    return parameters


def from_dataclass(options: type, *, group: str = DEFAULT_GROUP) -> list[inspect.Parameter]:
    """The fields of an options dataclass as keyword-only parameters, their range written behind their help.

    Args:
        options: a dataclass whose fields carry ``help`` and range in their metadata (see ``config.option``).
        group: heading under which the help lists them.
    """
    hints = typing.get_type_hints(options)
    parameters = []
    for field in dataclasses.fields(options):
        if not field.init:
            continue
        text = " ".join(filter(None, [str(field.metadata.get("help", "")), range_text(field.metadata)]))
        default = _default_of(field)
        annotation = _annotate(field.name, hints[field.name], text, default, inspect.Parameter.KEYWORD_ONLY, group)
        parameters.append(
            inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        )
    return parameters


def json_switch() -> inspect.Parameter:
    """The ``--json`` that every command has."""
    annotation = Annotated[
        bool, Parameter(help="Print the result as JSON.", negative=(), show_default=False, group=OUTPUT_GROUP)
    ]
    return inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=annotation)


def command_function(name: str, parameters: Sequence[inspect.Parameter]) -> Callable[..., None]:
    """A function for cyclopts to bind tokens to; a parameter that appears twice keeps its first form.

    Raises:
        TypeError: two parameters of one name disagree about being positional (a mistake in a command's module).
    """
    unique: dict[str, inspect.Parameter] = {}
    for parameter in parameters:
        if unique.setdefault(parameter.name, parameter).kind is not parameter.kind:
            raise TypeError(f"{name}: {parameter.name} is an argument and an option at once")

    def target(*_arguments: object, **_options: object) -> None:
        raise AssertionError("bound, never called")

    ordered = sorted(unique.values(), key=lambda parameter: parameter.kind)
    target.__name__ = target.__qualname__ = name
    target.__doc__ = None
    target.__signature__ = inspect.Signature(ordered)  # type: ignore[attr-defined]
    target.__annotations__ = {parameter.name: parameter.annotation for parameter in ordered}
    return target


def as_typed(hint: Any) -> Any:
    """The type on the command line of an argument that takes text among other things: the text as it was typed."""
    members = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else ()
    if str not in members:
        return hint
    return str | None if types.NoneType in members else str


def argument_help(docstring: str) -> dict[str, str]:
    """The ``Args:`` section of a docstring: one text per argument, continuation lines joined."""
    section = re.search(r"^Args:\n((?:[ \t]+.*\n?|\n)+)", docstring, flags=re.MULTILINE)
    if section is None:
        return {}
    lines = section[1].splitlines()
    indent = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        entry = re.match(rf"^ {{{indent}}}\*{{0,2}}(\w+)(?: \([^)]*\))?:\s*(.*)$", line)
        if entry:
            name = entry[1]
            found[name] = entry[2].strip()
        elif name and line.strip():
            found[name] = f"{found[name]} {line.strip()}".strip()
    return {name: text[:1].upper() + text[1:] for name, text in found.items()}


def range_text(metadata: Mapping[str, Any]) -> str:
    """The allowed range of an option in words, or "" where every value is allowed."""
    words = {"minimum": "at least", "above": "above", "maximum": "at most", "below": "below"}
    bounds = [f"{word} {metadata[key]}" for key, word in words.items() if metadata.get(key) is not None]
    return f"[{', '.join(bounds)}]" if bounds else ""


def _hints_of_parameters(function: Callable[..., Any]) -> dict[str, Any]:
    """The types of the parameters; what a command returns may be a name that only type checkers import."""
    annotations = {name: hint for name, hint in function.__annotations__.items() if name != "return"}
    holder = types.SimpleNamespace(__annotations__=annotations)
    return typing.get_type_hints(holder, globalns=getattr(inspect.unwrap(function), "__globals__", {}))


def _annotate(
    name: str,
    hint: object,
    text: str,
    default: object,
    kind: object,
    group: str = DEFAULT_GROUP,
) -> object:
    if kind is not inspect.Parameter.KEYWORD_ONLY:
        return Annotated[hint, Parameter(help=text)]
    switch = hint is bool and default is False
    option = Parameter(
        name="--" + name.strip("_").replace("_", "-"),
        help=text,
        group=Group(group),
        negative=("--no-" + name.strip("_").replace("_", "-"),) if hint in (bool, bool | None) and not switch else (),
        show_default=not switch and default not in (None, (), ""),
        consume_multiple=True,
    )
    return Annotated[hint, option]


def usage_line(chain: str, parameters: Sequence[inspect.Parameter]) -> str:
    """How to type a command: its arguments, those that may be left out in brackets, then its options."""
    words = []
    for parameter in parameters:
        name = parameter.name.upper()
        if parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            words.append(f"[{name} ...]")
        elif parameter.kind in POSITIONAL:
            words.append(name if parameter.default is inspect.Parameter.empty else f"[{name}]")
        elif parameter.default is inspect.Parameter.empty:
            words.append(f"--{parameter.name.replace('_', '-')} {name}")
    return " ".join(["Usage:", chain, *words, "[OPTIONS]"])


def _default_of(field: "dataclasses.Field[Any]") -> object:
    if field.default is not dataclasses.MISSING:
        return field.default
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return inspect.Parameter.empty
