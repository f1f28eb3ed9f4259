"""A commit's diff as rows of a table."""

from __future__ import annotations

import re
from collections.abc import Iterable

from corral.core.ids import RepoId
from corral.repos.read import FileChange
from corral.web.address import repo_url
from corral.web.views import DiffFile, DiffRow

#: lines shown of one file, and of a whole commit
_MOST_OF_FILE = 1_500
_MOST = 6_000
_LONGEST = 2_000
_HUNK = re.compile(r"@@ -(\d+)(?:,\d+)? \+(\d+)(?:,\d+)? @@")


def rows(patch: str, most: int = _MOST_OF_FILE) -> list[DiffRow]:
    """The hunks of a unified diff, without its header, `most` lines at most."""
    found: list[DiffRow] = []
    old = new = 0
    inside = False
    for line in patch.split("\n"):
        if len(found) >= most:
            break
        hunk = _HUNK.match(line)
        if hunk:
            old, new, inside = int(hunk[1]), int(hunk[2]), True
            found.append(DiffRow("@", None, None, line))
        elif inside and line:
            sign, text = line[0], line[1 : _LONGEST + 1]
            if sign == "+":
                found.append(DiffRow("+", None, new, text))
                new += 1
            elif sign == "-":
                found.append(DiffRow("-", old, None, text))
                old += 1
            elif sign == " ":
                found.append(DiffRow(" ", old, new, text))
                old, new = old + 1, new + 1
    return found


def files(rid: RepoId, commit: str, changes: Iterable[FileChange]) -> list[DiffFile]:
    """What the page of `commit` shows of each file it changed."""
    left = _MOST
    found = []
    for change in changes:
        shown = [] if change.binary else rows(change.patch, min(left, _MOST_OF_FILE))
        left -= len(shown)
        remark = ""
        if change.binary:
            remark = "This is a binary file: there is nothing to show line by line."
        elif not shown and change.status == "renamed":
            remark = "Renamed without a change."
        elif not shown and change.patch and not left:
            remark = "This commit is long: open the file to see it."
        elif not shown:
            remark = "An empty file." if change.status == "added" else "Nothing changed in the text."
        elif len(shown) == _MOST_OF_FILE or not left:
            remark = "The rest is left out: open the file to see all of it."
        found.append(
            DiffFile(
                path=change.path,
                old_path=change.old_path if change.status == "renamed" else "",
                status=change.status,
                additions=change.additions,
                deletions=change.deletions,
                url="" if change.status == "deleted" else repo_url(rid, "blob", commit, change.path),
                rows=shown,
                remark=remark,
            )
        )
    return found
