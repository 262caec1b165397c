"""The command line ``textssl``: finds commands by file name, binds options, prints results, gives exit codes.

Every file of ``commands/`` is a command, every file of ``objectives/`` a sub-command of ``train``. Their one-line help
is read without importing them; only the command that was asked for is imported. Results go to standard output,
everything else to standard error.
"""

import atexit
import contextlib
import gc
import inspect
import json
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NoReturn, cast

import cyclopts
from rich.console import Console

import textssl
from textssl import cli_errors, cli_options, registry
from textssl.commands.base import jsonable

SUBCOMMANDS = {"objective": "objectives"}
"""A command whose first argument has such a name takes the members of that open folder as sub-commands."""

ABOUT = "Self-supervised learning on text: train embeddings on a corpus, ask them, measure them, hand them on."
EPILOGUE = """Start here:
  textssl demo                             everything once, in a minute
  textssl train skipgram corpus.txt --out runs/news
  textssl query runs/news "paris - france + italy"
  textssl evaluate runs/news --analogies questions-words.txt
  textssl export runs/news vectors.bin

Every command takes --help, --json and --debug; textssl --version tells the version."""

LONE_HYPHEN = "\0-"
"""Stands for a lone "-" (minus, standard input) while cyclopts, which takes it for an option, binds the tokens."""

PIPED_WIDTH = 10_000


def run() -> NoReturn:
    """The process `textssl`: run its command line and end with its exit code.

    Collecting garbage in the many objects of imported packages, and taking them apart at the end, takes a quarter of
    the time of a short command; the system takes all memory back at once.
    """
    gc.set_threshold(50_000, 20, 100)
    code = main()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # a reader that has gone was dealt with in main
            stream.flush()
    os._exit(code)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code.

    Args:
        arguments: the words after ``textssl``; those of this process when left out.

    Returns:
        0 ok, 1 error, 2 usage, 3 data, 4 resources, 5 diverged, 128 + n interrupted by signal n.
    """
    tokens = list(sys.argv[1:] if arguments is None else arguments)
    debug = _take_debug(tokens) or os.environ.get("TEXTSSL_DEBUG", "") not in ("", "0")
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            code = _run(tokens)
            sys.stdout.flush()
            return code
        except BrokenPipeError:
            _silence_stdout()
            return 0
        except BaseException as error:  # noqa: BLE001  (the one place that turns errors into messages and exit codes)
            return cli_errors.report(error, debug=debug, command=_command_words(tokens))


def _command_words(tokens: Sequence[str]) -> str:
    """The command that a message points to for help: "textssl query", or "textssl" where none was named."""
    words = [token for token in tokens if not token.startswith("-")][:2]
    folders = ("commands", *SUBCOMMANDS.values())
    return " ".join(
        ["textssl", *(word for word, folder in zip(words, folders, strict=False) if word in registry.names(folder))]
    )


def _run(tokens: list[str]) -> int:
    if tokens[:1] == ["--version"]:
        sys.stdout.write(f"textssl {textssl.__version__}\n")
        return 0
    words = [LONE_HYPHEN if token == "-" else token for token in tokens]
    app, module = _build(words)
    try:
        target, bound, _ = app.parse_args(words, exit_on_error=False, print_error=False, verbose=False)
    except cyclopts.CycloptsError as error:
        raise cli_errors.usage_error(error) from error
    if inspect.ismethod(target) or module is None:  # --help
        target(*bound.args, **bound.kwargs)
        return 0
    given = {name: _restore_hyphen(value) for name, value in bound.arguments.items()}
    return _call(module, target, given)


def _call(module: ModuleType, target: Callable[..., None], given: dict[str, Any]) -> int:
    as_json = given.pop("json", False)
    arguments: list[Any] = list(getattr(target, "leading_arguments", ()))
    for parameter in inspect.signature(target).parameters.values():
        if parameter.name not in given or parameter.kind is inspect.Parameter.KEYWORD_ONLY:
            continue
        value = given.pop(parameter.name)
        arguments += value if parameter.kind is inspect.Parameter.VAR_POSITIONAL else [value]
    result = _function_of(module)(*arguments, **given)
    if as_json:
        sys.stdout.write(json.dumps(jsonable(result.as_dict()), ensure_ascii=False, indent=2, allow_nan=False) + "\n")
    else:
        module.show(result, result_console())
    return int(getattr(result, "exit_code", 0))


def result_console() -> Console:
    """A console on standard output that takes words as they are: no markup, no highlighting, no wrapping when piped."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, soft_wrap=True, width=width)


def _build(tokens: Sequence[str]) -> tuple[cyclopts.App, ModuleType | None]:
    """The tree of commands, in full along the path that the tokens name and as one-line stubs elsewhere."""
    app = _app("textssl", ABOUT, EPILOGUE)
    chosen = next((token for token in tokens if not token.startswith("-")), None)
    module = None
    known = registry.names("commands")
    is_listed = chosen not in known or tokens[0] != chosen  # else nobody sees what the other commands are for
    for name in known:
        if name == chosen:
            module = import_module(f"textssl.commands.{name}")
            app.command(_command(name, module, tokens))
        else:
            app.command(_app(name, registry.summary("commands", name) if is_listed else ""))
    return app, module


def _command(name: str, module: ModuleType, tokens: Sequence[str]) -> cyclopts.App:
    function = _function_of(module)
    summary, _, epilogue = (inspect.getdoc(module) or "").partition("\n\n")
    app = _app(name, summary, epilogue)
    first = next(iter(inspect.signature(function).parameters), "")
    folder = SUBCOMMANDS.get(first)
    own_options = getattr(module, f"{name.upper()}_OPTIONS", None)
    if folder is None:
        _fill(app, f"textssl {name}", _target(name, function, own_options))
        return app
    app.usage = f"Usage: textssl {name} {first.upper()} ... [OPTIONS]"
    app.group_commands = cyclopts.Group(folder.capitalize())
    for member in registry.names(folder):
        child = _app(member, registry.summary(folder, member))
        if member in tokens:
            _fill(child, f"textssl {name} {member}", _target(member, function, own_options, folder=folder))
        app.command(child)
    return app


def _fill(app: cyclopts.App, chain: str, target: Callable[..., None]) -> None:
    app.default(target)
    app.usage = cli_options.usage_line(chain, list(inspect.signature(target).parameters.values()))


def _target(
    name: str, function: Callable[..., Any], own_options: type | None, *, folder: str | None = None
) -> Callable[..., None]:
    """What cyclopts binds tokens to: the function's arguments and options, and the chosen member's options."""
    filled = [next(iter(inspect.signature(function).parameters))] if folder else []
    parameters = cli_options.from_function(function, leave_out=filled)
    if folder:
        member = cast(Any, registry.load(folder, name))
        parameters += cli_options.from_dataclass(member.Config, group=f"Options of {name}")
    if own_options is not None:
        parameters += cli_options.from_dataclass(own_options)
    target = cli_options.command_function(name, [*parameters, cli_options.json_switch()])
    target.leading_arguments = (name,) if folder else ()  # type: ignore[attr-defined]
    return target


def _app(name: str, about: str, epilogue: str = "") -> cyclopts.App:
    return cyclopts.App(
        name=name,
        help=about,
        help_format="plaintext",
        help_epilogue=epilogue or None,
        help_flags=["--help", "-h"],
        version_flags=[],
        group_parameters=cyclopts.Group(cli_options.DEFAULT_GROUP),
    )


def _function_of(module: ModuleType) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(module, module.__name__.rpartition(".")[2])
    return function


def _restore_hyphen(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return type(value)(_restore_hyphen(item) for item in value)
    if isinstance(value, Path):
        return Path("-") if str(value) == LONE_HYPHEN else value
    return "-" if value == LONE_HYPHEN else value


def _take_debug(tokens: list[str]) -> bool:
    end = tokens.index("--") if "--" in tokens else len(tokens)
    found = "--debug" in tokens[:end]
    tokens[:end] = [token for token in tokens[:end] if token != "--debug"]
    return found


def _show_warning(message: Warning | str, *_place: object, **_more: object) -> None:
    sys.stderr.write(f"warning: {message}\n")


def _silence_stdout() -> None:
    """The reader has gone; keep the interpreter's own flush at exit from complaining about it."""
    try:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
    except (OSError, ValueError):  # a captured stdout has no descriptor; then there is nothing to redirect
        return
