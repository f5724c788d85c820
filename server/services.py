"""The state that all routes share: settings, dispatcher, workspace, videos, enhancer, media checker, LoRAs."""

import time
from dataclasses import dataclass, field

from fastapi import Request

from enhancer.enhance import Enhancer
from enhancer.enhancement import EnhancerState, EnhancerStatus
from enhancer.sglang_process import ManagedSglang, ManagedStatus
from server.fetching.fetcher import Fetcher
from server.jobs.dispatcher import Dispatcher
from server.jobs.loading import LoadingStatus
from server.jobs.workspace import Workspace
from server.loras.catalog import LoraCatalog
from server.process.run_values import RunValues
from server.settings import Settings
from server.uploads.checker import MediaChecker
from server.videos.library import Videos


@dataclass
class Services:
    settings: Settings
    dispatcher: Dispatcher
    workspace: Workspace
    videos: Videos
    enhancer: Enhancer
    media_checker: MediaChecker
    loras: LoraCatalog = field(default_factory=LoraCatalog)
    sglang: ManagedSglang | None = None
    fetcher: Fetcher | None = None
    run_values: RunValues = field(default_factory=RunValues)
    started_at: float = field(default_factory=time.monotonic)

    @property
    def enhancer_state(self) -> EnhancerState:
        """Return the enhancer's state; it is down until a managed SGLang is ready."""
        if self.sglang is None or self.sglang.state.status is ManagedStatus.READY:
            return self.enhancer.state
        reason = self.sglang.state.reason or f"the prompt enhancer's language model is {self.sglang.state.status}"
        return EnhancerState(EnhancerStatus.DOWN, (reason,))

    @property
    def loading(self) -> LoadingStatus | None:
        """Return how far the weights are fetched, then how far the model is loaded; None unless the server loads."""
        loading = self.dispatcher.status.loading
        fetching = self.fetcher.status if self.fetcher else None
        return fetching if loading and fetching else loading

    @property
    def uptime_s(self) -> float:
        return self.run_values.uptime_s(time.monotonic() - self.started_at)

    def drain(self) -> None:
        """Accept no more jobs and let the running ones end. Videos can still be queried."""
        self.dispatcher.drain()
        self.media_checker.stop()

    def stop(self) -> None:
        """End every job and notify everyone who waits for one. May be called twice."""
        self.dispatcher.stop()
        self.videos.release()


def services_of(request: Request) -> Services:
    services: Services = request.app.state.services
    return services
