"""The parts of `full` take turns, and none is left out."""
import datetime
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cluster_suites import sanitizer_reports, selfcheck_cases
from suites import GROUPS, PARTS, SUITES, part_of


def test_each_part_has_its_turn_within_six_days():
    first = datetime.date(2026, 12, 29)  # over the end of a year
    assert {part_of(first + datetime.timedelta(days=i)) for i in range(6)} == set(PARTS)


def test_every_suite_but_coverage_belongs_to_full_once():
    assert sorted(GROUPS["full"]) == sorted(set(SUITES) - {"coverage"})


def test_the_shares_of_the_selfcheck_are_all_its_cases():
    first, second = selfcheck_cases(1, 2), selfcheck_cases(2, 2)
    assert first and second and not set(first) & set(second)
    assert sorted(first + second) == sorted(selfcheck_cases(1, 1))


def test_a_sanitizers_report_is_found_in_any_log(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "im-1.log").write_text("INFO  started\nim/a.c:1:2: runtime error: shift\nmore\n")
    (tmp_path / "logs" / "push-1.log.1").write_text("WARNING: ThreadSanitizer: data race (pid=1)\n")
    (tmp_path / "logs" / "router-1.log").write_text("ERROR error=runtime\n")
    first, second = sanitizer_reports(tmp_path)
    assert first.splitlines() == ["im-1.log", "im/a.c:1:2: runtime error: shift", "more"]
    assert second.startswith("push-1.log.1\nWARNING: ThreadSanitizer")
