"""Keys of the blob store that nothing names: marked by `gc`, rescued by whoever comes to need one, swept by `gc`.

Bytes become durable before the row that names them is written, so a sweep could come in between. Both sides lock the
mark: the sweep removes the mark and the bytes in one transaction, the writer removes the mark in the transaction that
writes its row, then looks whether the bytes are still there.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, delete

from corral.context import Context
from corral.core.errors import Busy
from corral.storage import schema as t


def rescue(ctx: Context, connection: Connection, keys: Iterable[str]) -> None:
    """Keep `keys` from the sweep: rows of this transaction name them. Raises Busy when one was swept just now."""
    for key in keys:
        connection.execute(delete(t.garbage).where(t.garbage.c.key == key))
        if ctx.blobs.size(key) is None:
            raise Busy("What was stored has just been removed as unused: send it again.", retry_after=1)
