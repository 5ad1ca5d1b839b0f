"""Progress that keeps what it is told."""

from __future__ import annotations

from specconv.pipeline import Silent

NOTHING_TO_DO = "Nothing to do: the shards are whole (3), and of this config and audio"


class Listening(Silent):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, message: str) -> None:
        self.notices.append(message)
