"""Frames of the binary subprotocol, read and written in the shape of the JSON subprotocol."""
import importlib
import json
import subprocess
import sys
import tempfile

import cluster
import schemas


def load_protocol():
    """The Python classes of proto/client.proto, made by protoc."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["protoc", f"--proto_path={cluster.ROOT}", f"--python_out={folder}", "proto/client.proto"],
                       cwd=cluster.ROOT, check=True)
        sys.path.insert(0, folder)
        try:
            return importlib.import_module("proto.client_pb2")
        finally:
            sys.path.remove(folder)


pb = load_protocol()


def frame_of_proto(data):
    """A ServerFrame in the shape of the JSON subprotocol."""
    frame = pb.ServerFrame.FromString(data)
    kind = frame.WhichOneof("frame")
    part = getattr(frame, kind)
    values = {field.name: value for field, value in part.ListFields()}
    if kind == "hello":
        values.setdefault("head", "")
    if "msg_id" in values:
        values["msg_id"] = str(values["msg_id"])
    if kind == "ack":
        values.setdefault("duplicate", False)
    if kind == "ok":
        values.setdefault("rid", "")
    if kind == "reconnect":
        values.setdefault("after_ms", 0)
    if kind == "event":
        values.update(schemas.strict_json(values.pop("body", "{}")))
    if kind == "message":
        if "body" in values:
            values["body"] = schemas.strict_json(values["body"])
        if "mentions" in values:
            values["mentions"] = list(values["mentions"])
        values = {"offset": frame.offset, "message": values}
    return {"type": kind, **values}


def frame_to_proto(frame):
    if frame["type"] == "ping":
        return pb.ClientFrame(ping=pb.Ping())
    if frame["type"] == "ack":
        return pb.ClientFrame(ack=pb.AckUpTo(offset=frame["offset"]))
    if frame["type"] in ("read", "typing", "watch"):
        part = {"read": pb.Read, "typing": pb.Typing, "watch": pb.Watch}[frame["type"]]
        return pb.ClientFrame(**{frame["type"]: part(**{name: value for name, value in frame.items() if name != "type"})})
    message = frame["message"]
    return pb.ClientFrame(send=pb.Send(
        rid=frame["rid"], client_msg_id=message["client_msg_id"], to_user=message["to"].get("user", ""),
        to_group=message["to"].get("group", ""), type=message["type"],
        body=json.dumps(message["body"]) if message.get("body") else "", reply_to=message.get("reply_to", 0),
        mentions=message.get("mentions", []), expire_s=message.get("expire_s", 0),
        forward=pb.Forward(**message["forward"]) if "forward" in message else None))
