"""What the database tests share beside tests/conftest.py."""

import shutil

import pytest
from live import readable_copies


@pytest.fixture
def copies(artifacts):
    """The two model folders, where the server's own user can read them."""
    folders = readable_copies(artifacts)
    yield folders
    shutil.rmtree(folders[0].parent)
