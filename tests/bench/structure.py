"""Figures of the house: modules a room, long files, long bodies, names that mean two things, lines that stand twice.

`python tests/bench/structure.py [FOLDER]` prints them for a checkout, so that two can be compared; nothing is imported.
"""

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

PACKAGES = ("unet", "tasks", "flows")
LONG_FILE, LONG_BODY, SAME_LINES = 250, 25, 6
"""Lines of a file, lines of a function without its docstring, and lines in a row that make a duplicate."""


def modules(root):
    """Path → syntax tree of every module."""
    return {
        path.relative_to(root): ast.parse(path.read_text("utf-8"))
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
    }


def rooms(trees):
    """Modules of each folder, its `__init__` left out."""
    return Counter(str(path.parent) for path in trees if path.name != "__init__.py")


def bodies(trees):
    """Lines of each function's body, its docstring left out."""
    for path, tree in trees.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    yield body[-1].end_lineno - body[0].lineno + 1, f"{path}:{node.name}"


def named_twice(trees):
    """Public classes, types and constants that several modules define under one name."""
    found = defaultdict(set)
    for path, tree in trees.items():
        for node in tree.body:
            if isinstance(node, ast.ClassDef):
                found[node.name].add(str(path))
            elif isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                for target in targets:
                    if isinstance(target, ast.Name) and target.id[0].isupper():
                        found[target.id].add(str(path))
    return {name: sorted(paths) for name, paths in sorted(found.items()) if len(paths) > 1 and name != "T"}


def duplicates(root, trees):
    """Runs of lines that stand in two places, comments, imports and docstrings left out; how many windows there are."""
    seen = defaultdict(list)
    for path, tree in trees.items():
        told = {
            number
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom) or _is_text(node)
            for number in range(node.lineno, node.end_lineno + 1)
        }
        lines = (root / path).read_text("utf-8").splitlines()
        code = [(n, line.strip()) for n, line in enumerate(lines, 1) if n not in told and line.strip(" )]},")]
        code = [(number, line) for number, line in code if not line.startswith(("#", "@"))]
        for start in range(len(code) - SAME_LINES + 1):
            window = code[start : start + SAME_LINES]
            seen["\n".join(line for _, line in window)].append(f"{path}:{window[0][0]}")
    return {text: places for text, places in seen.items() if len(places) > 1}


def _is_text(node):
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def main(root):
    trees = modules(root)
    print(f"modules: {sum(rooms(trees).values())} in {len(rooms(trees))} rooms; the largest:")
    for room, count in rooms(trees).most_common(3):
        print(f"  {room} {count}")
    lines = {path: len((root / path).read_text("utf-8").splitlines()) for path in trees}
    long = {str(path): count for path, count in lines.items() if count > LONG_FILE}
    print(f"lines: {sum(lines.values())}; files over {LONG_FILE}: {len(long)} {long}")
    found = sorted(((count, name) for count, name in bodies(trees) if count > LONG_BODY), reverse=True)
    print(f"bodies over {LONG_BODY} lines: {len(found)} {[f'{name} {count}' for count, name in found]}")
    twice = named_twice(trees)
    print(f"names of several modules: {len(twice)}")
    for name, places in twice.items():
        print(f"  {name}: {', '.join(places)}")
    same = duplicates(root, trees)
    print(f"{SAME_LINES} lines in a row that stand twice: {len(same)}")
    for places in same.values():
        print(f"  {' ~ '.join(places)}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "."))
