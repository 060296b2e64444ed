// What every integration test needs: a gateway on a free port, tokens, and clients that remember all they
// received. Nothing here waits for a fixed time: each wait is for an event, with a deadline.
//
//   const gateway = await startGateway({ kafka: kafka.bootstrap, workers: 2, flush: 'sendmsg' });
//   const client = await connectClient(gateway);          // npm ws, nothing sent yet
//   await client.authenticate({ user: 'alice' });
//   const event = await client.next('price_update');      // event.raw is the text as it came
//   await gateway.stop();                                 // fails when anything is left behind
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { appendFileSync, existsSync, mkdtempSync, openSync, readFileSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { request } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import WebSocket from 'ws';
import { Recorder } from '../checker/recorder.mjs';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, until, within } from './waiting.mjs';

export * from './waiting.mjs';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const SECRET = 'integration-tests-only-0123456789abcdef';
const HTTP_MS = 20_000, PROBE_MS = 5_000;
const LOG_TAIL_BYTES = 6_000;

const program = name => join(process.env.MOONX_BUILD ?? join(root, 'build'), name);

// ---- processes

// A process that no longer runs but was not reaped yet counts as gone.
export function alive(pid) {
    try {
        return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
    } catch {
        return false;
    }
}

// Who has just ended by itself needs no signal.
export function signalTo(pid, name) {
    try {
        process.kill(pid, name);
    } catch (error) {
        assert.equal(error.code, 'ESRCH');
    }
}

function childrenOf(pid) {
    try {
        return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
    } catch {
        return [];
    }
}

export const descendantsOf = pid => childrenOf(pid).flatMap(child => [child, ...descendantsOf(child)]);

// Empty for a process that has just ended.
function commandLine(pid) {
    try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
    } catch {
        return [];
    }
}

// As the process's own user, who may always change its limits; root may not everywhere.
export function prlimit(pid, ...args) {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const id = name => status.match(new RegExp(`^${name}:\\s+(\\d+)`, 'm'))[1];
    return promisify(execFile)('setpriv', ['--reuid', id('Uid'), '--regid', id('Gid'), '--keep-groups', 'prlimit', '--pid', String(pid), ...args]);
}

// One figure of /proc/PID/status in KiB. RssAnon is the process's own: VmRSS grows as the shared ring is read.
export function memoryKiB(pid, figure = 'RssAnon') {
    return Number(readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${figure}:\\s+(\\d+)`, 'm'))[1]);
}

// The process that holds the server's end of a client's connection, by its inode.
export function ownerOfConnection(serverPort, clientPort, pids) {
    const hex = port => port.toString(16).toUpperCase().padStart(4, '0');
    const look = () => readFileSync('/proc/net/tcp', 'utf8').split('\n').map(line => line.trim().split(/\s+/))
        .find(([, local, remote]) => local?.endsWith(`:${hex(serverPort)}`) && remote?.endsWith(`:${hex(clientPort)}`));
    let row; // the table is read in pieces: while other rows go, one may be passed over
    for (let readings = 0; !row && readings < 10; readings++)
        row = look();
    assert.ok(row, `no socket ${serverPort} -> ${clientPort}`);
    const link = `socket:[${row[9]}]`;
    return pids.find(pid => readdirSync(`/proc/${pid}/fd`).some(fd => {
        try {
            return readlinkSync(`/proc/${pid}/fd/${fd}`) === link;
        } catch {
            return false;
        }
    }));
}

// As fetch() answers a GET, from a server whose certificate `ca` has signed.
function getTrusting(url, ca) {
    return within(url, HTTP_MS, new Promise((resolve, reject) => {
        request(url, { ca, agent: false }, async response => {
            try {
                resolve(new Response(await text(response), { status: response.statusCode, headers: response.headers }));
            } catch (error) {
                reject(error);
            }
        }).once('error', reject).end();
    }));
}

// ---- the gateway

const started = [];
process.once('exit', code => started.forEach(farewell => farewell(code)));

class Gateway {
    #child;
    #dir = mkdtempSync(join(tmpdir(), 'moonx-gateway-'));
    #output = '';
    #exit;
    #listeners = new Set();
    #ca;

    // What clients without a recorder of their own see of it: stop() has the history checker look at that.
    history = new Recorder({ partial: true });

    constructor(port, args, env, { ca, stderr }) {
        this.port = port;
        this.#ca = ca;
        const s = env.TLS_CERT_FILE ? 's' : '';
        this.url = `ws${s}://127.0.0.1:${port}/ws`;
        this.http = `http${s}://127.0.0.1:${port}`;
        this.logFile = join(this.#dir, 'log');
        // --pdeathsig: a test that is killed leaves no gateway behind.
        this.#child = spawn('setpriv', ['--pdeathsig', 'TERM', program('moonx-gateway'), ...args],
            { env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env }, stdio: ['ignore', 'pipe', stderr ? openSync(stderr, 'a') : 'pipe'],
                cwd: root, detached: true }); // a process group of its own, as under a terminal
        for (const stream of this.#streams())
            stream.setEncoding('utf8').on('data', text => this.#take(text)).unref();
        this.#child.unref(); // a test that failed before stop() must not keep the test process waiting
        this.#exit = new Promise(resolve => this.#child.once('close', (code, signal) => resolve({ code, signal })));
        this.#exit.then(() => this.#take('')); // whoever waits for a line looks a last time
        started.push(code => this.#farewell(code));
    }

    get pid() {
        return this.#child.pid;
    }

    #streams() {
        return [this.#child.stdout, this.#child.stderr].filter(Boolean);
    }

    // Whether anybody reads what it prints; what nobody reads stays in the pipes.
    listen(on) {
        this.#streams().forEach(stream => on ? stream.resume() : stream.pause());
    }

    get output() {
        return this.#output;
    }

    get exited() {
        return this.#exit;
    }

    #take(text) {
        this.#output += text;
        appendFileSync(this.logFile, text);
        this.#listeners.forEach(listener => listener());
    }

    #farewell(code) {
        if (this.#child.exitCode === null && this.#child.signalCode === null)
            this.#child.kill('SIGQUIT');
        if (code === 0)
            return rmSync(this.#dir, { recursive: true, force: true });
        process.stderr.write(`--- gateway on port ${this.port}, whole log in ${this.logFile}\n`
            + `${this.#output.slice(-LOG_TAIL_BYTES)}\n---\n`);
    }

    // Waits until all that the gateway has printed matches; gives the match.
    async printed(pattern, deadlineMs = PATIENCE_MS) {
        let look;
        const match = new Promise((resolve, reject) => {
            look = () => {
                const found = this.#output.match(pattern);
                if (found)
                    resolve(found);
                else if (this.#child.exitCode !== null)
                    reject(new Error(`the gateway ended and never printed ${pattern}`));
            };
        });
        this.#listeners.add(look);
        look();
        return within(`output ${pattern}`, deadlineMs, match).finally(() => this.#listeners.delete(look));
    }

    get(path, init) {
        return this.#ca ? getTrusting(this.http + path, this.#ca)
            : fetch(this.http + path, { signal: AbortSignal.timeout(HTTP_MS), ...init });
    }

    async health() {
        return (await this.get('/health')).json();
    }

    // Name and labels to number, without the prefix.
    async metrics() {
        const text = await (await this.get('/metrics')).text();
        const figures = {};
        for (const [, name, value] of text.matchAll(/^moonx_(\S+) ([-+.eE\d]+)$/gm))
            figures[name] = Number(value);
        return figures;
    }

    // A counter's sum over all processes.
    async metric(name) {
        const figures = Object.entries(await this.metrics());
        return figures.filter(([key]) => key === name || key.startsWith(`${name}{`)).reduce((sum, [, value]) => sum + value, 0);
    }

    async answers(path, status) {
        try {
            return (await this.get(path, { signal: AbortSignal.timeout(PROBE_MS) })).status === status;
        } catch {
            return false;
        }
    }

    // /health is 200 as soon as every child runs, with Kafka or without.
    async started(ready = 200) {
        const ended = this.#exit.then(({ code }) => {
            throw new Error(`the gateway ended with status ${code}:\n${this.#output.slice(-LOG_TAIL_BYTES)}`);
        });
        ended.catch(() => {});
        const answers = async () => await this.answers('/health', 200) && this.answers('/ready', ready);
        await Promise.race([until(`/health 200 and /ready ${ready}`, answers), ended]);
    }

    pids() {
        const children = descendantsOf(this.pid).filter(alive);
        const ingest = children.find(pid => commandLine(pid).some(word => word.endsWith('moonx-ingest')));
        return { supervisor: this.pid, ingest, workers: children.filter(pid => pid !== ingest) };
    }

    // kill -9 of 'ingest' or of one worker (by pid); resolves when a successor runs.
    async kill(role, pid) {
        const before = this.pids();
        const victim = role === 'ingest' ? before.ingest : pid ?? before.workers[0];
        signalTo(victim, 'SIGKILL');
        await until(`a successor of ${role} ${victim}`, () => {
            const now = this.pids();
            return !alive(victim) && now.ingest && now.workers.length === before.workers.length
                && !now.workers.includes(victim) && now.ingest !== victim;
        });
        return victim;
    }

    // Ctrl-C in a terminal reaches every process of the group, other signals the supervisor alone.
    signal(name) {
        process.kill(name === 'SIGINT' ? -this.pid : this.pid, name);
    }

    // Ends it, and sees to it that nothing stays: no process, no listener.
    async stop({ signal = 'SIGTERM', deadlineMs = PATIENCE_MS } = {}) {
        const family = descendantsOf(this.pid);
        this.signal(signal);
        const { code } = await within(`exit after ${signal}`, deadlineMs, this.#exit);
        assert.equal(code, 0, `exit status after ${signal}`);
        assert.deepEqual(family.filter(alive), [], 'processes left behind');
        await assert.rejects(new Promise((resolve, reject) => {
            const probe = connect(this.port, '127.0.0.1', () => {
                probe.destroy();
                resolve();
            }).once('error', reject);
        }), { code: 'ECONNREFUSED' });
        this.history.verify();
    }
}

// `ready: false` resolves as soon as HTTP is answered, 'unasked' at once. `dev` starts with --dev. `port`: that of one that was stopped.
// `ca`: who has signed its certificate, for get(). `stderr`: a file in place of the pipe.
export async function startGateway({
    kafka, workers = 1, flush = 'auto', env = {}, args = [], dev = false, ready = true, port = 0, ca, stderr,
} = {}) {
    port ||= await freePort();
    const devDirectory = dev ? mkdtempSync(join(tmpdir(), 'moonx-dev-')) : null;
    const settings = {
        WEBSOCKET_SERVICE_HOST: '127.0.0.1',
        WEBSOCKET_SERVICE_PORT: String(port),
        WORKERS: String(workers),
        FLUSH_BACKEND: flush,
        RING_BYTES: String(32 << 20),
        DRAIN_TIMEOUT: '1000',
        // patience with many clients of one process, which has other things to do
        AUTH_TIMEOUT: String(PATIENCE_MS), WS_PONG_TIMEOUT: String(3 * PATIENCE_MS), WS_SLOW_TIMEOUT: String(3 * PATIENCE_MS),
        RATE_LIMIT_ENABLED: 'false', // many clients from one address; access.test.mjs switches it on
        ...(dev ? { DEV_DIRECTORY: devDirectory } : { JWT_SECRET: SECRET }),
        ...(kafka ? { KAFKA_BROKERS: kafka } : {}),
        ...env,
    };
    const gateway = new Gateway(port, [...(dev ? ['--dev'] : []), ...args], settings, { ca, stderr });
    gateway.devDirectory = devDirectory;
    if (dev)
        process.once('exit', () => rmSync(devDirectory, { recursive: true, force: true }));
    if (ready !== 'unasked')
        await gateway.started(ready ? 200 : 503);
    return gateway;
}

// ---- tokens

const base64url = value => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

export const seconds = fromNow => Math.floor(Date.now() / 1000) + fromNow;

export function mintToken(claims = {}, { secret = SECRET, algorithm = 'HS256' } = {}) {
    const body = { sub: 'alice', exp: seconds(3600), ...claims };
    const signed = `${base64url({ alg: algorithm, typ: 'JWT' })}.${base64url(body)}`;
    return `${signed}.${createHmac(`sha${algorithm.slice(2)}`, secret).update(signed).digest('base64url')}`;
}

// ---- clients

class Client {
    #waiters = new Set();
    #taken = new Set();
    #ids = 0;

    // Everything that came, parsed, each with its own text as `raw`, in order.
    received = [];

    // recorder: what it does and sees is written down for the history checker (tests/checker/recorder.mjs); by default
    // for the gateway's own, null: for nobody.
    constructor(gateway, { protocols = [], recorder, ...options } = {}) {
        this.gateway = gateway;
        this.recorder = recorder === undefined ? gateway.history : recorder;
        this.ws = new WebSocket(gateway.url, protocols, options);
        this.ws.on('message', (bytes, isBinary) => {
            assert.equal(isBinary, false, 'the gateway sends text only');
            const raw = bytes.toString('utf8');
            this.received.push({ raw, ...JSON.parse(raw) });
            this.recorder?.received(this, this.received.at(-1));
            this.#waiters.forEach(waiter => waiter());
        });
        this.ws.on('error', error => (this.error = error));
        this.ws.once('open', () => this.ws._socket.unref()); // as above
        this.closed = new Promise(resolve => this.ws.once('close', (code, reason) => {
            this.ended = { code, reason: reason.toString('utf8') };
            this.recorder?.closed(this);
            this.#waiters.forEach(waiter => waiter());
            resolve(this.ended);
        }));
        this.opened = new Promise((resolve, reject) => this.ws.once('open', resolve).once('error', reject));
        this.opened.catch(() => {});
    }

    // The next message, not yet given to anybody, that is of this type (or for which this function says yes).
    async next(wanted, deadlineMs = PATIENCE_MS) {
        const fits = typeof wanted === 'function' ? wanted : message => message.type === wanted;
        const what = typeof wanted === 'function' ? 'message' : wanted;
        let look;
        let seen = 0; // looked at: a busy client receives too much to look at all of it each time
        const found = new Promise((resolve, reject) => {
            look = () => {
                for (; seen < this.received.length; seen++) {
                    const message = this.received[seen];
                    if (this.#taken.has(message) || !fits(message))
                        continue;
                    this.#taken.add(message);
                    this.#waiters.delete(look); // now: the next message may come before the promise is looked at
                    return resolve(message);
                }
                if (this.ended)
                    reject(new Error(`closed with ${this.ended.code} "${this.ended.reason}" while waiting for ${what}`));
            };
        });
        this.#waiters.add(look);
        look();
        return within(`${what} (last: ${this.received.at(-1)?.raw.slice(0, 200)})`, deadlineMs, found)
            .finally(() => this.#waiters.delete(look));
    }

    all(type) {
        return this.received.filter(message => message.type === type);
    }

    sendText(text) {
        this.#noteSending(text);
        this.ws.send(text);
    }

    // What is no message the recorder need not know.
    #noteSending(text) {
        try {
            const { type, data } = JSON.parse(text);
            this.recorder?.sending(this, type, data);
        } catch (error) {
            assert.ok(error instanceof SyntaxError || error instanceof TypeError, error);
        }
    }

    send(type, data, more = {}) {
        this.recorder?.sending(this, type, data);
        this.ws.send(JSON.stringify({ type, ...(data === undefined ? {} : { data }), ...more }));
    }

    // Sends with an id and waits for the answer that refers to it.
    request(type, data, deadlineMs) {
        const id = `r${++this.#ids}`;
        this.send(type, data, { id });
        return this.next(message => message.ref === id, deadlineMs);
    }

    // Until the server has answered a ping, so that whatever it had queued before has come.
    async settled() {
        return this.request('ping', {});
    }

    async authenticate({ user = 'alice', channels, token, ...claims } = {}) {
        await this.next('auth_required');
        this.send('authenticate', {
            token: token ?? mintToken({ sub: user, ...claims }),
            ...(channels ? { channels } : {}),
        });
        const success = await this.next(message => message.type === 'auth_success' || message.type === 'auth_failed');
        assert.equal(success.type, 'auth_success', success.raw);
        this.user = success.data.user.id;
        const joined = await this.next('auto_subscribed');
        for (const channel of channels ?? [])
            await this.next(message => message.type === 'subscribed' && message.data.channel === channel);
        return { success, joined };
    }

    async close(code, reason) {
        this.ws.close(code, reason);
        return within('close', PATIENCE_MS, this.closed);
    }

    async closes(deadlineMs = PATIENCE_MS) {
        return within('close by the server', deadlineMs, this.closed);
    }
}

export async function connectClient(gateway, options) {
    const client = new Client(gateway, options);
    await within('open', PATIENCE_MS, client.opened);
    return client;
}

export async function signedIn(gateway, who = {}, options = {}) {
    const client = await connectClient(gateway, options);
    await client.authenticate(who);
    return client;
}

// What the client's own library would do: the last position told, moved on by each event's id.
export function positionOf(client) {
    const told = client.received.filter(message => message.data?.position);
    const position = JSON.parse(JSON.stringify(told.at(-1).data.position));
    for (const { id, snapshot } of client.received.slice(client.received.indexOf(told.at(-1)) + 1).filter(({ id }) => /^[a-z.-]+:\d+:\d+$/.test(id))) {
        const [topic, partition, offset] = id.split(':');
        if (!snapshot)
            position.topics[topic][partition] = Number(offset);
    }
    return position;
}

// The project's own client, line by line.
export function moonxClient(args, { env = {} } = {}) {
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', program('moonx-client'), ...args],
        { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env.PATH, ...env }, cwd: root });
    return watchLines(child);
}

// Any command by the shell, line by line: `line(pattern)` waits for one that matches.
export function shell(command, { cwd = root, env = process.env } = {}) {
    return watchLines(spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', command], { stdio: ['ignore', 'pipe', 'pipe'], cwd, env }));
}

function watchLines(child) {
    const state = { child, output: '', errors: '' };
    const waiters = new Set();
    const wake = () => waiters.forEach(waiter => waiter());
    child.stdout.setEncoding('utf8').on('data', text => {
        state.output += text;
        wake();
    });
    child.stderr.setEncoding('utf8').on('data', text => (state.errors += text));
    state.exited = new Promise(resolve => child.once('close', (code, signal) => {
        state.ended = { code, signal };
        wake();
        resolve(state.ended);
    }));
    state.line = async (pattern, deadlineMs = PATIENCE_MS) => {
        let look;
        const found = new Promise((resolve, reject) => {
            look = () => {
                const line = state.output.split('\n').slice(0, -1).find(candidate => pattern.test(candidate));
                if (line !== undefined)
                    resolve(line);
                else if (state.ended)
                    reject(new Error(`ended (${state.ended.code}) without ${pattern}: ${state.output}${state.errors}`));
            };
        });
        waiters.add(look);
        look();
        return within(`line ${pattern} in: ${state.output}${state.errors}`, deadlineMs, found).finally(() => waiters.delete(look));
    };
    state.stop = async () => {
        if (!state.ended)
            child.kill('SIGTERM');
        return within('exit', PATIENCE_MS, state.exited);
    };
    return state;
}

export const ioUringAllowed = () => {
    const file = '/proc/sys/kernel/io_uring_disabled';
    return !existsSync(file) || readFileSync(file, 'utf8').trim() === '0';
};
