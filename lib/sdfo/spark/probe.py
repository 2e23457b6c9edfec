"""One Spark application on YARN that looks at as many nodes as it is given containers on."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from pyspark import SparkContext

from sdfo.conf import Settings
from sdfo.nightly.engines import Progress, silent
from sdfo.spark.engine import SparkEngine
from sdfo.spark.seen import Seen, look

PATIENCE_SECONDS = 120.0
"""How long a container on each node is waited for: a node unpacks the software once, in a minute; a full one gives none."""
_TASKS_A_CORE = 2
_INSTANCES = "spark.executor.instances"


@dataclass(frozen=True, slots=True)
class Probe:
    """`running`: the nodes as YARN counts them. `seen`: by each container that was reached."""

    application: str
    running: tuple[str, ...]
    seen: tuple[Seen, ...]


def probe(settings: Settings, san_id: str, nearline_id: str = "", progress: Progress = silent) -> Probe:
    """`NoEngine` if the application does not start, `EngineError` if it fails; both say where to look."""
    told = json.dumps(settings.of_a_worker())
    with closing(SparkEngine.of(settings)) as engine, engine.running(progress, 1, "looks at nodes") as context:
        nodes = running_nodes(context)
        progress(0, len(nodes), "nodes have a container")
        _spread(context, nodes)
        reached = _await(lambda: _reached(context) & set(nodes), len(nodes))
        progress(len(reached), len(nodes), "nodes have a container")
        tasks = _TASKS_A_CORE * context.defaultParallelism
        found = context.parallelize(range(tasks), tasks).map(lambda _: look(told, san_id, nearline_id)).collect()
        return Probe(context.applicationId, nodes, tuple({seen.container: seen for seen in found}.values()))


def running_nodes(context: SparkContext) -> tuple[str, ...]:
    """Asked through the driver's JVM, which speaks to whichever ResourceManager is active, with its Kerberos ticket."""
    jvm = context._jvm
    yarn = jvm.org.apache.hadoop.yarn  # type: ignore[union-attr]
    settings = yarn.conf.YarnConfiguration(context._jsc.hadoopConfiguration())
    states = context._gateway.new_array(yarn.api.records.NodeState, 1)  # type: ignore[union-attr]
    states[0] = yarn.api.records.NodeState.RUNNING
    client = yarn.client.api.YarnClient.createYarnClient()
    client.init(settings)
    client.start()
    try:
        return tuple(sorted({report.getNodeId().getHost() for report in client.getNodeReports(states)}))
    finally:
        client.stop()


def _spread(context: SparkContext, nodes: tuple[str, ...]) -> None:
    """Ask for an executor on each node, as Spark does for tasks whose data lie there (ExecutorAllocationClient)."""
    preferred = context._jvm.PythonUtils.toScalaMap(dict.fromkeys(nodes, 1))  # type: ignore[union-attr]
    total = max(len(nodes), int(context.getConf().get(_INSTANCES) or 2))
    context._jsc.sc().requestTotalExecutors(total, len(nodes), preferred)


def _reached(context: SparkContext) -> set[str]:
    """Nodes with an executor; the driver is among those that Spark tells, and is none."""
    hosts = Counter(executor.host() for executor in context._jsc.sc().statusTracker().getExecutorInfos())
    hosts.subtract([context.getConf().get("spark.driver.host")])
    return set(+hosts)


def _await(reached: Callable[[], set[str]], wanted: int) -> set[str]:
    until = time.monotonic() + PATIENCE_SECONDS
    while len(found := reached()) < wanted and time.monotonic() < until:
        time.sleep(0.5)
    return found
