"""The MeshConfig in force: that of the start, and over it what the store has of Istio's ConfigMap."""

import logging

from pymesh.control.model.core import ConfigMap
from pymesh.control.model.mesh_config import MeshConfig
from pymesh.control.model.mesh_config_decoder import ISTIOS_DEFAULTS, DecodedMeshConfig, decode_mesh_config_map
from pymesh.control.model.resource import Resource
from pymesh.errors import ValidationError

log = logging.getLogger(__name__)


class MeshConfigSource:
    """`base` holds where the ConfigMap says nothing. A stored ConfigMap that is not valid by the rules of this pymesh
    changes nothing: the last good one stays in force."""

    def __init__(self, base: DecodedMeshConfig = ISTIOS_DEFAULTS) -> None:
        self._base = base
        self._stored: ConfigMap | None = None
        self.mesh: MeshConfig = base.mesh

    def update(self, config_map: Resource[ConfigMap] | None) -> None:
        """`config_map` is what the store has of it now."""
        stored = config_map.spec if config_map is not None else None
        if stored is self._stored:
            return
        self._stored = stored
        if stored is None:
            self.mesh = self._base.mesh
            return
        try:
            self.mesh = decode_mesh_config_map(stored, self._base).mesh
        except ValidationError as error:
            log.error("the stored MeshConfig is not obeyed: %s", error)
