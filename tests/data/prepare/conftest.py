"""The fork server of the preparing processes is started once, with what they all import."""

from multiprocessing import forkserver

import pytest


@pytest.fixture(scope="session", autouse=True)
def server() -> None:
    forkserver.set_forkserver_preload(["pytest", "umt_lib.data.prepare.cremad"])
    forkserver.ensure_running()
