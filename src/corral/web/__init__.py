"""The pages: server-rendered, readable without JavaScript, with islands where a person uploads or tries a model."""

from __future__ import annotations

from corral.web.assets import mount_static
from corral.web.pages import routers
from corral.web.pages.errors import error_page

__all__ = ["error_page", "mount_static", "routers"]
