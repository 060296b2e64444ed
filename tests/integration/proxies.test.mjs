// The examples of deploy/ for nginx and HAProxy, started with ports and certificates of the test's own.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:https';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import WebSocket from 'ws';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, mintToken, root, shell, startGateway, until, within } from './harness.mjs';

let folder, kafka, broker;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moonx-proxies-'));
    execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-keyout', join(folder, 'key'), '-out', join(folder, 'crt'),
        '-days', '2', '-subj', '/CN=gateway.example.org'], { stdio: 'ignore' });
    writeFileSync(join(folder, 'pem'), readFileSync(join(folder, 'crt')) + readFileSync(join(folder, 'key')));
    broker = await startGateway({ dev: true });
    kafka = readFileSync(join(broker.devDirectory, 'bootstrap'), 'utf8').trim();
});

after(async () => {
    await broker?.stop();
    rmSync(folder, { recursive: true, force: true });
});

// An example of deploy/ with other words in it, each of which must have been there.
function configuration(example, changes) {
    let text = readFileSync(join(root, 'deploy', example), 'utf8');
    for (const [from, to] of Object.entries(changes)) {
        assert.ok(text.includes(from), `${example}: ${from}`);
        text = text.replaceAll(from, to);
    }
    const file = join(folder, example);
    writeFileSync(file, text);
    return file;
}

async function firstEvent(port) {
    const socket = new WebSocket(`wss://127.0.0.1:${port}/ws`, { rejectUnauthorized: false, headers: { authorization: `Bearer ${mintToken({ sub: 'proxied' })}` } });
    try {
        return await within('an event through the proxy', PATIENCE_MS, new Promise((resolve, reject) => {
            socket.on('error', reject);
            socket.on('message', bytes => JSON.parse(bytes).type === 'price_update' && resolve(JSON.parse(bytes)));
        }));
    } finally {
        socket.terminate();
    }
}

// What its own checks say of each host: `UP L7OK`.
async function haproxyStatus() {
    const socket = connect(join(folder, 'stats'));
    const text = await within('the statistics', PATIENCE_MS, new Promise(resolve => {
        let got = '';
        socket.setEncoding('utf8').on('error', () => resolve('')).on('data', piece => (got += piece)).on('end', () => resolve(got));
        socket.write('show stat\n');
    }));
    const [head, ...rows] = text.replace(/^# /, '').trim().split('\n').map(line => line.split(','));
    const [name, status, check] = ['svname', 'status', 'check_status'].map(column => head.indexOf(column));
    return rows.filter(row => /^host-/.test(row[name])).map(row => `${row[status]} ${row[check]}`);
}

const answers = (port, path) => new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path, rejectUnauthorized: false }, response => {
        response.resume();
        resolve(response.statusCode);
    }).on('error', reject);
});

test('nginx: events come through, and the client\'s address with them', async () => {
    const gateway = await startGateway({ kafka, env: { TRUSTED_PROXIES: '127.0.0.0/8', ADMIN_ALLOW: '127.0.0.0/8' } });
    const port = await freePort();
    const file = configuration('nginx.conf.example', {
        '127.0.0.1:3008': `127.0.0.1:${gateway.port}`,
        'listen 443 ssl': `listen 127.0.0.1:${port} ssl`,
        '/etc/nginx/gateway.crt': join(folder, 'crt'),
        '/etc/nginx/gateway.key': join(folder, 'key'),
    });
    const nginx = shell(`exec nginx -p ${folder} -c ${file} -e stderr -g 'daemon off; pid ${folder}/nginx.pid;'`);
    try {
        await until('nginx', () => answers(port, '/ready').then(status => status === 200, () => false));
        await firstEvent(port);
        // a request that came through a proxy is never an administrator's by its address alone
        assert.equal(await answers(port, '/health'), 200);
        assert.equal(await answers(port, '/connections'), 403);
        assert.equal((await gateway.get('/connections')).status, 200);
    } finally {
        nginx.child.kill('SIGTERM');
        await nginx.exited;
        await gateway.stop();
    }
});

test('HAProxy: events come through, and a draining host gets nobody new', async () => {
    const env = { TRUSTED_PROXIES: '127.0.0.0/8', PROXY_PROTOCOL: 'true', DRAIN_TIMEOUT: '5000' };
    // what the harness asks directly has no PROXY header, so readiness is asked through HAProxy
    const [one, two] = await Promise.all([1, 2].map(() => startGateway({ kafka, env, ready: 'unasked' })));
    const port = await freePort();
    const file = configuration('haproxy.cfg.example', {
        'bind :443': `bind 127.0.0.1:${port}`,
        '/etc/haproxy/gateway.pem': join(folder, 'pem'),
        '127.0.0.1:3008': `127.0.0.1:${one.port}`,
        '127.0.0.1:3009': `127.0.0.1:${two.port}`,
        'maxconn 100000': `maxconn 100\n    stats socket ${join(folder, 'stats')}`,
    });
    const haproxy = shell(`exec haproxy -db -f ${file}`);
    try {
        const checks = async () => (await haproxyStatus()).join();
        await until('both hosts to be found well', async () => await checks() === 'UP L7OK,UP L7OK');
        assert.equal(await answers(port, '/ready'), 200);
        await firstEvent(port);
        one.signal('SIGTERM');
        for (let i = 0; i < 5; i++)
            await firstEvent(port);
        await until('one to be found away', async () => /^DOWN .*,UP L7OK$/.test(await checks()));
        await firstEvent(port);
    } finally {
        haproxy.child.kill('SIGTERM');
        await haproxy.exited;
        await two.stop();
    }
});
