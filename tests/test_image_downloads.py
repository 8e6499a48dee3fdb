"""Data sets fetched from a server on this machine: whole and right, or a sentence and nothing left behind."""

from __future__ import annotations

import contextlib
import errno
import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from image_files import cifar_records, gzipped, idx, tar_gz

from laaf_cli.images.data import DATASETS, download, load_images
from laaf_cli.images.data.cifar_sets import make_part
from laaf_cli.images.data.download import CHUNK, fetch
from laaf_cli.images.data.idx import read_idx_images
from laaf_cli.images.data.published import DataSetPart, Form, Piece, PublishedFile, checksum_of
from laaf_cli.images.errors import DataSetError, MissingDataError

RNG = np.random.default_rng(2)
CONTENT = RNG.integers(0, 256, 3 * CHUNK + 17, np.uint8).tobytes()

Answer = Callable[[BaseHTTPRequestHandler], None]


def whole(content: bytes, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def early_end(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(CONTENT)))
    handler.end_headers()
    handler.wfile.write(CONTENT[: 2 * CHUNK])


def no_length(content: bytes) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    while True:
        handler.wfile.write(bytes(CHUNK))


def status(code: int) -> Answer:
    return lambda handler: handler.send_error(code)


def nonsense(handler: BaseHTTPRequestHandler) -> None:
    handler.wfile.write(b"hello\r\n\r\n")


def circle(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", handler.path)
    handler.end_headers()


def elsewhere(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(302)
    handler.send_header("Location", "file:///etc/passwd")
    handler.end_headers()


class Server:
    """Answers by path, and counts what was asked for."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.encodings: set[str | None] = set()
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.encodings.add(self.headers["Accept-Encoding"])
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    server.answers.get(self.path, status(404))(self)

            def log_message(self, *_arguments: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True

    def url(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"http://127.0.0.1:{self.http.server_port}{path}"


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.http.shutdown()
    server.http.server_close()
    thread.join()


def refused_url() -> str:
    """A port of this machine that nobody listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}/x"


def published(
    *urls: str, content: bytes = CONTENT, name: str = "x.bin", algorithm: str = "sha256"
) -> PublishedFile:
    return PublishedFile(
        name=name, size=len(content), checksum=checksum_of(content, algorithm), urls=urls
    )


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.parametrize("algorithm", ["sha256", "sha1", "md5"])
@pytest.mark.parametrize("make", [whole, no_length])
def test_a_file_is_fetched_and_its_progress_shown(
    tmp_path: Path, server: Server, make: Callable[[bytes], Answer], algorithm: str
) -> None:
    told: list[tuple[str, int, int]] = []
    fetch(
        published(server.url("/x", make(CONTENT)), algorithm=algorithm),
        tmp_path / "a" / "b",
        lambda *step: told.append(step),
    )
    assert left(tmp_path) == ["a", "a/b", "a/b/x.bin"]
    assert (tmp_path / "a/b/x.bin").read_bytes() == CONTENT
    assert server.encodings == {"identity"}, "what is packed for the way is unpacked on arrival"
    assert told[0] == ("x.bin", CHUNK, len(CONTENT))
    assert told[-1] == ("x.bin", len(CONTENT), len(CONTENT))
    assert [step[1] for step in told] == sorted(step[1] for step in told)
    assert os.access(tmp_path / "a/b/x.bin", os.R_OK)


FAULTS: dict[str, tuple[Answer, str]] = {
    "404": (status(404), "answers: 404 Client Error: Not Found"),
    "503": (status(503), "answers: 503 Server Error: Service Unavailable"),
    "an early end": (early_end, "broke the transfer off"),
    "an early end without a length": (
        no_length(CONTENT[:-1]),
        "gives another file, of other size or checksum",
    ),
    "one byte changed": (
        whole(CONTENT[:-1] + b"\0"),
        "gives another file, of other size or checksum",
    ),
    "a page": (whole(b"<html>Please sign in"), "gives another file, of other size or checksum"),
    "more": (whole(CONTENT + bytes(CHUNK)), "gives another file, of other size or checksum"),
    "no end": (endless, "gives another file, of other size or checksum"),
    "nonsense": (nonsense, "cannot be reached"),
    "a circle": (circle, r"gives an answer that makes no sense \(TooManyRedirects\)"),
    "a file of this machine": (elsewhere, r"gives an answer that makes no sense \(InvalidSchema\)"),
    "packed bytes that are none": (
        whole(CONTENT, Content_Encoding="gzip"),
        r"gives an answer that makes no sense \(ContentDecodingError\)",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, server: Server, name: str
) -> None:
    answer, message = FAULTS[name]
    with pytest.raises(DataSetError, match=f"^x.bin: 127.0.0.1 {message}$"):
        fetch(published(server.url("/x", answer)), tmp_path / "new")
    assert left(tmp_path) == []


def test_a_server_that_says_nothing(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "TIMEOUT_S", (0.2, 0.2))
    done = threading.Event()
    with pytest.raises(DataSetError, match="^x.bin: 127.0.0.1 does not answer$"):
        fetch(published(server.url("/x", lambda _handler: done.wait(20) and None)), tmp_path)
    done.set()
    assert left(tmp_path) == []


def test_no_network(tmp_path: Path) -> None:
    with pytest.raises(
        DataSetError, match="^x.bin: 127.0.0.1 cannot be reached; laaf.invalid cannot be reached$"
    ):
        fetch(published(refused_url(), "http://laaf.invalid/x"), tmp_path / "new")
    assert left(tmp_path) == []


def test_the_next_mirror_is_asked(tmp_path: Path, server: Server) -> None:
    urls = [
        server.url("/a", status(500)),
        server.url("/b", early_end),
        refused_url(),
        server.url("/c", whole(CONTENT)),
        server.url("/d", whole(CONTENT)),
    ]
    fetch(published(*urls), tmp_path)
    assert server.asked == ["/a", "/b", "/c"]
    assert left(tmp_path) == ["x.bin"]


def test_ctrl_c_leaves_nothing(tmp_path: Path, server: Server) -> None:
    def interrupt(_name: str, n_done: int, _n: int) -> None:
        if n_done > CHUNK:
            assert len(left(tmp_path)) > 1, "nothing was on its way"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(
            published(server.url("/x", whole(CONTENT)), refused_url()), tmp_path / "new", interrupt
        )
    assert left(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, server: Server) -> None:
    def fill(*_step: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(DataSetError, match=r"new cannot be written: No space left on device$"):
        fetch(published(server.url("/x", whole(CONTENT))), tmp_path / "new", fill)
    assert left(tmp_path) == []


def test_a_folder_that_cannot_be_written(tmp_path: Path, server: Server) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(DataSetError, match="taken/new cannot be written: Not a directory"):
        fetch(published(server.url("/x", whole(CONTENT))), tmp_path / "taken" / "new")
    assert server.asked == []
    assert (tmp_path / "taken").read_text() == "mine"


def test_files_beside_it_stay(tmp_path: Path, server: Server) -> None:
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(DataSetError):
        fetch(published(server.url("/x", early_end)), tmp_path)
    assert left(tmp_path) == ["mine"]


# --- by way of load_images

IMAGES = {
    f"{part}-{what}-ubyte.gz": gzipped(idx(RNG.integers(0, high, shape, np.uint8)))
    for part, n in (("train", 4), ("t10k", 2))
    for what, high, shape in (("images-idx3", 256, (n, 28, 28)), ("labels-idx1", 10, (n,)))
}


def small_mnist(monkeypatch: pytest.MonkeyPatch, server: Server) -> None:
    pieces = []
    for name, content in IMAGES.items():
        file = published(
            refused_url(), server.url(f"/{name}", whole(content)), content=content, name=name
        )
        plain = gzip.decompress(content)
        pieces.append(
            Piece(
                name=name,
                size=len(plain),
                checksum=checksum_of(plain, "sha256"),
                forms=(Form(file=file, packing="gzip"),),
            )
        )
    parts = (
        DataSetPart(name="train", n=4, pieces=tuple(pieces[:2]), read=read_idx_images),
        DataSetPart(name="t10k", n=2, pieces=tuple(pieces[2:]), read=read_idx_images),
    )
    monkeypatch.setitem(
        DATASETS, "mnist", replace(DATASETS["mnist"], train=parts[:1], test=parts[1:])
    )


def test_what_is_missing_is_fetched_once(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_mnist(monkeypatch, server)
    there = "train-images-idx3-ubyte.gz"
    (tmp_path / there).write_bytes(IMAGES[there])
    data = load_images("mnist", tmp_path)
    assert len(data.train) == 4
    assert left(tmp_path) == sorted(
        ["mnist", there, *(f"mnist/{name}" for name in IMAGES if name != there)]
    )
    assert set(data.files) == set(IMAGES)
    n_asked = len(server.asked)
    assert n_asked == 3
    assert load_images("mnist", tmp_path).fingerprint == data.fingerprint
    assert len(server.asked) == n_asked


def test_nothing_is_fetched_where_that_is_not_wanted(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_mnist(monkeypatch, server)
    with pytest.raises(DataSetError, match="and nothing is fetched"):
        load_images("mnist", tmp_path, download=False)
    assert server.asked == []
    assert left(tmp_path) == []


def test_what_cannot_be_fetched_is_said_with_what_to_do(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_mnist(monkeypatch, server)
    server.answers["/train-labels-idx1-ubyte.gz"] = status(403)
    with pytest.raises(DataSetError) as caught:
        load_images("mnist", tmp_path)
    text = str(caught.value)
    first = (
        f"MNIST is not all in {tmp_path}: train-labels-idx1-ubyte.gz, "
        "t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz are missing, and it could not be fetched (train-labels-idx1-ubyte.gz: "
        "127.0.0.1 cannot be reached; 127.0.0.1 answers: 403 Client Error: Forbidden)."
    )
    assert text.startswith(f"{first}\nDownload\n  train-labels-idx1-ubyte.gz (")
    assert text.endswith(
        f"and put them into {tmp_path}/mnist; or name a folder with them by `data_dir='DIR'`."
    )
    assert "train-images" not in text, "what has arrived need not be fetched again"
    assert left(tmp_path) == ["mnist", "mnist/train-images-idx3-ubyte.gz"]


BATCHES = {
    name: cifar_records(RNG.integers(0, 256, (20, 3072), np.uint8), np.repeat(np.arange(10), 2))
    for name in ("data_batch_1", "data_batch_2", "test_batch")
}


@pytest.mark.parametrize("is_up", [True, False])
def test_the_rest_of_a_part_is_fetched_or_reported_missing(
    tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch, is_up: bool
) -> None:
    archive = tar_gz(
        {f"cifar-10-batches-bin/{name}.bin": content for name, content in BATCHES.items()}
    )
    url = server.url("/all", whole(archive) if is_up else status(500))
    form = Form(
        file=published(url, content=archive, name="cifar-10-binary.tar.gz"),
        packing="tar.gz",
        member="cifar-10-batches-bin",
    )
    row = DATASETS["cifar-10"]
    parts = tuple(
        make_part(name, 20, checksum_of(content, "sha1"), form, 10)
        for name, content in BATCHES.items()
    )
    monkeypatch.setitem(DATASETS, "cifar-10", replace(row, train=parts[:2], test=parts[2:]))
    for name in ("data_batch_1", "test_batch"):
        (tmp_path / f"{name}.bin").write_bytes(BATCHES[name])
    if is_up:
        data = load_images("cifar-10", tmp_path)
        assert (len(data.train), len(data.test)) == (40, 20)
    else:
        with pytest.raises(MissingDataError) as caught:
            load_images("cifar-10", tmp_path)
        assert str(caught.value).startswith(
            f"CIFAR-10 is not all in {tmp_path}: data_batch_2.bin is missing, and it could not be "
            "fetched (cifar-10-binary.tar.gz: 127.0.0.1 answers: 500 Server Error: Internal "
            "Server Error).\n"
        )
    assert server.asked == ["/all"]
