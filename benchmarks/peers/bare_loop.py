"""The least that any collector must do: fetch, cut records out as JSON, push; no memory, no state, no retry.

Called as `python bare_loop.py API_URL INTAKE_URL`. One thread fetches while the other one pushes. What it reaches is
the upper bound for a connector in Python.
"""

import queue
import sys
import threading

import msgspec
import urllib3


class _Page(msgspec.Struct):
    items: list[msgspec.Raw]
    next_cursor: str | None


def fetch(api: str, pages: "queue.Queue[list[msgspec.Raw] | None]") -> None:
    """Put the records of each page into the queue, and None after the last one."""
    pool = urllib3.PoolManager()
    decoder = msgspec.json.Decoder(_Page)
    cursor: str | None = ""
    while cursor is not None:
        answer = pool.request("GET", f"{api}?limit=1000" + (f"&cursor={cursor}" if cursor else ""))
        page = decoder.decode(answer.data)
        pages.put(page.items)
        cursor = page.next_cursor
    pages.put(None)


def push(intake: str, pages: "queue.Queue[list[msgspec.Raw] | None]") -> None:
    """Push each page of the queue in one request."""
    pool = urllib3.PoolManager()
    encoder = msgspec.json.Encoder()
    headers = {"Content-Type": "application/json"}
    while (records := pages.get()) is not None:
        if records:
            events = [str(record, "utf-8") for record in records]
            body = encoder.encode({"intake_key": "benchmark", "jsons": events})
            pool.request("POST", f"{intake}/batch", body=body, headers=headers)


def main(api: str, intake: str) -> None:
    """Run both threads to the end."""
    pages: queue.Queue[list[msgspec.Raw] | None] = queue.Queue(maxsize=2)
    fetching = threading.Thread(target=fetch, args=(api, pages))
    fetching.start()
    push(intake, pages)
    fetching.join()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
