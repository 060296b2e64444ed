// One node of Kafka, broker and controller in one, on 127.0.0.1, its data in a temporary folder. The process dies with the
// test (also when that is killed), and remove() takes the folder.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const SHUTDOWN_MS = 30_000;

const java = [
    '-Xms96m', '-Xmx320m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:-UsePerfData', '-Xshare:auto',
    '-Dlog4j2.level=OFF', '-cp', join(root, 'build/kafka/lib/*'),
];

// --pdeathsig: a test that is killed leaves no process behind.
export const launch = (command, args, options) => spawn('setpriv', ['--pdeathsig', 'KILL', command, ...args], options);

const exited = child => child.exitCode !== null || child.signalCode !== null;

export function exitOf(child, deadlineMs) {
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

export class Node {
    static #left = new Set(); // of a test that fails before remove()

    static {
        process.once('exit', () => Node.#left.forEach(node => {
            node.#child?.kill('SIGKILL'); // first, or it would write its folder again
            node.remove();
        }));
    }

    #dir = mkdtempSync(join(tmpdir(), 'moonx-kafka-'));
    #config = join(this.#dir, 'server.properties');
    #log = join(this.#dir, 'log');
    #child = null;

    // properties: a function that gives its configuration for a folder.
    constructor({ port }, properties) {
        this.address = `127.0.0.1:${port}`;
        writeFileSync(this.#config, properties(this.#dir));
        Node.#left.add(this);
    }

    // All nodes of one cluster.
    static async format(nodes) {
        // one in 64 would begin with a dash, which the tool takes for a flag
        const id = randomBytes(16).toString('base64url').replace(/^-/, 'A');
        await Promise.all(nodes.map(node =>
            promisify(execFile)('java', [...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', node.#config])));
    }

    get pid() {
        return this.#child?.pid;
    }

    // A promise that fails when it ends before anybody asked it to.
    run() {
        const log = openSync(this.#log, 'a');
        this.#child = launch('java', [...java, 'kafka.Kafka', this.#config], { stdio: ['ignore', log, log] });
        closeSync(log);
        const running = this.#child;
        const died = new Promise((_, reject) => running.once('exit', () => this.#child === running && reject(new Error(
            `Kafka ended by itself:\n${readFileSync(this.#log, 'utf8').slice(-4000)}`))));
        died.catch(() => {});
        return died;
    }

    async end(signal) {
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

    remove() {
        Node.#left.delete(this);
        rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 });
    }
}
