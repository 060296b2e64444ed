"""What a resume costs a worker, by how much was missed and by the ring's size."""
import json
import statistics
import time

from bench_report import row
from bench_tools import Kafka, Skip, cpu_s, producer, settle

MIB = 1 << 20
RINGS = (16, 64, 256)  # MiB
MISSED = (0, 10, 100, 1000)
PARTITIONS = 64  # the mock holds 5 MiB a partition
MOCK_TOPICS = (*(f"trades.resume.{ring}:1" for ring in RINGS), *(f"orders.resume.{ring}:{PARTITIONS}" for ring in RINGS))
RECORD_BYTES = 440  # at least, of the events that fill the ring
FILL_SECONDS = 3
GOAL_US = 200


def position(topic, offset):
    return json.dumps({"epoch": "1", "topics": {topic: [offset]}}, separators=(",", ":"))


def finish(source):
    """How many it has produced."""
    done = source.read()
    if done["failed"]:
        raise Skip(f"{done['failed']} events could not be produced")
    return done["events"]


def fill_ring(bench, gateway, ring):
    """More than the ring holds of events for nobody here; among the second half, evenly, those that clients will have
    missed. Returns the last offset of these."""
    events = int(0.7 * ring * MIB / RECORD_BYTES)
    kafka = (bench.given, bench.kafka.bootstrap)
    others = (f"orders.resume.{ring}", "--user", "nobody", "--partitions", PARTITIONS)
    with producer(*kafka, *others, "--events", events) as source:
        source.say("go")
        finish(source)
    settle_ring(gateway, events)
    with producer(*kafka, *others, "--batch", 50, "--rate", events / 50 / FILL_SECONDS, "--seconds",
                  FILL_SECONDS) as among, \
            producer(*kafka, f"trades.resume.{ring}", "--rate", max(MISSED) / FILL_SECONDS, "--events",
                     max(MISSED)) as missed:
        among.say("go")
        missed.say("go")
        trades = finish(missed) + 1  # one opened the connection
        orders = finish(among) + PARTITIONS
    settle_ring(gateway, events + orders + trades)
    if gateway.metric("moonx_ring_bytes_total") < ring * MIB:
        raise Skip(f"the ring of {ring} MiB is not full")
    return trades - 1


def settle_ring(gateway, records):
    deadline = time.monotonic() + 30
    while gateway.metric("moonx_ring_records_total") < records:
        if time.monotonic() > deadline:
            raise Skip(f"{records - gateway.metric('moonx_ring_records_total'):.0f} events did not come into the ring")
        time.sleep(0.02)


def come(bench, gateway, count, missed, more):
    """So many clients, eight at a time, each with what it has missed: CPU of the worker for one."""
    before = cpu_s(gateway.workers)
    with bench.load(gateway.port, count, more=("--in-flight", 8, *more)) as load:
        answer = settle(load, "deliveries", count * missed)
        spent = cpu_s(gateway.workers) - before
    if answer["deliveries"] != count * missed or answer["closed"]:
        raise Skip(f"{answer['deliveries']} instead of {count * missed} missed events came, {answer['closed']} were closed")
    while gateway.metric("moonx_connections") > 0:  # their end belongs to nobody's figure
        time.sleep(0.02)
    return spent * 1e6 / count


def resume_rows(bench, ring):
    topic = f"trades.resume.{ring}"
    count = 200 if bench.given.quick else 500
    extra = {"RING_BYTES": str(ring * MIB), "WS_PING_INTERVAL": "3600000"}
    with bench.gateway(f"resume.{ring}", trades=topic, orders=f"orders.resume.{ring}", extra=extra) as gateway:
        last = fill_ring(bench, gateway, ring)
        come(bench, gateway, count, 0, ())
        rows = {}
        for missed in MISSED:
            took = []
            for _ in range(max(bench.repeats, 2)):
                anew = come(bench, gateway, count, 0, ())
                took.append(come(bench, gateway, count, missed, ("--position", position(topic, last - missed))) - anew)
            rows[str(missed)] = statistics.median(took)
        if gateway.metric("moonx_resumes_too_old_total") or gateway.metric("moonx_resumes_unknown_position_total"):
            raise Skip("resumes were refused")
    print(f"bench: resume, ring of {ring} MiB: " + ", ".join(f"{missed} missed {us:.0f} us" for missed, us in rows.items()),
          flush=True)
    return rows


def run(bench, result):
    """Over the mock cluster: nothing of Kafka is measured here."""
    kafka = bench.kafka
    with Kafka(bench.given, "mock", MOCK_TOPICS) as bench.kafka:
        result["resume"] = {str(ring): resume_rows(bench, ring) for ring in RINGS}
    bench.kafka = kafka


def show(found):
    print("\nCPU of the worker for a resume, us, beside the same client that comes anew; by the missed events")
    row("", *(f"{missed} missed" for missed in MISSED))
    for ring, one in found.items():
        row(f"a full ring of {ring} MiB", *(f"{one[str(missed)]:.0f}" for missed in MISSED))
    print(f"expected: 100 missed at most {GOAL_US}, whatever the ring's size")
