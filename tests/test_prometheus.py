from prometheus_client.parser import text_string_to_metric_families

from pymesh.prometheus import bound_texts, family_lines, histogram_lines, label_text, sample_line


def test_a_histogram_is_cumulative_and_has_a_sum_and_a_count() -> None:
    lines = histogram_lines("h", 'a="1"', bound_texts((0.5, 10.0)), (1, 0, 2), 35.25)
    assert "".join(lines) == (
        'h_bucket{a="1",le="0.5"} 1\nh_bucket{a="1",le="10"} 1\nh_bucket{a="1",le="+Inf"} 3\n'
        'h_sum{a="1"} 35.25\nh_count{a="1"} 3\n'
    )


def test_a_histogram_without_labels_has_its_bounds_only() -> None:
    assert next(iter(histogram_lines("h", "", bound_texts(()), (1,), 0.0))) == 'h_bucket{le="+Inf"} 1\n'


def test_large_totals_keep_their_digits() -> None:
    assert sample_line("bytes_total", "", 2**53 - 1) == "bytes_total 9007199254740991\n"


def test_prometheus_reads_back_what_was_escaped() -> None:
    value, description = 'quote " backslash \\ line\nend', "a \\ and a\nline"
    text = family_lines("g", "gauge", description) + sample_line("g", label_text(("a", "b"), (value, "")), 1)
    (family,) = text_string_to_metric_families(text)
    assert family.documentation == description
    assert family.samples[0].labels == {"a": value, "b": ""}
