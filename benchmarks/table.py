"""Write the tables of README.md from results/*.json, so that numbers and text never disagree.

    python -m benchmarks.table            after every measurement
    python -m benchmarks.table --check    fails where README.md is out of date

A table stands between <!-- table NAME --> and <!-- end -->; NAME is a function of `TABLES`.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path

from benchmarks.measure import RESULTS
from benchmarks.tables import TABLES, Results

README = Path(__file__).with_name("README.md")
MARKED = re.compile(r"(<!-- table (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="change nothing, fail where a table is out of date")
    parser.add_argument("--readme", type=Path, default=README)
    parser.add_argument("--results", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    old = arguments.readme.read_text(encoding="utf-8")
    new = rendered(old, read_results(arguments.results))
    if arguments.check and new != old:
        raise SystemExit(f"{arguments.readme.name} is out of date: run python -m benchmarks.table")
    if not arguments.check:
        arguments.readme.write_text(new, encoding="utf-8")


def read_results(folder: Path) -> Results:
    """All results by name."""
    return {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))}


def rendered(text: str, results: Results) -> str:
    """A text with all its tables written anew; a table without its result says so."""

    def table(match: re.Match[str]) -> str:
        name = match[2]
        if name not in TABLES:
            raise SystemExit(f"there is no table {name!r}; there are {', '.join(TABLES)}")
        return f"{match[1]}{TABLES[name](results) or f'*Not measured yet ({name}).*'}\n{match[3]}"

    return MARKED.sub(table, text)


if __name__ == "__main__":
    main()
