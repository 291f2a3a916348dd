"""libskeinclient as an application gets it: compiled and linked with what pkg-config prints, and run."""
import os
import re
import subprocess
import sys

import pytest

from conftest import ROOT

DRIVER = ROOT / "tests" / "integration" / "libclient" / "driver.c"
SUITES = sorted((ROOT / "tests" / "integration").glob("libclient_*test.py"))
SUITES_S = 15 * 60
API = """
#include <skein_client.h>

int main(void)
{
	struct skein_options options = {};
	struct skein_net *net = skein_net_new(uv_default_loop(), "/nowhere");
	struct skein_client *client = skein_client_new(net, &options); /* without anything that is required */
	json_t *message = json_object();

	skein_net_close(net, NULL, NULL);
	uv_run(uv_default_loop(), UV_RUN_DEFAULT);
	json_decref(message);
	return client != NULL;
}
"""


def output_of(*words, **options):
    done = subprocess.run(list(map(str, words)), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=120, check=False, **options)
    assert done.returncode == 0, f"{' '.join(map(str, words))}: {done.stdout}"
    return done.stdout


def pkg_config(installed, *words):
    path = f"{installed}/lib/pkgconfig"
    return output_of("pkg-config", *words, "skein-client", env={**os.environ, "PKG_CONFIG_PATH": path}).split()


def declared(header):
    return set(re.findall(r"\b(skein_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)))


def defined(library, *options):
    return {line.split()[-1] for line in output_of("nm", "--defined-only", "--extern-only", *options, library).splitlines() if " " in line}


def needed(program):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", output_of("readelf", "--dynamic", program))


def test_each_library_exports_the_functions_of_the_header_and_nothing_else(installed):
    functions = declared((installed / "include/skein_client.h").read_text())
    assert len(functions) == 9
    shared = defined(installed / "lib/libskeinclient.so.0", "--dynamic", "--with-symbol-versions")
    assert {name for name in shared if not name.startswith("SKEINCLIENT")} == {f"{name}@@SKEINCLIENT_0" for name in functions}
    assert defined(installed / "lib/libskeinclient.a") == functions


def test_the_shared_library_names_itself_and_its_libraries(installed):
    library = installed / "lib/libskeinclient.so.0"
    dynamic = output_of("readelf", "--dynamic", library)
    assert "Library soname: [libskeinclient.so.0]" in dynamic
    assert "TEXTREL" not in dynamic
    assert os.readlink(installed / "lib/libskeinclient.so") == library.name
    own = {re.sub(r"\.so.*", "", name) for name in needed(library)} - {"libc", "ld-linux-x86-64"}
    assert own == {"libcurl", "libjansson", "libuv", "libcrypto"}


def test_pkg_config_tells_the_version_and_the_flags(installed):
    version, = pkg_config(installed, "--modversion")
    assert re.match(r"\d", version)
    assert pkg_config(installed, "--cflags") == [f"-I{installed}/include"]
    libraries = pkg_config(installed, "--libs")  # those that libuv asks for come behind
    assert libraries[:4] == [f"-L{installed}/lib", "-lskeinclient", "-ljansson", "-luv"]
    assert set(pkg_config(installed, "--static", "--libs")) - set(libraries) == {"-lcurl", "-lcrypto"}


@pytest.mark.parametrize("compiler, language", [("gcc", "c"), ("g++", "c++")])
def test_the_header_compiles_alone_without_a_warning_and_the_api_says_what_is_missing(installed, tmp_path, compiler, language):
    program = tmp_path / "api"
    output_of(compiler, "-x", language, "-Wall", "-Wextra", "-Werror", "-o", program, "-", *pkg_config(installed, "--cflags", "--libs"), input=API)
    output_of(program, env={**os.environ, "LD_LIBRARY_PATH": f"{installed}/lib"})


def linked(installed, folder, libraries):
    """The driver of the library's tests, compiled against what is installed: its #include has another folder's name."""
    (folder / "libclient").mkdir()
    (folder / "libclient/skein_client.h").symlink_to(installed / "include/skein_client.h")
    output_of("cc", "-Wall", "-Werror", f"-I{folder}", *pkg_config(installed, "--cflags"), "-o", folder / "client_driver", DRIVER, *libraries)
    return folder / "client_driver"


def shared(installed):
    return pkg_config(installed, "--libs")


def static(installed):
    """As docs/build/client.md says: the archive by its name, in the place of -lskeinclient."""
    return [word.replace("-lskeinclient", "-l:libskeinclient.a") for word in pkg_config(installed, "--static", "--libs")]


@pytest.mark.parametrize("libraries", [shared, static])
def test_a_program_over_the_installed_library_passes_the_tests_of_the_client(installed, tmp_path, libraries):
    """They play a server, errors included: gaps, refused tokens, broken connections, servers that are gone."""
    driver = linked(installed, tmp_path, libraries(installed))
    assert ("libskeinclient.so.0" in needed(driver)) == (libraries is shared)
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *SUITES], text=True, timeout=SUITES_S,
                          env={**os.environ, "BIN": str(tmp_path), "LD_LIBRARY_PATH": f"{installed}/lib"}, cwd=ROOT,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout[-6000:]
    passed = int(re.search(r"(\d+) passed", done.stdout).group(1))
    print(f"{libraries.__name__}: {passed} tests of the client passed")
    assert passed >= 40 and "skipped" not in done.stdout
