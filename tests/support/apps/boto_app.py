"""boto3 against a server on loopback that plays AWS; what went over the wire, and what came back, is printed as JSON."""

from __future__ import annotations

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

import boto3
from botocore.config import Config
from opentelemetry.trace import get_tracer

import tracium

wire = []
queue = []


class Aws(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        action = self.headers.get("X-Amz-Target", self.path).rpartition(".")[2]
        if body.startswith("Action="):
            action = parse_qs(body)["Action"][0]
        wire.append({"action": action, "headers": [list(pair) for pair in self.headers.items()], "body": body})
        answer = self.answer(action, body).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def answer(self, action, body):
        if action.startswith("Publish"):
            return f"<{action}Response><{action}Result><MessageId>1</MessageId></{action}Result></{action}Response>"
        asked = json.loads(body) if body.startswith("{") else {}
        if action == "SendMessage":
            queue.append(asked)
        if action == "SendMessageBatch":
            queue.extend(asked["Entries"])
        if action != "ReceiveMessage":
            return json.dumps({"MessageId": "1", "Successful": [], "Failed": []})
        taken, queue[:] = list(queue), []
        names = asked.get("MessageAttributeNames", [])
        messages = [
            {
                "MessageId": str(number),
                "Body": message["MessageBody"],
                "MessageAttributes": {
                    name: value for name, value in message.get("MessageAttributes", {}).items() if name in names
                },
            }
            for number, message in enumerate(taken)
        ]
        return json.dumps({"Messages": messages})


def client(name, url):
    return boto3.client(
        name,
        endpoint_url=url,
        region_name="eu-west-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"max_attempts": 1}),
    )


def text(value):
    return {"DataType": "String", "StringValue": value}


def send(url, told):
    sqs, sns = client("sqs", url), client("sns", url)
    mine = {"color": text("red"), "baggage": text("a=b,tenant.id=somebody")}
    entries = [{"Id": "1", "MessageBody": "b1"}, {"Id": "2", "MessageBody": "b2", "MessageAttributes": mine}]
    sqs.send_message(QueueUrl=f"{url}/1/q", MessageBody="one", MessageAttributes=mine)
    sqs.send_message_batch(QueueUrl=f"{url}/1/q", Entries=entries)
    full = {f"a{number}": text("x") for number in range(9)}
    sqs.send_message(QueueUrl=f"{url}/1/q", MessageBody="full", MessageAttributes=full)
    sns.publish(TopicArn="arn:aws:sns:eu-west-1:1:t", Message="m", MessageAttributes=mine)
    sns.publish_batch(TopicArn="arn:aws:sns:eu-west-1:1:t", PublishBatchRequestEntries=[{"Id": "1", "Message": "m"}])
    sns.publish(PhoneNumber="+100", Message="m")
    told["unchanged"] = [sorted(mine), [sorted(entry) for entry in entries]]


def receive(url, told):
    sqs = client("sqs", url)
    told["received"] = []
    for each in sqs.receive_message(QueueUrl=f"{url}/1/q", MaxNumberOfMessages=10)["Messages"]:
        with tracium.queues.message(each.get("MessageAttributes"), destination="q") as span:
            trace_id = f"{span.get_span_context().trace_id:032x}"
            told["received"].append([each["Body"], tracium.get_current_tenant(), trace_id])
    told["after"] = tracium.get_current_tenant()


def call_others(url):
    client("lambda", url).invoke(FunctionName="f", Payload=json.dumps({"headers": {"x": "1"}}))
    client("kinesis", url).put_record(StreamName="s", Data=b"d", PartitionKey="p")
    client("events", url).put_events(Entries=[{"Source": "s", "DetailType": "d", "Detail": "{}"}])
    client("bedrock-runtime", url).converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
    client("stepfunctions", url).start_execution(stateMachineArn="arn:aws:states:eu-west-1:1:stateMachine:m")


if __name__ == "__main__":
    tracium.trace()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Aws)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    result, address = {}, f"http://127.0.0.1:{server.server_port}"
    with tracium.tenant("acme"), get_tracer("app").start_as_current_span("work") as work:
        result["trace"] = f"{work.get_span_context().trace_id:032x}"
        send(address, result)
        call_others(address)
    receive(address, result)
    sys.stdout.write(json.dumps(result | {"wire": wire}))
    tracium.shutdown()
