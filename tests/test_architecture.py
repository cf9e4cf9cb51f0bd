"""Enforce laws 1, 2 and 7 of the architecture on the abstract syntax tree of both packages.

Paths are relative to the repository and match by shell pattern, where ``*`` also crosses folders. An import counts
wherever it stands, in a function or under ``TYPE_CHECKING`` too; only cycles look at what runs on import.
"""

import ast
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path, PurePosixPath

import pytest

PACKAGES = ("gateway", "monitors")
BRIDGES = ("monitors.records", "monitors.ports")
COMPOSITION_ROOTS = (
    "gateway/app.py",
    "gateway/cli.py",
    "gateway/commands/*",
    "gateway/demo/*",
    "gateway/shadow.py",
    "gateway/supervisor.py",
    "gateway/watch.py",
)
COMMAND_LINE = ("gateway/cli.py", "gateway/commands/*", "gateway/demo/*")
HOMES: dict[str, tuple[str, ...]] = {
    "cryptography": ("gateway/audit/signing_key.py", "gateway/signing/keys.py"),
    "fairlearn": ("gateway/release/gates/fairness.py",),
    "grpc": ("gateway/grpc/*",),
    "httpx": ("gateway/http/*", *COMMAND_LINE),
    "jwt": ("gateway/access/*", "gateway/http/issuer.py"),
    "msgspec": ("gateway/codec/*", "gateway/call.py", "monitors/transport/*"),
    "onnx": ("gateway/engine/*", "gateway/demo/*"),
    "onnxruntime": ("gateway/engine/*",),
    "prometheus_client": ("gateway/metrics.py", "gateway/metrics/*"),
    "pyarrow": ("gateway/codec/parquet.py",),
    "opentelemetry": ("gateway/tracing/*",),
    "redis": ("gateway/state/redis.py", "monitors/transport/redis_*.py"),
    "rich": COMMAND_LINE,
    "requests": ("gateway/tracing/session.py",),
    "river": ("monitors/detectors/river.py", "gateway/demo/*"),
    "skl2onnx": ("gateway/demo/*",),
    "sklearn": ("gateway/demo/*", "gateway/release/scores.py"),
    "starlette": ("gateway/http/*", "gateway/app.py", "gateway/watch.py"),
    "tritonclient": ("gateway/grpc/*",),
    "typer": COMMAND_LINE,
    "uvicorn": ("gateway/http/*", "gateway/app.py", "gateway/supervisor.py", "gateway/watch.py"),
    "yaml": ("gateway/codec/*",),
    "zstandard": ("gateway/http/unpacking.py",),
}
DECLARATIONS = (
    ast.Import,
    ast.ImportFrom,
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Assign,
    ast.AnnAssign,
)
GUARDS = ("TYPE_CHECKING", "typing.TYPE_CHECKING", "__name__ == '__main__'")
ENVIRONMENT = frozenset({"environ", "getenv"})
EFFECTS = frozenset(
    {
        "Popen",
        "Process",
        "ProcessPoolExecutor",
        "Thread",
        "ThreadPoolExecutor",
        "Timer",
        "connect",
        "create_task",
        "ensure_future",
        "mkdir",
        "new_event_loop",
        "open",
        "read_bytes",
        "read_text",
        "run",
        "run_forever",
        "run_until_complete",
        "socket",
        "start",
        "write_bytes",
        "write_text",
    }
)


@dataclass(frozen=True, slots=True)
class Module:
    """One parsed source file.

    Parameters
    ----------
    path : path relative to the repository, with forward slashes
    tree : its syntax tree
    """

    path: str
    tree: ast.Module

    @classmethod
    def parse(cls, path: str, source: str) -> "Module":
        return cls(path, ast.parse(source, filename=path))

    @property
    def name(self) -> str:
        return ".".join(PurePosixPath(self.path).with_suffix("").parts).removesuffix(".__init__")

    def lives_in(self, patterns: Iterable[str]) -> bool:
        return any(fnmatchcase(self.path, pattern) for pattern in patterns)

    def imports(self, nodes: Iterable[ast.AST]) -> Iterator[tuple[int, str]]:
        """Give line and absolute dotted target of each import among `nodes`; a from-import counts once a name."""
        for node in nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                base = self._import_base(node)
                yield from ((node.lineno, f"{base}.{alias.name}") for alias in node.names)

    def _import_base(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = PurePosixPath(self.path).parts[: -node.level]
        return ".".join([*package, *filter(None, [node.module])])


Law = Callable[[Module], Iterator[str]]


def is_within(target: str, names: Iterable[str]) -> bool:
    return any(target == name or target.startswith(f"{name}.") for name in names)


def crossings(module: Module) -> Iterator[str]:
    """Give the imports that break law 1: what may pass between gateway and monitors."""
    for line, target in module.imports(ast.walk(module.tree)):
        if module.path.startswith("monitors/") and is_within(target, ["gateway"]):
            yield f"{module.path}:{line}: monitors never imports gateway, but imports {target}"
        if module.lives_in(COMPOSITION_ROOTS) or is_within(target, BRIDGES):
            continue
        if module.path.startswith("gateway/") and is_within(target, ["monitors"]):
            yield f"{module.path}:{line}: only composition roots import {target}; others {' and '.join(BRIDGES)}"


def strays(module: Module) -> Iterator[str]:
    """Give the imports that break law 2: a third-party library away from its home."""
    for line, target in module.imports(ast.walk(module.tree)):
        homes = HOMES.get(target.partition(".")[0])
        if homes is not None and not module.lives_in(homes):
            yield f"{module.path}:{line}: {target} may be imported only in {', '.join(homes)}"


def is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and not node.orelse and ast.unparse(node.test) in GUARDS


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def run_on_import(node: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes below `node` that run when it is imported: no function bodies, no guarded blocks."""
    for child in ast.iter_child_nodes(node):
        if is_guard(child):
            continue
        yield child
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            for part in (*child.decorator_list, child.args):
                yield from ast.walk(part)
        elif not isinstance(child, ast.Lambda):
            yield from run_on_import(child)


def effects(module: Module) -> Iterator[str]:
    """Give what breaks law 7: statements and calls by which importing a module does more than declare."""
    for statement in module.tree.body:
        if not (isinstance(statement, DECLARATIONS) or is_guard(statement) or is_docstring(statement)):
            yield f"{module.path}:{statement.lineno}: a module only declares, but runs: {first_line(statement)}"
    for node in run_on_import(module.tree):
        if isinstance(node, ast.Name | ast.Attribute) and is_read(node) and last_name(node) in ENVIRONMENT:
            yield f"{module.path}:{node.lineno}: reads the environment on import: {first_line(node)}"
        if isinstance(node, ast.Call) and last_name(node.func) in EFFECTS:
            yield f"{module.path}:{node.lineno}: has an effect on import: {first_line(node)}"


def is_read(node: ast.Name | ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Load)


def last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def first_line(node: ast.AST) -> str:
    return ast.unparse(node).partition("\n")[0]


def bare_packages(module: Module) -> Iterator[str]:
    """Give package files without a docstring or without a list of what they export."""
    if not module.path.endswith("__init__.py"):
        return
    if ast.get_docstring(module.tree) is None:
        yield f"{module.path}:1: a package says in its docstring what it is for"
    targets = [target for node in module.tree.body for target in assigned(node)]
    if "__all__" not in targets:
        yield f"{module.path}:1: a package lists its exports in __all__"


def assigned(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Assign):
        return [last_name(target) for target in node.targets]
    return [last_name(node.target)] if isinstance(node, ast.AnnAssign) else []


def cycle(modules: Sequence[Module]) -> list[str]:
    """Give the imports that form one cycle, or none."""
    names = {module.name for module in modules}
    lines: dict[tuple[str, str], str] = {}
    for module in modules:
        for line, target in module.imports(run_on_import(module.tree)):
            imported = longest_known(target, names)
            if imported and imported != module.name:
                lines.setdefault((module.name, imported), f"{module.path}:{line}: imports {imported}")
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for importer, imported in lines:
        sorter.add(importer, imported)
    try:
        sorter.prepare()
    except CycleError as error:
        return [lines[importer, imported] for imported, importer in pairwise(error.args[1])]
    return []


def longest_known(target: str, names: set[str]) -> str:
    while target and target not in names:
        target = target.rpartition(".")[0]
    return target


@pytest.fixture(scope="module")
def modules(repo_root: Path) -> list[Module]:
    paths = sorted(path for package in PACKAGES for path in (repo_root / package).rglob("*.py"))
    return [Module.parse(path.relative_to(repo_root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def assert_law(law: Law, modules: Iterable[Module]) -> None:
    found = [violation for module in modules for violation in law(module)]
    assert not found, "\n" + "\n".join(found)


def test_gateway_and_monitors_meet_only_at_records_and_ports(modules: list[Module]) -> None:
    assert_law(crossings, modules)


def test_each_third_party_library_stays_at_home(modules: list[Module]) -> None:
    assert_law(strays, modules)


def test_importing_a_module_starts_nothing(modules: list[Module]) -> None:
    assert_law(effects, modules)


def test_each_package_says_what_it_is_for_and_what_it_exports(modules: list[Module]) -> None:
    assert_law(bare_packages, modules)


def test_no_modules_import_each_other_in_a_cycle(modules: list[Module]) -> None:
    found = cycle(modules)
    assert not found, "\n" + "\n".join(found)


@pytest.mark.parametrize(
    ("law", "path", "source"),
    [
        pytest.param(crossings, "monitors/service.py", "import gateway.types", id="monitors-imports-gateway"),
        pytest.param(crossings, "monitors/a/b.py", "from ...gateway import types", id="relative-import"),
        pytest.param(crossings, "gateway/tap.py", "from monitors import service", id="gateway-imports-service"),
        pytest.param(crossings, "gateway/tap.py", "def f():\n    import monitors", id="hidden-in-a-function"),
        pytest.param(strays, "gateway/pipeline.py", "import onnxruntime as ort", id="onnxruntime-outside-engine"),
        pytest.param(strays, "gateway/state/store.py", "from redis.asyncio import Redis", id="redis-outside-its-file"),
        pytest.param(effects, "gateway/tap.py", "from threading import Thread\nThread().start()", id="thread"),
        pytest.param(effects, "gateway/tap.py", "import os\nHOME = os.environ['HOME']", id="environment"),
        pytest.param(effects, "gateway/tap.py", "class A:\n    text = open('a').read()", id="file-in-a-class-body"),
        pytest.param(effects, "gateway/tap.py", "import os\ndef f(a=os.getenv('A')): ...", id="default-argument"),
        pytest.param(effects, "gateway/tap.py", "if TYPE_CHECKING: ...\nelse: open('a')", id="else-of-a-guard"),
        pytest.param(effects, "gateway/tap.py", "for name in ():\n    pass", id="loop"),
        pytest.param(bare_packages, "gateway/a/__init__.py", '"""Say."""', id="no-exports"),
        pytest.param(bare_packages, "gateway/a/__init__.py", "__all__ = []", id="no-docstring"),
    ],
)
def test_a_violation_is_caught_with_its_place(law: Law, path: str, source: str) -> None:
    found = list(law(Module.parse(path, source)))
    assert found
    assert all(violation.startswith(f"{path}:") for violation in found)


@pytest.mark.parametrize(
    ("law", "path", "source"),
    [
        pytest.param(crossings, "gateway/tap.py", "from monitors.records import Row", id="bridge"),
        pytest.param(crossings, "gateway/watch.py", "from monitors.service import Service", id="composition-root"),
        pytest.param(strays, "gateway/engine/session.py", "import onnxruntime", id="library-at-home"),
        pytest.param(effects, "gateway/a.py", '"""Say."""\nimport re\nWORD = re.compile("a")', id="constant"),
        pytest.param(effects, "gateway/a.py", "if __name__ == '__main__':\n    run()", id="main-guard"),
        pytest.param(effects, "gateway/a.py", "def f():\n    return open('a')", id="function-body"),
        pytest.param(bare_packages, "gateway/a/__init__.py", '"""Say."""\n__all__: list[str] = []', id="package"),
    ],
)
def test_lawful_code_passes(law: Law, path: str, source: str) -> None:
    assert list(law(Module.parse(path, source))) == []


def test_a_cycle_is_named_by_each_of_its_imports() -> None:
    modules = [
        Module.parse("gateway/a.py", "from gateway import b"),
        Module.parse("gateway/b.py", "import gateway.c"),
        Module.parse("gateway/c.py", "from .a import A"),
    ]
    assert sorted(cycle(modules)) == [
        "gateway/a.py:1: imports gateway.b",
        "gateway/b.py:1: imports gateway.c",
        "gateway/c.py:1: imports gateway.a",
    ]


def test_an_import_for_types_only_makes_no_cycle() -> None:
    guarded = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from gateway.a import A"
    modules = [Module.parse("gateway/a.py", "import gateway.b"), Module.parse("gateway/b.py", guarded)]
    assert cycle(modules) == []
