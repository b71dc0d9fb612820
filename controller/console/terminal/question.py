"""A question at the console, and the answer that a person types."""

from dataclasses import dataclass

from controller.console.terminal import keys


@dataclass
class Question:
    """The question, its answer so far, and when it was asked."""

    text: str
    is_hidden: bool = False
    characters_max: int = 64
    typed: str = ""
    asked_us: int = 0

    def shown(self) -> str:
        """The question and the typed answer."""
        return f"{self.text} {'*' * len(self.typed) if self.is_hidden else self.typed}"

    def edit(self, key: str) -> None:
        """Take one key of the answer."""
        if key == keys.ERASE:
            self.typed = self.typed[:-1]
        elif len(self.typed) < self.characters_max:
            self.typed += key
