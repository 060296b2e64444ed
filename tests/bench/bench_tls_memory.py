"""User memory of an idle authenticated TLS 1.3 connection, as a slope: half of them, then all."""
import os
import time

from bench_handshakes import EC, fill, make_certificates, make_tokens
from bench_report import row
from bench_tools import Program, Skip, pss_bytes

GOAL_BYTES = 20 * 1024


def idle_clients(bench, port, count):
    return Program(os.path.join(bench.given.helpers, "bench_tls"), "--port", port, "--count", count, "--tokens",
                   os.path.join(bench.folder, "tokens.HS256"), "--hold")


def added(bench, gateway, count):
    """`count` more of them: the program that holds them open, and what all use then."""
    program = idle_clients(bench, gateway.port, count)
    answer = program.read()
    if answer["failed"] or answer["handshakes"] != count:
        program.close()
        raise Skip(f"only {answer['handshakes']} of {count} TLS connections came up")
    time.sleep(1.5)
    return program, pss_bytes(gateway.pids())


def slope(bench, half):
    quiet = {"WS_PING_INTERVAL": "3600000"}  # these clients do not listen
    extra = {**{key: fill(bench, value) for key, value in EC.items()}, **quiet}
    with bench.gateway("tls-memory", extra=extra) as gateway:
        first, low = added(bench, gateway, half)
        with first:
            second, high = added(bench, gateway, half)
            with second:
                alive = gateway.metric("moonx_connections_authenticated")
                if alive != 2 * half:
                    raise Skip(f"{2 * half - alive:.0f} TLS connections were closed")
    return {"bytes_per_connection": (high - low) / half, "pss_at_half": low, "pss_at_all": high}


def run(bench, result):
    half = 2000 if bench.given.quick else 8000
    make_certificates(bench)
    make_tokens(bench, "HS256", half)
    found = bench.medians([slope(bench, half) for _ in range(1 if bench.given.quick else bench.repeats)])
    result["tls"] = {**found, "connections": 2 * half}
    print(f"bench: TLS: {found['bytes_per_connection']:.0f} bytes an idle connection", flush=True)


def show(found):
    row("User bytes an idle TLS connection", f"{found['bytes_per_connection']:.0f}",
        f"(expected: at most {GOAL_BYTES})")
