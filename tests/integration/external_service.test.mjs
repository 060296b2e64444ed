// The external service: metadata for notifications, and its health. The service is a small real one, over http and https;
// the tests decide how it behaves. What it does, a notification arrives, once, and in order.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../kafka/kafka.mjs';
import { Authority } from './certificates.mjs';
import { SECRET, signedIn, startGateway, until } from './harness.mjs';

const KEY = 'external-tests-only-key-0123456789';
const TIMEOUT_MS = 2_500, RETRIES = 2;
const known = metadata => (request, response) => response.end(JSON.stringify({ metadata }));

// `enrich` and `health` answer; `asked` has what was asked, `polls` counts.
async function startService({ port = 0, tls = null } = {}) {
    const service = { asked: [], keys: new Set(), polls: 0, enrich: known({ seen: 1 }), health: (request, response) => response.end('fine') };
    const answer = (request, response) => {
        assert.equal(request.method, 'GET');
        service.keys.add(request.headers.authorization);
        const { pathname, searchParams } = new URL(request.url, 'http://service');
        if (pathname === '/health') {
            service.polls++;
            return service.health(request, response);
        }
        assert.equal(pathname, '/notifications/enrich');
        service.asked.push({ url: request.url, userId: searchParams.get('userId'), type: searchParams.get('type') });
        return service.enrich(request, response, searchParams);
    };
    const server = tls ? createTlsServer(tls, answer) : createServer(answer);
    await new Promise(resolve => server.listen(port, '127.0.0.1', resolve));
    service.port = server.address().port;
    service.stop = () => {
        server.closeAllConnections();
        return new Promise(resolve => server.close(resolve));
    };
    return service;
}

const start = (service, { scheme = 'http', ...env } = {}, more = {}) => startGateway({ dev: true, ...more, env: { JWT_SECRET: SECRET,
    EXTERNAL_SERVICE_URL: `${scheme}://127.0.0.1:${service.port}`, EXTERNAL_SERVICE_TIMEOUT: String(TIMEOUT_MS),
    EXTERNAL_SERVICE_RETRIES: String(RETRIES), ...(env.EXTERNAL_SERVICE_API_KEY_FILE ? {} : { EXTERNAL_SERVICE_API_KEY: KEY }), ...env } });

const shown = async gateway => (await gateway.health()).services.external;

let serial = 0;
// Sends one and gives back the event.
async function notify(client, more = {}) {
    const message = `text ${++serial}`;
    client.send('notification', { type: 'info', title: 'A title', message, ...more }, { id: message });
    const answer = await client.next(reply => reply.ref === message);
    assert.equal(answer.type, 'notification_received', answer.raw);
    return client.next(event => event.type === 'notification' && event.data.message === message);
}

describe('metadata', () => {
    let service, gateway, client;

    before(async () => {
        service = await startService();
        gateway = await start(service);
        client = await signedIn(gateway, { user: 'ann:1+2@x' });
    });
    after(async () => {
        await gateway?.stop();
        await service?.stop();
    });
    // The breaker is closed: no failures are left over from another test.
    const recovered = () => until('the service is used again', async () => {
        service.enrich = known({ back: true });
        return (await notify(client)).data.metadata?.back;
    });

    test('user and type are asked about, with the key; the answer stands in the event byte by byte', async () => {
        const text = '{"n": 10500.250,"big":123456789012345678901234567890,"s":"\\u00e4" , "a":[1e3]}';
        service.asked.length = 0;
        service.enrich = (request, response) => response.end(`{"metadata":${text}}`);
        const event = await notify(client, { type: 'warning', actionUrl: 'https://example.org/' });
        assert.ok(event.raw.includes(`"metadata":${text},`), event.raw);
        assert.equal(event.data.actionUrl, 'https://example.org/');
        assert.deepEqual(service.asked, [{ url: '/notifications/enrich?userId=ann%3A1%2B2%40x&type=warning', userId: 'ann:1+2@x', type: 'warning' }]);
        assert.deepEqual([...service.keys], [`Bearer ${KEY}`], 'with every request, of the health poll too');
    });

    test('an answer without the member `metadata` is the metadata', async () => {
        service.enrich = (request, response) => response.end('{"priority":"high"}');
        assert.deepEqual((await notify(client)).data.metadata, { priority: 'high' });
    });

    test('about what is refused nobody is asked', async () => {
        service.asked.length = 0;
        const refused = await client.request('notification', { type: 'info', title: 't', message: 'm', userId: 'bob' });
        assert.equal(refused.data.code, 'PERMISSION_DENIED');
        const invalid = await client.request('notification', { type: 'loud', title: 't', message: 'm' });
        assert.equal(invalid.data.code, 'INVALID_NOTIFICATION_DATA');
        assert.deepEqual(service.asked, []);
    });

    const once = { // behaviour: how often it is asked
        'has gone (404)': [(request, response) => response.writeHead(404).end('no'), 1, false],
        'refuses (401)': [(request, response) => response.writeHead(401).end(), 1, true],
        'talks garbage': [(request, response) => response.end('<html>'), 1, true],
        'says it twice': [(request, response) => response.end('{"metadata":{"a":1},"metadata":{"a":2}}'), 1, true],
        'says too much': [(request, response) => response.end(`{"metadata":{"pad":"${'x'.repeat(20_000)}"}}`), 1, true],
        'floods': [(request, response) => response.end(`{"metadata":{"pad":"${'x'.repeat(300_000)}"}}`), 1 + RETRIES, true],
        'is broken (500)': [(request, response) => response.writeHead(500).end('{}'), 1 + RETRIES, true],
        'is busy (429)': [(request, response) => response.writeHead(429).end(), 1 + RETRIES, true],
        'hangs': [() => {}, 1, true],
        'drips': [(request, response) => {
            response.writeHead(200, { 'Content-Length': 10_000 });
            const drip = setInterval(() => response.write(' '), 50);
            response.once('close', () => clearInterval(drip));
        }, 1, true],
    };
    for (const [what, [behaviour, times, missed]] of Object.entries(once)) {
        test(`a service that ${what}: without metadata, in time, asked ${times} times`, async () => {
            await recovered();
            const before = { missed: await gateway.metric('external_missed_total'), retries: await gateway.metric('external_retries_total') };
            service.asked.length = 0;
            service.enrich = behaviour;
            const began = Date.now();
            const event = await notify(client);
            assert.equal('metadata' in event.data, false, event.raw);
            assert.ok(Date.now() - began < TIMEOUT_MS + 5_000, `${Date.now() - began} ms`);
            // An answer that breaks off on a kept connection has the request sent once more, on a new one.
            const resent = what === 'floods' ? 1 : 0;
            assert.ok(service.asked.length >= times && service.asked.length <= times + resent, `asked ${service.asked.length} times`);
            assert.equal(await gateway.metric('external_missed_total') - before.missed, missed ? 1 : 0);
            assert.equal(await gateway.metric('external_retries_total') - before.retries, times - 1);
        });
    }

    test('a second attempt that succeeds counts', async () => {
        await recovered();
        let attempts = 0;
        service.enrich = (request, response) => (++attempts === 1 ? request.socket.destroy() : response.writeHead(attempts === 2 ? 503 : 200).end('{"metadata":{"n":3}}'));
        assert.deepEqual((await notify(client)).data.metadata, { n: 3 });
    });

    test('`100 Continue` before the answer, unasked, is not the answer', async () => {
        await recovered();
        const before = await gateway.metric('external_errors_total');
        for (const answer of [
            response => response.end('{"metadata":{"n":1}}'),
            response => response.socket.end('HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 20\r\nConnection: close\r\n\r\n{"metadata":{"n":1}}'), // in one packet
            response => setTimeout(() => response.end('{"metadata":{"n":1}}'), 50),
            response => response.writeContinue(() => response.end('{"metadata":{"n":1}}')), // and a second one
        ]) {
            service.enrich = (request, response) => {
                response.writeContinue();
                answer(response);
            };
            assert.deepEqual((await notify(client)).data.metadata, { n: 1 });
        }
        assert.equal(await gateway.metric('external_errors_total'), before);
    });

    test('those of one connection arrive in the order of their sending, however long each answer takes', async () => {
        await recovered();
        service.enrich = (request, response) => setTimeout(() => known({ late: true })(request, response), 200 * Math.random());
        const sent = Array.from({ length: 40 }, (_, i) => `ordered ${i}`);
        for (const message of sent)
            client.send('notification', { type: 'info', title: 't', message });
        const arrived = [];
        while (arrived.length < sent.length) {
            const event = await client.next('notification');
            arrived.push(event.data.message);
            assert.equal(event.data.metadata.late, true);
        }
        assert.deepEqual(arrived, sent);
    });

    test('the breaker: a dead service is left alone, then asked once; the answer decides', async () => {
        await recovered();
        service.enrich = (request, response) => response.writeHead(500).end();
        await until('it is left alone', async () => {
            service.asked.length = 0;
            await notify(client);
            return service.asked.length === 0;
        });
        const calls = await gateway.metric('external_calls_total'), began = performance.now();
        for (let i = 0; i < 3; i++)
            await notify(client);
        const most = 1 + (performance.now() - began) / 1_000; // it is tried once in a second at most
        assert.ok(await gateway.metric('external_calls_total') - calls <= most);
        // Half open: several at once, and only one may ask. The answer waits until all five are there.
        service.asked.length = 0;
        service.enrich = (request, response) => setTimeout(() => response.end('{"metadata":{"probe":1}}'), TIMEOUT_MS / 5);
        await until('a probe', async () => {
            for (let i = 0; i < 5; i++)
                client.send('notification', { type: 'info', title: 't', message: `probe ${i}` });
            for (let i = 0; i < 5; i++)
                await client.next('notification');
            return service.asked.length > 0;
        });
        assert.equal(service.asked.length, 1, 'probes');
        await recovered();
    });

    test('a client that goes before the answer harms nobody', async () => {
        await recovered();
        service.enrich = (request, response) => setTimeout(() => known({ late: 1 })(request, response), 200);
        const other = await signedIn(gateway, { user: 'gone' });
        service.asked.length = 0;
        other.send('notification', { type: 'info', title: 't', message: 'm' });
        await until('asked', () => service.asked.length === 1);
        other.ws.terminate();
        assert.deepEqual((await notify(client)).data.metadata, { late: 1 });
    });

    test('a reload while it is asked: the notification goes on, and the new service is asked next', async () => {
        await recovered();
        service.enrich = () => {};
        service.asked.length = 0;
        const hanging = notify(client);
        await until('asked', () => service.asked.length === 1);
        gateway.signal('SIGHUP');
        assert.equal('metadata' in (await hanging).data, false);
        service.enrich = known({ anew: 1 });
        assert.deepEqual((await notify(client)).data.metadata, { anew: 1 });
        assert.equal(await until('its health is shown again', async () => shown(gateway)), true);
    });

    test('the key is in no log', async () => {
        const log = readFileSync(gateway.logFile, 'utf8');
        assert.equal(log.includes(KEY), false);
        assert.ok(log.includes('external service'), 'it has been spoken of');
    });
});

test('/health: up, not well, away, and back, as each of three workers sees it', async () => {
    const port = await freePort();
    const gateway = await start({ port }, {}, { workers: 3 });
    try {
        await until('known as away', async () => await shown(gateway) === false);
        assert.equal((await gateway.get('/health')).status, 200);
        const service = await startService({ port });
        await until('known as up', async () => await shown(gateway) === true);
        assert.ok(service.polls >= 3, `${service.polls} polls of 3 workers`);
        service.health = (request, response) => response.writeHead(503).end();
        await until('known as not well', async () => await shown(gateway) === false);
        await service.stop();
        const again = await startService({ port });
        await until('known as back', async () => await shown(gateway) === true);
        await again.stop();
    } finally {
        await gateway.stop();
    }
});

test('https, with a key from a file; one whose certificate is not believed is not told the key', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'moonx-external-'));
    const authority = new Authority(folder), stranger = new Authority(folder, 'stranger');
    const keyFile = join(folder, 'key');
    writeFileSync(keyFile, `${KEY}\n`, { mode: 0o600 });
    for (const [by, believed] of [[authority, true], [stranger, false]]) {
        const leaf = by.issue(`leaf-${believed}`, { names: ['127.0.0.1'] });
        const service = await startService({ tls: { key: leaf.keyText, cert: leaf.text } });
        const { enrich } = service;
        service.enrich = (request, response, ...more) => response.writeContinue(() => enrich(request, response, ...more));
        const gateway = await start(service, { scheme: 'https', HTTP_CLIENT_CA_FILE: authority.file, EXTERNAL_SERVICE_API_KEY_FILE: keyFile });
        const client = await signedIn(gateway, { user: 'ann' });
        assert.deepEqual((await notify(client)).data.metadata, believed ? { seen: 1 } : undefined);
        await until('its health is known', async () => await shown(gateway) === believed);
        assert.deepEqual([...service.keys], believed ? [`Bearer ${KEY}`] : []);
        await gateway.stop();
        await service.stop();
    }
    rmSync(folder, { recursive: true, force: true });
});

test('an address that ends with a slash', async () => {
    const service = await startService();
    const gateway = await start(service, { EXTERNAL_SERVICE_URL: `http://127.0.0.1:${service.port}/` });
    const client = await signedIn(gateway, { user: 'ann' });
    assert.deepEqual((await notify(client)).data.metadata, { seen: 1 });
    await until('its health', async () => await shown(gateway) === true);
    await gateway.stop();
    await service.stop();
});

test('without EXTERNAL_SERVICE_URL nothing is asked and nothing shown', async () => {
    const gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET } });
    const client = await signedIn(gateway, { user: 'ann' });
    assert.equal('metadata' in (await notify(client)).data, false);
    assert.equal(await shown(gateway), undefined);
    await gateway.stop();
});
