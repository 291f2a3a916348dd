"""The files of deploy/ that no program here reads in other tests: their form, and that what they name exists."""
import json
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SETTING = re.compile(r"\$\{(\w+):-([^}]*)\}")


def test_the_compose_file_fits_the_schema_of_docker_compose(tmp_path):
    if not shutil.which("docker-compose"):
        pytest.skip("docker-compose is not installed")
    settings = tmp_path / "env"
    settings.touch()
    done = subprocess.run(["docker-compose", "--env-file", settings, "config"], cwd=ROOT, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=60, check=False)
    assert done.returncode == 0, done.stdout
    assert "version" not in COMPOSE  # compose v2 says that it is obsolete


def test_the_example_of_settings_lists_each_setting_with_its_default():
    used = dict(SETTING.findall((ROOT / "docker-compose.yml").read_text()))
    lines = [line for line in (ROOT / ".env.example").read_text().splitlines() if line and not line.startswith("#")]
    assert dict(line.split("=", 1) for line in lines) == used


def test_the_version_of_kafka_is_that_of_the_local_cluster():
    pom = (ROOT / "deploy" / "local" / "kafka" / "pom.xml").read_text()
    version = re.search(r"<artifactId>kafka_2.13</artifactId>\s*<version>([^<]+)<", pom).group(1)
    assert COMPOSE["services"]["kafka"]["image"] == f"apache/kafka:${{SKEIN_KAFKA_VERSION:-{version}}}"


def test_the_grace_periods_fit_the_drains():
    """Each is longer than the service's drain.timeout; the gateway's leaves 3 s for clients that stay and some for the rest."""
    page = (ROOT / "docs" / "operate" / "configuration.md").read_text()
    for service, more_s in (("gateway", 5), ("im", 5), ("push", 5), ("router", 2)):
        section = page.split(f"\n## {service}\n")[1].split("\n## ")[0]
        drain_s = int(re.search(r"`drain.timeout`.*\| (\d+)s \|", section).group(1))
        assert int(COMPOSE["services"][service]["stop_grace_period"].rstrip("s")) >= drain_s + more_s


def test_haproxy_takes_its_configuration():
    if not shutil.which("haproxy"):
        pytest.skip("haproxy is not installed; compose_test runs it in a container")
    subprocess.run(["haproxy", "-c", "-q", "-f", ROOT / "deploy" / "docker" / "haproxy.cfg"], check=True, timeout=30)


def test_the_dashboard_and_prometheus_name_what_exists():
    dashboard = json.loads((ROOT / "deploy" / "grafana" / "dashboards" / "skein.json").read_text())
    source = "".join(path.read_text() for folder in ("services", "libcommon") for path in (ROOT / folder).rglob("*.c"))
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(ids) == len(set(ids))
    named = 0
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            for metric in re.findall(r"\bskein_[a-z_]+", target["expr"]):
                named += 1
                assert f'"{re.sub("_bucket$", "", metric)}"' in source or metric == "skein_", f"{panel['title']}: {metric}"
    assert named > 20
    datasource, = yaml.safe_load((ROOT / "deploy/grafana/provisioning/datasources/prometheus.yml").read_text())["datasources"]
    assert all(panel["datasource"]["uid"] == datasource["uid"] for panel in dashboard["panels"] if "targets" in panel)
    provider, = yaml.safe_load((ROOT / "deploy/grafana/provisioning/dashboards/skein.yml").read_text())["providers"]
    assert any(volume.split(":")[1] == provider["options"]["path"] for volume in COMPOSE["services"]["grafana"]["volumes"])
    prometheus = yaml.safe_load((ROOT / "deploy" / "prometheus" / "prometheus.yml").read_text())
    for job in prometheus["scrape_configs"]:
        found, = job["dns_sd_configs"]
        assert found["names"] == [job["job_name"]] and job["job_name"] in COMPOSE["services"] and found["port"] == 9100
