"""Models and Authorizer on PostgreSQL."""

from __future__ import annotations

from tests.contracts.models import ModelsContract


class TestPostgresModels(ModelsContract): ...
