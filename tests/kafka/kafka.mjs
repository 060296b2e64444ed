// Apache Kafka for a test: one node (node.mjs), or several that keep copies of everything.
//
//   const kafka = await startKafka();
//   await kafka.createTopic('price.updates', 4);
//   kafka.bootstrap                             '127.0.0.1:PORT'
//   await kafka.addPartitions('price.updates', 6);
//   await kafka.deleteTopic('price.updates');
//   await kafka.kill(); await kafka.start();    restart() is both, with a clean shutdown
//   await kafka.stop();
//   const cluster = await startKafka({ brokers: 3 });
//   const [{ leader }] = await cluster.partitions('price.updates');
//   await cluster.nodes[leader - 1].end('SIGKILL');
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Node, SHUTDOWN_MS, exitOf, launch, root } from './node.mjs';
import { serverProperties } from './server.properties.mjs';

const run = promisify(execFile);
const helpers = process.env.MOONX_TEST_HELPERS ?? join(root, 'build/release/tests/integration');
const START_MS = 300_000; // of a JVM on a machine that is busy
const SETTLED_MS = 120_000, LOOK_MS = 100;
const FIRST_PORT = 10_000;

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

class Kafka {
    constructor(nodes) {
        this.nodes = nodes;
        this.bootstrap = nodes.map(({ address }) => address).join();
    }

    // Of the first node.
    get pid() {
        return this.nodes[0].pid;
    }

    // Those nodes that do not run, until all are there.
    async start(nodes = this.nodes) {
        const died = nodes.map(node => node.run());
        await Promise.race([admin(this.bootstrap, 'wait', START_MS, this.nodes.length), ...died]);
    }

    async shutdown() {
        await Promise.all(this.nodes.map(node => node.end('SIGTERM')));
    }

    async kill() {
        await Promise.all(this.nodes.map(node => node.end('SIGKILL')));
    }

    async restart() {
        await this.shutdown();
        await this.start();
    }

    // The data goes too, so nothing is gained by a slow shutdown.
    async stop() {
        await this.kill();
        this.nodes.forEach(node => node.remove());
    }

    // What its metadata says of a topic's partitions: {partition, leader, replicas, inSync}, those by numbers of nodes, from 1.
    async partitions(topic) {
        const { stdout } = await run('kcat', ['-b', this.bootstrap, '-L', '-J', '-t', topic]);
        return JSON.parse(stdout).topics[0].partitions.map(({ partition, leader, replicas, isrs }) =>
            ({ partition, leader, replicas: replicas.map(({ id }) => id), inSync: isrs.map(({ id }) => id) }));
    }

    // Until the partitions are as they should be; asked of the nodes that answer.
    async settled(topic, good) {
        const end = performance.now() + SETTLED_MS;
        for (;;) {
            const seen = await this.partitions(topic).catch(() => []);
            if (seen.length > 0 && good(seen))
                return;
            assert.ok(performance.now() < end, `${topic} after ${SETTLED_MS} ms: ${JSON.stringify(seen)}`);
            await new Promise(resolve => setTimeout(resolve, LOOK_MS));
        }
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

// `start: false` gives a formatted broker whose address is known but where nobody answers yet. `brokers`: so many nodes, each
// with a copy of everything, so that any one of three may go. `properties`: lines behind those of server.properties.mjs.
export async function startKafka({ brokers = 1, start = true, properties = '' } = {}) {
    const ports = [];
    for (let number = 1; number <= brokers; number++)
        ports.push({ number, port: await freePort(), controllerPort: await freePort() });
    const nodes = ports.map(mine => new Node(mine, folder => serverProperties(folder, mine, ports) + properties));
    await Node.format(nodes);
    const kafka = new Kafka(nodes);
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
        if (this.#child.exitCode !== null || this.#child.signalCode !== null)
            return Promise.reject(new Error('producer ended'));
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
