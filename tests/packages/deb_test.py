"""The Debian packages as files: Debian's own rules, what they depend on, and that a second build gives the same bytes."""
import hashlib
import re
import shutil
import subprocess

from conftest import BUILD_S, ROOT

NAMES = {"skein", "skein-dbgsym", "libskeinclient0", "libskeinclient0-dbgsym", "libskeinclient-dev"}
UNITS = [f"skein-{service}{at}.service" for service in ("gateway", "im", "push", "router") for at in ("", "@")] + \
    ["skein-migrate.service", "skein.target"]


def output_of(*words, **options):
    return subprocess.run(list(map(str, words)), text=True, stdout=subprocess.PIPE, check=True, **options).stdout


def field(package, name):
    return output_of("dpkg-deb", "--field", package, name).strip()


def test_lintian_finds_neither_an_error_nor_a_warning(packages):
    assert set(packages) == NAMES
    changes, = (ROOT / "build" / "deb").glob("*.changes")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error,warning", changes], text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=600, check=False)
    assert done.returncode == 0 and not re.search("^[EW]:", done.stdout, re.MULTILINE), done.stdout


def test_skein_depends_on_every_library_that_the_programs_load(packages):
    depends = field(packages["skein"], "Depends")
    # libwebsockets opens the first by its name; the units call kill of the second; systemd makes the user.
    for name in ("libwebsockets-evlib-uv", "procps", "libwebsockets17", "libmicrohttpd12", "librdkafka1", "libpq5", "libgrpc29", "libcurl4", "systemd"):
        assert re.search(rf"(^|[ ,]){re.escape(name)}\b", depends), f"{name} is not in: {depends}"
    assert field(packages["libskeinclient-dev"], "Depends").startswith(f"libskeinclient0 (= {field(packages['skein'], 'Version')})")


def test_only_the_configuration_is_a_conffile_and_it_has_no_secret(packages, tmp_path):
    assert output_of("dpkg-deb", "--info", packages["skein"], "conffiles").split() == \
        [f"/etc/skein/{service}.conf" for service in ("gateway", "im", "push", "router")]
    output_of("dpkg-deb", "--extract", packages["skein"], tmp_path)
    for path in (tmp_path / "etc/skein").iterdir():
        assert not re.search(r"^\s*(auth\.secret|pg\.uri)|password *=", path.read_text(), re.MULTILINE)
    owners = {line.split()[1] for line in output_of("dpkg-deb", "--contents", packages["skein"]).splitlines()}
    assert owners == {"root/root"}


def test_a_first_installation_starts_and_enables_nothing(packages):
    script = output_of("dpkg-deb", "--info", packages["skein"], "postinst")
    assert "systemd-sysusers" in script
    assert re.findall(r"deb-systemd-invoke (\S+)", script) == ["daemon-reload", "try-restart"]
    assert script.index('if [ -n "$2" ]') < script.index("try-restart"), "only after an upgrade"
    assert re.findall(r"deb-systemd-helper enable", re.sub(r"if deb-systemd-helper debian-installed.*?fi\n", "", script, flags=re.DOTALL)) == []


def test_the_same_sources_give_the_same_bytes_in_another_folder(packages):
    version = field(packages["skein"], "Version")
    described = (ROOT / "build/deb/tree/debian/version").read_text().strip()
    epoch = int((ROOT / "build/deb/tree/debian/rules").stat().st_mtime)
    again = ROOT / "build" / "packages" / "a-second-build"
    try:
        output_of(ROOT / "deploy/debian/build", described, version, epoch, again, timeout=BUILD_S)
        for name, package in packages.items():
            other, = again.glob(f"{name}_*.deb")
            assert hashlib.sha256(other.read_bytes()).digest() == hashlib.sha256(package.read_bytes()).digest(), name
    finally:
        shutil.rmtree(again, ignore_errors=True)
