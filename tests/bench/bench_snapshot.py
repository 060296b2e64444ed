"""What it costs to give every joiner of a conflated room its current values: 10,000 joiners, none and 200 keys."""
import time

from bench_report import row
from bench_tools import Skip, cpu_s, producer, settle

TOPICS = ("prices.snapshot:1",)
KEYS = 200
QUIET = {"KAFKA_TOPIC_PRICES": "prices.snapshot", "WS_PING_INTERVAL": "3600000"}


def join(bench, gateway, count, keys):
    """So many sign in, which joins `prices`; each must get every key once, and nothing else."""
    started, before = time.monotonic(), cpu_s(gateway.workers)
    with bench.load(gateway.port, count) as load:
        answer = settle(load, "deliveries", count * keys)
        found = {"seconds": time.monotonic() - started, "cpu_us": (cpu_s(gateway.workers) - before) * 1e6 / count}
    if answer["deliveries"] != count * keys or answer["closed"]:
        raise Skip(f"snapshot: {answer['deliveries']} values instead of {count * keys}, {answer['closed']} were closed")
    while gateway.metric("moonx_connections") > 0:
        time.sleep(0.02)
    return found


def rows(bench, gateway, count, keys):
    join(bench, gateway, count // 10, keys)
    return bench.medians([join(bench, gateway, count, keys) for _ in range(max(bench.repeats, 2))])


def fill_table(bench, gateway):
    """Each key twice: the older value must not come. Over when the worker has read them: else they come live, too."""
    with producer(bench.given, bench.kafka.bootstrap, "prices.snapshot", "--prices", KEYS, "--events", 2 * KEYS) as source:
        source.say("go")
        source.read()
    deadline = time.monotonic() + 10
    while gateway.metric("moonx_records_read_total") < 2 * KEYS:
        if time.monotonic() > deadline:
            raise Skip("the prices did not come to the worker")
        time.sleep(0.02)


def run(bench, result):
    count = 2000 if bench.given.quick else 10000
    with bench.gateway("snapshot", extra=QUIET) as gateway:
        none = rows(bench, gateway, count, 0)
        fill_table(bench, gateway)
        full = rows(bench, gateway, count, KEYS)
    result["snapshot"] = {"joiners": count, "none": none, "full": full,
                          "key_us": (full["cpu_us"] - none["cpu_us"]) / KEYS}
    print(f"bench: snapshot: {full['cpu_us'] - none['cpu_us']:.0f} us for {KEYS} keys", flush=True)


def show(found):
    print(f"\n{found['joiners']} clients join a conflated room")
    row("", "all there, s", "us CPU each", "us a value")
    row("no value", f"{found['none']['seconds']:.2f}", f"{found['none']['cpu_us']:.0f}", "")
    row(f"{KEYS} keys", f"{found['full']['seconds']:.2f}", f"{found['full']['cpu_us']:.0f}", f"{found['key_us']:.3f}")
