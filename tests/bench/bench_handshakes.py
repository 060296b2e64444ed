"""CPU for a handshake, beside the least that a server can do: accept, read the head, accept key, 101."""
import os
import subprocess

from bench_tools import Program, ROOT, Skip, cpu_s

IN_FLIGHT = 64
EC = {"TLS_CERT_FILE": "{folder}/ec.crt", "TLS_KEY_FILE": "{folder}/ec.key"}
RSA = {"TLS_CERT_FILE": "{folder}/rsa.crt", "TLS_KEY_FILE": "{folder}/rsa.key"}
# name (`again`: with tokens that it has seen before), options of the gateway, algorithm of the tokens in the handshake or
# None. A row whose clients speak something else than plain TCP brings a load generator of its own as the fourth: a list
# of its words. {folder} and {helpers} are filled in.
ROWS = (
    ("gateway, no token", {}, None),
    ("gateway, HS256", {}, "HS256"),
    ("gateway, ES256, each token new", {"JWT_SECRET_FILE": "", "JWT_PUBLIC_KEY_FILE": "{folder}/public.pem"}, "ES256"),
    ("gateway, ES256, again", {"JWT_SECRET_FILE": "", "JWT_PUBLIC_KEY_FILE": "{folder}/public.pem"}, "ES256"),
    ("TLS 1.3, P-256, HS256, full", EC, "HS256", ("{helpers}/bench_tls",)),
    ("TLS 1.3, RSA 2048, HS256, full", RSA, "HS256", ("{helpers}/bench_tls",)),
    ("TLS 1.3, P-256, HS256, resumed", EC, "HS256", ("{helpers}/bench_tls", "--resume")),
)


def fill(bench, text):
    return text.format(folder=bench.folder, helpers=bench.given.helpers)


def clients(bench, port, count, algorithm, words=("{helpers}/bench_handshake",)):
    command = [fill(bench, word) for word in words]
    command += ["--port", str(port), "--count", str(count), "--in-flight", str(IN_FLIGHT)]
    if algorithm:
        command += ["--tokens", os.path.join(bench.folder, f"tokens.{algorithm}")]
    with Program(*command) as program:
        return program.read()


def window(bench, pids, *more):
    before = cpu_s(pids)
    answer = clients(bench, *more)
    if answer["failed"]:
        raise Skip(f"{answer['failed']} handshakes failed")
    return {"cpu_us": (cpu_s(pids) - before) * 1e6 / answer["handshakes"],
            "per_s": answer["handshakes"] / answer["seconds"]}


def floor_row(bench, count):
    with Program(os.path.join(bench.given.helpers, "bench_handshake"), "--serve") as floor:
        port = floor.read()["port"]
        window(bench, [floor.process.pid], port, count // 10, None)
        return bench.medians([window(bench, [floor.process.pid], port, count, None) for _ in range(bench.repeats)])


def gateway_row(bench, row, count):
    name, options, algorithm, *words = row
    extra = {key: fill(bench, value) for key, value in options.items()}
    with bench.gateway("handshake", extra=extra) as gateway:
        again = name.endswith("again")
        clients(bench, gateway.port, count if again else count // 10, algorithm if again else None, *words)
        # what a public key has verified is remembered: only the first window has new tokens
        repeats = bench.repeats if again or algorithm != "ES256" else 1
        return bench.medians([window(bench, gateway.workers, gateway.port, count, algorithm, *words)
                              for _ in range(repeats)])


def make_tokens(bench, algorithm, count):
    subprocess.run(["node", os.path.join(ROOT, "tests/bench/tokens.mjs"), algorithm, str(count), bench.folder,
                    os.path.join(bench.folder, "secret")], check=True)


def make_certificates(bench):
    """One of each kind, signed by themselves: nobody verifies them here."""
    for name, key in (("ec", ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")), ("rsa", ("rsa:2048",))):
        path = os.path.join(bench.folder, name)
        subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-newkey", *key,
                        "-keyout", f"{path}.key", "-out", f"{path}.crt"], check=True, capture_output=True)


def run(bench, result):
    count = 5000 if bench.given.quick else 20000
    make_certificates(bench)
    for algorithm in ("HS256", "ES256"):
        make_tokens(bench, algorithm, count)
    rows = {"floor": floor_row(bench, count)}
    for row in ROWS:
        rows[row[0]] = gateway_row(bench, row, count)
    for name, one in rows.items():
        one["ratio"] = one["cpu_us"] / rows["floor"]["cpu_us"]
        print(f"bench: handshake, {name}: {one['cpu_us']:.1f} us ({one['ratio']:.2f} x), {one['per_s']:.0f}/s", flush=True)
    result["handshake"] = rows
