"""The defaults of the options fit together: services that are started on one machine with only what is required do not
collide, and find each other. Read from docs/operate/configuration.md, which `make lint` compares with the services' tables."""
import collections
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "operate" / "configuration.md"
ROW = re.compile(r"^\| `([\w.]+)` \|(?:[^|\\]|\\\|)*\|(?:[^|\\]|\\\|)*\| ((?:[^|\\]|\\\|)*) \|")
# An option that names where another service listens.
TARGETS = {"router.targets": ("router", "grpc.listen"), "im.targets": ("im", "grpc.listen")}


def defaults(text):
    """{service: {option: default}}; an option that is required has none."""
    found, service = collections.defaultdict(dict), None
    for line in text.splitlines():
        if line.startswith("## "):
            service = line[3:]
        match = ROW.match(line)
        if match and match[2] != "required":
            found[service][match[1]] = match[2]
    return dict(found)


def collisions(found):
    """Ports that two options listen on."""
    used = collections.defaultdict(list)
    for service, options in found.items():
        for name, value in options.items():
            if name.endswith(".listen"):
                used[value.rsplit(":", 1)[1]].append(f"{service} {name}")
    return {port: names for port, names in used.items() if len(names) > 1}


def strays(found):
    """Options that do not name the port where that service listens."""
    for service, options in found.items():
        for name, (other, listen) in TARGETS.items():
            if name in options and options[name] != found[other][listen]:
                yield f"{service} {name} is {options[name]}, {other} {listen} {found[other][listen]}"


def disagreements(found):
    """Stores, and limits of inboxes, for which two services have different defaults."""
    values = collections.defaultdict(set)
    for options in found.values():
        for name, value in options.items():
            if name.startswith("inbox.") or name in ("pg.uri", "redis.uri", "kafka.brokers"):
                values[name].add(value)
    return {name: found for name, found in values.items() if len(found) > 1}


def test_the_page_has_the_options_of_the_four_services():
    found = defaults(PAGE.read_text())
    assert set(found) == {"gateway", "im", "push", "router"}
    assert sum(name.endswith(".listen") for options in found.values() for name in options) >= 5
    assert found["im"]["http.listen"] == "127.0.0.1:8080" and found["gateway"]["log.level"] == "info"
    assert all(name in found["gateway"] for name in TARGETS)


def test_no_two_services_listen_on_one_port():
    assert collisions(defaults(PAGE.read_text())) == {}


def test_the_services_find_each_other():
    assert list(strays(defaults(PAGE.read_text()))) == []


def test_the_services_agree_on_their_stores_and_inboxes():
    assert disagreements(defaults(PAGE.read_text())) == {}


def test_what_does_not_fit_is_found():
    found = {"im": {"grpc.listen": "127.0.0.1:9301", "redis.uri": "a"}, "gateway": {"grpc.listen": "0.0.0.0:9301", "redis.uri": "b",
             "im.targets": "127.0.0.1:9201", "router.targets": "127.0.0.1:9401"}, "router": {"grpc.listen": "127.0.0.1:9401"}}
    assert collisions(found) == {"9301": ["im grpc.listen", "gateway grpc.listen"]}
    assert list(strays(found)) == ["gateway im.targets is 127.0.0.1:9201, im grpc.listen 127.0.0.1:9301"]
    assert disagreements(found) == {"redis.uri": {"a", "b"}}
