"""Patches as they stand in mails, applied in memory: as GNU patch does it, or one line about what is wrong."""

from __future__ import annotations

import base64
import contextlib
import json
import quopri
import random
from pathlib import Path

import pytest

from hosts.loader.kernel.patchfile import Applied, apply_patch, patched
from hosts.loader.source_file import SourceFile, source_file
from hosts.loader.syntax.language import PolicyError

EXAMPLES = json.loads(Path(__file__).with_name("patch_examples.json").read_text())
"""What GNU patch did (``make_patch_examples.py``)."""

LAPIC = "".join(f"line {number}\n" for number in range(1, 41))
FIX = """\
--- a/arch/x86/kvm/lapic.c
+++ b/arch/x86/kvm/lapic.c
@@ -9,7 +9,7 @@ static int f(void)
 line 9
 line 10
 line 11
-line 12
+line twelve
 line 13
 line 14
 line 15
"""
PATCHED = LAPIC.replace("line 12\n", "line twelve\n")
NAME = "arch/x86/kvm/lapic.c"


def apply(patch: str | bytes, files: dict[str, str] | None = None) -> Applied:
    """Apply a patch to files, by default one of forty lines."""
    given = {NAME: LAPIC} if files is None else files
    content = patch.encode() if isinstance(patch, str) else patch
    return apply_patch("fix.patch", content, {name: text.encode() for name, text in given.items()})


def with_patch(patch: str | bytes, files: dict[str, str] | None = None) -> dict[str, str]:
    """Return the files with a patch."""
    return {name: content.decode() for name, content in apply(patch, files).files.items()}


def refusal(patch: str | bytes, files: dict[str, str] | None = None) -> str:
    """Return the one line about a patch that is refused."""
    with pytest.raises(PolicyError) as caught:
        apply(patch, files)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- places ---------------------------------------------------------------------------------------------------------


def test_what_gnu_patch_did_with_random_files_is_done_here() -> None:
    """Offsets, fuzz, ends of files and missing line feeds: 120 recorded examples, refused ones among them."""
    for example in EXAMPLES:
        files = {"x.c": example["before"]}
        if example["after"] is None:
            refusal(example["patch"], files)
        else:
            assert with_patch(example["patch"], files) == {"x.c": example["after"]}
    outcomes = [example["after"] is None for example in EXAMPLES]
    assert min(outcomes.count(True), outcomes.count(False)) > len(EXAMPLES) // 5


def test_a_hunk_that_fits_as_it_says_is_put_there_without_a_word() -> None:
    """The plain case: one line changed, nothing to be told."""
    applied = apply(FIX)
    assert applied.files == {NAME: PATCHED.encode()}
    assert (applied.changed, applied.absent, applied.moved) == ((NAME,), (), ())


def test_an_offset_and_fuzz_are_told() -> None:
    """A hunk that is not where and as it says might be meant for other code, so it is told."""
    further_down = apply(FIX, {NAME: "new\nnew\n" + LAPIC})
    assert further_down.moved == (f"fix.patch:3: hunk 1 of {NAME} fits 2 lines further down",)
    fuzzy = apply(FIX, {NAME: LAPIC.replace("line 9\n", "line nine\n")})
    assert fuzzy.moved == (f"fix.patch:3: hunk 1 of {NAME} fits without 1 line of context at its ends",)
    assert b"line nine\nline 10\nline 11\nline twelve\n" in fuzzy.files[NAME]


def test_a_hunk_with_nothing_left_to_compare_is_refused() -> None:
    """Fuzz that leaves out all lines of a hunk would let it fit anywhere."""
    assert "does not apply" in refusal(f"--- a/{NAME}\n+++ b/{NAME}\n@@ -5 +5,2 @@\n other\n+new\n")


# --- what stands around a patch, and how it was sent ----------------------------------------------------------------

MAIL = f"""\
From 0123456789 Mon Sep 17 00:00:00 2001
From: Some One <one@example.org>
Date: Mon, 1 Jan 2024 10:00:00 +0000
Subject: [PATCH v2 1/2] KVM: x86: twelve
{{header}}
It was 12.
---
 {NAME} | 2 +-
 1 file changed, 1 insertion(+), 1 deletion(-)

{{body}}-- \n2.43.0

"""
GIT = f"diff --git a/{NAME} b/{NAME}\nindex 1234567..89abcde 100644\n{FIX}"


def test_a_mail_is_read_with_the_text_around_its_patch() -> None:
    """Headers, message, diffstat and signature are no part of the patch; line numbers stay those of the file."""
    assert with_patch(MAIL.format(header="", body=GIT)) == {NAME: PATCHED}
    line = MAIL.format(header="", body=GIT).splitlines().index("@@ -9,7 +9,7 @@ static int f(void)") + 1
    assert refusal(MAIL.format(header="", body=GIT), {NAME: "x\n" * 9}).startswith(f"fix.patch:{line}: hunk 1 of ")


def test_a_mail_in_quoted_printable_is_decoded_and_keeps_its_lines() -> None:
    """Broken lines and ``=3D`` are undone; an error still names the line of the saved file."""
    patch = GIT.replace("line twelve", "line = twelve " + "x" * 90)
    body = quopri.encodestring(f"Text\n\n{patch}".encode()).decode()
    mail = f"From: a@example.org\nContent-Transfer-Encoding: quoted-printable\n\n{body}-- \n2.43.0\n"
    assert "x" * 76 not in mail
    assert with_patch(mail) == {NAME: LAPIC.replace("line 12\n", "line = twelve " + "x" * 90 + "\n")}
    line = next(number for number, text in enumerate(mail.splitlines(), 1) if text.startswith("@@ "))
    assert refusal(mail, {NAME: "x\n"}).startswith(f"fix.patch:{line}: hunk 1 of ")


def test_a_mail_in_base64_and_one_of_several_parts_are_decoded() -> None:
    """A patch that is attached is found, and the same text in HTML beside it is not taken for one more."""
    encoded = base64.encodebytes(GIT.encode()).decode()
    header = "From: a@example.org\nContent-Transfer-Encoding: base64\n"
    assert with_patch(f"{header}\n{encoded}") == {NAME: PATCHED}
    part = "--B\nContent-Type: {}\nContent-Transfer-Encoding: {}\n\n{}\n"
    parts = [
        part.format("text/plain", "7bit", "Here it is."),
        part.format("text/html", "7bit", GIT),
        part.format("text/x-patch", "base64", encoded),
    ]
    mail = f'From: a@example.org\nContent-Type: multipart/mixed; boundary="B"\n\n{"".join(parts)}--B--\n'
    assert with_patch(mail) == {NAME: PATCHED}


def test_a_mailbox_is_a_series_that_is_applied_in_its_order() -> None:
    """The second patch changes what the first one made."""
    second = GIT.replace("-line 12\n+line twelve", "-line twelve\n+line dozen")
    assert with_patch(MAIL.format(header="", body=GIT) + MAIL.format(header="", body=second)) == {
        NAME: LAPIC.replace("line 12\n", "line dozen\n")
    }


def test_line_ends_that_the_way_changed_are_changed_back() -> None:
    """A patch whose lines all end in CR LF fits a file that does not, and one that does."""
    sent = FIX.replace("\n", "\r\n")
    assert with_patch(sent) == {NAME: PATCHED}
    assert with_patch(sent, {NAME: LAPIC.replace("\n", "\r\n")}) == {NAME: PATCHED.replace("\n", "\r\n")}
    assert "end in CR LF" in refusal(FIX, {NAME: LAPIC.replace("\n", "\r\n")})


def test_blanks_that_a_mailer_took_from_empty_lines_are_no_matter() -> None:
    """An empty line in a hunk is one of context, and those at the very end may be missing."""
    patch = f"--- a/{NAME}\n+++ b/{NAME}\n@@ -1,4 +1,4 @@\n a\n\n-b\n+c\n"
    assert with_patch(patch, {NAME: "a\n\nb\n\n"}) == {NAME: "a\n\nc\n\n"}


# --- files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prefix", ["a/", "", "linux-6.3/", "x/y/z/"])
@pytest.mark.parametrize("folder", ["", "/src/linux/", "../linux/"])
def test_the_level_of_names_is_found(prefix: str, folder: str) -> None:
    """Whatever ``-p`` would have been needed, and wherever the tree is."""
    patch = f"--- {prefix}{NAME}\n+++ {prefix.replace('a', 'b')}{NAME}\n" + FIX.split("\n", 2)[2]
    assert with_patch(patch, {folder + NAME: LAPIC, folder + "virt/kvm/lapic.c": "x\n"})[folder + NAME] == PATCHED


def test_a_folder_of_the_tree_takes_the_patch_of_the_tree() -> None:
    """``--kernel arch/x86/kvm``: what lies elsewhere is absent, and told."""
    other = FIX.replace(NAME, "virt/kvm/kvm_main.c")
    applied = apply(FIX + other, {"lapic.c": LAPIC, "vmx/vmx.c": "x\n"})
    assert (applied.changed, applied.absent) == (("lapic.c",), ("virt/kvm/kvm_main.c",))


def test_two_files_that_may_be_meant_are_refused() -> None:
    """A name that two folders have says nothing."""
    patch = FIX.replace(NAME, "irq.c")
    assert "may be x/irq.c and y/irq.c" in refusal(patch, {"x/irq.c": LAPIC, "y/irq.c": LAPIC})


def test_files_are_made_deleted_and_renamed() -> None:
    """What git says of a file beside its hunks."""
    new = "arch/x86/kvm/new.h"
    made = (
        f"diff --git a/{new} b/{new}\nnew file mode 100644\nindex 0..1\n--- /dev/null\n+++ b/{new}\n@@ -0,0 +1 @@\n+x\n"
    )
    assert with_patch(GIT + made) == {NAME: PATCHED, new: "x\n"}
    gone = f"diff --git a/{new} b/{new}\ndeleted file mode 100644\n--- a/{new}\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
    assert with_patch(GIT + gone, {NAME: LAPIC, new: "x\n"}) == {NAME: PATCHED}
    assert "1 line would be left" in refusal(GIT + gone, {NAME: LAPIC, new: "x\ny\n"})
    names = f"similarity index 90%\nrename from {NAME}\nrename to arch/x86/kvm/apic.c\n"
    moved = f"diff --git a/{NAME} b/arch/x86/kvm/apic.c\n{names}"
    assert with_patch(moved) == {"arch/x86/kvm/apic.c": LAPIC}
    hunk = FIX.replace(f"b/{NAME}", "b/arch/x86/kvm/apic.c")
    assert with_patch(moved + hunk) == {"arch/x86/kvm/apic.c": PATCHED}
    copied = with_patch((moved + hunk).replace("rename ", "copy "))
    assert copied == {NAME: LAPIC, "arch/x86/kvm/apic.c": PATCHED}


def test_names_in_quotes_and_with_dates_are_read() -> None:
    """Git quotes what is not ASCII; diff puts a date behind a name."""
    quoted = FIX.replace(f"a/{NAME}", '"a/\\303\\244 b.c"').replace(f"b/{NAME}", '"b/\\303\\244 b.c"')
    assert with_patch(quoted, {"ä b.c": LAPIC}) == {"ä b.c": PATCHED}
    dated = FIX.replace(f"a/{NAME}", f"{NAME}.orig\t2024-01-01 10:00:00.0 +0000").replace(
        f"b/{NAME}", f"{NAME}\t2024-01-02 10:00:00.0 +0000"
    )
    assert with_patch(dated) == {NAME: PATCHED}


def test_a_file_without_a_line_feed_at_its_end_keeps_that_or_gets_one() -> None:
    r"""``\ No newline at end of file`` is about the line above it, on either side."""
    patch = f"--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1,2 @@\n a\n-b\n\\ No newline at end of file\n+b\n"
    assert with_patch(patch, {NAME: "a\nb"}) == {NAME: "a\nb\n"}
    other = f"--- a/{NAME}\n+++ b/{NAME}\n@@ -1,2 +1,2 @@\n a\n-b\n+c\n\\ No newline at end of file\n"
    assert with_patch(other, {NAME: "a\nb\n"}) == {NAME: "a\nc"}


def test_files_that_were_read_of_a_kernel_are_patched_as_they_were_read() -> None:
    """What a diff does not touch stays the same, and what could not be read keeps its error."""
    gone = SourceFile("/tree/arch/x86/kvm/irq.c", OSError("gone"))
    files = (SourceFile(f"/tree/{NAME}", LAPIC.encode()), gone)
    now = patched(files, SourceFile("fix.patch", FIX.encode()), "/tree")
    assert now == (SourceFile(f"/tree/{NAME}", PATCHED.encode()), gone)
    with pytest.raises(PolicyError, match=r"fix.patch:1: cannot be read: No such file"):
        patched(files, source_file("fix.patch"), "/tree")
    with pytest.raises(PolicyError, match="/tree has this patch already"):
        patched(now, SourceFile("fix.patch", FIX.encode()), "/tree")


# --- refusals -------------------------------------------------------------------------------------------------------


def test_a_hunk_that_does_not_apply_is_named_with_what_differs() -> None:
    """The line of the patch, the hunk, its file, and the first line of the tree that is another one."""
    said = refusal(GIT, {NAME: LAPIC.replace("line 13\n", "line thirteen\n")})
    differs = f"{NAME}:13 is 'line thirteen', and the patch has 'line 13'"
    assert said == f"fix.patch:5: hunk 1 of {NAME} does not apply: {differs}"
    assert "nowhere" in refusal(GIT, {NAME: "something else\n" * 40})
    assert "other blanks" in refusal(GIT, {NAME: LAPIC.replace("line 12\n", "line  12\n")})


def test_a_patch_that_the_tree_has_already_is_told() -> None:
    """All of it, or some of it."""
    assert "the tree has this patch already" in refusal(FIX, {NAME: PATCHED})
    other = FIX.replace(NAME, "virt/kvm/kvm_main.c")
    both = {NAME: PATCHED, "virt/kvm/kvm_main.c": LAPIC}
    assert "already, but not the rest of the patch" in refusal(FIX + other, both)
    made = f"--- /dev/null\n+++ b/{NAME}\n@@ -0,0 +1 @@\n+x\n"
    assert "already" in refusal(FIX + made.replace(NAME, "virt/a.c"), {NAME: PATCHED, "virt/a.c": "x\n"})


COMBINED = f"diff --cc {NAME}\nindex 1,2..3\n--- a/{NAME}\n+++ b/{NAME}\n@@@ -1,1 -1,1 +1,1 @@@\n--a\n++b\n"


@pytest.mark.parametrize(
    ("patch", "said"),
    [
        ("", "there is no patch in it"),
        ("Just text.\n--- a line of it\n", "there is no patch in it"),
        (COMBINED, "a combined diff"),
        (f"diff --git a/x b/x\nindex 1..2 100644\nGIT binary patch\nliteral 3\n\n{FIX}", "binary"),
        (f"diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+y\n{FIX}", "a link"),
        (f"*** {NAME}\n--- {NAME}\n***************\n*** 1,2 ****\n  a\n! b\n", "a context diff"),
        ("@@ -1 +1 @@\n-a\n+b\n", "without the names of its file"),
        (FIX.replace("-9,7 +9,7", "-9,6 +9,7"), "other lines than its header counts"),
        (FIX.replace("-9,7 +9,7", "-9,7 +9,6"), "other lines than its header counts"),
        (FIX.replace("+line twelve", "+line twelve\n+line more"), "fix.patch:3: hunk 1 "),
        (FIX.replace(" line 14", "line 14"), "fix.patch:10: a line of hunk 1 begins with neither"),
        (FIX.removesuffix("-line 12\n+line twelve\n line 13\n line 14\n line 15\n"), "is cut off"),
        (FIX.replace("-line 12\n+line twelve\n", " line 12\n"), ""),
        (FIX.replace("lapic", "other"), "is it a patch for another tree?"),
        (b"\x00\xff\xfe" * 99, "there is no patch in it"),
        (FIX.encode().replace(b"line 12", b"\xff\x00"), "does not apply"),
        ("From: a\nContent-Transfer-Encoding: base64\n\n%%%%\n", "fix.patch:1: a mail whose base64"),
        ("From: a\nContent-Type: text/html\n\n" + FIX, "there is no patch in it"),
        (f"--- /dev/null\n+++ b/{NAME}\n@@ -0,0 +1 @@\n+x\n" + FIX, "anew, which the tree has already"),
        (f"diff --git a/{NAME} b/{NAME}\nold mode 100644\nnew mode 100755\n", "there is no patch in it"),
    ],
)
def test_what_is_no_patch_is_refused_in_one_line(patch: str | bytes, said: str) -> None:
    """Whatever is in the file, one line says what is wrong with it."""
    assert said in refusal(patch)


def test_mangled_patches_are_applied_or_refused_in_one_line() -> None:
    """Random damage to a mail never ends in a traceback."""
    source = random.Random(18)
    whole = MAIL.format(header="Content-Type: text/plain", body=GIT).encode()
    for _ in range(400):
        damaged = bytearray(whole)
        for _ in range(source.randint(1, 6)):
            at = source.randrange(len(damaged))
            damaged[at : at + source.randint(0, 30)] = source.randbytes(source.randint(0, 3))
        with contextlib.suppress(PolicyError):
            apply(bytes(damaged))
