"""Annotations are checked at run time in tests: jaxtyping reads the shapes, beartype the types."""

from jaxtyping import install_import_hook

install_import_hook("selfsight", "beartype.beartype")

import os  # noqa: E402
import random  # noqa: E402

import numpy as np  # noqa: E402
import pytest  # noqa: E402
import torch  # noqa: E402


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    """Tests run side by side: threads that wait for one another would only slow them down."""
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup() -> None:
    """Every test begins with the same random state, alone or among others: none fails by chance."""
    torch.manual_seed(0)
    np.random.seed(0)
    random.seed(0)
