"""Twenty thousand clients at once: how long until all are live, anew and resuming, and what one who is live sees of it."""
import time

from bench_report import ms, row
from bench_resume import position
from bench_tools import Kafka, Load, Skip, cpu_s, producer, settle

MOCK_TOPICS = ("trades.storm:1", "orders.storm:1")
CLIENTS, PROCESSES, WORKERS = 20000, 4, 2  # a process may have 20,000 descriptors
MISSED = 100
LIVE_USER = 900000
LIVE_RATE, LIVE_SECONDS = 150, 6
GOAL_MS = 250  # of the live client's p99, beyond what it is with nobody else


def storm(bench, gateway, missed, more):
    """All connect at once; ended when each has all that it missed."""
    started, before = time.monotonic(), cpu_s(gateway.workers)
    with Load(bench.given, bench.folder, gateway.port, CLIENTS, processes=PROCESSES, nice=10,
              more=("--in-flight", CLIENTS, *more)) as load:
        load.wait()
        answer = settle(load, "deliveries", CLIENTS * missed, 10.0)
        found = {"seconds": time.monotonic() - started, "cpu_us": (cpu_s(gateway.workers) - before) * 1e6 / CLIENTS}
    if answer["deliveries"] != CLIENTS * missed or answer["closed"]:
        raise Skip(f"storm: {answer['deliveries']} of {CLIENTS * missed} missed events came, {answer['closed']} were closed")
    return found


def beside(bench, gateway, live, run_storm):
    """What runs, and the latency of one live client's events meanwhile; all of these must come."""
    with producer(bench.given, bench.kafka.bootstrap, "orders.storm", "--user", f"bench{LIVE_USER}", "--rate", LIVE_RATE,
                  "--seconds", LIVE_SECONDS, warm=(live, "privates", 1)) as source:
        live.ask("mark")
        source.say("go")
        time.sleep(0.2)
        found = run_storm()
        found["live"] = live.ask("report")["private"]
        events = source.read()["events"]
        answer = settle(live, "privates", events)
    if answer["privates"] != events or answer["closed"]:
        raise Skip(f"storm: {events - answer['privates']} events of the live client are missing")
    while gateway.metric("moonx_connections") > 1:
        time.sleep(0.02)
    return found


def idle():
    time.sleep(2)
    return {"seconds": 0.0, "cpu_us": 0.0}


def storms(bench, gateway, live):
    with producer(bench.given, bench.kafka.bootstrap, "trades.storm", "--rate", 200, "--events", 2 * MISSED,
                  warm=(live, "deliveries", 1)) as source:
        source.say("go")
        last = source.read()["events"]  # offset 0 opened the connection
    resume = ("--position", position("trades.storm", last - MISSED))
    kinds = {"nobody else": idle, f"{CLIENTS} anew": lambda: storm(bench, gateway, 0, ()),
             f"{CLIENTS} resume": lambda: storm(bench, gateway, MISSED, resume)}
    rows = {name: [] for name in kinds}
    for _ in range(bench.repeats):
        for name, kind in kinds.items():
            rows[name].append(beside(bench, gateway, live, kind))
    return {name: bench.medians(these) for name, these in rows.items()}


def run(bench, result):
    """Over the mock cluster; those who come give way to the gateway, as on other machines."""
    kafka = bench.kafka
    with Kafka(bench.given, "mock", MOCK_TOPICS) as bench.kafka:
        with bench.gateway("storm", workers=WORKERS, trades="trades.storm", orders="orders.storm") as gateway, \
                bench.load(gateway.port, 1, first_user=LIVE_USER, nice=-10) as live:
            result["storm"] = storms(bench, gateway, live)
    bench.kafka = kafka
    for name, one in result["storm"].items():
        print(f"bench: storm, {name}: {one['seconds']:.2f} s, live p99 {one['live']['p99'] / 1000:.2f} ms", flush=True)


def show(found):
    print(f"\n{CLIENTS} clients at once, {MISSED} events missed by those who resume; events of one live client meanwhile, ms")
    row("", "all live, s", "us CPU each", "live p50", "live p99", "live max")
    for name, one in found.items():
        row(name, f"{one['seconds']:.2f}", f"{one['cpu_us']:.0f}", ms(one["live"]["p50"]), ms(one["live"]["p99"]),
            ms(one["live"]["max"]))
    print(f"expected: live p99 at most {GOAL_MS} ms more than with nobody else")
