from __future__ import annotations

from corral.core.ids import RepoId, RepoType
from corral.repos.read import FileChange
from corral.web import diffs

PATCH = """diff --git a/x b/x
index 1..2 100644
--- a/x
+++ b/x
@@ -1,3 +1,3 @@ def f
 one
--- two
+++ three
 four
\\ No newline at end of file
@@ -10 +10,2 @@
-old
+new
+newer
"""


def test_line_numbers_follow_the_hunks() -> None:
    rows = diffs.rows(PATCH)
    assert [(r.sign, r.old, r.new, r.text) for r in rows] == [
        ("@", None, None, "@@ -1,3 +1,3 @@ def f"),
        (" ", 1, 1, "one"),
        ("-", 2, None, "-- two"),
        ("+", None, 2, "++ three"),
        (" ", 3, 3, "four"),
        ("@", None, None, "@@ -10 +10,2 @@"),
        ("-", 10, None, "old"),
        ("+", None, 10, "new"),
        ("+", None, 11, "newer"),
    ]


def test_a_long_commit_is_cut_with_a_word_about_it() -> None:
    patch = "@@ -0,0 +1,5000 @@\n" + "+x\n" * 5000
    changes = [FileChange(f"f{n}", "", "added", 5000, 0, False, patch) for n in range(8)]
    files = diffs.files(RepoId(RepoType.MODEL, "ada", "m"), "a" * 40, changes)
    assert sum(len(f.rows) for f in files) <= 6000
    assert all(f.remark for f in files)


def test_binary_renamed_and_deleted_files_say_so() -> None:
    changes = [
        FileChange("a.bin", "", "modified", 0, 0, True, ""),
        FileChange("new.txt", "old.txt", "renamed", 0, 0, False, "similarity index 100%\n"),
        FileChange("gone.txt", "", "deleted", 0, 1, False, "@@ -1 +0,0 @@\n-x\n"),
    ]
    binary, renamed, deleted = diffs.files(RepoId(RepoType.DATASET, "ada", "d"), "b" * 40, changes)
    assert "binary" in binary.remark
    assert binary.url == f"/datasets/ada/d/blob/{'b' * 40}/a.bin"
    assert (renamed.old_path, renamed.remark) == ("old.txt", "Renamed without a change.")
    assert deleted.url == ""
