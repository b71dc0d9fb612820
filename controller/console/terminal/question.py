"""A line that a person types at the console."""

from collections.abc import Callable

from controller.console.terminal import keys


class Question:
    """`then(answer, now_us)` gets the answer."""

    def __init__(
        self,
        text: str,
        then: Callable[[str, int], None],
        now_us: int,
        is_hidden: bool = False,
        characters_max: int = 64,
    ) -> None:
        self.text, self.then, self.asked_us = text, then, now_us
        self.is_hidden, self.characters_max, self.typed = is_hidden, characters_max, ""

    def shown(self) -> str:
        """The question and the typed answer."""
        return f"{self.text} {'*' * len(self.typed) if self.is_hidden else self.typed}"

    def edit(self, key: str) -> None:
        """One key of the answer."""
        if key == keys.ERASE:
            self.typed = self.typed[:-1]
        elif len(self.typed) < self.characters_max:
            self.typed += key
