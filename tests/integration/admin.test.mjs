// What an operator does by POST /admin/…: bodies and who may send them, the audit log, log level, drain.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect } from 'node:net';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, signedIn, startGateway, until, within } from './harness.mjs';

const TOKEN = 'integration-admin-0123456789';
const folder = mkdtempSync(join(tmpdir(), 'moonx-admin-'));
let gateway;

before(async () => {
    writeFileSync(join(folder, 'token'), TOKEN);
    gateway = await startGateway({ dev: true, workers: 2, env: { ADMIN_TOKEN_FILE: join(folder, 'token') } });
});

after(async () => {
    await gateway?.stop();
    rmSync(folder, { recursive: true, force: true });
});

async function post(path, body, headers = {}) {
    const answer = await gateway.get(path, {
        method: 'POST', headers, body: typeof body === 'object' ? JSON.stringify(body) : body,
    });
    return { status: answer.status, headers: answer.headers, body: await answer.json() };
}

// A connection that a worker has accepted and read half of a request from; the returned function sends the rest and
// resolves to the status.
async function kept(path) {
    const socket = connect(gateway.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', more => (text += more));
    await within('a connection', PATIENCE_MS, once(socket, 'connect'));
    socket.write(`GET ${path} HTTP/1.1\r\n`);
    return async () => {
        const end = once(socket, 'end');
        socket.write('Host: localhost\r\n\r\n');
        await within('an answer', PATIENCE_MS, end);
        socket.end();
        return Number(text.match(/^HTTP\/1\.1 (\d+) /)?.[1]);
    };
}

// Pieces of a request as they are, one after the other; resolves to the status at the end of the stream.
async function raw(...pieces) {
    return Number((await whole(...pieces)).match(/^HTTP\/1\.1 (\d+) /)?.[1]);
}

// The same, to all that was answered.
function whole(...pieces) {
    return within('an answer', PATIENCE_MS, new Promise((resolve, reject) => {
        let text = '';
        const socket = connect(gateway.port, '127.0.0.1', async () => {
            for (const piece of pieces) {
                socket.write(piece);
                await new Promise(done => setImmediate(done));
            }
        });
        socket.setEncoding('latin1').on('data', more => (text += more));
        socket.on('error', reject).on('end', () => {
            socket.end();
            resolve(text);
        });
    }));
}

const HEAD = 'POST /admin/log-level HTTP/1.1\r\nHost: localhost\r\n';
const LEVEL = '{"level":"info"}';

test('the log level changes in every process, and the log says who did it', async () => {
    const { supervisor } = gateway.pids();
    assert.deepEqual((await post('/admin/log-level', { level: 'debug' })).body, { status: 'debug' });
    await gateway.printed(/admin: POST \/admin\/log-level by 127\.0\.0\.1: debug: 200/);
    for (let n = 0; n < 4; n++) { // whichever worker it is
        const client = await signedIn(gateway, { token: await demoToken() });
        await client.close();
    }
    await until('a line of debug', async () => {
        const client = await signedIn(gateway, { token: await demoToken() });
        await client.close();
        return /connection opened/.test(gateway.output);
    });
    await gateway.kill('worker');
    await gateway.started();
    assert.equal(gateway.pids().supervisor, supervisor);
    assert.equal((await post('/admin/log-level', { level: 'info' })).status, 200);
});

const demoToken = async () => (await (await gateway.get('/console/session')).json()).token;

test('a body comes in any pieces', async () => {
    const whole = `${HEAD}Content-Length: ${LEVEL.length}\r\n\r\n${LEVEL}`;
    assert.equal(await raw(whole), 200);
    assert.equal(await raw(...whole), 200);
    assert.equal(await raw(`${whole}POST /admin/drain HTTP/1.1\r\nHost: localhost\r\n\r\n`), 200, 'what follows a body is nobody\'s');
});

for (const [what, status, body] of [
    ['not JSON', 400, '{"level":'], ['no object', 400, '["info"]'], ['two objects', 400, '{"level":"info"}{}'], ['empty', 400, ''],
    ['a key twice', 400, '{"level":"info","level":"debug"}'], ['an unknown key', 400, '{"level":"info","x":1}'],
    ['bad UTF-8', 400, Buffer.from('7b226c6576656c223a22ff227d', 'hex')], ['a NUL', 400, '{"level":"\\u0000"}'],
    ['too deep', 400, '['.repeat(40) + ']'.repeat(40)], ['a level that is none', 400, '{"level":"loud"}'],
    ['a number', 400, '{"level":1}'], ['longer than 64 KiB', 413, `{"level":"${'x'.repeat(65_536)}"}`],
])
    test(`a body that is ${what}: ${status}`, async () => {
        const length = Buffer.byteLength(body);
        assert.equal(await raw(`${HEAD}Content-Length: ${length}\r\n\r\n`, body), status);
    });

for (const [what, status, headers] of [
    ['chunked', 411, 'Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n'], ['of two lengths', 400, 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} '],
    ['of a signed length', 400, 'Content-Length: +2\r\n\r\n{}'], ['of length 02', 400, 'Content-Length: 02\r\n\r\n{}'],
    ['of endless length', 400, 'Content-Length: 99999999999999999999\r\n\r\n'], ['of no length', 400, '\r\n{}'],
])
    test(`a body ${what}: ${status}`, async () => {
        assert.equal(await raw(HEAD + headers), status);
    });

test('a body that does not come: 408 after the head\'s 10 s, whatever drips in', async () => {
    const socket = connect(gateway.port, '127.0.0.1');
    let text = '';
    socket.setEncoding('latin1').on('data', more => (text += more));
    socket.write(`${HEAD}Content-Length: 100\r\n\r\n{`);
    const began = Date.now();
    const drip = setInterval(() => socket.write(' '), 500);
    await within('408', PATIENCE_MS, new Promise(resolve => socket.once('end', resolve)));
    clearInterval(drip);
    socket.destroy();
    assert.match(text, /^HTTP\/1\.1 408 /);
    assert.ok(Date.now() - began < 20_000, `${Date.now() - began} ms`);
});

test('Expect: 100-continue is answered at once, and only for who may', async () => {
    const ask = more => `${HEAD}Expect: 100-continue\r\nContent-Length: ${LEVEL.length}\r\n${more}\r\n`;
    let text = '';
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(ask('')));
    socket.setEncoding('latin1').on('data', more => (text += more));
    await until('the invitation', () => text === 'HTTP/1.1 100 Continue\r\n\r\n');
    socket.write(LEVEL.slice(0, 3), () => socket.write(LEVEL.slice(3)));
    await within('the end', PATIENCE_MS, new Promise(resolve => socket.once('end', resolve)));
    socket.end();
    assert.match(text, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
    assert.equal(await raw(ask('Origin: https://evil.example\r\n')), 403);
    assert.equal(await raw(ask('') + LEVEL), 200, 'who has not waited');
    assert.equal(await raw(ask('').replace('HTTP/1.1', 'HTTP/1.0'), LEVEL), 200, 'HTTP/1.0 knows no 100');
});

test('a length that is none is told as what it is', async () => {
    const why = async headers => {
        const text = await whole(`${HEAD}${headers}\r\n`);
        return [Number(text.match(/^HTTP\/1\.1 (\d+) /)[1]), JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)).error.message];
    };
    const chunked = [411, 'The request body must come whole, with Content-Length and no Transfer-Encoding'];
    assert.deepEqual(await why('Transfer-Encoding: chunked\r\n'), chunked);
    const number = [400, 'Content-Length must be one number, the length of the request body in bytes, without Transfer-Encoding'];
    for (const bad of ['x', '-1', '+2', '02', '2, 2', '0x2', '2\r\nContent-Length: 2', '2\r\nTransfer-Encoding: chunked', '9'.repeat(30)])
        assert.deepEqual(await why(`Content-Length: ${bad}\r\n`), number, bad);
    assert.deepEqual(await why(`Content-Length: 999999999999\r\n`), [413, 'The request body is too long']);
});

test('a body on a path that takes none: 400', async () => {
    assert.equal(await raw('POST /health HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}'), 400);
    assert.equal(await raw('GET /admin/drain HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}'), 400);
    assert.equal(await raw('POST /admin/nothing HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}'), 404);
});

test('who may: an administrator, no foreign page, by POST', async () => {
    assert.equal((await post('/admin/log-level', LEVEL, { 'x-forwarded-for': '203.0.113.5' })).status, 403);
    await gateway.printed(/admin: POST \/admin\/log-level by .*: refused/);
    assert.equal((await post('/admin/log-level', LEVEL, { 'x-forwarded-for': '203.0.113.5', authorization: `Bearer ${TOKEN}` })).status, 200);
    await gateway.printed(/admin: POST \/admin\/log-level by .* with a token: info: 200/);
    assert.ok(!gateway.output.includes(TOKEN), 'the token is not logged');
    assert.equal((await post('/admin/log-level', LEVEL, { origin: 'https://evil.example' })).status, 403);
    assert.equal((await post('/admin/log-level', LEVEL, { origin: 'null' })).status, 403);
    assert.equal((await post('/admin/log-level', LEVEL, { origin: `http://127.0.0.1:${gateway.port}` })).status, 200);
    const own = `Host: ${hostname()}:${gateway.port}\r\n`;
    assert.equal(await raw(`GET /connections HTTP/1.1\r\n${own}\r\n`), 200);
    assert.equal(await raw(`POST /admin/log-level HTTP/1.1\r\n${own}Origin: http://${hostname()}:${gateway.port}\r\nContent-Length: ${LEVEL.length}\r\n\r\n${LEVEL}`), 200, 'the console under the host\'s own name');
    assert.equal(await raw(`POST /admin/log-level HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\nContent-Length: ${LEVEL.length}\r\n\r\n${LEVEL}`), 403);
    const answer = await gateway.get('/admin/log-level');
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get('allow'), 'POST');
});

test('ADMIN_LISTEN: admin paths there and not on the public port, over a worker\'s death', async () => {
    const port = await freePort();
    const apart = await startGateway({ dev: true, workers: 2, env: { ADMIN_LISTEN: `127.0.0.1:${port}` } });
    const status = async (base, path, init) => (await fetch(base + path, { signal: AbortSignal.timeout(20_000), ...init })).status;
    const there = `http://127.0.0.1:${port}`;
    const change = { method: 'POST', body: LEVEL };
    for (let round = 0; round < 2; round++) {
        for (const path of ['/connections', '/debug/kafka', '/debug/handlers', '/metrics', '/health', '/ready'])
            assert.equal(await status(there, path), 200, path);
        assert.equal(await status(there, '/admin/log-level', change), 200);
        assert.equal(await status(there, '/ws'), 404);
        for (const path of ['/connections', '/debug/kafka', '/debug/handlers', '/admin/log-level'])
            assert.equal(await status(apart.http, path), 404, path);
        assert.equal(await status(apart.http, '/admin/log-level', change), 404);
        assert.equal(await status(apart.http, '/health'), 200);
        assert.equal(await status(there, '/connections', { headers: { 'x-forwarded-for': '203.0.113.5' } }), 403);
        for (const pid of apart.pids().workers)
            await apart.kill('worker', pid);
        await apart.started();
    }
    await apart.stop();
    await assert.rejects(status(there, '/health'));
});

test('drain: clients are sent away, and the host stops', async () => {
    const client = await signedIn(gateway, { token: await demoToken() });
    assert.equal((await post('/admin/drain', { now: true })).status, 400);
    const status = async path => (await gateway.get(path)).status;
    assert.equal(await status('/ready'), 200);
    const others = await Promise.all(Array.from({ length: 8 }, () => kept('/ready'))); // to any of the workers, which accept these now
    assert.equal((await post('/admin/drain')).status, 202);
    for (const other of others)
        assert.equal(await other(), 503, 'who saw the 202 finds nobody ready');
    assert.equal((await client.next('reconnect')).data.reason, 'drain');
    assert.equal((await client.closes()).code, 1012);
    assert.equal((await within('the end', PATIENCE_MS, gateway.exited)).code, 0);
    assert.match(gateway.output, /admin: POST \/admin\/drain by 127\.0\.0\.1: 202/);
    gateway = null;
});
