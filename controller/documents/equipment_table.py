"""Makes the document `firebreak document equipment`. It lists the equipment that a site may lack,
and the rows of the cause-and-effect matrix that need it.
"""

from controller.config import equipment
from controller.documents.document import Blocks, Heading, Table, Text

HEAD = "A site file names who accepted each missing one under [not_fitted]."


def blocks() -> Blocks:
    """The document."""
    rows = [
        (
            name,
            part.text,
            ", ".join((*part.roles, *part.inputs, *part.outputs)) or "-",
            ", ".join(map(str, equipment.rows_of(name))),
        )
        for name, part in equipment.EQUIPMENT.items()
    ]
    headers = ("not_fitted", "what it is", "devices, contacts, coils", "rows")
    return [Heading(1, "Equipment that a cabinet may lack"), Text(HEAD), Table(headers, rows)]
