"""What a store is given of a diagram of the engine."""

from __future__ import annotations

from collab.core.diagram import Diagram
from collab.ports import SnapshotData
from protocol.values import DiagramId, ThreatModelId
from rest.ports import NewDiagram


def founding(of: Diagram, id: DiagramId, threat_model: ThreatModelId) -> NewDiagram:
    return NewDiagram(id, threat_model, of.epoch, {"name": "diagram"}, tuple(of.cells_in_order()), of.state_hash)


def snapshot_of(of: Diagram) -> SnapshotData:
    return SnapshotData(of.epoch, of.vector, tuple(of.cells_in_order()), of.touched(), of.state_hash)
