"""The table at the end, each figure beside what was expected of it."""


def row(*cells):
    print("  ".join(f"{cell:>13}" if i else f"{cell:<34}" for i, cell in enumerate(cells)))


def ms(value):
    return f"{value / 1000:.2f}"


def fanout(found):
    print("\nCPU of the worker, us a delivery (300-byte event); x: of a bare send() of the same k frames")
    row("", "send()", "io_uring", "x", "sendmsg", "x", "worker busy", "ingest busy")
    for size, by_k in found.items():
        for k, one in by_k.items():
            uring, sendmsg = one["io_uring"], one["sendmsg"]
            row(f"N={size} k={k}", f"{one['floor']['cpu_us']:.3f}", f"{uring['cpu_us']:.3f}",
                f"{uring['ratio']:.2f}", f"{sendmsg['cpu_us']:.3f}", f"{sendmsg['ratio']:.2f}",
                f"{100 * uring['worker_share']:.0f} %", f"{100 * uring['ingest_share']:.1f} %")
    print("expected: io_uring at most 1.0, sendmsg at most 1.25; busy: share of a core, with io_uring")
    print("\nDeliveries a second in those windows (offered by the producer; missing ones in brackets)")
    row("", "io_uring", "sendmsg", "frames/write")
    for size, by_k in found.items():
        for k, one in by_k.items():
            row(f"N={size} k={k}", *(f"{one[name]['deliveries_per_s']:.0f} ({one[name]['missing']:.0f})"
                                     for name in ("io_uring", "sendmsg")),
                f"{one['io_uring']['frames_per_write']:.1f}")


def latency(found):
    print("\nLatency from the producer's stamp to the client, ms (Kafka included)")
    row("", "p50", "p99", "p99.9", "missing")
    for size, by_rate in found.items():
        for rate, by_name in by_rate.items():
            for name, one in by_name.items():
                row(f"N={size} {rate}/s {name}", ms(one["latency"]["p50"]), ms(one["latency"]["p99"]),
                    ms(one["latency"]["p999"]), f"{one['missing']:.0f}")


def burst(found):
    print("\nA burst at once, deliveries a second")
    row("", "deliveries/s", "us/delivery", "missing", "closed")
    for size, by_name in found.items():
        for name, one in by_name.items():
            row(f"N={size} {one['events']} events {name}", f"{one['deliveries_per_s']:.0f}",
                f"{one['cpu_us']:.3f}", f"{one['missing']:.0f}", f"{one['closed']:.0f}")


def private(found):
    print("\nA private event beside the fan-out to 10,000 sockets, ms, mock Kafka (its part, measured beside)")
    row("", "p50", "p99", "p99.9", "Kafka p50", "Kafka p99", "flood del/s")
    for name, by_label in found.items():
        for label, one in by_label.items():
            row(f"{label} {name}", ms(one["private"]["p50"]), ms(one["private"]["p99"]),
                ms(one["private"]["p999"]), ms(one["kafka"]["p50"]), ms(one["kafka"]["p99"]),
                f"{one.get('flood_deliveries_per_s', 0):.0f}")
    print("expected: p99 under 5 ms inside the flood")


def handshake(found):
    print("CPU of the worker, us a handshake; x: of accepting, reading the head and writing the 101")
    row("", "us", "x", "a second")
    for name, one in found.items():
        row(name, f"{one['cpu_us']:.1f}", f"{one['ratio']:.2f}", f"{one['per_s']:.0f}")
    print("expected: with HS256 at most 2.0\n")


def show(result, modules):
    """modules: by part, what prints its figures."""
    machine = result["machine"]
    print(f"\n{machine['cpu']}, {machine['cores']} cores, Linux {machine['kernel']}, commit "
          f"{machine['commit']}, {result['kafka']} Kafka, load {machine['load_average'][0]}, "
          f"{result['seconds']} s")
    for part, print_part in (("fanout", fanout), ("latency", latency), ("burst", burst),
                             ("private", private)):
        if part in result:
            print_part(result[part])
    print()
    if "handshake" in result:
        handshake(result["handshake"])
    if "memory" in result:
        row("User bytes an idle connection", f"{result['memory']['bytes_per_connection']:.0f}",
            "(expected: at most 600)")
        row("Connects a second, authenticated", f"{result['memory']['connects_per_s']:.0f}")
    if "ring" in result:
        row("Events a second, Kafka to ring", f"{result['ring']['events_per_s']:.0f}",
            "(expected: at least 150000)")
        row("  CPU of ingest, us an event", f"{result['ring']['ingest_us_per_event']:.2f}")
    if "through" in result:
        row("Events a second, to one client", f"{result['through']['events_per_s']:.0f}",
            f"missing {result['through']['missing']:.0f}")
    for part, print_part in modules.items():
        if part in result:
            print_part(result[part])
    for part, reason in result.get("skipped", {}).items():
        print(f"not measured: {part}: {reason}")
