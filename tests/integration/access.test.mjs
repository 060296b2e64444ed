// Who gets in and what he may do there: the rooms table, origins, addresses and proxies, administrators, limits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { root, SECRET, signedIn, startGateway } from './harness.mjs';

const directory = mkdtempSync(join(tmpdir(), 'moonx-access-'));
after(() => rmSync(directory, { recursive: true, force: true }));

function file(name, text) {
    const path = join(directory, name);
    writeFileSync(path, text, { mode: 0o600 });
    return path;
}

// Exit status and the one line that `--check-config` says.
function checkConfig(args, env = {}) {
    const program = join(process.env.MOONX_BUILD ?? join(root, 'build'), 'moonx-gateway');
    const { status, stderr } = spawnSync(program, ['--check-config', ...args], {
        encoding: 'utf8', cwd: root, timeout: 20_000,
        env: { PATH: process.env.PATH, JWT_SECRET: SECRET, KAFKA_BROKERS: '127.0.0.1:1', WORKERS: '1', ...env },
    });
    return { status, line: stderr.trim() };
}

// A gateway with the development broker and the tests' own secret.
const start = (env = {}, more = {}) => startGateway({ dev: true, env: { JWT_SECRET: SECRET, ...env }, ...more });

describe('the rooms table', () => {
    test('a table in a file decides who joins; what it does not name is unknown', async () => {
        const rooms = file('rooms', 'prices user none\ndesk:* role:trader none\nuser:{userId} owner none\n');
        const gateway = await start({}, { args: ['--rooms', rooms] });
        const trader = await signedIn(gateway, { user: 'ann', roles: ['trader'] });
        const other = await signedIn(gateway, { user: 'bob' });
        assert.equal((await trader.request('subscribe', { channel: 'desk:1' })).type, 'subscribed');
        assert.equal((await other.request('subscribe', { channel: 'desk:1' })).data.code, 'PERMISSION_DENIED');
        assert.equal((await other.request('subscribe', { channel: 'chat:1' })).data.code, 'UNKNOWN_CHANNEL');
        assert.equal((await other.request('subscribe', { channel: 'user:ann' })).data.code, 'PERMISSION_DENIED');
        assert.equal((await other.request('subscribe', { channel: 'prices' })).type, 'subscribed');
        await Promise.all([trader.close(), other.close()]);
        await gateway.stop();
    });

    test('a wrong table stops the start with its line', () => {
        const rooms = file('wrong', '# rooms\nprices user none\nuser:* user none\n');
        const { status, line } = checkConfig(['--rooms', rooms]);
        assert.equal(status, 2);
        assert.match(line, /^moonx-gateway: \S+wrong:3: JOIN: rooms user:… are personal: only owner or none is possible$/);
    });

    test('the table in deploy/ is a right one', () => {
        assert.deepEqual(checkConfig(['--rooms', 'deploy/rooms.example']), { status: 0, line: '' });
    });
});
