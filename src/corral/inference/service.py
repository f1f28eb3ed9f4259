"""Which models are loaded: starts workers on demand within a memory budget, and replaces those that fail."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from corral.cluster.runner import Runner
from corral.context import Context
from corral.core.errors import Busy, HubError, NotSupported
from corral.core.settings import Settings
from corral.inference.calls import Call, Failure, Request
from corral.inference.models import Laid, Model, Models, ReadCard
from corral.inference.workers import Place, State, Worker

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds, except `queue` and `queue_each`: calls that may wait for one worker, of all callers and of one."""

    queue: int = 256
    queue_each: int = 32
    #: a call that would wait longer than this is refused at once
    patience: float = 300.0
    #: a model keeps its memory for this long although another one waits for it
    turn: float = 10.0
    idle: float = 900.0
    load: float = 900.0
    #: a call that shows no sign of life for this long has a stuck worker
    stuck: float = 180.0
    #: a model that could not be loaded is not tried again for this long
    retry: float = 30.0
    tick: float = 1.0


class InferenceService:
    """One in each web process, for as long as it lives: `start()`, then `close()`."""

    def __init__(self, settings: Settings, runner: Runner, read_card: ReadCard, limits: Limits | None = None) -> None:
        self.models = Models(settings.data / "cache" / "models", read_card)
        self.limits = limits or Limits()
        # each web process has its own workers, so they share the memory
        self.budget = settings.inference_memory // max(1, settings.workers)
        self._runner = runner
        self._logs = settings.data / "logs" / "inference"
        self._lock = threading.RLock()
        #: those that take calls, by model; those that end when the calls they have are done
        self._workers: dict[str, Worker] = {}
        self._retiring: set[Worker] = set()
        self._failures: dict[str, tuple[float, HubError]] = {}
        #: seconds the last load took, by model; and how much longer loads take here than was expected
        self._history: dict[str, float] = {}
        self._slowness = 1.0
        self._closed = threading.Event()
        self._monitor = threading.Thread(target=self._watch, name="inference monitor", daemon=True)

    def start(self) -> None:
        if weakness := self._runner.weakness():
            log.warning("Models run without a sandbox, as the user that runs the hub: %s.", weakness)
        self._monitor.start()

    def close(self) -> None:
        """End all workers. Calls under way fail."""
        self._closed.set()
        with self._lock:
            workers = self._all()
        for worker in workers:
            worker.stop()
        for worker in workers:
            worker.join(5)
        self._runner.close()

    def submit(self, ctx: Context, model: Model, request: Request, *, caller: str, wait: bool) -> Call:
        """Have `request` run, loading the model first if need be.

        Callers take turns, and so do models when not all fit into memory. Raises Busy with `estimated_time` (seconds)
        while the model loads or waits for memory, unless `wait`; Busy when too many wait already; NotSupported when
        nothing here runs the model; what went wrong when it could not be loaded just now.
        """
        call = Call(request, caller)
        for _ in range(3):
            worker = self._worker_for(ctx, model)
            if worker.state in (State.PENDING, State.LOADING) and not wait:
                raise self._loading(worker)
            self._refuse_early(worker, call)
            if worker.put(call):
                return call
            # it was retired or has ended just now: another one is there
        raise Busy(f"{model.name} is being unloaded: try again.", retry_after=1)

    def _refuse_early(self, worker: Worker, call: Call) -> None:
        """Raise Busy for a call that would wait for too long, or whose caller has too many waiting already."""
        waits = worker.place(call).seconds
        many = worker.waiting >= self.limits.queue or worker.waiting_of(call.caller) >= self.limits.queue_each
        if many or waits > self.limits.patience:
            raise Busy(
                f"Too many requests wait for {worker.model.name}: try again in a little while.",
                retry_after=min(max(1.0, waits / 2), 60.0),
                estimated_time=round(waits, 1),
            )

    def place(self, model: Model, call: Call) -> Place | None:
        """Where the call stands, loading included; None when that is not known (it is done, or changes workers)."""
        with self._lock:
            workers = [w for w in self._all() if w.model.key == model.key and w.has(call)]
            if not workers:
                return None
            found = workers[0].place(call)
            if workers[0].state in (State.PENDING, State.LOADING):
                found = replace(found, seconds=found.seconds + self._remaining(workers[0]))
            return found

    def state(self, model: Model) -> tuple[str, float]:
        """cold, loading, ready or failed; and seconds until it could answer."""
        with self._lock:
            worker = self._workers.get(model.key)
            if worker is not None and worker.state is State.READY:
                return "ready", 0.0
            if worker is not None and worker.state in (State.PENDING, State.LOADING):
                return "loading", self._remaining(worker)
            if self._failure(model) is not None:
                return "failed", 0.0
        return "cold", self._expected(model)

    # --- starting and ending workers -----------------------------------------------------------------------------

    def _all(self) -> list[Worker]:
        return [*self._workers.values(), *self._retiring]

    def _worker_for(self, ctx: Context, model: Model) -> Worker:
        if model.detection.engine is None:
            raise NotSupported(model.detection.problem)
        if model.runs_code and (weakness := self._runner.weakness()):
            raise NotSupported(f"{model.name} brings program code, which runs in a sandbox only: {weakness}.")
        if model.memory > self.budget:
            raise NotSupported(
                f"{model.name} needs about {_gib(model.memory)} of memory and this hub gives {_gib(self.budget)} to "
                "models: whoever runs it can raise CORRAL_INFERENCE_MEMORY."
            )
        with self._lock:
            if self._closed.is_set():
                raise Busy("The hub is shutting down.", retry_after=10)
            worker = self._workers.get(model.key)
            if worker is not None and worker.unloading:
                # it holds its memory until it has ended
                self._retiring.add(worker)
            elif worker is not None and worker.state is not State.ENDED:
                # who was told to come back has come: neither the place in the line nor the model is given up
                worker.used = time.monotonic()
                return worker
            if failure := self._failure(model):
                raise failure
            worker = self._add(model, self._fetcher(ctx, model))
            self._schedule()
            return worker

    def _add(self, model: Model, fetch: Callable[[], Laid]) -> Worker:
        """A worker that takes calls and waits for memory. Lock held."""
        worker = Worker(model, self._runner, fetch, self._log_file(model), self._on_end)
        self._workers[model.key] = worker
        return worker

    def _schedule(self) -> None:
        """Start the workers that wait, the longest waiting first, as far as there is memory. Lock held."""
        pending = [w for w in self._workers.values() if w.state is State.PENDING]
        for worker in sorted(pending, key=lambda w: w.started):
            if self._closed.is_set() or not self._make_room(worker.model):
                # those after it wait too: else a large model would wait for ever
                return
            worker.start()

    def _fetcher(self, ctx: Context, model: Model) -> Callable[[], Laid]:
        def fetch() -> Laid:
            laid = self.models.materialise(ctx, model)
            with self._lock:
                in_use = [folder for worker in self._all() for folder in worker.model.folders]
            self.models.tidy(in_use)
            return laid

        return fetch

    def _log_file(self, model: Model) -> Path:
        return self._logs / f"{model.name.replace('/', '--')}.log"

    def _make_room(self, model: Model) -> bool:
        """End idle workers, the longest unused first, until `model` fits; whether it does. Lock held.

        Where it does not, those that had their turn are retired for it.
        """
        idle = sorted((w for w in self._workers.values() if w.waiting == 0), key=lambda w: w.used)
        idle = [w for w in idle if w.state is State.READY and not self._promised(w)]
        # an older commit of the same repository is of no use to anybody
        idle.sort(key=lambda w: w.model.repo_id != model.repo_id)
        excess = model.memory + sum(w.memory for w in self._all() if w.state is not State.PENDING) - self.budget
        chosen: list[Worker] = []
        for worker in idle:
            if excess <= 0 and worker.model.repo_id != model.repo_id:
                break
            chosen.append(worker)
            excess -= worker.memory
        if excess > 0:
            self._retire(excess - sum(w.memory for w in self._retiring))
            return False
        for worker in chosen:
            if not worker.stop_idle():
                # a call came just now
                return False
            log.info("Unloading %s to make room for %s", worker.model.name, model.name)
            del self._workers[worker.model.key]
        return True

    def _promised(self, worker: Worker) -> bool:
        """Whether it was loaded for somebody who was told to come back, and may: else two models whose callers ask
        from time to time would unload each other for ever. Lock held."""
        return worker.used == worker.ready_at and time.monotonic() - worker.ready_at < self.limits.turn

    def _retire(self, excess: int) -> None:
        """Have the workers that were there for longest end after what they compute now, until `excess` bytes would be
        free. What waits for them goes to the end of the line of models. Lock held."""
        now = time.monotonic()
        loaded = [w for w in self._workers.values() if w.state is State.READY and now - w.ready_at > self.limits.turn]
        for worker in sorted(loaded, key=lambda w: w.ready_at):
            if excess <= 0:
                return
            excess -= worker.memory
            log.info("%s has had its turn: another model waits for the memory", worker.model.name)
            left = worker.hand_over()
            del self._workers[worker.model.key]
            self._retiring.add(worker)
            if left:
                heir = self._add(worker.model, worker.fetch)
                for call in left:
                    heir.put(call)

    def _on_end(self, worker: Worker, left: list[Call]) -> None:
        """A worker has ended; `left` had not begun."""
        key = worker.model.key
        never_loaded = worker.load_seconds == 0.0
        with self._lock:
            if self._workers.get(key) is worker:
                del self._workers[key]
            self._retiring.discard(worker)
            if worker.error is not None and never_loaded:
                self._failures[key] = (time.monotonic(), worker.error)
        for call in left:
            again = worker.error is not None and not never_loaded and call.retries > 0 and not self._closed.is_set()
            if again:
                call.retries -= 1
                self._again(worker, call)
            else:
                call.push(Failure(worker.error or Busy("The model was unloaded: try again.", retry_after=1)))
        with self._lock:
            self._schedule()

    def _again(self, dead: Worker, call: Call) -> None:
        """Give a call that had not begun to a worker that replaces the dead one."""
        with self._lock:
            worker = self._workers.get(dead.model.key)
            if worker is None:
                worker = self._add(dead.model, dead.fetch)
        if not worker.put(call):
            call.push(Failure(dead.error or Busy("The model was unloaded: try again.", retry_after=1)))

    def _failure(self, model: Model) -> HubError | None:
        """Why it could not be loaded a moment ago. Lock held."""
        at, error = self._failures.get(model.key, (0.0, None))
        if error is None or time.monotonic() - at > self.limits.retry:
            self._failures.pop(model.key, None)
            return None
        return error

    # --- how long a load takes -----------------------------------------------------------------------------------

    def _guess(self, model: Model) -> float:
        """Seconds: imports, then reading at 200 MB a second (measured on two cores of a server)."""
        return 4.0 + model.size / 200e6

    def _expected(self, model: Model) -> float:
        return self._history.get(model.key) or self._guess(model) * self._slowness

    def _remaining(self, worker: Worker) -> float:
        waited = time.monotonic() - worker.started
        if worker.state is State.PENDING:
            return max(1.0, self.limits.turn - waited) + self._expected(worker.model)
        return max(1.0, self._expected(worker.model) - waited)

    def _loading(self, worker: Worker) -> Busy:
        left = round(self._remaining(worker), 1)
        # the words and the member are those of Hugging Face's Inference API
        text = f"Model {worker.model.name} is currently loading"
        busy = Busy(text, retry_after=left, estimated_time=left)
        busy.code = "ModelLoading"
        return busy

    # --- watching ------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        while not self._closed.wait(self.limits.tick):
            with self._lock:
                workers = self._all()
            try:
                for worker in workers:
                    self._look_after(worker)
                with self._lock:
                    self._shrink()
                    self._schedule()
            except Exception:
                log.exception("Looking after the workers failed; it is tried again.")

    def _look_after(self, worker: Worker) -> None:
        now = time.monotonic()
        name = worker.model.name
        if worker.state is State.LOADING:
            if now - worker.started > self.limits.load:
                worker.stop(HubError(f"{name} did not load within {self.limits.load:.0f} s.", status=500))
            return
        if worker.state is State.PENDING and worker.waiting == 0 and now - worker.used > self.limits.retry:
            # whoever asked for it did not come back
            worker.stop_idle()
        if worker.state is not State.READY:
            return
        if worker.model.key not in self._history:
            self._history[worker.model.key] = worker.load_seconds
            ratio = worker.load_seconds / self._guess(worker.model)
            self._slowness += 0.3 * (min(ratio, 20.0) - self._slowness)
        worker.measure()
        if worker.silent > self.limits.stuck:
            worker.stop(
                HubError(
                    f"{name} gave no sign of life for {self.limits.stuck:.0f} s and was stopped. Try a smaller input.",
                    status=503,
                    code="WorkerStuck",
                )
            )
        elif worker.memory > self.budget:
            worker.stop(
                HubError(
                    f"{name} needed more memory than this hub gives to models ({_gib(self.budget)}). Try a smaller "
                    "input, or have CORRAL_INFERENCE_MEMORY raised.",
                    status=503,
                    code="OutOfMemory",
                )
            )
        elif worker.waiting == 0 and worker.retiring:
            worker.stop()
        elif worker.waiting == 0 and now - worker.used > self.limits.idle:
            log.info("Unloading %s, which nobody used for a while", name)
            worker.stop_idle()

    def _shrink(self) -> None:
        """End the idle worker that was used longest ago while together they hold more than they may. Lock held."""
        held = sum(w.memory for w in self._all() if w.state is not State.PENDING)
        idle = [w for w in self._workers.values() if w.state is State.READY and w.waiting == 0]
        if held > self.budget and idle:
            min(idle, key=lambda w: w.used).stop_idle()


def _gib(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
