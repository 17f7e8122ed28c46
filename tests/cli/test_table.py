from pymesh.cli.table import format_table


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks() -> None:
    assert list(format_table([("NAME", "TYPE", ""), ("payment-v1", "a", ""), ("b", "sidecar", "x")])) == [
        "NAME         TYPE",
        "payment-v1   a",
        "b            sidecar   x",
    ]
