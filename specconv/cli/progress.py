"""What a run tells on stderr while it works; without a terminal there, only what must be known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from specconv.messages import printable, printable_lines


class Meter:
    """The `specconv.pipeline.Progress` of a terminal: clips, hours, times realtime, time left.

    begun: the run has started to write. Use as a context manager.
    """

    def __init__(self) -> None:
        self.begun = False
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._bar = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TextColumn("clips  {task.fields[hours]:.2f} h  {task.fields[speed]:,.0f} x realtime"),
            TimeRemainingColumn(),
            TextColumn("left"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._audio_seconds, self._started = 0.0, 0.0

    def start(self, *, clips: int, done: int) -> None:
        self.begun = True
        self._started = time.perf_counter()
        self._bar.start()
        self._task = self._bar.add_task("", total=clips, completed=done, hours=0.0, speed=0.0)

    def advance(self, *, clips: int, audio_seconds: float) -> None:
        self._audio_seconds += audio_seconds
        speed = self._audio_seconds / max(1e-9, time.perf_counter() - self._started)
        self._bar.update(self._task, advance=clips, hours=self._audio_seconds / 3600, speed=speed)

    def notice(self, message: str) -> None:
        self._console.print(printable_lines(message))

    def __enter__(self) -> Meter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


@contextmanager
def doing() -> Iterator[Callable[[str], None]]:
    """A function that says what is being done, in one line that is gone afterwards."""
    console = Console(stderr=True, highlight=False, markup=False)
    if not console.is_terminal:
        yield lambda _: None
        return
    with console.status("") as status:
        yield lambda what: status.update(Text(printable(what)))
