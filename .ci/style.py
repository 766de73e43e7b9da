"""Counts the language of the house: names that say nothing, bare references, imports inside functions, long functions.

Usage: style.py FOLDER... Exits 1 where a count is over its limit.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections import Counter
from pathlib import Path

EMPTY_NAMES = frozenset(
    {"each", "found", "asked", "at", "place", "said", "there", "it", "told", "them", "one", "what", "which"}
    | {"now", "here", "that", "this", "so"}
)
BARE_REFERENCE = re.compile(r"# *DECISIONS\.md, *\d+")
BRANCHES = (ast.If, ast.For, ast.While, ast.IfExp, ast.ExceptHandler, ast.With, ast.comprehension, ast.match_case)
MOST_EMPTY_PERCENT = 0.5  # of all names that are bound
MOST_INNER_IMPORTS = 12
MOST_BRANCHES = 10  # in a function


def bound_names(tree: ast.Module) -> list[str]:
    """Return the names that the module binds: variables and arguments."""
    names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    return names + [node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)]


def branches_of(function: ast.AST) -> int:
    """Return one more than the ways that fork inside a function."""
    nodes = list(ast.walk(function))
    forks = sum(isinstance(node, BRANCHES) for node in nodes)
    return 1 + forks + sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))


def comments_of(text: str) -> list[str]:
    """Return the comments of a module."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


def main(folders: list[str]) -> int:
    """Print the counts and return the exit code."""
    names: Counter[str] = Counter()
    lines = bare = inner_imports = 0
    long_functions = []
    for path in sorted(path for folder in folders for path in Path(folder).rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        tree = ast.parse(text)
        names.update(bound_names(tree))
        lines += sum(bool(line.strip()) for line in text.splitlines())
        comments = comments_of(text)
        bare += sum(bool(BARE_REFERENCE.fullmatch(comment)) for comment in comments)
        inner_imports += sum("PLC0415" in comment for comment in comments)
        functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        long_functions += [
            f"{path}:{node.lineno} {node.name} ({branches_of(node)})"
            for node in functions
            if branches_of(node) > MOST_BRANCHES
        ]
    empty = {name: count for name, count in names.most_common() if name in EMPTY_NAMES}
    percent = 100 * sum(empty.values()) / max(names.total(), 1)
    print(f"{lines:,} lines that are not blank")
    print(f"{percent:.2f} % of {names.total():,} names say nothing (limit {MOST_EMPTY_PERCENT} %): {empty}")
    print(f"{bare} bare references to a decision (limit 0)")
    print(f"{inner_imports} imports inside functions (limit {MOST_INNER_IMPORTS})")
    print(f"{len(long_functions)} functions with over {MOST_BRANCHES} branches (limit 0): {', '.join(long_functions)}")
    is_over = percent > MOST_EMPTY_PERCENT or bare or inner_imports > MOST_INNER_IMPORTS or long_functions
    return int(bool(is_over))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
