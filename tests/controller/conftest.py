"""What tests of the configuration share: the examples, as files that a test may edit."""

import pytest
from site_files import PYLONTECH, SiteFiles


@pytest.fixture
def files(tmp_path):
    """The default cabinet."""
    return SiteFiles(tmp_path)


@pytest.fixture
def pylontech(tmp_path):
    """The Pylontech example."""
    return SiteFiles(tmp_path, PYLONTECH)
