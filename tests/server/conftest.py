"""One embedded store for this process, which is all that the engine allows, and servers in processes of their own."""

from __future__ import annotations

import contextlib

import pytest
from support.serving import Serving

from tracium.server.keeping.held import Signal
from tracium.server.keeping.rules import MOST_DAYS, Retention
from tracium.server.location import Directory
from tracium.server.store import Store


@pytest.fixture(scope="session")
def directory(tmp_path_factory):
    return Directory(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="session")
def store(directory):
    with Store(directory) as opened, contextlib.chdir(directory.path):
        # Tests choose their times freely.
        for signal in Signal:
            Retention(opened).set(signal, None, MOST_DAYS)
        yield opened


@pytest.fixture(scope="session")
def serving(tmp_path_factory):
    with Serving(tmp_path_factory.mktemp("served")) as server:
        yield server
