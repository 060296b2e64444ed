// Apache Kafka for a test: one node that is broker and controller, on 127.0.0.1, its data in a temporary
// folder. The process dies with the test (also when that is killed), and stop() removes the folder.
//
//   const kafka = await startKafka();
//   await kafka.createTopic('price.updates', 4);
//   kafka.bootstrap                             '127.0.0.1:PORT'
//   await kafka.addPartitions('price.updates', 6);
//   await kafka.deleteTopic('price.updates');
//   await kafka.kill(); await kafka.start();    restart() is both, with a clean shutdown
//   await kafka.stop();
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { mkdtempSync, openSync, closeSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { serverProperties } from './server.properties.mjs';

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
const helpers = process.env.MOONX_TEST_HELPERS ?? join(root, 'build/release/tests/integration');
const START_MS = 120_000;
const SHUTDOWN_MS = 30_000;
const FIRST_PORT = 10_000;

const java = [
    '-Xms96m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData', '-Xshare:auto',
    '-Dlog4j2.level=OFF', '-cp', join(root, 'build/kafka/lib/*'),
];

const listen = (server, ...where) => new Promise((resolve, reject) => server.once('error', reject).listen(...where, resolve));

// Whether nobody listens there now, and no other test has been given it: that is told by an abstract socket of its name,
// which this process keeps until it ends.
async function reserve(port, host) {
    const server = createServer(), reservation = createServer();
    try {
        await listen(server, port, host);
        await new Promise(resolve => server.close(resolve));
        await listen(reservation.unref(), `\0moonx-test-port-${port}`);
        return true;
    } catch (error) {
        assert.equal(error.code, 'EADDRINUSE');
        return false;
    }
}

// Below the ports that the kernel hands out by itself: one of those could become any connection's before its server listens.
export async function freePort(host = '127.0.0.1') {
    const [lowest] = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8').split(/\s+/).map(Number);
    const most = lowest > 2 * FIRST_PORT ? lowest : 65_536;
    for (let tries = 0; tries < 1000; tries++) {
        const port = randomInt(FIRST_PORT, most);
        if (await reserve(port, host))
            return port;
    }
    throw new Error(`no port is free from ${FIRST_PORT} to ${most}`);
}

const admin = (bootstrap, ...args) => run(join(helpers, 'kafka_admin'), [bootstrap, ...args.map(String)]);

// --pdeathsig: a test that is killed leaves no broker behind.
const launch = (command, args, options) => spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], options);

const exited = child => child.exitCode !== null || child.signalCode !== null;

function exitOf(child, deadlineMs) {
    if (exited(child))
        return Promise.resolve(true);
    return new Promise(resolve => {
        const timer = setTimeout(() => resolve(false), deadlineMs);
        child.once('exit', () => {
            clearTimeout(timer);
            resolve(true);
        });
    });
}

class Kafka {
    #dir;
    #config;
    #log;
    #child = null;

    constructor(dir, port, controllerPort, properties) {
        this.#dir = dir;
        this.#config = join(dir, 'server.properties');
        this.#log = join(dir, 'log');
        this.bootstrap = `127.0.0.1:${port}`;
        writeFileSync(this.#config, serverProperties({ dir, port, controllerPort }) + properties);
        // For a test that fails before stop(): the broker first, or it would write its folder again.
        process.once('exit', () => {
            this.#child?.kill('SIGKILL');
            rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
        });
    }

    async format() {
        // one in 64 would begin with a dash, which the tool takes for a flag
        const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
        await run('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', this.#config]);
    }

    get pid() {
        return this.#child?.pid;
    }

    async start() {
        const log = openSync(this.#log, 'a');
        this.#child = launch('java', [...java, 'kafka.Kafka', this.#config], { stdio: ['ignore', log, log] });
        closeSync(log);
        const running = this.#child;
        const died = new Promise((_, reject) => running.once('exit', () => reject(new Error(
            `Kafka ended while starting:\n${readFileSync(this.#log, 'utf8').slice(-4000)}`))));
        died.catch(() => {});
        await Promise.race([admin(this.bootstrap, 'wait', START_MS), died]);
    }

    async #end(signal) {
        const running = this.#child;
        this.#child = null;
        if (!running || exited(running))
            return;
        running.kill(signal);
        if (!await exitOf(running, SHUTDOWN_MS)) {
            running.kill('SIGKILL');
            await exitOf(running, SHUTDOWN_MS);
        }
    }

    shutdown() {
        return this.#end('SIGTERM');
    }

    kill() {
        return this.#end('SIGKILL');
    }

    async restart() {
        await this.shutdown();
        await this.start();
    }

    // The data goes too, so nothing is gained by a slow shutdown.
    async stop() {
        await this.kill();
        rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 });
    }

    async createTopic(name, partitions = 1) {
        await admin(this.bootstrap, 'create', name, partitions);
    }

    async addPartitions(name, total) {
        await admin(this.bootstrap, 'grow', name, total);
    }

    // As retention does: all that each of its partitions holds now is gone.
    async trim(name, partitions) {
        await admin(this.bootstrap, 'trim', name, partitions);
    }

    async deleteTopic(name) {
        await admin(this.bootstrap, 'delete', name);
    }

    // Of a broker with an authorizer: `right` is 'read' or 'describe'; who is not named has none any more.
    async allow(topic, user, right) {
        await admin(this.bootstrap, 'allow', topic, user, right);
    }
}

// `start: false` gives a formatted broker whose address is known but where nobody answers yet. `properties`: lines behind
// those of server.properties.mjs.
export async function startKafka({ dir, start = true, properties = '' } = {}) {
    const folder = dir ?? mkdtempSync(join(tmpdir(), 'moonx-kafka-'));
    const kafka = new Kafka(folder, await freePort(), await freePort(), properties);
    await kafka.format();
    if (start)
        await kafka.start();
    return kafka;
}

// A producing client that stays: send() resolves to {partition, offset} once Kafka has the message durably.
export class Producer {
    #child;
    #sent = 0;
    #waiting = new Map();
    #rest = '';

    // transactional: the id under which begin(), commit() and abort() can be said.
    constructor(bootstrap, { transactional } = {}) {
        this.#child = launch(join(helpers, 'kafka_produce'), [bootstrap, ...(transactional ? [transactional] : [])], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.#child.stdin.on('error', () => {});
        this.#child.stdout.setEncoding('utf8').on('data', text => this.#read(text));
        this.#child.once('exit', () => this.#waiting.forEach(({ reject }) => reject(new Error('producer ended'))));
    }

    #read(text) {
        const lines = (this.#rest + text).split('\n');
        this.#rest = lines.pop();
        for (const line of lines) {
            const { n, error, ...where } = JSON.parse(line);
            const { resolve, reject } = this.#waiting.get(n);
            this.#waiting.delete(n);
            if (error)
                reject(new Error(error));
            else
                resolve({ ...where, id: `${where.topic}:${where.partition}:${where.offset}` });
        }
    }

    // value: an object (sent as JSON), a string (sent as it is), a Buffer, or null: a tombstone.
    send(topic, value, { partition = '-', key = '-' } = {}) {
        let form = 'text';
        let text = typeof value === 'string' ? value : '';
        if (value === null)
            form = 'null';
        else if (Buffer.isBuffer(value))
            [form, text] = ['hex', value.toString('hex')];
        else if (typeof value === 'object')
            text = JSON.stringify(value);
        if (form === 'text' && text.includes('\n'))
            [form, text] = ['hex', Buffer.from(text).toString('hex')];
        return this.#say([topic, partition, key, form, text].join('\t'));
    }

    #say(line) {
        const n = this.#sent++;
        return new Promise((resolve, reject) => {
            this.#waiting.set(n, { resolve, reject });
            this.#child.stdin.write(`${line}\n`);
        });
    }

    begin() {
        return this.#say('begin');
    }

    commit() {
        return this.#say('commit');
    }

    abort() {
        return this.#say('abort');
    }

    async stop() {
        this.#child.stdin.end();
        if (!await exitOf(this.#child, SHUTDOWN_MS))
            this.#child.kill('SIGKILL');
    }
}

// Numbered events at a steady rate: resolves to the list of results, {n, topic, partition, offset} each.
// templates: [topic, template] pairs; see kafka_produce.c.
export function produceMany(bootstrap, { count, rate, partitions, templates }) {
    const args = [bootstrap, count, rate, partitions, ...templates.map(([topic, text]) => `${topic}=${text}`)];
    const producer = launch(join(helpers, 'kafka_produce'), args.map(String), { stdio: ['ignore', 'pipe', 'inherit'] });
    return new Promise((resolve, reject) => {
        let output = '';
        producer.stdout.setEncoding('utf8').on('data', text => (output += text));
        producer.once('error', reject).once('close', code => {
            if (code !== 0)
                return reject(new Error(`kafka_produce ended with status ${code}`));
            resolve(output.trimEnd().split('\n').map(line => JSON.parse(line)));
        });
    });
}
