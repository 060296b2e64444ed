"""What clients that read nothing cost those who do: 9,000 healthy ones alone, and the same beside 1,000 stalled ones."""
from bench_report import ms, row
from bench_tools import Skip, expect_whole, producer, settle

TOPICS = ("trades.calm:1", "trades.stalled:1")
HEALTHY, STALLED = 9000, 1000
BATCHES = (1, 4)
ROUNDS = 5  # a tenth is to be told apart: more of them than elsewhere
GOAL = 1.10
FILL_EVENTS, FILL_BYTES = 100, 3000
# Nobody is closed for it here: what they cost is measured as long as they are there. And they answer no ping.
PATIENT = {"WS_SLOW_TIMEOUT": "3600000", "WS_PING_INTERVAL": "3600000"}


def fill(bench, gateway, load):
    """Events until sockets and queues of all who read nothing are full."""
    with producer(bench.given, bench.kafka.bootstrap, f"trades.{gateway.name}", "--frame-bytes", FILL_BYTES, "--batch", 10,
                  "--rate", 10, "--events", FILL_EVENTS, warm=(load, "deliveries", load.connections)) as source:
        load.ask("mark")
        source.say("go")
        events = source.read()["events"]
        answer = settle(load, "deliveries", events * load.connections, 5.0)
    if answer["deliveries"] != events * load.connections or answer["closed"]:
        raise Skip("healthy clients lost something while others stalled")


def stall(bench, gateways, loads):
    """The same for both, so that both have sent the same."""
    for _ in range(12):
        for name, gateway in gateways.items():
            fill(bench, gateway, loads[name])
        if gateways["stalled"].metric("moonx_connections_catching_up") >= STALLED:
            return
    behind = gateways["stalled"].metric("moonx_connections_catching_up")
    raise Skip(f"only {behind:.0f} of {STALLED} clients are stalled")


def windows(bench, gateways, loads, k):
    rows = {name: [] for name in gateways}
    rate = (100000 if k == 1 else 60000) / HEALTHY
    for _ in range(2 if bench.given.quick else ROUNDS):
        for name, gateway in gateways.items():
            window = bench.paced(gateway, loads[name], k, rate, bench.window)
            expect_whole(window, f"stalled, {name}")
            rows[name].append(window)
    found = {name: bench.medians(these) for name, these in rows.items()}
    ratios = [{"cpu": hit["cpu_us"] / calm["cpu_us"], "p99": hit["latency"]["p99"] / calm["latency"]["p99"]}
              for hit, calm in zip(rows["stalled"], rows["calm"])]
    return {**found, "ratio": bench.medians(ratios)}


def run(bench, result):
    with bench.gateway("calm", trades="trades.calm", extra=PATIENT) as calm, \
            bench.gateway("stalled", trades="trades.stalled", extra=PATIENT) as stalled, \
            bench.load(calm.port, HEALTHY) as calm_load, bench.load(stalled.port, HEALTHY) as stalled_load, \
            bench.load(stalled.port, STALLED, first_user=HEALTHY, more=("--deaf",)):
        gateways, loads = {"calm": calm, "stalled": stalled}, {"calm": calm_load, "stalled": stalled_load}
        stall(bench, gateways, loads)
        for k in BATCHES:
            found = windows(bench, gateways, loads, k)
            result.setdefault("stalled", {})[f"{k} at once"] = found
            print(f"bench: {STALLED} stalled, {k} at once: {found['ratio']['cpu']:.2f} x the CPU, "
                  f"{found['ratio']['p99']:.2f} x the p99 of the others", flush=True)
        left = stalled.metric("moonx_connections")
        behind = stalled.metric("moonx_connections_catching_up")
    if left != HEALTHY + STALLED or behind != STALLED:
        raise Skip(f"{left:.0f} connections are left, {behind:.0f} of them stalled")


def show(found):
    print(f"\n{HEALTHY} healthy clients, alone and beside {STALLED} that read nothing: us of worker CPU a delivery; p99, ms")
    row("", "alone", "beside", "x", "p99 alone", "p99 beside", "x")
    for name, one in found.items():
        calm, hit = one["calm"], one["stalled"]
        row(name, f"{calm['cpu_us']:.3f}", f"{hit['cpu_us']:.3f}", f"{one['ratio']['cpu']:.2f}", ms(calm["latency"]["p99"]),
            ms(hit["latency"]["p99"]), f"{one['ratio']['p99']:.2f}")
    print(f"expected: at most {GOAL:.2f}")
