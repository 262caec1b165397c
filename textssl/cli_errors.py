"""What a person sees when something fails: message, place, next thing to type; and the exit code that goes with it."""

import errno
import signal
import sys
import traceback
from pathlib import Path

import cyclopts

from textssl import registry
from textssl.errors import DataError, ResourceError, TextsslError, UsageError, did_you_mean
from textssl.option_names import option_hint

MAX_MESSAGE_LINES = 15
MAX_LINE_LENGTH = 400
NO_SPACE = (errno.ENOSPC, errno.EDQUOT)
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR)


def report(error: BaseException, *, debug: bool, command: str = "textssl") -> int:
    """Write one error to standard error in the fixed layout and return its exit code.

    Args:
        error: anything that a command raised.
        debug: also write the traceback.
        command: what to ask for help where the error itself has no advice.
    """
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 0 if error.code is None else 1
    if debug:
        sys.stderr.write("".join(traceback.format_exception(error)))
    if isinstance(error, KeyboardInterrupt):
        sys.stderr.write(layout("interrupted", None, "The same command starts again; a training run resumes."))
        return 128 + signal.SIGINT
    known = as_textssl_error(error)
    if known is None:
        sys.stderr.write(layout(f"this is a bug in textssl: {type(error).__name__}: {error}", None, BUG_HINT))
        return 1
    sys.stderr.write(layout(known.message, known.where, known.hint or _advice(known, command)))
    return known.exit_code


def _advice(error: TextsslError, command: str) -> str:
    """What to do about an error that does not say it itself."""
    place = (error.where or "").partition(",")[0]
    if isinstance(error, DataError) and place and Path(place).exists():
        return f"Look at it with: textssl check {place}"
    if isinstance(error, ResourceError):
        return "Look at the machine with: textssl doctor"
    return f"See: {command} --help"


BUG_HINT = "Run it again with --debug, and report the traceback with the output of: textssl doctor --markdown"


def layout(message: str, where: str | None, hint: str | None) -> str:
    """The layout of every error: ``error: place: what happened`` and ``next: what to do``, one screen at most.

    >>> print(layout("has no column 'text'", "news.csv", "Name one with --text-field."), end="")
    error: news.csv: has no column 'text'
      next: Name one with --text-field.
    """
    lines = _shorten("error: ", f"{where}: {message}" if where else message)
    if hint:
        lines += _shorten("  next: ", hint)
    return "\n".join(lines) + "\n"


def _shorten(label: str, text: str) -> list[str]:
    lines = [line if len(line) <= MAX_LINE_LENGTH else line[:MAX_LINE_LENGTH] + "..." for line in text.splitlines()]
    if len(lines) > MAX_MESSAGE_LINES:
        left_out = len(lines) - MAX_MESSAGE_LINES
        lines = [*lines[:MAX_MESSAGE_LINES], f"... and {left_out} more lines"]
    indent = " " * len(label)
    return [(indent if number else label) + line for number, line in enumerate(lines or [""])]


def as_textssl_error(error: BaseException) -> TextsslError | None:
    """The error as one with an exit code, or None for what can only be a bug."""
    if isinstance(error, TextsslError):
        return error
    if isinstance(error, MemoryError):
        detail = f": {error}" if str(error) else ""
        return ResourceError(f"out of memory{detail}", hint="See how much there is: textssl doctor")
    devices = sys.modules.get("textssl.training.devices")  # what fills a device's memory has imported it
    if devices is not None and devices.is_out_of_memory(error):
        first = str(error).partition("\n")[0]
        hint = "Choose a smaller batch, length or model, or --device cpu."
        return ResourceError(f"out of memory: {first}", hint=hint)
    if isinstance(error, UnicodeEncodeError) and error.encoding != "utf-8":
        return ResourceError(f"the terminal cannot show this text ({error.encoding})", hint="Set PYTHONUTF8=1.")
    if isinstance(error, OSError):
        return _system_error(error)
    return None


def _system_error(error: OSError) -> TextsslError | None:
    """An operating system's refusal that names a file, as data or resources; None for the others."""
    message = f"{error.strerror or error}".lower()
    where = None if error.filename is None else str(error.filename)
    if error.errno in NO_SPACE:
        return ResourceError(message, where=where, hint="Free some space, or choose another folder with --out.")
    if where is None:
        return None
    if error.errno in NOT_THERE:
        return DataError(message, where=where, hint="Check the path.")
    return ResourceError(message, where=where, hint="Test the folder with: textssl doctor --folder FOLDER")


def usage_error(error: cyclopts.CycloptsError) -> UsageError:
    """What cyclopts found wrong with a command line, in this project's words and with the nearest name.

    Args:
        error: what ``parse_args`` raised.
    """
    chain = " ".join(["textssl", *(error.command_chain or ())])
    help_hint = f"See: {chain} --help"
    if isinstance(error, cyclopts.UnknownCommandError):
        return _unknown_command(error, chain)
    if isinstance(error, cyclopts.UnknownOptionError):
        name = error.token.keyword or error.token.value
        candidates = [option for argument in error.argument_collection for option in argument.names]
        return UsageError(f"{chain} has no option {name}", hint=_join(option_hint(name, candidates), help_hint))
    if isinstance(error, cyclopts.MissingArgumentError):
        return UsageError(f"{chain}: {_missing(error)}", hint=help_hint)
    if isinstance(error, cyclopts.UnusedCliTokensError):
        extra = " ".join((error.unused_tokens or [])[:5])
        return UsageError(f"{chain} takes no further argument, got {extra}", hint=help_hint)
    return UsageError(f"{chain}: {_plain(error)}", hint=help_hint)


def _unknown_command(error: cyclopts.UnknownCommandError, chain: str) -> UsageError:
    given = (error.unused_tokens or [""])[0]
    folder = "commands" if chain == "textssl" else "objectives"
    names = registry.names(folder)
    what = "command" if folder == "commands" else "objective"
    nearest = did_you_mean(given, names) or f"There are: {', '.join(names)}."
    return UsageError(f"unknown {what} {given!r}", where=chain, hint=_join(nearest, f"See: {chain} --help"))


def _missing(error: cyclopts.MissingArgumentError) -> str:
    assert error.argument is not None
    name = error.keyword or error.argument.name
    count = error.argument.token_count()[0]
    if error.argument.field_info.is_positional:
        return f"the argument {name.upper()} is missing"
    if error.keyword is None:
        return f"the option {name} is missing"
    return f"the option {name} needs {'a value' if count == 1 else f'{count} values'}"


def _plain(error: cyclopts.CycloptsError) -> str:
    text = " ".join(str(error).split()).replace("\0", "")
    return text[:1].lower() + text[1:]


def _join(*parts: str) -> str:
    return " ".join(part for part in parts if part)
