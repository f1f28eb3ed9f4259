"""What nobody needs any more, and whether what is needed is whole.

Sweeping removes rows only. The bytes of a xorb without a row are garbage like any other key that nothing names
(`repos.garbage`).
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, exists

from corral.context import Context
from corral.repos.xet import hashing
from corral.repos.xet.xorb import InvalidXorb, XorbReader
from corral.repos.xet.xorbs import key
from corral.storage import schema as t

#: milliseconds that an unused xorb stays: hf_xet remembers for three weeks what it uploaded, and names it unasked
GRACE = 28 * 24 * 3600 * 1000
_READ = 4 << 20


@dataclass(frozen=True, slots=True)
class Swept:
    files: int
    xorbs: int


def sweep(ctx: Context, grace: int = GRACE) -> Swept:
    """Forget files that no large file (`blobs`) is made of, and xorbs that no file uses, unused for `grace` ms."""
    before = ctx.clock() - grace
    needed = exists().where(t.blobs.c.xet_hash == t.xet_files.c.hash)
    used = exists().where(t.xet_file_xorbs.c.xorb == t.xorbs.c.hash)
    with ctx.db.write() as c:
        files = c.execute(delete(t.xet_files).where(t.xet_files.c.used_at < before, ~needed)).rowcount
        xorbs = c.execute(delete(t.xorbs).where(t.xorbs.c.used_at < before, ~used)).rowcount
    return Swept(files, xorbs)


def fault(ctx: Context, xorb: str) -> str | None:
    """Read a xorb from the store and check it all; what is wrong with it, or None."""
    reader = XorbReader()
    try:
        with ctx.blobs.open(key(xorb)) as source:
            while block := source.read(_READ):
                reader.feed(block)
        reader.finish(hashing.from_hex(xorb))
    except KeyError:
        return "it is missing"
    except InvalidXorb as error:
        return error.message
    return None
