"""What is measured. Every method adds its figures to the result; README.md says what they mean."""
import os
import secrets
import statistics
import time

import bench_handshakes
from bench_tools import Gateway, Kafka, Load, Program, Skip, cpu_s, producer, pss_bytes, settle

BACKENDS = ("io_uring", "sendmsg")
BATCHES = (1, 4, 16)
SIZES = (1000, 10000)
BUILT_IN = ("price.updates", "order.updates", "portfolio.updates", "trade.updates", "notification.updates",
            "user-action.updates", "system.alerts", "gateway.events", "gateway.control")
PRIVATE_USER = 900000
RING_PARTITIONS = {"real": 4, "mock": 64}  # the mock holds 5 MiB a partition


def topics(kind):
    names = [f"{name}:1" for name in BUILT_IN]
    for backend in BACKENDS:
        names += [f"trades.{backend}:1", f"orders.{backend}:1"]
    for i in range(6):
        names.append(f"backlog.{i}:{RING_PARTITIONS[kind]}")
    return names


def median(values):
    return statistics.median(values) if values else None


def medians(rows):
    """The median of each number over rows of the same shape."""
    out = {}
    for key, value in rows[0].items():
        if isinstance(value, dict):
            out[key] = medians([row[key] for row in rows])
        elif isinstance(value, (int, float)):
            out[key] = median([row[key] for row in rows])
        else:
            out[key] = value
    return out


def say(text):
    print(f"bench: {text}", flush=True)


class Bench:
    def __init__(self, given, folder):
        self.given, self.folder, self.kafka = given, folder, None
        self.repeats = 1 if given.quick else 3
        self.window = 1.5 if given.quick else 3.0
        secret = os.path.join(folder, "secret")
        with open(secret, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
        os.chmod(secret, 0o600)

    def gateway(self, name, backend="io_uring", workers=1, trades="trade.updates",
                orders="order.updates", extra=None):
        return Gateway(self.given, self.folder, self.kafka, name, backend, workers, trades, orders, extra)

    def load(self, port, connections, **more):
        return Load(self.given, self.folder, port, connections, **more).wait()

    def handshake(self, result):
        bench_handshakes.run(self, result)

    medians = staticmethod(medians)

    # Events of 300 bytes for everyone: CPU of the worker for a delivery, and latency.

    def paced(self, gateway, load, k, rate, seconds, more=()):
        """more: further words for the producer."""
        topic = f"trades.{gateway.name}"
        with producer(self.given, self.kafka.bootstrap, topic, "--batch", k, "--rate", rate, "--seconds",
                      seconds, *more, warm=(load, "deliveries", load.connections)) as source:
            flushes = gateway.metric("moonx_flushes_total")
            load.ask("mark")
            started = time.monotonic()
            before, before_ingest = cpu_s(gateway.workers), cpu_s(gateway.ingest)
            source.say("go")
            done = source.read()
            answer = settle(load, "deliveries", done["events"] * load.connections)
            worker_s = cpu_s(gateway.workers) - before
            ingest_s = cpu_s(gateway.ingest) - before_ingest
            spent = time.monotonic() - started
            flushes = gateway.metric("moonx_flushes_total") - flushes
        expected = done["events"] * load.connections
        deliveries = max(answer["deliveries"], 1)
        return {"cpu_us": worker_s * 1e6 / deliveries, "worker_share": worker_s / spent, "ingest_share": ingest_s / spent,
                "deliveries_per_s": answer["deliveries"] / max(answer["span_s"], 1e-9),
                "missing": expected - answer["deliveries"], "closed": answer["closed"],
                "frames_per_write": deliveries / max(flushes, 1),
                "frame_bytes": answer["bytes"] / deliveries, "wire_bytes": answer["wire"] / deliveries,
                "events": done["events"],
                "reader_us": answer["cpu_s"] * 1e6 / deliveries, "latency": answer["latency"]}

    def floor_window(self, floor, load, k, rate, seconds):
        load.ask("mark")
        done = floor.ask(f"batch {k} {rate} {seconds}")
        answer = settle(load, "deliveries", done["deliveries"])
        return {"cpu_us": done["cpu_us_per_delivery"], "missing": done["deliveries"] - answer["deliveries"],
                "late": done["late_batches"], "full": done["full_sockets"], "latency": answer["latency"],
                "reader_us": answer["cpu_s"] * 1e6 / max(answer["deliveries"], 1)}

    def fanout(self, result, size, floor, gateways):
        """Socket writes come at 100,000 a second for k = 1 and 60,000 else; one system after the other in
        each round, so that a drift of the machine meets all alike."""
        for k in BATCHES:
            rate = (100000 if k == 1 else 60000) / size
            rows = {name: [] for name in ("floor", *BACKENDS)}
            for _ in range(self.repeats):
                rows["floor"].append(self.floor_window(*floor, k, rate, self.window))
                for name, (gateway, load) in gateways.items():
                    rows[name].append(self.paced(gateway, load, k, rate, self.window))
            out = {name: medians(found) for name, found in rows.items()}
            for name in BACKENDS:
                ratios = [mine["cpu_us"] / base["cpu_us"] for mine, base in zip(rows[name], rows["floor"])]
                out[name]["ratio"] = median(ratios)
            result.setdefault("fanout", {}).setdefault(str(size), {})[str(k)] = out
            say(f"N={size} k={k}: floor {out['floor']['cpu_us']:.3f} us, " + ", ".join(
                f"{name} {out[name]['cpu_us']:.3f} ({out[name]['ratio']:.2f} x)" for name in BACKENDS))

    def latency(self, result, size, gateways):
        for rate in (50000, 100000):
            measured = result.get("fanout", {}).get(str(size), {}).get("1")
            if rate == 100000 and measured:  # the same windows
                result["latency"][str(size)][str(rate)] = {name: measured[name] for name in gateways}
                continue
            for name, (gateway, load) in gateways.items():
                rows = [self.paced(gateway, load, 1, rate / size, self.window)
                        for _ in range(self.repeats)]
                out = result.setdefault("latency", {}).setdefault(str(size), {}).setdefault(str(rate), {})
                out[name] = medians(rows)
                say(f"latency N={size} at {rate}/s {name}: p50 {out[name]['latency']['p50'] / 1000:.2f} ms, "
                    f"p99 {out[name]['latency']['p99'] / 1000:.2f} ms")

    def burst(self, result, size, gateways):
        """A burst that fits into a connection's queue: all of it is to arrive, as fast as it goes."""
        events = 600 if size == 1000 else 120
        for name, (gateway, load) in gateways.items():
            rows = []
            for _ in range(self.repeats):
                with producer(self.given, self.kafka.bootstrap, f"trades.{name}", "--events",
                              events) as source:
                    load.ask("mark")
                    before = cpu_s(gateway.workers)
                    source.say("go")
                    source.read()
                    answer = settle(load, "deliveries", events * size)
                    spent = cpu_s(gateway.workers) - before
                rows.append({"deliveries_per_s": answer["deliveries"] / max(answer["span_s"], 1e-9),
                             "cpu_us": spent * 1e6 / max(answer["deliveries"], 1),
                             "missing": events * size - answer["deliveries"], "closed": answer["closed"]})
            out = result.setdefault("burst", {}).setdefault(str(size), {})
            out[name] = {**medians(rows), "events": events}
            say(f"burst N={size} {name}: {out[name]['deliveries_per_s']:.0f} deliveries/s")

    # One order of one user, while 10,000 sockets get what is for everyone.

    def private_window(self, gateway, load, private, flood, seconds):
        source = None
        if flood:
            source = producer(self.given, self.kafka.bootstrap, f"trades.{gateway.name}", "--batch",
                              flood[0], "--rate", flood[1], "--seconds", seconds + 1,
                              warm=(load, "deliveries", load.connections))
            load.ask("mark")
        with producer(self.given, self.kafka.bootstrap, f"orders.{gateway.name}", "--user",
                      f"bench{PRIVATE_USER}", "--rate", 150, "--seconds", seconds, "--probe",
                      warm=(private, "privates", 1)) as orders:
            if source:
                source.say("go")
                time.sleep(0.5)
            private.ask("mark")
            orders.say("go")
            done = orders.read()
            answer = settle(private, "privates", done["events"])
        row = {"private": answer["private"], "kafka": done["kafka"],
               "missing": done["events"] - answer["privates"]}
        if source:
            events = source.read()["events"]
            flooded = settle(load, "deliveries", events * load.connections)
            row["flood_deliveries_per_s"] = flooded["deliveries"] / max(flooded["span_s"], 1e-9)
            row["flood_closed"] = flooded["closed"]
            source.close()
        return row

    def private(self, result):
        """Over the mock cluster: a Java broker on the same cores has tails of its own, longer than what is
        to be measured. Readers give way: on two cores they would be measured, not the gateway."""
        kafka = self.kafka
        with Kafka(self.given, "mock", topics("mock")) as self.kafka:
            for name in BACKENDS:
                with self.gateway(name, name, 1, f"trades.{name}", f"orders.{name}") as gateway, \
                        self.load(gateway.port, max(SIZES), nice=10) as load:
                    self.private_events(result, name, gateway, load)
        self.kafka = kafka

    def private_events(self, result, name, gateway, load):
        floods = {"idle": None, "100k": (1, 10), "flood": (4, 25)}
        with self.load(gateway.port, 1, first_user=PRIVATE_USER, nice=-10) as private:
            for label, flood in floods.items():
                rows = [self.private_window(gateway, load, private, flood, 1.5 * self.window)
                        for _ in range(1 if label == "idle" else self.repeats)]
                out = result.setdefault("private", {}).setdefault(name, {})
                out[label] = medians(rows)
                say(f"private event, {label}, {name}: p50 {out[label]['private']['p50'] / 1000:.2f} ms, "
                    f"p99 {out[label]['private']['p99'] / 1000:.2f} ms "
                    f"(Kafka alone {out[label]['kafka']['p99'] / 1000:.2f} ms)")

    def sockets(self, result):
        only = self.given.only
        if not {"fanout", "latency", "burst"} & set(only):
            return
        for size in SIZES:
            with Program(os.path.join(self.given.helpers, "bench_floor"), "--connections", size) as floor:
                port = floor.read()["port"]
                with self.load(port, size) as floor_load:
                    floor.read()
                    self.with_gateways(result, size, (floor, floor_load), only)

    def with_gateways(self, result, size, floor, only):
        with self.gateway("io_uring", "io_uring", 1, "trades.io_uring", "orders.io_uring") as uring, \
                self.gateway("sendmsg", "sendmsg", 1, "trades.sendmsg", "orders.sendmsg") as sendmsg, \
                self.load(uring.port, size) as uring_load, self.load(sendmsg.port, size) as sendmsg_load:
            gateways = {"io_uring": (uring, uring_load), "sendmsg": (sendmsg, sendmsg_load)}
            if "fanout" in only:
                self.fanout(result, size, floor, gateways)
            if "latency" in only:
                self.latency(result, size, gateways)
            if "burst" in only:
                self.burst(result, size, gateways)

    # User memory of an idle connection: the slope between 10,000 and 20,000, two workers (a process may
    # have 20,000 descriptors).

    def memory(self, result):
        rows = []
        for _ in range(1 if self.given.quick else self.repeats):
            with self.gateway("memory", workers=2) as gateway, self.load(gateway.port, 10000) as _first:
                time.sleep(1.5)
                low = pss_bytes(gateway.pids())
                with self.load(gateway.port, 10000, first_user=10000) as second:
                    time.sleep(1.5)
                    high = pss_bytes(gateway.pids())
                    seconds = second.ready["seconds"]
            rows.append({"bytes_per_connection": (high - low) / 10000, "pss_at_10000": low,
                         "pss_at_20000": high, "connects_per_s": 10000 / seconds})
        result["memory"] = medians(rows)
        say(f"memory: {result['memory']['bytes_per_connection']:.0f} bytes a connection")

    # From Kafka into the ring: ingest is held until a backlog lies in Kafka, then timed.

    def backlog(self, gateway, topic, events):
        with producer(self.given, self.kafka.bootstrap, topic, "--events", events, "--partitions",
                      RING_PARTITIONS[self.kafka.kind]) as source:
            gateway.stop_ingest()
            source.say("go")
            return source.read()

    def ring_once(self, topic, events):
        with self.gateway("ring", trades=topic, extra={"LOG_LEVEL": "error"}) as gateway:
            base = gateway.metric("moonx_ring_records_total")
            made = self.backlog(gateway, topic, events)
            if made["failed"]:
                raise Skip(f"{made['failed']} of {events} events could not be produced")
            cpu = cpu_s(gateway.ingest)
            gateway.continue_ingest()
            first, now, count = None, time.monotonic(), 0.0
            deadline = now + 60
            while count < events and now < deadline:
                last = count
                count = gateway.metric("moonx_ring_records_total") - base
                now = time.monotonic()
                if first is None and count > 0:
                    first = (now, count)
                    gateway.continue_supervisor()
                if count == last and first is None and now > deadline - 50:
                    gateway.continue_supervisor()
                time.sleep(0.01)
            if first is None:
                raise Skip("nothing came into the ring")
            cpu = cpu_s(gateway.ingest) - cpu
            return {"events_per_s": (count - first[1]) / max(now - first[0], 1e-9), "events": count,
                    "ingest_us_per_event": cpu * 1e6 / max(count, 1),
                    "produced_per_s": events / made["seconds"]}

    def ring_to_client(self, topic, events):
        with self.gateway("through", trades=topic) as gateway, self.load(gateway.port, 1) as load:
            self.backlog(gateway, topic, events)
            load.ask("mark")
            gateway.continue_ingest()
            time.sleep(0.2)
            gateway.continue_supervisor()
            answer = settle(load, "deliveries", events, 4.0)
            return {"events_per_s": answer["deliveries"] / max(answer["span_s"], 1e-9),
                    "missing": events - answer["deliveries"], "closed": answer["closed"],
                    "close_code": answer["close_code"]}

    def ring(self, result):
        events = 200000 if self.given.quick else 1000000
        repeats = 1 if self.given.quick else 3
        rows = [self.ring_once(f"backlog.{i}", events) for i in range(repeats)]
        result["ring"] = medians(rows)
        say(f"Kafka into the ring: {result['ring']['events_per_s']:.0f} events/s")
        rows = [self.ring_to_client(f"backlog.{3 + i}", events // 2) for i in range(repeats)]
        result["through"] = medians(rows)
        say(f"Kafka to one client: {result['through']['events_per_s']:.0f} events/s, "
            f"missing {result['through']['missing']:.0f}")
