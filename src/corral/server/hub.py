"""Opening a hub: what web processes and the command line have in common."""

from __future__ import annotations

from corral.context import Context, shared_secret
from corral.core.settings import Settings
from corral.storage import blobs
from corral.storage.database import Database
from corral.storage.migrate import upgrade


def open_hub(settings: Settings) -> Context:
    """Database (brought up to date) and store, as one context that acts for nobody."""
    for folder in ("tmp", "cache"):
        (settings.data / folder).mkdir(parents=True, exist_ok=True)
    db = Database(settings.database_url)
    upgrade(db)
    store = blobs.connect(settings.storage_url)
    return Context(settings=settings, db=db, blobs=store, secret=shared_secret(db))
