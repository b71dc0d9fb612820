"""An array of integers, the form in which the journal keeps state, whose words also have names."""

from array import array
from collections.abc import Callable
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, Self

if TYPE_CHECKING:
    Integers = array[int]
else:
    Integers = array  # it takes no type at run time before Python 3.12


class Words(Integers):
    """Array of words with names. A subclass annotates its words as int, in the order of the array.

    Reading by name costs as much as by index. More words may follow the named ones.
    """

    def __init_subclass__(cls) -> None:
        for place, name in enumerate(cls.__annotations__):
            setattr(cls, name, property(itemgetter(place), _setter(place)))

    @classmethod
    def zero(cls, more: int = 0, code: Literal["i", "q"] = "q") -> Self:
        """Words of 64 bits ("i": 32), all 0. more: words behind the named ones."""
        return cls(code, [0] * (len(cls.__annotations__) + more))


def _setter(place: int) -> Callable[[Words, int], None]:
    def put(words: Words, value: int) -> None:
        words[place] = value

    return put
