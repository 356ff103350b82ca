"""Which step runs on which worker, and when: oldest item first, suspects alone."""

from medpipe.scheduling.breaker import Breakers
from medpipe.scheduling.crew import Crew, Run
from medpipe.scheduling.events import Commit, Instruction, RunStep, StopWorker
from medpipe.scheduling.fates import Fates
from medpipe.scheduling.jobs import STORE, Job, Jobs, Step
from medpipe.scheduling.lines import Turn
from medpipe.scheduling.policy import SchedulingConfig, step_limit_s


class Placing:
    """Brings steps and workers together.

    Args:
        config: Deadlines.
        jobs: The items in flight.
        crew: The workers.
        breakers: Of hosts and the store.
        fates: Parks the items of a host that is down.
    """

    def __init__(
        self, config: SchedulingConfig, jobs: Jobs, crew: Crew, breakers: Breakers, fates: Fates
    ) -> None:
        self._config = config
        self._jobs = jobs
        self._crew = crew
        self._breakers = breakers
        self._fates = fates

    def place(self, now_s: float, out: list[Instruction]) -> None:
        """Give runnable steps to free workers, oldest item first."""
        for job in self._jobs.to_look_at(now_s):
            self._fates.park(job.place, now_s, out)
            if now_s < job.not_before_s or self._fates.current(job.item_id, job.attempt) is None:
                continue
            if job.written and not job.committing:
                job.committing = True
                self._breakers.started(STORE)
                out.append(Commit(job.item_id))
            for index, step in job.runnable():
                if step.on is None:
                    self._jobs.line_up(job, index)
                else:
                    self._go_on(job, step, now_s, out)
        for pool in self._crew.pools:
            self._fill(pool, now_s, out)

    def _fill(self, pool: str, now_s: float, out: list[Instruction]) -> None:
        """Give the steps that wait for a pool its free workers; make room for suspects.

        While a suspect waits, nobody younger is fetched ahead: else its pool would never rest.
        """
        waits = False
        for turn in self._jobs.lines.suspects(pool):
            self._serve(pool, now_s, out, before=turn, ahead=not waits)
            if not self._jobs.waits(turn):
                continue  # its host went down under one of those
            name = self._crew.fresh(pool)
            if name is not None:
                self._begin(turn, name, now_s, out)
                continue
            waits = True
            retired = self._crew.retirable(pool)
            if retired is None:
                break
            self._crew.remove(retired)
            out.append(StopWorker(retired))
        self._serve(pool, now_s, out, before=None, ahead=not waits)

    def _serve(
        self,
        pool: str,
        now_s: float,
        out: list[Instruction],
        *,
        before: Turn | None,
        ahead: bool,
    ) -> None:
        """Begin what waits for a pool and is no suspect, oldest first, as far as workers go."""
        while True:
            free = self._crew.free(pool)
            able = [
                (turn, name)
                for lane, turn, waiting in self._jobs.lines.heads(pool)
                if (before is None or turn < before)
                and (name := free or (self._crew.ahead(pool, lane, waiting) if ahead else None))
            ]
            if not able:
                return
            self._begin(*min(able), now_s, out)

    def _begin(self, turn: Turn, name: str, now_s: float, out: list[Instruction]) -> None:
        """Start a step that waited in line."""
        job, step = self._jobs.take(turn)
        self._run(job, step, name, now_s, out)
        self._fates.park(job.leans_on(step), now_s, out)

    def _go_on(self, job: Job, step: Step, now_s: float, out: list[Instruction]) -> None:
        """Start a step on the worker that holds the file, if its lane is free."""
        name = job.held.get(step.on) if step.on else None
        worker = self._crew.get(name) if name else None
        if worker is not None and step.lane not in worker.runs:
            self._run(job, step, worker.name, now_s, out)

    def _run(self, job: Job, step: Step, name: str, now_s: float, out: list[Instruction]) -> None:
        limit_s = step_limit_s(step.lane, job.media_s, self._config)
        run = Run(job.item_id, job.attempt, step.name, now_s + limit_s)
        self._crew.begin(name, step.lane, run, alone=job.alone)
        self._breakers.started(job.leans_on(step))
        self._jobs.begun(job)
        job.comes_on(name, now_s)
        job.running.add(step.name)
        out.append(RunStep(name, job.item_id, job.attempt, step.name, job.rejection))
