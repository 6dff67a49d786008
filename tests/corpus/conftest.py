"""The real documents: read where they lie, never copied here."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def corpus() -> Path:
    """The folder of real documents: CBM_CORPUS, else beside the repository. Skips where there is none, but in CI."""
    folder = Path(os.environ.get("CBM_CORPUS") or ROOT.parent / "shared" / "corpus")
    if not folder.is_dir():
        reason = "no corpus of real documents: set CBM_CORPUS"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return folder
