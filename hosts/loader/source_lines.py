"""The source lines of a user's functions, as they were read: a diff may be in them that no file on disk has."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

from hosts.loader.definition import Definition


def lines_of(definitions: Iterable[Definition], contents: Mapping[str, bytes]) -> dict[str, str]:
    """Return the text of each line that a function has code on, by ``file:line`` with the file's own name.

    ``contents``: what the files held, by their paths. Two files of one name whose lines differ there are left out.
    """
    texts = {path: content.decode("utf-8", "replace").splitlines() for path, content in contents.items()}
    found: dict[str, str] = {}
    unclear: set[str] = set()
    for definition in definitions:
        file = definition.origin.file
        for number in _numbers(definition.tree):
            if 0 < number <= len(texts.get(file, ())):
                text = texts[file][number - 1].strip()
                key = f"{Path(file).name}:{number}"
                if found.setdefault(key, text) != text:
                    unclear.add(key)
    return {key: text for key, text in found.items() if key not in unclear}


def _numbers(tree: ast.FunctionDef) -> set[int]:
    return {node.lineno for node in ast.walk(tree) if isinstance(node, ast.stmt | ast.expr)}
