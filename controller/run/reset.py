"""Judges and stores a reset that an operator asked for, then gives it to kernel and channel B.

The reset is stored before the kernel gets it, because a power cut must not give back the token that
the reset spends. A reset that is refused here never reaches the kernel. If it did, `reset_clear_ms`
could end in that tick, and the kernel would clear a latch that the store still holds.
"""

from array import array
from collections.abc import Callable

from controller.core.core import Core
from controller.core.image import ProcessImage
from controller.run import operator_commands
from controller.run.channel_link import ChannelLink
from controller.run.stored_value import Acknowledging, StoredValue
from safety import latches, matrix, signals as s

# Results after which a reset goes on to channel B. The other results are refusals that hold in
# channel B too: the causes have changed, no reset is left in this hour, or the key is needed.
# NOT_CLEAR_YET must go on. Its cause may be row 51 alone, which is active here until channel B
# permits, and channel B permits only after the reset.
PASSED_ON = (latches.DONE, latches.NOT_CLEAR_YET, latches.NOTHING)


Order = tuple[int, int, int]  # (kind, first-out, mask)


class Reset:
    """A reset on its way to the store, the kernel, channel B. `cleared`: StoredValue of the stage
    instances that the reset clears; `answer`, `peer_answer`: its results, in the tick in which it
    ends.
    """

    def __init__(self, core: Core, image: ProcessImage, submit: Callable[[], object]):
        """submit(): hand over a record now."""
        self._core, self._image, self._submit = core, image, submit
        self._asked: Order | None = None  # a reset that has not ended
        self._asked_of_peer: Order | None = None  # the reset that channel B gets after channel A
        self._result = 0  # the result here, until channel B answers
        self.cleared = StoredValue[tuple[int, ...]](())
        self.answer, self.peer_answer = 0, latches.NONE

    def request(self, kind: int, seen: tuple[int, int], peer_seen: tuple[int, int]) -> None:
        """seen, peer_seen: (first-out, mask) of each channel. Replaces a reset that still waits."""
        self.cleared.void()
        self._result = 0
        self._asked, self._asked_of_peer = (kind, *seen), (kind, *peer_seen)

    def before_step(self, keeper: Acknowledging, elapsed_ms: int, peer: ChannelLink | None) -> None:
        """Give the kernel the reset once the store holds it. A refused reset ends here."""
        inp = self._image.inp
        self.answer, self.peer_answer = 0, latches.NONE
        self._image.put("void_reset", (0, 0))
        if self._asked is None:
            return
        if not self.cleared.chosen:
            verdict = self._verdict(self._asked)
            if verdict != latches.DONE:
                return self._void(inp, self._asked, verdict, peer)
            self._begin(self._asked[0])
        answer = self.cleared.settle(keeper, elapsed_ms)
        if answer == operator_commands.ACCEPTED:
            inp[s.RESET_KIND], inp[s.RESET_FIRST_OUT], inp[s.RESET_MASK] = self._asked
        elif answer:
            self._void(inp, self._asked, answer, peer)

    def after_step(self, peer: ChannelLink | None) -> None:
        """Take the kernel's result. A reset that still waits for the store ends as soon as the
        kernel would refuse it, for example when a cause returns. The record in the store may
        already lack the latches of this reset, so a new record with every latch is stored in this
        tick. The returned cause alone would store no record, because it changes no latch.
        """
        core = self._core
        if core.inp[s.RESET_KIND]:
            self._end(core.out[s.RESET_RESULT], peer)
        elif self._asked is not None and self.cleared.chosen:
            verdict = self._verdict(self._asked)
            if verdict != latches.DONE:
                self._void(core.inp, self._asked, verdict, peer)
        if self._result and peer is not None and peer.result != latches.NONE:
            self.answer, self.peer_answer, self._result = self._result, peer.result, 0

    def token_ages(self) -> list[int]:
        """Ages of the kernel's tokens in ticks. While a remote reset is being stored, the token
        that it will spend has age 0 already.
        """
        ages = list(self._core.kernel.latches.token_age)
        if self._asked is not None and self.cleared.chosen and self._asked[0] == matrix.REMOTE:
            ages[ages.index(max(ages))] = 0
        return ages

    def _begin(self, kind: int) -> None:
        """Store a record without the latches that the reset will clear."""
        kernel = self._core.kernel
        count = kernel.evaluator.count
        self.cleared.store_first(
            tuple([index for index in range(count) if kernel.latches.clears(index, kind)]), True
        )
        self._submit()

    def _verdict(self, asked: Order) -> int:
        return self._core.kernel.latches.verdict(
            *asked, self._core.kernel.features.fire.key_is_out()
        )

    def _void(self, inp: "array[int]", asked: Order, answer: int, peer: ChannelLink | None) -> None:
        """End the reset without the kernel. inp: the inputs of this tick, which go into the
        journal; the answer is written there too.
        """
        inp[self._image.places["void_reset"]] = array("i", (asked[0], answer))
        self._end(answer, peer)

    def _end(self, result: int, peer: ChannelLink | None) -> None:
        """End the reset: the next record holds every latch. If channel B gets the reset too, the
        operator's answer waits for its result.
        """
        self._asked, self.cleared.in_effect = None, ()
        self.cleared.void()
        of_peer = self._asked_of_peer
        if peer is not None and of_peer is not None and result in PASSED_ON:
            self._result = result
            peer.order_reset(*of_peer)
        else:
            self.answer = result
