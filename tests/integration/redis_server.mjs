// A real redis-server for a test: on a free port, in a folder of its own, gone with the test process.
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, alive, until, within } from './harness.mjs';

// One command and its answer, by a connection of its own: strings, numbers, null, lists; an error throws.
function ask(port, words) {
    return within(`redis ${words[0]}`, PATIENCE_MS, new Promise((resolve, reject) => {
        const socket = createConnection(port, '127.0.0.1');
        let text = '';
        socket.setEncoding('utf8').on('error', reject).on('data', piece => {
            text += piece;
            const found = read(text, 0);
            if (!found)
                return;
            socket.destroy();
            found.value instanceof Error ? reject(found.value) : resolve(found.value);
        });
        socket.write(`*${words.length}\r\n${words.map(word => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`);
    }));
}

function read(text, from) {
    const end = text.indexOf('\r\n', from);
    if (end < 0)
        return null;
    const rest = text.slice(from + 1, end);
    const next = end + 2;
    switch (text[from]) {
    case '+': return { value: rest, next };
    case '-': return { value: new Error(rest), next };
    case ':': return { value: Number(rest), next };
    case '$': return Number(rest) < 0 ? { value: null, next }
        : text.length < next + Number(rest) + 2 ? null : { value: text.substr(next, Number(rest)), next: next + Number(rest) + 2 };
    default: return readList(text, next, Number(rest));
    }
}

function readList(text, next, count) {
    const value = [];
    for (; count > 0; count--) {
        const item = read(text, next);
        if (!item)
            return null;
        value.push(item.value);
        next = item.next;
    }
    return { value, next };
}

// `args`: further ones of redis-server, such as '--requirepass', 'x'. `port` to take a known one again.
export async function startRedis({ args = [], port } = {}) {
    const dir = mkdtempSync(join(tmpdir(), 'moonx-redis-'));
    chmodSync(dir, 0o711); // to its socket another user must get: workers of a gateway that root has started
    port ??= await freePort();
    const socket = join(dir, 'socket');
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', '--port', String(port), '--bind', '127.0.0.1',
        '--dir', dir, '--save', '', '--appendonly', 'no', '--unixsocket', socket, '--unixsocketperm', '777',
        '--enable-debug-command', 'yes', ...args], { stdio: 'ignore' });
    child.unref();
    process.once('exit', () => {
        child.kill('SIGKILL');
        rmSync(dir, { recursive: true, force: true });
    });
    const server = {
        port, socket,
        url: `redis://127.0.0.1:${port}`,
        command: (...words) => ask(port, words.map(String)),
        signal: name => child.kill(name),
        stop: async () => {
            child.kill('SIGKILL');
            await until('redis-server to end', () => !alive(child.pid));
        },
    };
    await until('redis-server', () => server.command('PING').then(() => true, error => error.message.startsWith('NOAUTH')));
    return server;
}
