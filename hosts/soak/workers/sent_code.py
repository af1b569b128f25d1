"""A user's code on its way to another host: the files are on this machine only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from hosts.loader.policy_name import base_of, is_user_policy, rule_name_of
from hosts.loader.user_code import read_code, split_paths
from hosts.soak.task import Task


@dataclass(frozen=True)
class SentCode:
    """The contents of a task's files, by the paths that they have on the machine of the campaign."""

    rule: bytes | None
    patches: Mapping[str, bytes]
    kernel: Mapping[str, bytes]
    """As they are loaded: with the diff in them."""


def sent_code(task: Task) -> SentCode | None:
    """Read what of the user's a task needs; the error with which a file cannot be read."""
    code = read_code(task.spec)
    if code is None:
        return None
    return SentCode(
        code.rule_file.content if code.rule_file is not None else None,
        {each.path: each.content for each in code.patches},
        {each.path: each.content for each in code.kernel},
    )


def unpacked(task: Task, sent: SentCode, folder: Path) -> Task:
    """Write the files below a folder of this host; return the task with their paths there."""
    rule = rule_name_of(task.spec.rule)
    policy, code = task.policy, task.code
    if rule is not None and sent.rule is not None:
        file = _written(folder / Path(rule.path).name, sent.rule)
        named = str(rule.at(file))
        if is_user_policy(policy):
            policy = named + policy.removeprefix(base_of(policy))
        code = replace(code, rule=named) if code is not None and code.rule is not None else code
    if code is not None:
        patches = tuple(
            str(_written(folder / f"patch{i}" / Path(path).name, sent.patches[path]))
            for i, path in enumerate(code.patches)
        )
        code = replace(code, patches=patches, kernel=_kernel(code.kernel, sent.kernel, folder), diff=None)
    return replace(task, policy=policy, code=code)


def _kernel(kernel: str | None, files: Mapping[str, bytes], folder: Path) -> str | None:
    """Write a kernel's files as they lie to each other; return the paths of their folders, or of single files."""
    if kernel is None:
        return None
    roots = []
    for i, root in enumerate(split_paths(kernel)):
        new = folder / f"kernel{i}" / Path(root).name
        for path, content in files.items():
            if Path(path).is_relative_to(root):
                _written(new / Path(path).relative_to(root), content)
        roots.append(str(new))
    return ":".join(roots)


def _written(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path
