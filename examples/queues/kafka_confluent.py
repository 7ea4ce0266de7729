"""Kafka with confluent-kafka: each order is packed for the customer who sent it.

Run it; spans go to http://localhost:4318, where `tracium serve` listens, or to TRACIUM_ENDPOINT:

    pip install "tracium[kafka]" confluent-kafka
    export KAFKA=localhost:9092
    python kafka_confluent.py

What it shows: two calls. `inject` writes the tenant and the trace of the moment into the headers, `message` makes what is
done with one message a request of its own, also in a batch: the order that nobody sent comes last, and has no tenant.
"""

import os

from confluent_kafka import Consumer, Message, Producer

import tracium

tracium.trace()

KAFKA = os.environ.get("KAFKA", "localhost:9092")
TOPIC = "orders"


def send(producer: Producer, order: str) -> None:
    # A list, and not a dict: OpenTelemetry's instrumentation adds to the one, and overwrites in the other.
    headers: list[tuple[str, bytes]] = []
    tracium.queues.inject(headers)
    producer.produce(TOPIC, order.encode(), headers=headers)


def process(record: Message) -> None:
    position = f"{record.topic()}.{record.partition()}.{record.offset()}"
    with (
        tracium.queues.message(record.headers(), destination=record.topic(), system="kafka", message_id=position),
        tracium.start_trace(agent_name="packer") as run,
        run.span("tool", "pack_order"),
    ):
        print(f"{record.value().decode()}: for {tracium.get_current_tenant() or 'nobody'}")


def consume(consumer: Consumer, count: int) -> None:
    while count > 0:
        for record in consumer.consume(num_messages=10, timeout=1):
            if record.error() is None:
                process(record)
                count -= 1


def main() -> None:
    producer = Producer({"bootstrap.servers": KAFKA})
    for customer, order in (("acme", "order 1"), ("globex", "order 2"), ("acme", "order 3")):
        with tracium.tenant(customer), tracium.start_trace(agent_name="shop"):
            send(producer, order)
    send(producer, "order 4")
    producer.flush()

    consumer = Consumer({"bootstrap.servers": KAFKA, "group.id": "packers", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    consume(consumer, 4)
    consumer.close()


if __name__ == "__main__":
    main()
