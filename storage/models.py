"""Models on a database: threat models, their diagrams and collections, and the rights on them."""

from __future__ import annotations

from storage.diagram_rows import DiagramRows
from storage.items import Items
from storage.threat_models import ThreatModels


class SqlModels(ThreatModels, DiagramRows, Items):
    pass
