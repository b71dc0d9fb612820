"""Approval of the running limit image by a named person, at the cabinet, with the key. Until then
row 58 of the matrix keeps all contactors open.
"""

from controller.config import approval
from controller.config.cabinet_config import Config
from controller.core.image import ProcessImage, packed_name
from controller.run.stored_value import StoredValue
from controller.store.stored_record import Record


class Approval:
    """`before`: {name: number} of the last approved image; `code`: code of the image to approve."""

    def __init__(self, config: Config, record: Record, image: ProcessImage):
        """record: the last stored record of the previous run; image: the process image, which shows
        the person's name.
        """
        own = approval.of(config)
        self.before = approval.unpacked(record.approved)
        self.code = approval.code(self.before, own)
        # An equal image counts as approved even if other bytes are stored: another version of zlib
        # packs it into other bytes.
        self._own = record.approved if self.before == own else approval.packed(own)
        self.value = StoredValue(
            (record.approved, record.approved_by),
            lambda value: image.put("approved_by", packed_name(value[1])),
        )

    @property
    def is_given(self) -> bool:
        """True: the running image is the approved image."""
        return self.value.in_effect[0] == self._own

    def give(self, name: str) -> None:
        """Store a person's approval. It takes effect when it is stored, and only then the sender
        gets an answer.
        """
        self.value.store_first((self._own, name), is_awaited=True)
