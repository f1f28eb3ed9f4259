"""Accepted opinions as a data set repository that the model's owner controls.

Three configurations, each of JSON lines: `feedback` (every opinion as it was given), and the two forms that `trl`
trains on (its documentation, "Dataset formats", conversational): `unpaired_preference` (`prompt`, `completion`,
`label`, for KTO) and `preference` (`prompt`, `chosen`, `rejected`, for DPO and reward models). Only answers that are
texts go into the latter two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import update

from corral.community import feedback
from corral.community.feedback import ACCEPTED, PENDING, Entry
from corral.context import Change, Context
from corral.core.clock import iso
from corral.core.errors import Conflict, NotFound, RepoNotFound
from corral.core.ids import RepoId, RepoType
from corral.repos import commits, lifecycle, lookup, refs
from corral.repos.commits import AddFile, Header
from corral.repos.git import HEAD_REF, StoredPack
from corral.repos.lookup import Repo, RepoMoved, Right
from corral.storage import schema as t

Message = dict[str, str]

CONFIGS = ("feedback", "preference", "unpaired_preference")


def home(repo: Repo) -> RepoId:
    """Where a model's feedback goes when its owner names no other data set."""
    return RepoId(RepoType.DATASET, repo.rid.owner, f"{repo.rid.name[:80]}-feedback")


def accept(ctx: Context, repo: Repo, ids: Sequence[str], into: RepoId | None = None) -> tuple[Repo, int]:
    """Write the opinions with `ids` that wait into the data set `into`, made private where it is not there yet.

    Returns the data set and how many were written. The rows are marked in the transaction that makes the commit
    visible: none is in the data set twice or lost. Raises NotFound when none of them waits.
    """
    entries = feedback.chosen(ctx, repo, ids)
    if not entries:
        raise NotFound("None of these opinions waits for a decision.")
    target = _data_set(ctx, repo, into or home(repo))

    def land(change: Change, head: str, oid: str, pack: StoredPack) -> str:
        marked = change.connection.execute(
            update(t.feedback)
            .where(t.feedback.c.object_id.in_([e.object_id for e in entries]), t.feedback.c.status == PENDING)
            .values(status=ACCEPTED, decided_by=ctx.actor.account_id)
        )
        if marked.rowcount != len(entries):
            raise Conflict("Somebody decided on some of these opinions meanwhile: load the page again.")
        refs.move(ctx, change, target, [refs.RefUpdate(HEAD_REF, head, oid)], pack)
        return HEAD_REF

    name = entries[-1].object_id
    rows: dict[str, list[dict[str, Any]]] = {
        "feedback": [_row(repo, entry) for entry in entries],
        "unpaired_preference": list(_unpaired(entries)),
        "preference": list(_pairs(entries, feedback.accepted(ctx, repo, [e.input_digest for e in entries]))),
    }
    files = [AddFile(f"{config}/{name}.jsonl", _lines(some)) for config, some in rows.items() if some]
    header = Header(f"Add {len(entries)} opinion{'' if len(entries) == 1 else 's'} on {repo.full_name}")
    commits.commit(ctx, target, "main", header, files, land)
    return target, len(entries)


def _data_set(ctx: Context, repo: Repo, rid: RepoId) -> Repo:
    try:
        return lookup.find(ctx, rid, Right.WRITE)
    except RepoMoved as moved:
        return lookup.find(ctx, moved.new, Right.WRITE)
    except RepoNotFound:
        made = lifecycle.create(ctx, rid, private=True)
    commits.commit(ctx, made, "main", Header("Say what this is"), [AddFile("README.md", _card(repo).encode())])
    return made


def _card(repo: Repo) -> str:
    configs = "".join(f"- config_name: {name}\n  data_files: {name}/*.jsonl\n" for name in CONFIGS)
    return f"""---
configs:
{configs}tags:
- feedback
- preference
- trl
---

# Feedback on {repo.full_name}

What people said of the answers of [{repo.full_name}](/{repo.full_name}), accepted by its owner.

- `feedback`: every opinion: model, commit, task, input, output, rating, note, a better answer, who, when.
- `unpaired_preference`: `prompt`, `completion`, `label`, for KTO.
- `preference`: `prompt`, `chosen`, `rejected`, for DPO and reward models: better answers against those they correct,
  and answers with a thumb up against those to the same input with a thumb down.

```python
from datasets import load_dataset
from trl import DPOTrainer

data = load_dataset("{home(repo)}", "preference", split="train")
```
"""


def _lines(rows: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


def _row(repo: Repo, entry: Entry) -> dict[str, Any]:
    opinion = entry.opinion
    return {
        "id": entry.object_id,
        "model": repo.full_name,
        "commit": opinion.commit,
        "task": opinion.task,
        "input": _text(opinion.input),
        "output": _text(opinion.output),
        "rating": "up" if opinion.good else "down",
        "note": opinion.note,
        "better": opinion.better,
        "rater": entry.rater,
        "source": opinion.source,
        "created_at": iso(entry.created_at),
    }


def _text(value: Any) -> str:
    """One type for the column, whatever the task: texts as they are, all else as JSON."""
    return value if isinstance(value, str) else orjson.dumps(value).decode()


# --- preferences -------------------------------------------------------------------------------------------------


def _prompt(value: Any) -> list[Message] | None:
    """The conversation that was answered: messages, or a text as what the user said."""
    if isinstance(value, dict):
        value = value.get("messages", value.get("inputs"))
    if isinstance(value, str) and value.strip():
        return [{"role": "user", "content": value}]
    if isinstance(value, list) and value and all(_is_message(m) for m in value):
        return [{"role": m["role"], "content": m["content"]} for m in value]
    return None


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(value.get(key), str) for key in ("role", "content"))


def _completion(value: Any) -> list[Message] | None:
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], dict):
        value = value[0].get("generated_text")
    return [{"role": "assistant", "content": value}] if isinstance(value, str) and value.strip() else None


def _unpaired(entries: Iterable[Entry]) -> Iterable[dict[str, Any]]:
    for entry in entries:
        prompt, completion = _prompt(entry.opinion.input), _completion(entry.opinion.output)
        if prompt and completion:
            yield {"prompt": prompt, "completion": completion, "label": entry.opinion.good}


def _pairs(entries: Sequence[Entry], before: Sequence[Entry]) -> Iterable[dict[str, Any]]:
    """Pairs that the new entries make: with their better answers, and with each other's and earlier answers."""
    new = {entry.id for entry in entries}
    of_input: dict[str, list[Entry]] = defaultdict(list)
    for entry in [*before, *entries]:
        of_input[entry.input_digest].append(entry)
    for entry in entries:
        better = _completion(entry.opinion.better)
        yield from _pair(entry, better, _completion(entry.opinion.output))
    for group in of_input.values():
        for good in group:
            for bad in group:
                differ = good.opinion.good and not bad.opinion.good and good.output_digest != bad.output_digest
                if differ and (good.id in new or bad.id in new):
                    yield from _pair(good, _completion(good.opinion.output), _completion(bad.opinion.output))


def _pair(entry: Entry, chosen: list[Message] | None, rejected: list[Message] | None) -> Iterable[dict[str, Any]]:
    prompt = _prompt(entry.opinion.input)
    if prompt and chosen and rejected:
        yield {"prompt": prompt, "chosen": chosen, "rejected": rejected}
