"""All cases of one run of `pymesh test`: each file's against its configuration, which is read once."""

from collections.abc import Iterator

from pymesh.errors import UsageError
from pymesh.simulation.cases import CaseFile, Outcome, run_case
from pymesh.simulation.coverage import Coverage
from pymesh.simulation.files import read_configuration
from pymesh.simulation.mesh import SimulatedMesh


class CaseRun:
    """`config` is that of the command line; it comes before what a file names itself."""

    def __init__(self, config: tuple[str, ...]) -> None:
        self._config = config
        self._meshes: dict[tuple[str, ...], tuple[SimulatedMesh, Coverage]] = {}
        self.results: list[tuple[CaseFile, list[Outcome]]] = []

    def run(self, file: CaseFile) -> Iterator[Outcome]:
        """Raises UsageError where nobody says which configuration is meant."""
        mesh, coverage = self._mesh(file)
        outcomes: list[Outcome] = []
        self.results.append((file, outcomes))
        for case in file.cases:
            outcome = run_case(mesh, case)
            coverage.add(outcome.decision)
            outcomes.append(outcome)
            yield outcome

    def mesh_of(self, file: CaseFile) -> SimulatedMesh:
        return self._mesh(file)[0]

    @property
    def outcomes(self) -> list[Outcome]:
        return [outcome for _, outcomes in self.results for outcome in outcomes]

    @property
    def coverages(self) -> list[Coverage]:
        """One for each configuration."""
        return [coverage for _, coverage in self._meshes.values()]

    @property
    def percent(self) -> float:
        """Of the routes and policies of all configurations; 100 where there are none."""
        total = sum(len(coverage.rules) for coverage in self.coverages)
        missed = sum(len(coverage.missed) for coverage in self.coverages)
        return 100.0 * (total - missed) / total if total else 100.0

    def _mesh(self, file: CaseFile) -> tuple[SimulatedMesh, Coverage]:
        paths = (*self._config, *file.config)
        if not paths:
            raise UsageError(f"{file.path}: which configuration? Give -f FILE, or `config` in the file")
        found = self._meshes.get(paths)
        if found is None:
            configuration = read_configuration(paths)
            found = self._meshes[paths] = (SimulatedMesh(configuration), Coverage(configuration))
        return found
