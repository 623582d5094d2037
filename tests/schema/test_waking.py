"""No ring is lost, and several are one."""

import threading

from schema.waking import Wake

_ROUNDS = 2_000
_SOON_S = 30


def test_a_ring_before_the_wait_is_heard() -> None:
    wake = Wake()
    wake.ring()
    wake.ring()
    wake.wait()
    later = threading.Timer(0.05, wake.ring)
    later.start()
    wake.wait()  # for the later one: two were one
    later.join()


def test_what_is_said_before_a_ring_is_known_after_the_wait() -> None:
    wake, said, heard = Wake(), [0, 0], threading.Event()

    def speak(place: int) -> None:
        for _ in range(_ROUNDS):
            said[place] += 1
            wake.ring()

    def listen() -> None:
        while said != [_ROUNDS, _ROUNDS]:
            wake.wait()
        heard.set()

    threads = [threading.Thread(target=speak, args=(place,)) for place in (0, 1)]
    threads.append(threading.Thread(target=listen, daemon=True))
    for thread in threads:
        thread.start()
    assert heard.wait(_SOON_S)
