"""What permessage-deflate costs and gains: the same events to clients that offer it, with WS_DEFLATE on and off."""
from bench_report import row
from bench_tools import expect_whole

TOPICS = ("trades.plain:1", "trades.deflated:1")
# clients, events a second: an event is deflated once, so few clients show its cost and many its gain
SIZES = ((10, 2000), (1000, 60))
FRAMES = (300, 1000)


def windows(bench, gateways, loads, frame, rate):
    """Both in turn, so that a drift of the machine meets them alike."""
    rows = {name: [] for name in gateways}
    for _ in range(bench.repeats):
        for name, gateway in gateways.items():
            window = bench.paced(gateway, loads[name], 1, rate, bench.window, ("--frame-bytes", frame))
            expect_whole(window, f"deflate, {name}")
            rows[name].append(window)
    found = {name: bench.medians(these) for name, these in rows.items()}
    found["ratio"] = bench.medians([{"x": on["cpu_us"] / off["cpu_us"]}
                                    for on, off in zip(rows["deflated"], rows["plain"])])["x"]
    return found


def run(bench, result):
    with bench.gateway("plain", trades="trades.plain") as plain, \
            bench.gateway("deflated", trades="trades.deflated", extra={"WS_DEFLATE": "true"}) as deflated:
        gateways = {"plain": plain, "deflated": deflated}
        for size, rate in SIZES:
            with bench.load(plain.port, size) as plain_load, \
                    bench.load(deflated.port, size, more=("--deflate",)) as deflated_load:
                loads = {"plain": plain_load, "deflated": deflated_load}
                for frame in FRAMES:
                    found = windows(bench, gateways, loads, frame, rate)
                    result.setdefault("deflate", {})[f"N={size} {frame} bytes"] = found
                    print(f"bench: deflate N={size}, {frame} bytes: {found['ratio']:.2f} x the CPU, "
                          f"{found['deflated']['wire_bytes']:.0f} bytes on the wire", flush=True)


def show(found):
    print("\npermessage-deflate: CPU of the worker, us a delivery; bytes of a frame on the wire")
    row("", "off", "on", "x", "bytes off", "bytes on", "x")
    for name, one in found.items():
        off, on = one["plain"], one["deflated"]
        row(name, f"{off['cpu_us']:.3f}", f"{on['cpu_us']:.3f}", f"{one['ratio']:.2f}", f"{off['wire_bytes']:.0f}",
            f"{on['wire_bytes']:.0f}", f"{on['wire_bytes'] / off['wire_bytes']:.2f}")
