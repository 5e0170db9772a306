"""The portal as a citizen of its process: no thread unasked, exit, fork, Ctrl-C."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from netclients.testing import FTPServer
from netclients.testing.ftp_faults import CutData
from tests.servers.target import FTPTarget
from tests.sync.conftest import Script


def test_import_is_light_and_starts_no_thread(script: Script) -> None:
    script(
        """
        import sys, threading
        import netclients.sync
        loaded = {"asyncio", "anyio", "ssl", "netclients.ftp", "netclients.sync.portal"} & set(sys.modules)
        assert not loaded, loaded
        from netclients.sync import FTPClient
        client = FTPClient("ftp://127.0.0.1:9")
        client.scandir
        assert threading.active_count() == 1
        """
    )


EXIT = """
    import sys, threading, gc
    from netclients.sync import FTPClient
    ftp = FTPClient(sys.argv[1])
    assert ftp.read_text("a") == "hello"
    assert [thread.name for thread in threading.enumerate()][:2] == ["MainThread", "netclients-sync"]
"""


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "ftp.close()",
        "sys.exit(0)",
        "entries = ftp.scandir('dir'); next(entries)",
        "file = ftp.open('a'); file.read(1)",
        "lease = ftp.connection(); lease.__enter__()",
        "import atexit; atexit.register(ftp.close)",
    ],
    ids=["unclosed", "closed", "exit", "stream", "file", "lease", "atexit"],
)
def test_exit_is_clean(embedded_ftp: FTPTarget, script: Script, rest: str) -> None:
    embedded_ftp.put("a", b"hello")
    embedded_ftp.put("dir/b", b"")
    embedded_ftp.put("dir/c", b"")
    done = script(f"{EXIT}\n    {rest}", embedded_ftp.url())
    assert done.stderr == ""


def test_calls_after_the_end_are_refused(embedded_ftp: FTPTarget, script: Script) -> None:
    embedded_ftp.put("a", b"hello")
    done = script(
        f"""{EXIT}
    import atexit
    from netclients import ConfigurationError
    def late():
        try:
            ftp.read_text("a")
        except ConfigurationError as error:
            print(error)
        entries.close()
    entries = ftp.scandir(".")
    atexit.register(late)
        """,
        embedded_ftp.url(),
    )
    assert done.stdout == "the interpreter is shutting down\n"
    assert done.stderr == ""


def test_threads_that_are_waited_for_may_finish(embedded_ftp: FTPTarget, script: Script) -> None:
    embedded_ftp.put("a", b"hello")
    done = script(
        """
        import sys, threading, time
        from concurrent.futures import ThreadPoolExecutor
        from netclients.sync import FTPClient
        ftp = FTPClient(sys.argv[1])

        def work():
            ftp.read_text("a")
            threading.main_thread().join()
            for _ in range(20):
                ftp.read_text("a")
            print("done")

        threading.Thread(target=work).start()
        ThreadPoolExecutor(2).submit(lambda: [ftp.read_text("a") for _ in range(20)])
        """,
        embedded_ftp.url(),
    )
    assert done.stdout == "done\n"
    assert done.stderr == ""


def test_daemon_threads_do_not_hold_up_the_end(tmp_path: Path, script: Script) -> None:
    (tmp_path / "big").write_bytes(bytes(1000))
    with FTPServer(tmp_path, users={"u": "p"}, faults=[CutData(how="stall")]) as server:
        done = script(
            """
            import sys, threading
            from netclients.sync import FTPClient
            ftp = FTPClient(sys.argv[1])
            ftp.exists("big")
            threading.Thread(target=ftp.read_bytes, args=("big",), daemon=True).start()
            while not ftp.stats.in_use:
                ftp.stat("big")
            """,
            server.url + "?tls=none",
        )
    assert "Fatal" not in done.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_starts_its_own(embedded_ftp: FTPTarget, script: Script) -> None:
    embedded_ftp.put("a", b"hello")
    embedded_ftp.put("dir/b", b"")
    done = script(
        """
        import os, sys, threading, warnings
        from netclients import ConfigurationError
        from netclients.sync import FTPClient
        warnings.filterwarnings("ignore", "This process", DeprecationWarning)  # Python 3.12 and later
        ftp = FTPClient(sys.argv[1])
        assert ftp.read_text("a") == "hello"
        entries = ftp.scandir("dir")
        file = ftp.open("a")
        file.read(1)
        sys.stdout.flush()
        if os.fork() == 0:
            assert threading.active_count() == 1
            assert ftp.read_text("a") == "hello"
            for use in (lambda: next(entries), lambda: file.read(1)):
                try:
                    use()
                except ConfigurationError as error:
                    assert "fork" in str(error)
                else:
                    raise AssertionError
            print("child")
            sys.exit(0)
        pid, status = os.wait()
        assert status == 0, status
        assert ftp.read_text("a") == "hello"
        assert file.read() == b"ello"
        assert [entry.name for entry in entries] == ["b"]
        print("parent")
        """,
        embedded_ftp.url(),
    )
    assert done.stdout == "child\nparent\n"
    assert done.stderr == ""


INTERRUPTED = """
    import os, signal, sys, threading, time
    from netclients import Timeouts
    from netclients.sync import FTPClient

    ftp = FTPClient(sys.argv[1], timeouts=Timeouts(stall=50, reply=50))
    ftp.exists("big")

    def interrupt():
        # Sent when the call under way holds its connection and waits for the server.
        while not ftp.stats.in_use:
            pass
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    started = time.monotonic()
    try:
        {work}
    except KeyboardInterrupt:
        print("interrupted")
    assert time.monotonic() - started < 20
    stats = ftp.stats
    assert (stats.in_use, stats.connecting, stats.waiting) == (0, 0, 0), stats
    assert ftp.exists("big")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process can't send itself Ctrl-C there")
@pytest.mark.parametrize(
    "work",
    [
        "ftp.read_bytes('big')",
        "ftp.download('big', sys.argv[2])",
        "ftp.download('big', sink=lambda view: None)",
        "list(ftp.download_many(['big'], sys.argv[2]))",
        "list(ftp.download_many((name for name in ['big']), sys.argv[2]))",
        "with ftp.open('big') as file: file.read()",
        "with ftp.connection() as c: t = c.retr('big'); t.finish(sending=False)",
    ],
)
def test_ctrl_c_frees_the_slot(tmp_path: Path, script: Script, work: str) -> None:
    (tmp_path / "big").write_bytes(bytes(3_000_000))
    with FTPServer(tmp_path, users={"u": "p"}, faults=[CutData(after=100_000, how="stall")]) as server:
        done = script(INTERRUPTED.format(work=work), server.url + "?tls=none", str(tmp_path / "out"))
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""


@pytest.mark.skipif(sys.platform == "win32", reason="a process can't send itself Ctrl-C there")
@pytest.mark.parametrize(
    "work",
    [
        "ftp.download('big', sink=lambda view: signal.raise_signal(signal.SIGINT))",
        "ftp.upload(iter(lambda: signal.raise_signal(signal.SIGINT), 1), 'up')",
        "list(ftp.download_many(iter(lambda: signal.raise_signal(signal.SIGINT), 1), sys.argv[2]))",
        "ftp.upload(type('F', (), {'read': lambda *_: signal.raise_signal(signal.SIGINT)})(), 'up')",
    ],
    ids=["sink", "pieces", "sources", "file"],
)
def test_ctrl_c_in_a_callback(embedded_ftp: FTPTarget, tmp_path: Path, script: Script, work: str) -> None:
    embedded_ftp.put("big", bytes(3_000_000))
    source = INTERRUPTED.replace("threading.Thread(target=interrupt, daemon=True).start()", "")
    done = script(source.format(work=work), embedded_ftp.url(), str(tmp_path / "out"))
    assert done.stdout == "interrupted\n"
    assert done.stderr == ""


def test_the_signal_handler_is_left_alone(embedded_ftp: FTPTarget, script: Script) -> None:
    script(
        """
        import signal, sys
        from netclients.sync import FTPClient
        before = signal.getsignal(signal.SIGINT)
        FTPClient(sys.argv[1]).exists("a")
        assert signal.getsignal(signal.SIGINT) is before
        """,
        embedded_ftp.url(),
    )
    assert signal.SIGINT  # the test's own process was not touched
