"""What a path holds: a CSV file, a capture or journal, the fast ring of a recorder."""

from datetime import tzinfo

from controller.audit.samples import Source
from controller.audit.table import CsvSource


def opened(path: str, column: str | None, meter_s: float, zone: tzinfo) -> Source:
    """The source of a path. Raises AuditError, SeriesError."""
    return CsvSource(path, column, meter_s, zone)
