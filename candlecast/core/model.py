"""A loaded model version: raw windows in, scaled returns out. Mamba and LightGBM have the same interface."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from candlecast.core.errors import ArtifactDamaged, RegistrationRefused
from candlecast.core.normalization import Normalization, normalize
from candlecast.core.windows import HORIZONS

NORMALIZATION = "normalization_params_v1.json"
LGBM_FILES = tuple(f"lgbm_horizon_{horizon}.onnx" for horizon in HORIZONS)
#: Runs a graph: (batch, ...) float32 in, (batch, n) float32 out.
Runner = Callable[[np.ndarray], np.ndarray]
#: Artifact name -> its checksum-verified bytes; None for a file that the version does not have.
Reader = Callable[[str], bytes | None]


@dataclass(frozen=True)
class Model:
    """A loaded version. ``run`` maps normalized (batch, 60, features) float32 to scaled returns (batch, 5)."""

    model_type: str
    runtime: str
    normalization: Normalization
    run: Runner
    normalization_source: bytes = field(repr=False)

    def scaled_returns(self, windows: np.ndarray) -> np.ndarray:
        """Raw windows (batch, 60, features) float64 -> scaled returns (batch, 5) float64."""
        return self.from_normalized(normalize(windows, self.normalization))

    def from_normalized(self, rows: np.ndarray) -> np.ndarray:
        """Normalized windows (batch, 60, features) float32 -> scaled returns (batch, 5) float64.

        Raises ArtifactDamaged where the model fails, or returns anything but finite numbers of that shape.
        """
        try:
            outputs = np.asarray(self.run(rows), dtype=np.float64).reshape(len(rows), len(HORIZONS))
        except Exception as error:  # a graph can raise any exception
            raise ArtifactDamaged(name=f"the {self.model_type} model", reason=f"it failed: {error}") from None
        if not np.isfinite(outputs).all():
            raise ArtifactDamaged(name=f"the {self.model_type} model", reason="it returns values that are not finite")
        return outputs


def build_output_mapping(facts: Mapping) -> Callable[[np.ndarray], np.ndarray]:
    """The function from LightGBM outputs (batch, 5) to scaled returns: the identity, or (2p - 1) * c_h."""
    output = facts.get("lgbm_output") or {}
    if output.get("kind") == "scaled_return":
        return lambda values: values
    if output.get("kind") == "probability":
        scale = np.asarray(output.get("scale"), dtype=np.float64)
        if scale.shape == (len(HORIZONS),) and np.isfinite(scale).all() and (scale > 0).all():
            return lambda values: (2.0 * values - 1.0) * scale
    raise RegistrationRefused(
        what="the LightGBM version",
        reason="facts.lgbm_output is neither {'kind': 'scaled_return'} nor {'kind': 'probability', 'scale': [5]}",
    )


def parse_facts(content: bytes, name: str = "facts.json") -> dict:
    """Parse facts.json. Raises ArtifactDamaged."""
    try:
        facts = json.loads(content)
    except ValueError as error:
        raise ArtifactDamaged(name=name, reason=f"it is not JSON: {error}") from None
    if not isinstance(facts, dict):
        raise ArtifactDamaged(name=name, reason="it is not a JSON object")
    return facts
