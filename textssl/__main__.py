"""`python -m textssl` is the command `textssl`."""

from textssl.cli import run

run()
