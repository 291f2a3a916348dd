"""The check of links and paths finds what is broken, and passes what is right."""
import documents


def links(tmp_path, text):
    path = tmp_path / "page.md"
    path.write_text(text)
    documents.anchors.cache_clear()
    return list(documents.broken_links(path, text))


def paths(text, folder=documents.ROOT):
    return sorted(documents.missing_paths(folder, text))


def test_a_link_to_a_missing_file_is_found(tmp_path):
    assert links(tmp_path, "[there](nowhere.md)") == ["the link to nowhere.md leads nowhere"]


def test_a_link_to_a_missing_heading_is_found(tmp_path):
    assert links(tmp_path, "# One\n[there](#two)") == ["the link to #two: page.md has no such heading"]


def test_a_heading_inside_a_code_block_is_no_anchor(tmp_path):
    assert len(links(tmp_path, "```sh\n# two\n```\n[there](#two)")) == 1


def test_links_to_files_headings_and_other_hosts_pass(tmp_path):
    (tmp_path / "other.md").write_text("## Who is it, really?\n")
    assert not links(tmp_path, "# Here\n[a](other.md#who-is-it-really) [b](#here) [c](https://example.com/x) [d](page.md)")


def test_a_missing_path_is_found_however_it_is_written():
    assert paths("`services/im/nothing.c`") == ["there is no services/im/nothing.c"]
    assert paths("see tests/none/README.md.") == ["there is no tests/none/README.md"]
    assert paths("`im/http/nothing.h`") == ["there is no im/http/nothing.h"]
    assert paths("`no_such_file.c`") == ["no folder has a file no_such_file.c"]


def test_each_alternative_of_a_path_is_looked_up():
    assert paths("libcommon/{base,nothing}/") == ["there is no libcommon/nothing/"]


def test_existing_paths_globs_and_placeholders_pass():
    assert not paths("`services/im/main.c`, libcommon/{base,loop}/, `net/jwt.h`, tests/lint/*.py, tests/fuzz/NAME_fuzz.c, `main.c`")


def test_a_path_may_start_at_the_folder_of_its_document():
    assert not paths("`lib/settings.sh`", documents.ROOT / "deploy" / "local")
    assert paths("`lib/settings.sh`") == ["there is no lib/settings.sh"]


def test_a_metric_that_no_service_has_is_found():
    assert list(documents.missing_metrics("`skein_im_no_such_total{status}` grows")) == ["there is no metric skein_im_no_such_total"]
    assert not list(documents.missing_metrics("`skein_im_entries_total`, skein_push_append_seconds_sum, skein_gateway_*"))


def test_a_short_name_of_a_metric_that_no_service_has_is_found():
    assert not list(documents.missing_metrics("| `skein_im_unsettled_sends`, `_bytes`, `_age_seconds` |"))
    assert not list(documents.missing_metrics('`skein_gateway_queue_bytes`, `closes_total{code="4004"}`'))
    assert list(documents.missing_metrics("`skein_im_unsettled_sends`, `_weight`")) == \
        ["there is no metric _weight beside skein_im_unsettled_sends"]
    assert list(documents.missing_metrics("`skein_push_slim` and `closes_total`")) == ["there is no metric closes_total beside skein_push_slim"]
    assert not list(documents.missing_metrics("`_weight` and `closes_total`, without a metric")), "these may be anything"


def test_the_configuration_of_the_cluster_is_looked_at(monkeypatch, tmp_path):
    monkeypatch.setattr(documents, "ROOT", tmp_path)
    documents.metrics.cache_clear()
    monkeypatch.setattr(documents, "tracked", list)
    for folder, file in ("deploy", "alerts.yaml"), ("docs", "page.yaml"), ("docs/operate", "page.md"):
        name = f"{folder}/{file}"
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("expr: skein_im_gone_total > 0\n")
        assert list(documents.wrong_references(name)) == ["there is no metric skein_im_gone_total"]
    documents.metrics.cache_clear()
