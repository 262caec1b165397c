"""The floors of docs/architecture.md, held by reading the imports; and the limits of size and of danger."""

import ast
import re
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from textssl import registry

ROOT = Path(__file__).parents[1]
SOURCES = sorted([*(ROOT / "textssl").rglob("*.py"), *(ROOT / "corpora").rglob("*.py")])

# From the ground up; a module imports from its own floor and from those above its line. Names in one set of the second
# column of a floor see each other; the sets do not.
FLOORS: list[list[set[str]]] = [
    [
        {"errors", "loss_sum", "randomness", "registry", "disk", "storage", "toml", "config", "run_folder"}
        | {"option_names", "plural", "words", "word_bytes", "word_lookup", "tensor_file", "numba_cache", "neighbours"}
    ],
    [{"text"}, {"vision"}],
    [
        {"embeddings", "embeddings_folder", "word_vectors", "ngram_table", "model2vec_layout"}
        | {"vector_files", "formats"}
    ],
    [{"losses"}, {"models"}, {"kernels"}],
    [{"objectives"}],
    [{"training"}],
    [{"finetuning", "evaluators", "interop", "report", "figures", "generation", "image_features", "image_figures"}],
    [{"commands", "cli", "cli_errors", "cli_options", "__main__", "__init__"}],
]
OPEN_FOLDERS = ("commands", "evaluators", "formats", "losses", "models", "objectives", "interop", "corpora.readers")
HEAVY = ("torch", "numba", "sklearn", "matplotlib", "pyarrow", "datasets", "tokenizers", "pandas", "scipy", "triton")
DANGEROUS_MODULES = {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cloudpickle"}
DANGEROUS_CALLS = {"eval", "exec", "torch.load", "yaml.load", "os.system", "np.load", "numpy.load"}
MAX_FILE_LINES, MAX_MEDIAN_LINES, MAX_FUNCTION_LINES = 400, 150, 60


def name_of(path: Path) -> str:
    """textssl/text/tokens.py -> textssl.text.tokens"""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name_of(path): path for path in SOURCES}
PACKAGES = {name_of(path.parent / "__init__.py") for path in SOURCES} | {"textssl", "corpora"}


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported(node: ast.Import | ast.ImportFrom, importer: Path) -> list[str]:
    """The full names of the modules that one statement imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = node.module or ""
    if node.level:
        package = name_of(importer.parent / "__init__.py").split(".")
        base = ".".join([*package[: len(package) - node.level + 1], *filter(None, [base])])
    children = [f"{base}.{alias.name}" for alias in node.names]
    return [child if child in MODULES or child in PACKAGES else base for child in children]


@cache
def all_imports(path: Path) -> list[tuple[int, str]]:
    """(line, module) of every import, those inside functions included."""
    nodes = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return [(node.lineno, name) for node in nodes for name in imported(node, path)]


def floor_and_room(module: str) -> tuple[int, int]:
    """The floor of a module of textssl and its set there."""
    top = module.split(".")[1] if "." in module else "__init__"
    for floor, rooms in enumerate(FLOORS):
        for number, room in enumerate(rooms):
            if top in room:
                return floor, number
    raise AssertionError(f"{module} has no floor: add it to FLOORS here and to docs/architecture.md")


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def test_every_module_has_a_floor():
    for module in MODULES:
        if module.startswith("textssl"):
            floor_and_room(module)


def test_modules_import_downward_only():
    wrong = []
    for module, path in MODULES.items():
        if not module.startswith("textssl"):
            continue
        floor, room = floor_and_room(module)
        for line, target in all_imports(path):
            if not target.startswith("textssl.") or target == module:
                continue
            other_floor, other_room = floor_and_room(target)
            if other_floor > floor or (other_floor == floor and other_room != room):
                wrong.append(f"{where(path, line)} imports {target}")
    assert wrong == []


def test_module_level_imports_have_no_cycle():
    graph = {}
    for module, path in MODULES.items():
        statements = [node for node in tree_of(path).body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {name for node in statements for name in imported(node, path)}
        graph[module] = {name for name in names if name in MODULES and name not in ("textssl", "corpora", module)}
    done: set[str] = set()
    while True:
        free = {module for module, targets in graph.items() if module not in done and targets <= done}
        if not free:
            break
        done |= free
    assert sorted(set(graph) - done) == []


@pytest.mark.parametrize("folder", OPEN_FOLDERS)
def test_members_of_an_open_folder_do_not_import_members(folder):
    package = folder if folder.startswith("corpora") else f"textssl.{folder}"
    prefix = f"{package}."
    shared = {"options", "sniff", "unpack", "files", "text"} if folder == "corpora.readers" else set()
    wrong = []
    for module, path in MODULES.items():
        if not module.startswith(prefix) or registry.is_base(module.removeprefix(prefix)):
            continue
        for line, target in all_imports(path):
            name = target.removeprefix(prefix)
            if target.startswith(prefix) and target != module and not registry.is_base(name) and name not in shared:
                wrong.append(f"{where(path, line)} imports {target}")
    assert wrong == []


def test_corpora_knows_nothing_of_textssl_and_only_the_top_floor_knows_corpora():
    for module, path in MODULES.items():
        for line, target in all_imports(path):
            if module.startswith("corpora"):
                assert not target.startswith("textssl"), where(path, line)
            elif target.split(".")[0] == "corpora":
                assert floor_and_room(module)[0] == len(FLOORS) - 1, where(path, line)


def test_trainer_knows_only_the_promise_of_a_task():
    names = ("trainer", "task", "checkpoint", "progress", "lines", "notes", "budget", "signals")
    for path in (ROOT / "textssl" / "training" / f"{name}.py" for name in names):
        words = re.findall(r"[a-z]+", path.read_text(encoding="utf-8").lower())
        assert not {"token", "tokens", "image", "images", "mask", "masks"} & set(words), path.name
        assert not {"torch", "numba"} & {target.split(".")[0] for _, target in all_imports(path)}, path.name


def test_ground_floor_needs_neither_torch_nor_numba():
    for module, path in MODULES.items():
        if module.startswith("textssl") and floor_and_room(module)[0] == 0:
            for line, target in all_imports(path):
                assert target.split(".")[0] not in HEAVY, where(path, line)


@pytest.mark.parametrize(
    "start", ["textssl", "textssl.cli", "textssl.embeddings", "textssl.training.trainer", "corpora"]
)
def test_import_stays_light(start):
    code = f"import sys, {start}; print(sorted({set(HEAVY)!r} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT).strip() == "[]"


def test_files_are_short():
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in SOURCES
        if "tables" not in path.parts
    }
    others = [path for folder in ("tests", "benchmarks") for path in (ROOT / folder).rglob("*.py")]
    of_others = {str(path): len(path.read_text(encoding="utf-8").splitlines()) for path in others}
    assert {name: length for name, length in (lengths | of_others).items() if length > MAX_FILE_LINES} == {}
    assert statistics.median(lengths.values()) <= MAX_MEDIAN_LINES


def test_functions_are_short():
    wrong = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = node.body[0] if ast.get_docstring(node, clean=False) is not None else None
                described = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
                length = node.end_lineno - node.lineno + 1 - described
                if length > MAX_FUNCTION_LINES:
                    wrong.append(f"{where(path, node.lineno)} {node.name}: {length} lines")
    assert wrong == []


def test_no_file_is_a_drawer_for_everything():
    names = {path.stem for path in SOURCES}
    assert not {"utils", "util", "helpers", "helper", "misc", "common", "manager"} & names


def test_every_package_folder_has_an_init_with_a_docstring():
    folders = {path.parent for path in SOURCES}
    assert sorted(str(folder.relative_to(ROOT)) for folder in folders if not (folder / "__init__.py").exists()) == []
    for folder in folders:
        assert ast.get_docstring(tree_of(folder / "__init__.py")), folder


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_nothing_that_runs_code_from_data_is_used():
    wrong = []
    for path in SOURCES:
        for line, target in all_imports(path):
            if target.split(".")[0] in DANGEROUS_MODULES:
                wrong.append(f"{where(path, line)} imports {target}")
        for node in ast.walk(tree_of(path)):
            if not isinstance(node, ast.Call):
                continue
            given = {keyword.arg: getattr(keyword.value, "value", None) for keyword in node.keywords}
            name = dotted(node.func)
            safe_numpy = name.endswith(".load") and given.get("allow_pickle") is False
            if name in DANGEROUS_CALLS and not safe_numpy:
                wrong.append(f"{where(path, node.lineno)} calls {name}")
            if any(given.get(guard) is True for guard in ("allow_pickle", "trust_remote_code", "shell")):
                wrong.append(f"{where(path, node.lineno)} {name} switches a guard off")
    assert wrong == []


def test_no_error_is_swallowed():
    wrong = []
    for path in SOURCES:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ExceptHandler) and len(node.body) == 1 and isinstance(node.body[0], ast.Pass):
                wrong.append(where(path, node.lineno))
    assert wrong == []


def test_every_module_says_what_it_is():
    assert [str(path.relative_to(ROOT)) for path in SOURCES if not ast.get_docstring(tree_of(path))] == []
