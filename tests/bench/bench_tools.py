"""Processes of the bench: Kafka, the gateway, the floor, load generators, producers; and what /proc says."""
import glob
import json
import os
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


ANY_CERTIFICATE = ssl.create_default_context()
ANY_CERTIFICATE.check_hostname = False
ANY_CERTIFICATE.verify_mode = ssl.CERT_NONE


class Skip(Exception):
    """A part can't be measured; the others go on."""


def load_average():
    return [round(value, 2) for value in os.getloadavg()]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_s(pids):
    """CPU time of whole processes in seconds, to the nanosecond."""
    total = 0
    for pid in pids:
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            try:
                with open(path, encoding="ascii") as file:
                    total += int(file.read().split()[0])
            except OSError:
                pass  # a thread that has just ended
    return total / 1e9


def pss_bytes(pids):
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    total += int(line.split()[1]) * 1024
    return total


def await_end(process, seconds):
    """It has been asked to end; who does not is killed."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Program:
    """A helper that speaks lines of JSON."""

    def __init__(self, *command, environment=None, ahead=False):
        """ahead: stands for another machine, so it does not wait for the gateway's and the reader's time
        slices (as far as this user may say so)."""
        self.name = os.path.basename(command[0])
        words = [str(word) for word in command]
        if ahead and os.geteuid() == 0:
            words = ["nice", "-n", "-10"] + words
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Skip(f"{self.name} ended")
        return json.loads(line) if line.startswith("{") else line.strip()

    def ask(self, line):
        self.say(line)
        return self.read()

    def say(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            raise Skip(f"{self.name} ended") from None

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        await_end(self.process, 20)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def kafka_helpers(given):
    return os.path.join(os.path.dirname(given.helpers), "integration")


class Kafka(Program):
    """Apache Kafka by tests/kafka, or librdkafka's mock cluster."""

    def __init__(self, given, kind, topics):
        self.kind = kind
        if kind == "real":
            super().__init__("node", os.path.join(ROOT, "tests/bench/kafka_host.mjs"), *topics,
                             environment={**os.environ, "MOONX_TEST_HELPERS": kafka_helpers(given)}, ahead=True)
        else:
            command = [os.path.join(given.helpers, "bench_produce"), "--mock"]
            for topic in topics:
                command += ["--topic", topic]
            super().__init__(*command, ahead=True)
        self.bootstrap = self.read()["bootstrap"]


class Gateway:
    """One gateway with its own port and folder."""

    def __init__(self, given, folder, kafka, name, backend, workers, trades, orders="order.updates",
                 extra=None):
        self.port = free_port()
        self.name = name
        self.log = os.path.join(folder, f"{name}.log")
        secret = os.path.join(folder, "secret")
        kafka_config = os.path.join(folder, "kafka.properties")
        with open(kafka_config, "w", encoding="ascii") as file:
            if kafka.kind == "mock":
                file.write("fetch.wait.max.ms=1\n")  # the mock lets an empty fetch wait its full length
        environment = {key: value for key, value in os.environ.items() if not key.startswith("KAFKA_")}
        environment.update({
            "WEBSOCKET_SERVICE_PORT": str(self.port), "WEBSOCKET_SERVICE_HOST": "127.0.0.1",
            "WORKERS": str(workers), "FLUSH_BACKEND": backend, "JWT_SECRET_FILE": secret,
            "KAFKA_BROKERS": kafka.bootstrap, "KAFKA_TOPIC_TRADES": trades, "KAFKA_TOPIC_ORDERS": orders,
            "KAFKA_CONSUMER_GROUP_ID": f"bench-{name}", "KAFKA_CONFIG_FILE": kafka_config,
            "DRAIN_TIMEOUT": "1000", "LOG_LEVEL": "warn", "RATE_LIMIT_ENABLED": "false",
            "INSTANCE_ID": name})
        environment.update(extra or {})
        self.scheme = "https" if "TLS_CERT_FILE" in environment else "http"
        with open(self.log, "w", encoding="ascii") as log:
            self.process = subprocess.Popen([os.path.join(given.build, "moonx-gateway")], env=environment,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.workers, self.ingest = [], []
        try:
            self.wait_ready()
            self.find_children()
        except Skip:
            self.close()
            raise

    def get(self, path):
        url = f"{self.scheme}://127.0.0.1:{self.port}{path}"
        with urllib.request.urlopen(url, timeout=5, context=ANY_CERTIFICATE if self.scheme == "https" else None) as answer:
            return answer.read().decode()

    def wait_ready(self):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                self.get("/ready")
                return
            except (OSError, urllib.error.URLError):
                time.sleep(0.05)
        with open(self.log, encoding="utf-8", errors="replace") as log:
            raise Skip(f"gateway {self.name} is not ready: {log.read()[-2000:]}")

    def find_children(self):
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    text = file.read()
                with open(os.path.dirname(path) + "/cmdline", encoding="utf-8", errors="replace") as file:
                    title = file.read()
            except OSError:
                continue
            parent = int(text.rsplit(")", 1)[1].split()[1])
            if parent == self.process.pid:
                group = self.ingest if "moonx-ingest" in title else self.workers
                group.append(int(path.split("/")[2]))
        if not self.workers or not self.ingest:
            raise Skip(f"gateway {self.name}: no worker or no ingest among its children")

    def pids(self):
        return [self.process.pid] + self.workers + self.ingest

    def metric(self, name):
        """Summed over its labels."""
        total = 0.0
        for line in self.get("/metrics").splitlines():
            if line.startswith(name) and line[len(name)] in " {":
                total += float(line.rsplit(" ", 1)[1])
        return total

    def stop_ingest(self):
        """Ingest stands still; so does the supervisor, or it would replace it."""
        os.kill(self.process.pid, signal.SIGSTOP)
        os.kill(self.ingest[0], signal.SIGSTOP)

    def continue_ingest(self):
        os.kill(self.ingest[0], signal.SIGCONT)

    def continue_supervisor(self):
        os.kill(self.process.pid, signal.SIGCONT)

    def close(self):
        for pid in self.ingest:
            try:
                os.kill(pid, signal.SIGCONT)  # a part may have failed while it stood still
            except ProcessLookupError:
                pass
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        await_end(self.process, 10)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Load(Program):
    """A load generator whose connections are all ready."""

    def __init__(self, given, folder, port, connections, first_user=0, processes=1, nice=0, more=()):
        self.connections = connections
        super().__init__(os.path.join(given.helpers, "bench_load"), "--port", port, "--secret-file",
                         os.path.join(folder, "secret"), "--connections", connections, "--first-user",
                         first_user, "--processes", processes, "--nice", nice, *more)
        self.ready = None

    def wait(self):
        self.ready = self.read()
        if self.ready["ready"] != self.connections:
            self.close()
            raise Skip(f"only {self.ready['ready']} of {self.connections} connections came up")
        return self


def expect_whole(window, what):
    """A window in which something was lost, or somebody closed, measures nothing."""
    if window["missing"] or window["closed"]:
        raise Skip(f"{what}: {window['missing']} deliveries are missing, {window['closed']} connections were closed")


def settle(load, field, expected, patience=2.0):
    """The report once `expected` have come, or when nothing more comes for `patience` seconds."""
    last, since = -1, time.monotonic()
    while True:
        answer = load.ask("report")
        if answer[field] >= expected:
            return answer
        if answer[field] != last:
            last, since = answer[field], time.monotonic()
        elif time.monotonic() - since > patience:
            return answer
        time.sleep(0.02)


def producer(given, bootstrap, topic, *more, warm=None):
    """Connected; starts at its first line of input. warm: (load, field, count) that its warming events
    bring; they have come when this returns."""
    if warm:
        warm[0].ask("mark")
    program = Program(os.path.join(given.helpers, "bench_produce"), "--bootstrap", bootstrap, "--topic",
                      topic, *more, ahead=True)
    program.read()
    if warm:
        settle(*warm, patience=5.0)
    return program
