"""Takes the kernel's functions: which of them, translated to the language of ``emu/``, and what is said of each."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from emu import machine
from hosts.loader.c.report import FunctionReport
from hosts.loader.c.rules import CFile, EmuCall, Wanted
from hosts.loader.c.translate import CError, Translation, translate
from hosts.loader.kernel.environment import KvmEnvironment
from hosts.loader.kernel.signatures import Signature, signatures
from hosts.loader.kernel.taken import INSIDE, NOT_TAKEN, OTHERWISE, TAKEN, Form
from hosts.loader.policy_name import RuleName
from hosts.loader.rule.brought import Brought, together
from hosts.loader.rule.userfile import ENTRY
from hosts.loader.source_file import SourceFile
from hosts.loader.syntax.language import Origin, PolicyError
from hosts.loader.syntax.names import Scope
from hosts.loader.user_code import UserCode, is_c

_DELIVER: Final = "vmx_deliver_posted_interrupt"
_WIDE_PIR: Final = (b"unsigned long pir[", b"unsigned long *pir")
_TYPES: Final = {"Vcpu": "struct kvm_vcpu *", "PiDesc": "struct pi_desc *", "int": "s64"}
_USERS: Final = "user_"
_OF_A_RULE: Final = 2
"""Parameters of a rule."""


@dataclass(frozen=True)
class NotTaken:
    """A function of ``emu/`` that the kernel has, too, and that stays this machine's own."""

    name: str
    signature: Signature
    """Of the kernel's."""
    reason: str
    """Why."""
    error: CError | None = None
    """The refusal, if it was to be taken and cannot be."""

    @property
    def is_error(self) -> bool:
        """Return whether it was to be taken: a user who asked for it is told."""
        return self.error is not None


@dataclass(frozen=True)
class Taken:
    """What came of a kernel's files."""

    translation: Translation
    forms: Mapping[str, Form]
    """Of the functions that are taken, by their names in ``emu/``."""
    not_taken: tuple[NotTaken, ...]
    signatures: Mapping[str, Signature] = field(repr=False)

    @property
    def reports(self) -> list[FunctionReport]:
        """Return what was understood of each function."""
        return self.translation.reports


def bring(code: UserCode, scope: Scope, modules: Mapping[str, str]) -> Brought:
    """Return the kernel's functions under the names of those of ``emu/`` that they stand for; PolicyError."""
    several = []
    if code.rule is not None and code.rule_file is not None and is_c(code.rule.path):
        several.append(_rule(code.rule, code.rule_file, code.spec.stubs, scope, modules))
    if code.kernel:
        several.append(take(code, scope, modules))
        check_taken(several[-1], code)
    brought = together(_brought(each) for each in several)
    for name in brought.functions:
        if sum(name in each.translation.functions for each in several) > 1:
            brought.origins[name].refuse(brought.functions[name], f"{name} is in the kernel's files and in the rule's")
    return brought


def check_taken(taken: Taken, code: UserCode) -> None:
    """Refuse if nothing can be taken, or not what was asked for."""
    first = next((each for each in taken.not_taken if each.is_error), None)
    if first is not None and first.error is not None and (code.spec.only or not taken.forms):
        raise first.error
    if not taken.forms:
        first_names = f"{', '.join([*TAKEN][:3])} and {len(TAKEN) - 3} more ('pirace list' names them)"
        raise PolicyError(str(code.spec.kernel), 1, f"has none of the functions that can be taken: {first_names}")


def _brought(taken: Taken) -> Brought:
    functions = taken.translation.functions
    origins = {name: Origin(taken.translation.files[name], PolicyError) for name in functions}
    own = {name: form.whole for name, form in taken.forms.items()}
    kept = {each.name: each.reason for each in taken.not_taken}
    return Brought(functions, origins, {}, own, dict.fromkeys(functions, _meant), kept=kept)


def _meant(name: str) -> object:
    """Return what a name in an annotation stands for."""
    return int if name == "int" else getattr(machine, name, None)


# --- which functions ---------------------------------------------------------------------------------------------


def take(code: UserCode, scope: Scope, modules: Mapping[str, str]) -> Taken:
    """Translate what can be taken of the kernel's files, and say why the rest stays as it is."""
    files = [CFile(each.path, _content(each)) for each in code.kernel]
    found = signatures((each.path, each.content) for each in files)
    wanted, not_taken = _chosen(code, found, modules)
    environment = KvmEnvironment(
        found,
        frozenset(wanted),
        _stubs(code.spec.stubs),
        _helpers(scope, modules),
        any(mark in each.content for mark in _WIDE_PIR for each in files),
    )
    everything = [*_adapters("library", "wrappers"), *files, *_adapters("helpers")]
    names = _names_of(scope)
    while True:
        translation = translate(everything, [_wanted(*each, scope) for each in wanted.items()], environment, names)
        lost = _lost(translation, wanted, found)
        any_delivery = _gives_anything(translation.functions.get(_DELIVER))
        if not lost and any_delivery == environment.any_delivery:
            return Taken(translation, wanted, tuple(not_taken), found)
        not_taken += lost
        wanted = {name: form for name, form in wanted.items() if name not in {each.name for each in lost}}
        environment = replace(environment, taken=frozenset(wanted), any_delivery=any_delivery)


def _rule(rule: RuleName, file: SourceFile, stubs: Iterable[str], scope: Scope, modules: Mapping[str, str]) -> Taken:
    """Translate a rule of the user's own, and what it calls in its file."""
    files = [CFile(file.path, _content(file))]
    found = signatures((each.path, each.content) for each in files)
    signature = found.get(rule.function)
    if signature is None:
        near = difflib.get_close_matches(rule.function, found, 3)
        said = f" (near: {', '.join(near)})" if near else ""
        raise PolicyError(file.path, 1, f"defines no function {rule.function}{said}")
    if len(signature.parameters) != _OF_A_RULE or signature.gives:
        said = f"{rule.function} is no rule: that is void {rule.function}(struct kvm_vcpu *vcpu, int vec)"
        more = (
            "; what tells its caller whether it notified comes with its caller, by --kernel" if signature.gives else ""
        )
        raise PolicyError(file.path, signature.line, said + more)
    environment = KvmEnvironment(found, frozenset(), _stubs(stubs), _helpers(scope, modules))
    form = Form(rule.function)
    everything = [*_adapters("library"), *files, *_adapters("helpers")]
    translation = translate(everything, [_wanted(ENTRY, form, scope)], environment, _names_of(scope))
    for error in translation.refused.values():
        raise error
    return Taken(translation, {ENTRY: form}, (), found)


def _content(file: SourceFile) -> bytes:
    """Return what a file held."""
    try:
        return file.content
    except (OSError, ValueError) as error:
        raise PolicyError(file.path, 1, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None


def _chosen(
    code: UserCode, found: Mapping[str, Signature], modules: Mapping[str, str]
) -> tuple[dict[str, Form], list[NotTaken]]:
    """Return the functions to be taken in the forms that the kernel has, and those that are not, though it has them."""
    only = _only(code.spec.only, found)
    wanted: dict[str, Form] = {}
    not_taken: list[NotTaken] = []
    for name, forms in TAKEN.items():
        there = [form for form in forms if form.function in found]
        if not there or name not in modules or (only and name not in only):
            continue
        fitting = next((form for form in there if form.fits(found[form.function], found)), None)
        if fitting is not None:
            wanted[name] = fitting
        else:
            said = OTHERWISE.get(name, "its parameters or its result are none that are known here")
            there_now = found[there[0].function]
            error = CError(there_now.file, there_now.line, f"{name} is not taken: {said}") if only else None
            not_taken.append(NotTaken(name, there_now, said, error))
    if not only:
        not_taken += [NotTaken(name, found[name], why) for name, why in NOT_TAKEN.items() if name in found]
    return wanted, not_taken


def _only(names: Collection[str], found: Mapping[str, Signature]) -> set[str]:
    """Return the names in ``emu/`` of what ``--only`` asks for; PolicyError if it asks for what there is not."""
    only: set[str] = set()
    for name in names:
        whole = INSIDE.get(name, name)
        if name in NOT_TAKEN:
            raise PolicyError("--only", 1, f"{name} is not taken from a kernel: {NOT_TAKEN[name]}")
        if whole not in TAKEN:
            near = difflib.get_close_matches(name, (*TAKEN, *INSIDE), 3)
            said = f" (near: {', '.join(near)})" if near else f": {', '.join(TAKEN)}"
            raise PolicyError("--only", 1, f"{name} is no function that can be taken{said}")
        if not any(form.function in found for form in TAKEN[whole]):
            raise PolicyError("--only", 1, f"the kernel's files have no {whole}")
        only.add(whole)
    return only


def _lost(translation: Translation, wanted: Mapping[str, Form], found: Mapping[str, Signature]) -> list[NotTaken]:
    """Return what cannot be taken after all: it is not translated, or what it needs beside it is not."""
    lost = [
        NotTaken(name, found[wanted[name].function], error.reason, error) for name, error in translation.refused.items()
    ]
    gone = {each.name for each in lost}
    for name, form in wanted.items():
        if name not in gone and form.together and (form.together not in wanted or form.together in gone):
            said = f"{form.because}: take {form.together}, too (--only {name},{form.together})"
            signature = found[form.function]
            error = CError(signature.file, signature.line, f"{name} is not taken without {form.together}: {said}")
            lost.append(NotTaken(name, signature, error.reason, error))
    return lost


def _gives_anything(deliver: ast.FunctionDef | None) -> bool:
    """Return whether the kernel's delivery may say that it has not delivered: not so in a machine with APICv on."""
    if deliver is None:
        return False
    values = [each.value for each in ast.walk(deliver) if isinstance(each, ast.Return)]
    return not all(isinstance(each, ast.Constant) and each.value == 0 for each in values)


# --- what the translator is given --------------------------------------------------------------------------------


def _adapters(*names: str) -> Iterator[CFile]:
    """Yield the files of C that stand between the kernel and this machine."""
    for name in names:
        path = Path(__file__).parent / "adapters" / f"{name}.c"
        yield CFile(str(path), path.read_bytes(), "between the kernel and this machine")


def _wanted(name: str, form: Form, scope: Scope) -> Wanted:
    """Return a function to be translated, with the parameters of the one that it stands for."""
    given = scope.functions[name].args.args
    parameters = tuple(f"{each.arg}: {ast.unparse(each.annotation)}" for each in given if each.annotation is not None)
    return Wanted(form.wrapper or form.function, name, parameters)


def _names_of(scope: Scope) -> Callable[[str], bool]:
    """Return whether a name is the program's."""
    return {*scope.functions, *scope.values}.__contains__


def _stubs(given: Iterable[str]) -> dict[str, int]:
    """Read ``NAME=VALUE``."""
    stubs: dict[str, int] = {}
    for each in given:
        name, sign, value = each.partition("=")
        try:
            stubs[name.strip()] = int(value, 0)
        except ValueError:
            sign = ""
        if not sign or not name.strip().isidentifier():
            raise PolicyError("--stub", 1, f"{each}: a stub is NAME=VALUE, with a whole number: --stub kvm_foo=0")
    return stubs


def _helpers(scope: Scope, modules: Mapping[str, str]) -> dict[str, EmuCall]:
    """Return the functions of a patch in Python that C may call, by their names in the patch."""
    helpers: dict[str, EmuCall] = {}
    for flat, tree in scope.functions.items():
        types = [_TYPES.get(ast.unparse(each.annotation or ast.Constant(0)), "") for each in tree.args.args]
        if flat not in modules and flat.startswith(_USERS) and all(types):
            arguments = ", ".join(f"_{i}" for i in range(len(types)))
            nothing = isinstance(tree.returns, ast.Constant) and tree.returns.value is None
            call = EmuCall(f"{flat}({arguments})", tuple(types), "void" if nothing else "s64")
            helpers[flat.removeprefix(_USERS)] = call
    return helpers
