"""Whether a person has approved the limit image that runs here: by name, at the cabinet, with the
key. Until then row 58 keeps everything open.
"""

from controller.config import approval
from controller.core.image import packed_name
from controller.run.stored_value import StoredValue


class Approval:
    """`before`: names and numbers of the image that was approved last, {} for none; `code`: names
    what is to be approved; `value`: StoredValue of (what is stored of the image, whose approval).
    """

    def __init__(self, config, record, image):
        """record: of the last run; image: the process image, which shows who has approved."""
        own = approval.of(config)
        self.before = approval.unpacked(record.approved)
        self.code = approval.code(self.before, own)
        # another version of zlib packs the same in other bytes
        self._own = record.approved if self.before == own else approval.packed(own)
        self.value = StoredValue(
            (record.approved, record.approved_by),
            lambda value: image.put("approved_by", packed_name(value[1])),
        )

    @property
    def is_given(self) -> bool:
        """True: the image that runs is the one that was approved."""
        return self.value.in_effect[0] == self._own

    def give(self, name: str, is_awaited: bool) -> None:
        """A person approves: stored first."""
        self.value.store_first((self._own, name), is_awaited)
