"""The limits that the code keeps, as rules over syntax trees; `test_architecture.py` applies them."""

import ast
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

OURS = frozenset({"httpkit", "testhttp_modules", "relay", "scripts", "tests"})
MAY_USE = {
    "httpkit": {"httpkit"},
    "testhttp_modules": {"testhttp_modules", "httpkit"},
    "relay": {"relay", "httpkit"},
    "main.py": {"testhttp_modules"},
    "scripts": set[str](),
    "tests": OURS,
}
ADAPTERS = frozenset({"sekoia", "sigfox", "sesam", "xdr", "tufin", "web", "sample"})
FRAMEWORKS = ("fastapi", "flask", "sekoia_automation", "starlette", "uvicorn")
SOCKETS = ("requests", "urllib3", "socket", "ssl", "http.client", "http.server", "httptools", "httpx", "aiohttp")
SOCKET_FILES = {
    "httpkit/adapter.py",
    "httpkit/connections.py",
    "httpkit/destinations.py",
    "httpkit/encoding.py",
    "httpkit/failures.py",
    "httpkit/messages.py",
    "httpkit/sockets.py",  # which do not block
    "httpkit/tls.py",
    "httpkit/transport.py",
}
DISK_FILES = {
    "httpkit/disk_folder.py",
    "httpkit/files.py",
    "httpkit/memory.py",
    "httpkit/object_folder.py",
    "httpkit/locks.py",
}
DISK_NAMES = " and ".join(sorted(DISK_FILES))
WRITING_METHODS = frozenset({"mkdir", "rmdir", "symlink_to", "touch", "unlink", "write_bytes", "write_text"})
WRITING_FUNCTIONS = (
    "os.makedirs",
    "os.mkdir",
    "os.remove",
    "os.rename",
    "os.replace",
    "os.unlink",
    "shutil",
    "tempfile",
)
VAGUE_NAMES = frozenset({"base", "common", "handler", "handlers", "helper", "helpers", "manager", "util", "utils"})
MOST_LINES_OF_A_FILE = 400
MOST_LINES_OF_A_FUNCTION = 50


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """One Python file: its path from the repository root, its text and its syntax tree."""

    path: PurePosixPath
    text: str
    tree: ast.Module

    @classmethod
    def of(cls, path: str, text: str) -> "Source":
        """Parse a text as the file at `path`."""
        return cls(path=PurePosixPath(path), text=text, tree=ast.parse(text))

    @property
    def room(self) -> str:
        """The folder at the root that the file is in, or its name when it is at the root."""
        return self.path.parts[0]

    def violation(self, line: int, message: str) -> str:
        """Say what is wrong and where, in the form that editors open."""
        return f"{self.path}:{line}: {message}"


Rule = Callable[[Source], Iterator[str]]


def sources(root: Path) -> list[Source]:
    """Read all Python files of the repository, the environments and tool folders left out."""
    rooms = sorted(OURS | {"examples", "docs", "benchmarks"})
    paths = [*root.glob("*.py"), *(path for room in rooms for path in sorted((root / room).rglob("*.py")))]
    return [Source.of(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


def imports(source: Source) -> Iterator[tuple[int, str]]:
    """Yield line and full name of everything that is imported, wherever it stands in the file."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def is_in(name: str, packages: tuple[str, ...]) -> bool:
    """Tell whether a dotted name is one of the packages or lies in one."""
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports_point_one_way(source: Source) -> Iterator[str]:
    """A package uses only the packages below it."""
    allowed = MAY_USE.get(source.room, OURS)
    for line, name in imports(source):
        used = name.partition(".")[0]
        if used in OURS and used not in allowed:
            yield source.violation(line, f"{source.room} must not use {used}")


def adapters_stand_alone(source: Source) -> Iterator[str]:
    """An adapter of the relay never uses another adapter."""
    parts = source.path.parts
    if parts[0] != "relay" or parts[1] not in ADAPTERS:
        return
    others = tuple(f"relay.{adapter}" for adapter in sorted(ADAPTERS - {parts[1]}))
    for line, name in imports(source):
        if is_in(name, others):
            yield source.violation(line, f"the adapter {parts[1]} must not use {name}")


def the_core_knows_no_framework(source: Source) -> Iterator[str]:
    """The core uses neither the SDK nor a web framework."""
    if source.room == "httpkit":
        for line, name in imports(source):
            if is_in(name, FRAMEWORKS):
                yield source.violation(line, f"httpkit must not use {name}")


def one_place_opens_sockets(source: Source) -> Iterator[str]:
    """In the core one file opens connections, one sends over them and one explains their failures."""
    if source.room == "httpkit" and str(source.path) not in SOCKET_FILES:
        for line, name in imports(source):
            if is_in(name, SOCKETS):
                yield source.violation(line, f"only {' and '.join(sorted(SOCKET_FILES))} may use {name}")


def one_place_writes_files(source: Source) -> Iterator[str]:
    """In the core one file writes whole files, and the memory decides which."""
    if source.room != "httpkit" or str(source.path) in DISK_FILES:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and writes(node):
            yield source.violation(node.lineno, f"only {DISK_NAMES} may write files")
    for line, name in imports(source):
        if is_in(name, WRITING_FUNCTIONS):
            yield source.violation(line, f"only {DISK_NAMES} may use {name}")


def writes(call: ast.Call) -> bool:
    """Tell whether a call writes to the disk: by its name, or because it opens a file for writing."""
    name = ast.unparse(call.func)
    method = name.rpartition(".")[2]
    if method == "open":
        positional = call.args[1:] if name == "open" else call.args
        arguments = [*positional, *(keyword.value for keyword in call.keywords)]
        modes = [argument.value for argument in arguments if isinstance(argument, ast.Constant)]
        return any(isinstance(mode, str) and mode.strip("btU") in {"w", "a", "x", "r+", "w+", "a+"} for mode in modes)
    return method in WRITING_METHODS or is_in(name, WRITING_FUNCTIONS)


def nothing_sleeps(source: Source) -> Iterator[str]:
    """A program waits on its stop event, so that it ends at once."""
    if source.room in {"tests", "scripts"}:
        return
    for line, name in imports(source):
        if name == "time.sleep":
            yield source.violation(line, "time.sleep cannot be interrupted")
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "time.sleep":
            yield source.violation(node.lineno, "time.sleep cannot be interrupted")


def annotations_are_evaluated(source: Source) -> Iterator[str]:
    """The SDK's generator reads annotations as types, so they must not stay texts."""
    if source.room == "testhttp_modules":
        for line, name in imports(source):
            if name == "__future__.annotations":
                yield source.violation(line, "the SDK's generator cannot read postponed annotations")


def packages_open_with_nothing(source: Source) -> Iterator[str]:
    """The `__init__.py` of a package holds at most its docstring."""
    if source.path.name == "__init__.py" and source.room in {"httpkit", "relay"}:
        body = source.tree.body[1:] if ast.get_docstring(source.tree) is not None else source.tree.body
        if body:
            yield source.violation(body[0].lineno, "a package's __init__.py holds only a docstring")


def imports_do_no_work(source: Source) -> Iterator[str]:
    """Importing a module calls nothing for its effect, because the SDK's generator imports all of them."""
    if source.room in {"httpkit", "relay", "testhttp_modules"}:
        for node in source.tree.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                yield source.violation(node.lineno, "a module does nothing while it is imported")


def the_root_holds_only_the_entry_point(source: Source) -> Iterator[str]:
    """Programs and packages have their own folders."""
    if len(source.path.parts) == 1 and source.room != "main.py":
        yield source.violation(1, "the only Python file at the root is main.py")


def modules_say_what_they_hold(source: Source) -> Iterator[str]:
    """Each module that holds something opens with a docstring."""
    if source.tree.body and not ast.get_docstring(source.tree):
        yield source.violation(1, "the module has no docstring")


def files_are_short(source: Source) -> Iterator[str]:
    """A file has room for one concept."""
    length = len(source.text.splitlines())
    if length > MOST_LINES_OF_A_FILE:
        yield source.violation(MOST_LINES_OF_A_FILE, f"the file has {length} lines")


def functions_are_short(source: Source) -> Iterator[str]:
    """A function has room for one step."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MOST_LINES_OF_A_FUNCTION:
                yield source.violation(node.lineno, f"{node.name} has {length} lines")


def names_say_something(source: Source) -> Iterator[str]:
    """A file or folder is named after its concept."""
    for part in (*source.path.parts[:-1], source.path.stem):
        if part in VAGUE_NAMES or part.startswith("process_"):
            yield source.violation(1, f"{part} does not say what is in it")


RULES: tuple[Rule, ...] = (
    imports_point_one_way,
    adapters_stand_alone,
    the_core_knows_no_framework,
    one_place_opens_sockets,
    one_place_writes_files,
    nothing_sleeps,
    annotations_are_evaluated,
    packages_open_with_nothing,
    imports_do_no_work,
    the_root_holds_only_the_entry_point,
    modules_say_what_they_hold,
    files_are_short,
    functions_are_short,
    names_say_something,
)
