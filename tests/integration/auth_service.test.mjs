// The auth service as verifier: a small real one that also answers 500, garbage, too much, too slowly, or not at all.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { connect } from 'node:net';
import { PATIENCE_MS, connectClient, startGateway, until, within } from './harness.mjs';

const ENDPOINT = '/api/v1/auth/verify';
const TIMEOUT_MS = 2_000;

// The token says how to behave: `good-USER…`, or one of these.
const behaviours = {
    refused: (request, response) => response.writeHead(401).end('{"error":"no"}'),
    broken: (request, response) => response.writeHead(500).end('{}'),
    garbage: (request, response) => response.end('<html>'),
    nobody: (request, response) => response.end('{"user":null}'),
    doubled: (request, response) => response.end('{"user":{"id":"eve","isActive":false,"isActive":true}}'),
    huge: (request, response) => response.end(`{"user":{"id":"eve"},"pad":"${'x'.repeat(300_000)}"}`),
    hang: () => {},
    busy: (request, response, token) => setTimeout(() => response.end(JSON.stringify({ user: { id: token.split('-')[1], isActive: true } })), TIMEOUT_MS / 10),
    cut: request => request.socket.destroy(),
    created: (request, response, token) => response.writeHead(201).end(JSON.stringify({ user: { id: token.split('-')[1] } })),
    unprocessable: (request, response) => response.writeHead(422).end('{"detail":"not a token"}'),
    slow: (request, response) => {
        response.writeHead(200, { 'Content-Length': 10_000 });
        const drip = setInterval(() => response.write(' '), 50);
        response.once('close', () => clearInterval(drip));
    },
    inactive: (request, response) => response.end('{"user":{"id":"ian","isActive":false}}'),
    held: (request, response) => service.released ? response.writeHead(401).end() : service.held.push(response),
    steady: (request, response, token) => setTimeout(() => response.end(JSON.stringify({ user: { id: token.split('-')[1] } })), 5),
    strange: (request, response) => response.end('{"user":{"id":"a b"}}'),
};

async function startService() {
    const service = { calls: [], held: [], sockets: 0, down: false, cutReused: 0 };
    const server = createServer((request, response) => {
        let body = '';
        request.setEncoding('utf8').on('data', piece => (body += piece)).on('end', () => {
            const { token, ...rest } = JSON.parse(body);
            assert.deepEqual([request.method, request.url, rest], ['POST', ENDPOINT, {}]);
            request.socket.served = (request.socket.served ?? 0) + 1;
            service.calls.push(token);
            if (service.cutReused > 0 && request.socket.served > 1) {
                service.cutReused--;
                return request.socket.destroy();
            }
            if (service.down)
                return response.writeHead(503).end();
            const behaviour = behaviours[token.split('-')[0]];
            if (behaviour)
                return behaviour(request, response, token);
            response.setHeader('Content-Type', 'application/json');
            response.end(JSON.stringify({ user: { id: token.split('-')[1], email: 'u@example.org', roles: ['trader'], isActive: true } }));
        });
    });
    server.keepAliveTimeout = 60_000;
    server.on('connection', () => service.sockets++);
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    service.url = `http://127.0.0.1:${server.address().port}`;
    service.stop = () => {
        server.closeAllConnections();
        return new Promise(resolve => server.close(resolve));
    };
    return service;
}

let service, gateway, serial = 0;
const fresh = kind => `${kind}-${++serial}`;
const good = user => `good-${user}-${++serial}`;

before(async () => {
    service = await startService();
    gateway = await startGateway({ dev: true, env: { AUTH_SERVICE_URL: service.url, AUTH_SERVICE_TIMEOUT: String(TIMEOUT_MS), AUTH_TIMEOUT: '300000' } });
});
after(async () => {
    await gateway?.stop();
    await service?.stop();
});

async function tries(token, more = {}) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    const answer = await client.request('authenticate', { token, ...more });
    await client.close();
    return answer.data.code ?? answer.type;
}

// The service has answered well again: no failures are left over from another test.
const recovered = () => until('the service is used again', async () => await tries(good('rita')) === 'auth_success');

describe('answers', () => {
    test('a user: identity, rooms, channels, and a session of an hour for a token that names no end', async () => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const answer = await client.request('authenticate', { token: good('alice'), channels: ['user_actions'] });
        assert.equal(answer.type, 'auth_success', answer.raw);
        assert.deepEqual(answer.data.user, { id: 'alice', email: 'u@example.org', roles: ['trader'] });
        assert.ok(Math.abs(answer.data.expiresAt - Date.now() - 3_600_000) < 60_000);
        await client.next('subscribed');
        assert.deepEqual(client.received.filter(({ id }) => !/:\d+:\d+$/.test(id)).map(({ type }) => type), // without the demo stream's events
            ['auth_required', 'auth_success', 'auto_subscribed', 'subscribed']);
        const other = await client.request('authenticate', { token: good('bob') });
        assert.equal(other.data.code, 'INVALID_TOKEN', 'another user on the same socket');
        await client.close();
    });

    test('a token that names its end lives until then', async () => {
        const exp = Math.floor(Date.now() / 1000) + 900;
        const claims = Buffer.from(JSON.stringify({ exp })).toString('base64url');
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const answer = await client.request('authenticate', { token: `good-carol.${claims}.x`.replace('.', '-1.') });
        assert.equal(answer.data.expiresAt, exp * 1000, answer.raw);
        await client.close();
    });

    test('each refusal has its code', async () => {
        assert.equal(await tries(fresh('refused')), 'INVALID_TOKEN');
        assert.equal(await tries(fresh('inactive')), 'USER_INACTIVE');
        assert.equal(await tries(fresh('strange')), 'INVALID_USER_ID');
    });

    test('201 is as good as 200, which frameworks give a POST by themselves', async () => {
        assert.equal(await tries(`created-cleo-${++serial}`), 'auth_success');
    });

    test('tokens that the service can\'t read (422) are bad tokens, and don\'t make the service count as down', async () => {
        for (let i = 0; i < 20; i++)
            assert.equal(await tries(fresh('unprocessable')), 'INVALID_TOKEN');
        assert.equal(await tries(good('uma')), 'auth_success');
        assert.equal((await gateway.health()).services.auth, true);
    });

    test('the same token is not asked about again', async () => {
        const token = good('dora');
        for (let i = 0; i < 3; i++)
            assert.equal(await tries(token), 'auth_success');
        assert.equal(service.calls.filter(called => called === token).length, 1);
    });

    test('connections to the service are kept', async () => {
        const before = service.sockets;
        for (let i = 0; i < 20; i++)
            assert.equal(await tries(good('emil')), 'auth_success');
        assert.ok(service.sockets - before <= 8, `${service.sockets - before} new connections for 20 calls`);
    });

    test('a token with the handshake is asked about as well', async () => {
        const client = await connectClient(gateway, { headers: { Authorization: `Bearer ${good('fred')}` } });
        assert.equal((await client.next('auth_success')).data.user.id, 'fred');
        await client.next('auto_subscribed');
        assert.equal(client.all('auth_required').length, 0);
        await client.close();
    });
});

// The first answer to a handshake with this token, as text; `more` is sent right behind it.
function handshake(token, more = '') {
    return within('an answer', PATIENCE_MS, new Promise((resolve, reject) => {
        const socket = connect(gateway.port, '127.0.0.1', () => socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\n'
            + 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
            + `Authorization: Bearer ${token}\r\n\r\n${more}`, 'latin1'));
        let text = '';
        socket.setEncoding('utf8').on('error', reject).on('end', () => resolve(text)).on('data', piece => {
            text += piece;
            if (text.includes(more === '' ? 'HTTP/1.1 101' : '"pong"'))
                socket.destroy(resolve(text));
        });
    }));
}
const upgradesSoFar = () => gateway.metric('upgrades_total');

describe('a handshake that only the service can judge gets its answer instead of the 101', () => {
    for (const [kind, status, body] of [['refused', 401, 'INVALID_TOKEN'], ['inactive', 401, 'USER_INACTIVE'], ['strange', 401, 'INVALID_USER_ID'],
        ['broken', 503, ''], ['garbage', 503, ''], ['hang', 503, ''], ['slow', 503, ''], ['huge', 503, ''], ['cut', 503, '']]) {
        test(`${kind}: ${status}`, async () => {
            await recovered();
            const before = await upgradesSoFar();
            const answer = await handshake(fresh(kind));
            assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} `));
            assert.match(answer, new RegExp(status === 503 ? '\r\nRetry-After: 1\r\n' : `WWW-Authenticate: Bearer.*\r\n[^]*"${body}"`));
            assert.equal(await upgradesSoFar(), before, 'no WebSocket was opened');
        });
    }

    test('good: the 101, and what the client has sent meanwhile is heard then', async () => {
        const ping = '\x81\x8f\0\0\0\0{"type":"ping"}';
        const answer = await handshake(good('olga'), ping);
        assert.match(answer, /^HTTP\/1\.1 101 [^]*auth_success[^]*auto_subscribed[^]*"pong"/);
    });

    test('a client that has gone meanwhile harms nobody, and waits for nothing', async () => {
        await recovered();
        const { workers } = gateway.pids();
        const sockets = await Promise.all(Array.from({ length: 20 }, () => new Promise(resolve => {
            const socket = connect(gateway.port, '127.0.0.1', () => socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\n'
                + 'Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
                + `Authorization: Bearer ${fresh('held')}\r\n\r\n`, () => resolve(socket)));
        })));
        await until('they are being judged', async () => (await gateway.health()).metrics.pendingAuthentications === 20);
        sockets.forEach((socket, i) => (i % 2 ? socket.resetAndDestroy() : socket.end()));
        service.released = true; // also those that are asked about only now, over the few connections that there are
        service.held.splice(0).forEach(response => response.writeHead(401).end());
        await until('they are forgotten', async () => (await gateway.health()).metrics.pendingAuthentications === 0);
        assert.equal(await tries(good('pia')), 'auth_success');
        assert.deepEqual(gateway.pids().workers, workers);
    });

    test('a thousand at once while the service takes its time: everybody is let in, or told to come again', async () => {
        await recovered();
        let left = 1_000;
        // who was told to come again does; how many those are is a matter of the machine
        await until('that all are let in', async () => {
            const answers = await Promise.all(Array.from({ length: left }, () => handshake(good('quin').replace('good', 'steady'))));
            const count = status => answers.filter(answer => answer.startsWith(`HTTP/1.1 ${status}`)).length;
            assert.equal(count(101) + count(503), left, 'nobody is wrongly refused');
            left = count(503);
            return left === 0;
        });
        assert.equal(await tries(good('rose')), 'auth_success');
    });
});

test('the chain says that this check may take a while', async () => {
    const { chains } = await (await gateway.get('/debug/handlers')).json();
    assert.deepEqual(chains.handshake.filter(({ asynchronous }) => asynchronous).map(({ name, deadline }) => [name, deadline]),
        [['token', 'AUTH_SERVICE_TIMEOUT']]);
    assert.equal(chains.handshake.at(-1).name, 'token');
});

for (const kind of ['broken', 'garbage', 'nobody', 'doubled', 'huge', 'hang', 'cut', 'slow']) {
    test(`a service that is ${kind}: AUTH_UNAVAILABLE in time, which counts for nobody, and the next one works`, async () => {
        await recovered();
        const client = await connectClient(gateway);
        await client.next('auth_required');
        for (let i = 0; i < 4; i++) { // a third refusal would close
            const start = Date.now();
            const answer = await client.request('authenticate', { token: fresh(kind) });
            assert.equal(answer.data.code, 'AUTH_UNAVAILABLE', answer.raw);
            assert.ok(Date.now() - start < TIMEOUT_MS + 5_000, `${Date.now() - start} ms`);
        }
        const answer = await client.request('authenticate', { token: good('gina') });
        assert.equal(answer.type, 'auth_success', answer.raw);
        await client.close();
    });
}

test('a kept connection that the service has closed is replaced without a word', async () => {
    await recovered();
    service.cutReused = 1;
    assert.equal(await tries(good('hans')), 'auth_success');
    assert.equal(service.cutReused, 0);
});

test('a second question of the same connection waits for the first one; a second refresh does not', async () => {
    await recovered();
    const client = await connectClient(gateway);
    await client.next('auth_required');
    const first = client.request('authenticate', { token: fresh('hang') });
    const second = client.request('authenticate', { token: good('ida') });
    assert.equal((await first).data.code, 'AUTH_UNAVAILABLE');
    assert.equal((await second).type, 'auth_success');
    const third = client.request('authenticate', { token: fresh('hang') });
    assert.equal((await client.request('authenticate', { token: good('ida') })).data.code, 'AUTH_UNAVAILABLE');
    assert.equal((await third).data.code, 'AUTH_UNAVAILABLE');
    await client.close();
});

test('clients that have gone before the answer harm nobody', async () => {
    await recovered();
    const { workers } = gateway.pids();
    for (let i = 0; i < 3; i++) {
        const clients = await Promise.all(Array.from({ length: 10 }, () => connectClient(gateway)));
        for (const client of clients)
            client.send('authenticate', { token: good('jack') });
        clients.forEach(client => client.ws.terminate());
    }
    await until('their connections are gone', async () => (await gateway.health()).metrics.activeConnections === 0);
    assert.equal(await tries(good('kate')), 'auth_success');
    assert.deepEqual(gateway.pids().workers, workers);
});

test('more at once than it can do in time: all come in, none is asked about twice, and it does not count as down', async () => {
    await recovered();
    const clients = await Promise.all(Array.from({ length: 400 }, () => connectClient(gateway)));
    await Promise.all(clients.map(client => client.next('auth_required')));
    const before = service.calls.length, errors = await gateway.metric('auth_service_errors_total');
    let later = 0;
    await Promise.all(clients.map(async (client, i) => {
        for (;;) {
            const { type, data } = await client.request('authenticate', { token: `busy-user${i}` });
            if (type === 'auth_success')
                return;
            assert.equal(data.code, 'AUTH_UNAVAILABLE');
            later++;
            await new Promise(resolve => setTimeout(resolve, 100)); // as a client waits before it asks again
        }
    }));
    assert.ok(later > 0, 'there was more than it could do in time');
    // A call that this busy machine has let come too late, and none else, is made again.
    const failed = await gateway.metric('auth_service_errors_total') - errors;
    const calls = service.calls.length - before;
    assert.ok(calls >= 400 && calls <= 400 + failed, `${calls} calls, ${failed} of them in vain`);
    assert.equal((await gateway.health()).services.auth, true);
    await Promise.all(clients.map(client => client.close()));
});

test('a service that is down is left alone, shown by /health, and used again when it is back', async () => {
    await recovered();
    assert.equal((await gateway.health()).services.auth, true);
    service.down = true;
    for (let i = 0; i < 5; i++)
        assert.equal(await tries(good('lena')), 'AUTH_UNAVAILABLE');
    const health = await gateway.health();
    assert.deepEqual([health.services.auth, health.status, health.components.AuthService.status], [false, 'degraded', 'degraded']);
    const calls = service.calls.length, began = performance.now();
    for (let i = 0; i < 10; i++)
        assert.equal(await tries(good('lena')), 'AUTH_UNAVAILABLE');
    assert.ok(service.calls.length - calls <= 1 + (performance.now() - began) / 1000, 'it is asked once a second at most');
    service.down = false;
    await recovered();
    assert.equal((await gateway.health()).services.auth, true);
});
