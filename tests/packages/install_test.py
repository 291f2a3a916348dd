"""`make install` and `make uninstall`, and that the packages have the same files."""
import os
import pathlib
import subprocess

from conftest import ROOT, make

DEBIAN = ["PREFIX=/usr", "UNITDIR=/lib/systemd/system"]


def files_below(folder):
    return sorted("/" + str(path.relative_to(folder)) for path in pathlib.Path(folder).rglob("*") if path.is_symlink() or path.is_file())


def listed(*settings):
    return make("list-installed", *settings).splitlines()


def test_install_puts_below_destdir_what_the_list_says_and_uninstall_leaves_no_file(tmp_path):
    make("install", f"DESTDIR={tmp_path}")
    found = files_below(tmp_path)
    assert found == listed()
    assert all(name.startswith("/usr/local/") for name in found)
    assert len(found) > 40
    programs = [name for name in found if os.access(f"{tmp_path}{name}", os.X_OK) and "/lib/" not in name]
    assert programs == ["/usr/local/bin/skeinctl",
                        *(f"/usr/local/sbin/skein-{service}" for service in ("gateway", "im", "push", "router"))]
    make("uninstall", f"DESTDIR={tmp_path}")
    assert files_below(tmp_path) == []
    assert [path for path in tmp_path.rglob("*") if "skein" in path.name] == [], "no folder of ours is left"


def test_each_folder_can_be_chosen(tmp_path):
    folders = {name: f"/chosen/{name.lower()}" for name in (
        "BINDIR", "SBINDIR", "LIBDIR", "INCLUDEDIR", "SYSCONFDIR", "MANDIR", "DOCDIR", "PKGCONFIGDIR", "UNITDIR", "SYSUSERSDIR",
        "COMPLETIONSDIR")}
    settings = [f"DESTDIR={tmp_path}", *(f"{name}={folder}" for name, folder in folders.items())]
    make("install", *settings)
    found = files_below(tmp_path)
    assert found == listed(*settings)
    for folder in folders.values():
        assert any(name.startswith(folder + "/") for name in found), folder
    assert all(name.startswith("/chosen/") for name in found)
    unit = (tmp_path / "chosen/unitdir/skein-im.service").read_text()
    assert "ExecStart=/chosen/sbindir/skein-im --config /chosen/sysconfdir/skein/im.conf\n" in unit
    assert "ConditionPathExists=/chosen/sysconfdir/skein/secrets/jwt\n" in unit
    assert "@" not in unit
    assert str(tmp_path) not in unit, "DESTDIR is of the installation only"


def test_configuration_that_an_administrator_changed_survives_install_and_uninstall(tmp_path):
    make("install", f"DESTDIR={tmp_path}")
    changed = tmp_path / "usr/local/etc/skein/im.conf"
    changed.write_text("node.name = mine\n")
    make("install", f"DESTDIR={tmp_path}")
    assert changed.read_text() == "node.name = mine\n"
    output = make("uninstall", f"DESTDIR={tmp_path}")
    assert files_below(tmp_path) == ["/usr/local/etc/skein/im.conf"]
    assert output == f"uninstall: {changed} was changed and stays\n"


def test_the_packages_have_the_same_files_as_make_install(packages):
    """Besides those that every Debian package has, and manual pages, which are compressed."""
    found = set()
    for name, package in packages.items():
        if name.endswith("-dbgsym"):
            continue
        listing = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], stdout=subprocess.PIPE, check=True).stdout
        names = subprocess.run(["tar", "-tf", "-"], input=listing, stdout=subprocess.PIPE, check=True).stdout.decode().splitlines()
        found |= {path.removeprefix(".").removesuffix(".gz") if "/man/" in path else path.removeprefix(".")
                  for path in names if not path.endswith("/")}
    multiarch = subprocess.run(["dpkg-architecture", "-qDEB_HOST_MULTIARCH"], text=True, stdout=subprocess.PIPE, check=True).stdout.strip()
    of_debian = {f"/usr/share/doc/{name}/{file}" for name in packages for file in ("changelog.gz", "copyright")} | \
        {"/usr/share/lintian/overrides/skein"}
    assert found - of_debian == set(listed(*DEBIAN, f"LIBDIR=/usr/lib/{multiarch}"))


def test_the_version_of_a_package_sorts_as_the_commits_do():
    def version(described):
        return subprocess.run([ROOT / "mk" / "package-version", described, "20260131"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False)
    cases = {"0123456": "0~git20260131.0123456", "v1.2.3-rc1": "1.2.3~rc1", "v1.2.3-rc1-4-gabcdef01": "1.2.3~rc1+4.gabcdef01",
             "v1.2.3": "1.2.3", "v1.2.3-dirty": "1.2.3+0.dirty", "v1.2.3-4-gabcdef01": "1.2.3+4.gabcdef01",
             "v1.2.3-4-gabcdef01-dirty": "1.2.3+4.gabcdef01.dirty", "v1.2.3-12-gabcdef01": "1.2.3+12.gabcdef01", "v1.2.4": "1.2.4", "v1.10": "1.10"}
    previous = "0~"
    for described, expected in cases.items():
        done = version(described)
        assert (done.returncode, done.stdout) == (0, expected + "\n")
        assert subprocess.run(["dpkg", "--compare-versions", previous, "lt", expected], check=False).returncode == 0, expected
        previous = expected
    for wrong in ("unknown", "dev", "v1", "feature/x", ""):
        assert version(wrong).returncode == 1


def test_sources_without_a_version_are_not_installed(tmp_path):
    done = subprocess.run(["make", "-s", "-C", ROOT, "install", f"DESTDIR={tmp_path}", "PACKAGE_VERSION="], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode != 0 and "install: these sources have no version: give PACKAGE_VERSION=1.2.3" in done.stdout
    assert files_below(tmp_path) == []
