"""A Redis for the tests of this folder."""

from __future__ import annotations

import pytest
import redis
from support.brokers import running_redis


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory):
    """The URL of a Redis that all tests share."""
    with running_redis(tmp_path_factory.mktemp("redis")) as url:
        yield url


@pytest.fixture
def redis_url(redis_server):
    """The same, empty."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
    return redis_server
