"""Kafka with aiokafka: each order is packed for the customer who sent it, several at once.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[kafka]" aiokafka
    export KAFKA=localhost:9092
    python kafka_aiokafka.py

What it shows: a batch from `getmany` whose messages are processed in tasks at the same time. Each has its own block, so
none sees another's tenant; the order that nobody sent has none.
"""

import asyncio
import os

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

import tracium

tracium.trace()

KAFKA = os.environ.get("KAFKA", "localhost:9092")
TOPIC = "orders"


async def send(producer: AIOKafkaProducer, order: str) -> None:
    headers: list[tuple[str, bytes]] = []
    tracium.queues.inject(headers)
    await producer.send_and_wait(TOPIC, order.encode(), headers=headers)


async def process(record: ConsumerRecord) -> None:
    position = f"{record.topic}.{record.partition}.{record.offset}"
    with (
        tracium.queues.message(record.headers, destination=record.topic, system="kafka", message_id=position),
        tracium.start_trace(agent_name="packer") as run,
        run.span("tool", "pack_order"),
    ):
        await asyncio.sleep(0.05)  # the model
        print(f"{record.value.decode()}: for {tracium.get_current_tenant() or 'nobody'}")


async def consume(consumer: AIOKafkaConsumer, count: int) -> None:
    while count > 0:
        batches = await consumer.getmany(timeout_ms=1000, max_records=10)
        records = [record for batch in batches.values() for record in batch]
        async with asyncio.TaskGroup() as tasks:
            for record in records:
                tasks.create_task(process(record))
        count -= len(records)


async def main() -> None:
    async with AIOKafkaProducer(bootstrap_servers=KAFKA) as producer:
        for customer, order in (("acme", "order 1"), ("globex", "order 2"), ("acme", "order 3")):
            with tracium.tenant(customer), tracium.start_trace(agent_name="shop"):
                await send(producer, order)
        await send(producer, "order 4")
    async with AIOKafkaConsumer(TOPIC, bootstrap_servers=KAFKA, auto_offset_reset="earliest") as consumer:
        await consume(consumer, 4)


if __name__ == "__main__":
    asyncio.run(main())
