"""What a command's options ask for in code of the user's: checked by themselves, before anything is read."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

import click

from hosts.cli.commands.code_options import CodeOptions
from hosts.errors import Failure
from hosts.exit_codes import EXIT_USAGE
from hosts.loader.policy_name import is_user_policy, rule_name_of
from hosts.loader.user_code import CodeSpec, code_among

_STUB: Final = re.compile(r"[A-Za-z_]\w*=-?(?:0[xX][0-9a-fA-F]+|\d+)")
_NAME: Final = re.compile(r"[A-Za-z_]\w*")


def code_spec(code: CodeOptions, policies: Sequence[str] = ()) -> CodeSpec | None:
    """Return what is asked for besides the policies, if anything is; Failure if options do not go together."""
    only = tuple(dict.fromkeys(name.strip() for each in code.only for name in each.split(",") if name.strip()))
    _check_names(code, only)
    rules = [rule for rule in map(rule_name_of, filter(is_user_policy, policies)) if rule is not None]
    in_c = any(rule.path.endswith((".c", ".h")) for rule in rules)
    if code.kernel is None:
        if code.only or code.diff:
            given = "--only" if code.only else "--diff"
            what = "chooses among the functions of a kernel" if code.only else "is applied to the files of a kernel"
            raise Failure(f"{given} {what}: name it with --kernel PATH", EXIT_USAGE)
        if code.stub and not in_c:
            raise Failure("--stub is about code in C: give it with --kernel PATH or --policy FILE.c:NAME", EXIT_USAGE)
    if code.show_diff and not (code.patch or code.kernel or rules):
        raise Failure("--show-diff shows what --patch, --kernel or a rule of your own replaces: give one", EXIT_USAGE)
    spec = CodeSpec(patches=tuple(code.patch), kernel=code.kernel, diff=code.diff, only=only, stubs=tuple(code.stub))
    return spec or None


def one_of(policy: str | None) -> list[str]:
    """Return the policy of a command that takes one, if it was given, as those of one that takes several."""
    return [policy] if policy is not None else []


def asked_to_show(spec: CodeSpec | None, policies: Sequence[str]) -> int:
    """Print what is replaced, for ``--show-diff``; return the exit status."""
    from hosts.cli.replaced_show import diff_lines
    from hosts.loader.program import PolicyError, load_program

    try:
        code = code_among(policies, spec)
        lines = list(diff_lines(code, load_program(code))) if code is not None else []
    except PolicyError as error:
        raise Failure(str(error), EXIT_USAGE) from None
    for line in lines:
        click.echo(line)
    return 0


def _check_names(code: CodeOptions, only: Sequence[str]) -> None:
    for path in code.patch:
        if is_user_policy(path):
            said = "a patch is a file, and its functions replace those of the same names"
            raise Failure(f"--patch {path}: {said}; a rule of your own is --policy {path}", EXIT_USAGE)
        if path.endswith((".c", ".h", ".patch", ".diff")):
            option = "--kernel" if path.endswith((".c", ".h")) else "--diff"
            raise Failure(f"--patch {path}: a patch is a file in Python; for this one there is {option}", EXIT_USAGE)
        if list(code.patch).count(path) > 1:
            raise Failure(f"--patch {path}: given twice", EXIT_USAGE)
    for name in only:
        if not _NAME.fullmatch(name):
            raise Failure(f"--only {name}: not the name of a function", EXIT_USAGE)
    stubs = [stub.partition("=")[0] for stub in code.stub]
    for stub, name in zip(code.stub, stubs, strict=True):
        if not _STUB.fullmatch(stub):
            raise Failure(f"--stub {stub}: wanted is NAME=VALUE, a function and a whole number", EXIT_USAGE)
        if stubs.count(name) > 1:
            raise Failure(f"--stub {name}: given twice", EXIT_USAGE)
