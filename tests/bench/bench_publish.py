"""From a client's `publish` to its answer (Kafka has it, acks=all), and to the others in the room."""
import os

from bench_report import ms, row
from bench_tools import Program, Skip

RATES = (50, 500)
LISTENERS = 10
WARM_SECONDS = 10  # until Java has compiled what a broker does


def window(bench, gateway, rate, seconds):
    with Program(os.path.join(bench.given.helpers, "bench_publish"), "--port", gateway.port, "--secret-file",
                 os.path.join(bench.folder, "secret"), "--listeners", LISTENERS, "--rate", rate, "--seconds",
                 seconds) as program:
        answer = program.read()
    if answer["published"] != answer["sent"] or answer["delivered"] != answer["sent"] * LISTENERS:
        raise Skip(f"publish: {answer['sent']} sent, {answer['published']} published, {answer['delivered']} delivered to "
                   f"{LISTENERS}, {answer['refused']} refused")
    return answer


def run(bench, result):
    with bench.gateway("publish") as gateway:
        window(bench, gateway, RATES[-1], WARM_SECONDS)
        for rate in RATES:
            found = bench.medians([window(bench, gateway, rate, 2 * bench.window) for _ in range(bench.repeats)])
            result.setdefault("publish", {})[str(rate)] = {**found, "kafka": bench.kafka.kind}
            print(f"bench: publish at {rate}/s: published p99 {found['ack']['p99'] / 1000:.2f} ms, "
                  f"delivered p99 {found['delivery']['p99'] / 1000:.2f} ms", flush=True)


def show(found):
    print("\nFrom publish to its answer, and to ten others in the room, ms")
    row("", "published p50", "p99", "delivered p50", "p99", "p99.9")
    for rate, one in found.items():
        row(f"{rate} a second, {one['kafka']} Kafka", ms(one["ack"]["p50"]), ms(one["ack"]["p99"]),
            ms(one["delivery"]["p50"]), ms(one["delivery"]["p99"]), ms(one["delivery"]["p999"]))
    print("expected: p99 of the delivery under 10 ms")
