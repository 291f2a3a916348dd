"""The table of options, from docs/operate/configuration.md, which `make docs` writes from the services' own tables."""
import functools
import re

from manifests import ROOT, SERVICES

ROW = re.compile(r"^\| `([a-z_.]+)` \| `(SKEIN_\w+)`(, `_FILE`)? \| ([^|]*(?:\\\|[^|]*)*) \| ([^|]*) \|", re.MULTILINE)
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
TIMES_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


class Option:
    def __init__(self, name, variable, is_secret, kind, default):
        self.name, self.variable, self.is_secret, self.kind, self.default = name, variable, is_secret, kind, default

    @property
    def is_required(self):
        return self.default == "required"

    def takes(self, value):
        """Whether the service takes this text. What a name or an address means is not looked at."""
        kind, _, limits = self.kind.partition(", ")
        if not limits:
            return value in (("on", "off", "true", "false") if self.kind == "on\\|off" else self.kind.split("\\|"))
        least, most = limits.removesuffix(" bytes").split(" to ")
        read = {"number": int, "size": size, "duration": duration_ms, "text": lambda text: len(text.encode())}[kind]
        limit = int if kind == "text" else read
        try:
            return limit(least) <= read(value) <= limit(most)
        except (ValueError, KeyError):
            return False


def size(text):
    number, unit = re.fullmatch(r"(\d+)([kmg]?)", text).groups() if re.fullmatch(r"\d+[kmg]?", text) else (text, "?")
    return int(number) * UNITS[unit]


def duration_ms(text):
    if text == "0":
        return 0
    match = re.fullmatch(r"(\d+)(ms|s|m|h|d)", text)
    if not match:
        raise ValueError(text)
    return int(match.group(1)) * TIMES_MS[match.group(2)]


@functools.cache
def table(service):
    """SKEIN_NAME: Option."""
    page = (ROOT / "docs" / "operate" / "configuration.md").read_text()
    section = page.split(f"\n## {service}\n")[1].split("\n## ")[0]
    found = {variable: Option(name, variable, bool(file), kind, default) for name, variable, file, kind, default in ROW.findall(section)}
    assert len(found) == section.count("\n| `") > 10
    return found


def value(service, environment, variable):
    return environment.get(variable, table(service)[variable].default)


assert all(table(service) for service in SERVICES)
