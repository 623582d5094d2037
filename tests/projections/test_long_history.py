from tests.projections.long_history import compare


def test_fifty_positions_of_ten_thousand_events() -> None:
    assert len(list(compare(10_000, every_exchange=50, every_event=100))) == 50
