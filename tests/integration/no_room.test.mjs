// A host that has too little: memory that can't be had at the start is told in one line, and nothing half started stays; a
// disk that is full, or a file that may not grow, costs a running gateway log lines and nothing else.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { appendFileSync, closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freePort } from '../kafka/kafka.mjs';
import { SECRET, alive, prlimit, root, signedIn, startGateway, until } from './harness.mjs';

const program = join(process.env.MOONX_BUILD ?? join(root, 'build'), 'moonx-gateway');
const MOST_RING_BYTES = 2 ** 36;
const START_MS = 60_000;
const DISK_BYTES = 256 << 10, PAGE_BYTES = 4096;
const HALF_A_LINE = 50; // bytes for which there is room

// Its own process group: whoever is left of it answers a signal.
const groupLives = group => {
    try {
        return process.kill(-group, 0);
    } catch {
        return false;
    }
};

describe('a start for which there is too little', () => {
    const refusals = [
        ['a ring larger than the machine\'s memory', [], { RING_BYTES: String(MOST_RING_BYTES) }, /shared memory: Cannot allocate memory; see RING_BYTES/],
        ['no address space for the ring', ['--as=150000000'], {}, /shared memory: Cannot allocate memory; see RING_BYTES/],
        ['files may not be as large as the ring', ['--fsize=1000000'], {}, /shared memory: File too large; see RING_BYTES/],
        ['files may not have a byte', ['--fsize=0'], {}, /shared memory: File too large; see RING_BYTES/],
        ['descriptors for the listeners, none for shared memory', ['--nofile=80'], {}, /shared memory: Too many open files; raise the limit of open files/],
        ['no descriptors for the listeners', ['--nofile=30'], {}, /can't listen on port \d+ .*: Too many open files; raise the limit of open files/],
    ];
    for (const [what, limits, env, line] of refusals)
        test(`${what}: one line, status 1, nothing left`,
            { skip: env.RING_BYTES && totalmem() >= MOST_RING_BYTES && 'this machine has the memory for the largest ring' }, async () => {
                const port = await freePort();
                const { pid, status, stdout, stderr } = spawnSync('setsid', ['prlimit', ...limits, program], {
                    env: { PATH: process.env.PATH, JWT_SECRET: SECRET, KAFKA_BROKERS: '127.0.0.1:1', WEBSOCKET_SERVICE_HOST: '127.0.0.1', WEBSOCKET_SERVICE_PORT: String(port), WORKERS: '2', ...env },
                    encoding: 'utf8', timeout: START_MS,
                });
                assert.match(stderr, line);
                assert.deepEqual([stderr.trimEnd().split('\n').length, stdout, status], [1, '', 1], stderr);
                assert.ok(!groupLives(pid), 'processes left behind');
            });
});

// A small one of this test alone; undefined where mounting is not permitted.
function mountDisk() {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-disk-'));
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK_BYTES},mode=755`, 'tmpfs', folder]).status !== 0) {
        rmSync(folder, { recursive: true });
        return undefined;
    }
    const unmount = () => {
        spawnSync('umount', ['-l', folder]);
        rmSync(folder, { recursive: true, force: true });
    };
    process.once('exit', unmount);
    return { folder, unmount: () => (process.off('exit', unmount), unmount()) };
}

// To the last byte; gives a function that makes room again.
function fill({ folder }) {
    const name = join(folder, 'fill'), file = openSync(name, 'w');
    for (let size = DISK_BYTES; size >= 1; size = Math.floor(size / 2))
        try {
            while (writeSync(file, Buffer.alloc(size)) === size);
        } catch (error) {
            assert.equal(error.code, 'ENOSPC');
        }
    closeSync(file);
    return () => rmSync(name);
}

// Two others each time: a message of the same user with the same id would count once.
async function speakersAreHeard(gateway) {
    const name = randomBytes(4).toString('hex');
    const [speaker, listener] = [await signedIn(gateway, { user: `${name}-1`, channels: ['chat:room'] }), await signedIn(gateway, { user: `${name}-2`, channels: ['chat:room'] })];
    await until('a publish is taken', async () => // refused while ingest is away
        (await speaker.request('publish', { room: 'chat:room', event: 'said', payload: {} })).type === 'published');
    await listener.next('said');
    await Promise.all([speaker.close(), listener.close()]);
}

const address = gateway => readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim();

async function started(env, more) {
    const gateway = await startGateway({ dev: true, workers: 2, env: { JWT_SECRET: SECRET, LOG_LEVEL: 'debug', LOG_FORMAT: 'json', ...env }, ...more });
    gateway.devDirectory = env.DEV_DIRECTORY ?? gateway.devDirectory;
    return gateway;
}

// Whoever says something again says first how much was lost.
const told = (gateway, log) => until('a line that counts those that are lost', async () => {
    await speakersAreHeard(gateway);
    return /[1-9]\d* log lines lost: stderr was full/.test(readFileSync(log, 'utf8'));
});

describe('a disk that is full while the gateway runs', () => {
    const disk = mountDisk(), skip = !disk && 'mounting a tmpfs is not permitted here';

    test('clients notice nothing, workers and ingest are replaced, and the log goes on with whole lines', { skip }, async () => {
        const log = join(disk.folder, 'log');
        mkdirSync(join(disk.folder, 'dev'));
        const gateway = await started({ DEV_DIRECTORY: join(disk.folder, 'dev') }, { stderr: log });
        await speakersAreHeard(gateway);
        appendFileSync(log, `${' '.repeat(2 * PAGE_BYTES - statSync(log).size % PAGE_BYTES - HALF_A_LINE - 1)}\n`);
        const makeRoom = fill(disk), full = statSync(log).size + HALF_A_LINE;
        await speakersAreHeard(gateway);
        for (const worker of gateway.pids().workers)
            await gateway.kill('worker', worker);
        await gateway.kill('ingest');
        await until('the successor\'s address in place of its predecessor\'s', () => /^127\.0\.0\.1:\d+$/.test(address(gateway)));
        await until('ready', () => gateway.answers('/ready', 200));
        await speakersAreHeard(gateway);
        assert.equal(statSync(log).size, full, 'the log could not grow');
        makeRoom();
        await told(gateway, log);
        const lines = readFileSync(log, 'utf8').split('\n').slice(0, -1).filter(line => line.trim());
        const broken = lines.filter(line => {
            try {
                return !JSON.parse(line).message;
            } catch {
                return true;
            }
        });
        assert.deepEqual(broken.map(line => line.length), [HALF_A_LINE], broken.join('\n'));
        await gateway.stop();
    });

    test('the folder of a development gateway has no room: one line, and nothing is started', { skip }, () => {
        const makeRoom = fill(disk);
        const { status, stderr } = spawnSync(program, ['--dev'], {
            env: { PATH: process.env.PATH, DEV_DIRECTORY: join(disk.folder, 'another') }, encoding: 'utf8', timeout: START_MS,
        });
        assert.match(stderr, /^moonx-gateway: DEV_DIRECTORY: .*: No space left on device\n$/);
        assert.equal(status, 2);
        makeRoom();
        disk.unmount();
    });
});

test('files that may not grow any more cost a running gateway its log lines alone', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-limit-')), log = join(folder, 'log');
    const gateway = await started({}, { stderr: log });
    const { supervisor, ingest, workers } = gateway.pids();
    const family = [supervisor, ingest, ...workers];
    await Promise.all(family.map(pid => prlimit(pid, '--fsize=1:')));
    const before = readFileSync(log, 'utf8');
    await speakersAreHeard(gateway);
    assert.equal(readFileSync(log, 'utf8'), before);
    assert.deepEqual(family.filter(pid => !alive(pid)), []);
    await Promise.all(family.map(pid => prlimit(pid, '--fsize=unlimited:')));
    await told(gateway, log);
    await gateway.stop();
    rmSync(folder, { recursive: true });
});
