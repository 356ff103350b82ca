"""Judges models where there is room for them: on a worker of the cluster, or in this process."""

import os

from medpipe.config import MedpipeConfig
from medpipe.genmedclip.judging.judge import judge
from medpipe.genmedclip.judging.registry import Suite, load_suite
from medpipe.genmedclip.judging.results import Results
from medpipe.genmedclip.references import load_reference
from medpipe.records import Record
from medpipe.runtime.cluster import connected
from medpipe.runtime.exits import EXIT_INTERRUPTED


class Evaluation(Record):
    """What is judged on what.

    Attributes:
        models: References: runs, checkpoints, or names of open_clip.
        suite: Name of a suite that ships, or path of a YAML file.
        data: Folder or bucket prefix of the test sets.
        out: Folder or bucket prefix of the report.
        cache: Where embeddings are kept.
        trained_on: Dataset whose pictures are looked for among the test pictures, or None.
        gpus: To ask the cluster for; above 0 models run on one.
    """

    models: tuple[str, ...]
    suite: str
    data: str
    out: str
    cache: str
    trained_on: str | None = None
    gpus: float = 0


def evaluate(job: Evaluation, config: MedpipeConfig) -> Results:
    """Judge on a worker of the Ray cluster that config or RAY_ADDRESS names, else right here.

    Raises:
        ConfigError: A model or the suite is not there.
        Transient: The object store failed.
    """
    suite = load_suite(job.suite)  # a file of this machine; the worker gets what is in it
    if not (config.runtime.address or os.environ.get("RAY_ADDRESS")):
        return _judged(job, suite.model_dump_json(), config)
    import ray

    with connected(config.runtime, EXIT_INTERRUPTED, "medpipe evaluate"):
        task = ray.remote(num_cpus=1, num_gpus=job.gpus, max_retries=3)(_judged)
        try:
            done = task.options(name=f"evaluate[{job.suite}]").remote(
                job, suite.model_dump_json(), config
            )
            results: Results = ray.get(done)
        except ray.exceptions.RayTaskError as error:
            raise error.cause from error
        return results


def _judged(job: Evaluation, suite: str, config: MedpipeConfig) -> Results:
    device = "cuda" if job.gpus else "cpu"
    return judge(
        [load_reference(name, config.storage, device=device) for name in job.models],
        Suite.model_validate_json(suite),
        out=job.out,
        cache=job.cache,
        data=job.data,
        train=job.trained_on,
        storage=config.storage,
    )
