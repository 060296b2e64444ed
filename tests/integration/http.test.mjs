// HTTP on the gateway's port, over real sockets: the pages, the gate, and what follows a handshake.
import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { connect } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { PATIENCE_MS, startGateway, until, within } from './harness.mjs';

const ANSWER_MS = PATIENCE_MS;
const HEAD_DEADLINE_MS = 10_000;

let gateway;
before(async () => {
    gateway = await startGateway({ dev: true, workers: 2 });
});
after(() => gateway?.stop());

// Connects, writes the pieces one after the other, and reads until the server ends the connection.
function exchange(pieces, { port = gateway.port, host = '127.0.0.1', deadlineMs = ANSWER_MS } = {}) {
    const socket = connect(port, host);
    socket.setNoDelay(true);
    const chunks = [];
    const closed = new Promise((resolve, reject) => {
        socket.on('data', chunk => chunks.push(chunk));
        socket.on('error', reject); // a reset would lose the answer: it fails the test
        socket.on('close', () => resolve(parse(Buffer.concat(chunks))));
    });
    (async () => {
        for (const piece of [pieces].flat())
            await new Promise(resolve => socket.write(piece, resolve));
    })();
    return within('the answer and the end of the connection', deadlineMs, closed).finally(() => socket.destroy());
}

function parse(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0)
        return { status: 0, headers: {}, body: bytes.toString('latin1') };
    const [line, ...rows] = bytes.subarray(0, end).toString('latin1').split('\r\n');
    const headers = Object.fromEntries(rows.map(row => [row.split(': ')[0].toLowerCase(), row.slice(row.indexOf(': ') + 2)]));
    return { line, status: Number(line.split(' ')[1]), headers, body: bytes.subarray(end + 4).toString('utf8') };
}

const HOST = 'Host: 127.0.0.1\r\n';
const request = (line, headers = '') => `${line} HTTP/1.1\r\n${HOST}${headers}\r\n`;

describe('pages', () => {
    for (const path of ['/health', '/ready', '/metrics', '/connections', '/debug/kafka']) {
        test(`GET ${path} is whole, not cached, and closes`, async () => {
            const answer = await exchange(request(`GET ${path}`));
            assert.equal(answer.line, 'HTTP/1.1 200 OK');
            assert.equal(answer.headers['cache-control'], 'no-store');
            assert.equal(answer.headers.connection, 'close');
            assert.equal(Number(answer.headers['content-length']), Buffer.byteLength(answer.body));
            assert.ok(Math.abs(Date.parse(answer.headers.date) - Date.now()) < 30_000, answer.headers.date);
            assert.match(answer.headers['content-type'],
                path === '/metrics' ? /^text\/plain; version=0\.0\.4/ : /^application\/json$/);
        });

        test(`HEAD ${path} tells the length and sends no body`, async () => {
            const answer = await exchange(request(`HEAD ${path}`));
            assert.equal(answer.status, 200);
            assert.equal(answer.body, '');
            assert.ok(Number(answer.headers['content-length']) > 0);
        });

        test(`POST ${path} is no method of it`, async () => {
            const answer = await exchange(request(`POST ${path}`));
            assert.equal(answer.status, 405);
            assert.equal(answer.headers.allow, 'GET, HEAD');
            assert.equal(JSON.parse(answer.body).error.code, 'METHOD_NOT_ALLOWED');
        });
    }

    test('/health has the documented shape', async () => {
        const health = await until('both workers', async () => {
            const page = await gateway.health();
            return page.serviceCount.initialized === 3 && page;
        });
        assert.equal(health.status, 'healthy');
        assert.ok(Math.abs(health.timestamp - Date.now()) < 30_000);
        assert.deepEqual(health.services, { kafka: true });
        const figures = { ConnectionManager: 'connections', KafkaConsumer: 'processed', RateLimiter: 'requests',
            AuthService: 'verifications', ConnectionHandler: 'pending' };
        assert.deepEqual(Object.keys(health.components), Object.keys(figures));
        for (const [name, figure] of Object.entries(figures)) {
            assert.equal(health.components[name].status, 'healthy', name);
            assert.ok(Number.isSafeInteger(health.components[name][figure]), `${name}.${figure}`);
        }
        assert.deepEqual(health.serviceCount, { total: 3, running: 3, initialized: 3 });
        assert.deepEqual(Object.keys(health.metrics), ['totalConnections', 'activeConnections', 'messagesSent',
            'messagesReceived', 'pendingAuthentications']);
        assert.ok(Number.isInteger(health.uptime) && health.uptime >= 0 && health.uptime < 300);
        const workers = gateway.pids().workers;
        assert.deepEqual(health.workers.map(worker => worker.pid).sort(), workers.sort());
        for (const worker of health.workers) {
            assert.equal(worker.status, 'healthy');
            assert.equal(worker.connections, 0);
            assert.match(worker.flush, /^(io_uring|sendmsg)$/);
        }
    });

    test('/ready says ready', async () => {
        assert.deepEqual(JSON.parse((await exchange(request('GET /ready'))).body), { status: 'ready' });
    });

    test('/metrics counts what has just been done', async () => {
        const figures = await until('the demo stream', async () => {
            const page = await gateway.metrics();
            return page.kafka_messages_total > 0 && page;
        });
        assert.ok(figures['http_requests_total{worker="0"}'] + figures['http_requests_total{worker="1"}'] > 0);
        assert.equal(figures.ready, 1);
        assert.equal(figures['child_up{child="ingest"}'], 1);
        assert.equal(figures['child_up{child="worker-1"}'], 1);
        assert.ok(Object.keys(figures).some(name => /^kafka_lag\{topic="price\.updates",partition="\d+"\}$/.test(name)));
    });

    test('/connections counts a client that is there, and one that has gone', async () => {
        const count = async () => JSON.parse((await exchange(request('GET /connections'))).body);
        const socket = connect(gateway.port, '127.0.0.1');
        socket.write(request('GET /ws', HANDSHAKE));
        const full = await until('one connection', async () => {
            const page = await count();
            return page.total === 1 && page;
        });
        assert.equal(full.authenticated, 0);
        assert.deepEqual(full.workers.map(worker => worker.index), [0, 1]);
        assert.equal(full.workers.reduce((sum, worker) => sum + worker.connections, 0), 1);
        socket.destroy();
        await until('none', async () => (await count()).total === 0);
    });

    test('/debug/kafka follows the demo stream', async () => {
        const page = JSON.parse((await exchange(request('GET /debug/kafka'))).body);
        assert.equal(page.kafka, true);
        assert.equal(page.caughtUp, true);
        const prices = page.partitions.filter(row => row.topic === 'price.updates');
        assert.ok(prices.length > 0);
        for (const row of prices) {
            assert.equal(row.state, 'assigned');
            assert.deepEqual(Object.keys(row), ['topic', 'partition', 'position', 'liveFrom', 'wholeFrom', 'highWatermark', 'lag',
                'errors', 'gaps', 'restarts', 'state']);
        }
    });

    test('HEAD gets no body when it is refused either', async () => {
        for (const [status, head] of [[404, request('HEAD /nowhere')], [405, request('HEAD /ws')], [405, request('HEAD /admin/drain')],
            [403, request('HEAD /connections', 'X-Forwarded-For: 192.0.2.1\r\n')], [400, 'HEAD / HTTP/1.1\r\n\r\n']]) {
            const answer = await exchange(head);
            assert.equal(answer.status, status, head);
            assert.equal(answer.body, '', head);
            assert.ok(Number(answer.headers['content-length']) > 0, head);
        }
    });

    test('an unknown path is 404 in JSON', async () => {
        const answer = await exchange(request('GET /nothing/here?x=1'));
        assert.equal(answer.status, 404);
        assert.equal(JSON.parse(answer.body).error.code, 'NOT_FOUND');
    });
});

describe('admin', () => {
    const paths = ['/connections', '/debug/kafka'];

    for (const header of ['X-Forwarded-For: 127.0.0.1', 'Forwarded: for=127.0.0.1', 'x-forwarded-for:']) {
        test(`a request with "${header}" is not local`, async () => {
            for (const path of paths)
                assert.equal((await exchange(request(`GET ${path}`, `${header}\r\n`))).status, 403);
            assert.equal((await exchange(request('GET /health', `${header}\r\n`))).status, 200);
        });
    }

    const outer = Object.values(networkInterfaces()).flat().find(({ internal, family }) => !internal && family === 'IPv4');
    test('an address of the network is no loopback', { skip: outer ? false : 'only loopback here' }, async () => {
        const open = await startGateway({ dev: true, env: { WEBSOCKET_SERVICE_HOST: '0.0.0.0' } });
        const at = { port: open.port, host: outer.address };
        for (const path of paths)
            assert.equal((await exchange(request(`GET ${path}`), at)).status, 403);
        assert.equal((await exchange(request('GET /health'), at)).status, 200);
        await open.stop();
    });
});

const HANDSHAKE = 'Upgrade: websocket\r\nConnection: Upgrade\r\n'
    + 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n';

const REFUSED = [
    [400, 'two lengths', `POST / HTTP/1.1\r\n${HOST}Content-Length: 3\r\nContent-Length: 4\r\n\r\n`],
    [400, 'a length of +3', `POST / HTTP/1.1\r\n${HOST}Content-Length: +3\r\n\r\n`],
    [400, 'a body', `POST / HTTP/1.1\r\n${HOST}Content-Length: 5\r\n\r\nhello`],
    [400, 'a chunked body', `POST / HTTP/1.1\r\n${HOST}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
    [400, 'NUL in a value', `GET / HTTP/1.1\r\n${HOST}X: a\0b\r\n\r\n`],
    [400, 'a control byte in a name', `GET / HTTP/1.1\r\n${HOST}X\x01: a\r\n\r\n`],
    [400, 'bare LF', 'GET / HTTP/1.1\nHost: x\n\n'],
    [400, 'bare CR', `GET / HTTP/1.1\r\n${HOST}X: a\rb\r\n\r\n`],
    [400, 'a folded line', `GET / HTTP/1.1\r\n${HOST}X: a\r\n b\r\n\r\n`],
    [400, 'no Host', 'GET / HTTP/1.1\r\n\r\n'],
    [400, 'two Hosts', `GET / HTTP/1.1\r\n${HOST}${HOST}\r\n`],
    [400, 'a blank in front of the colon', 'GET / HTTP/1.1\r\nHost : x\r\n\r\n'],
    [400, 'absolute form', `GET http://x/ HTTP/1.1\r\n${HOST}\r\n`],
    [400, 'asterisk form', `OPTIONS * HTTP/1.1\r\n${HOST}\r\n`],
    [400, 'authority form', `CONNECT x:443 HTTP/1.1\r\n${HOST}\r\n`],
    [400, 'a fragment', `GET /#a HTTP/1.1\r\n${HOST}\r\n`],
    [400, 'an empty line in front', `\r\nGET / HTTP/1.1\r\n${HOST}\r\n`],
    [400, 'HTTP/0.9', 'GET /\r\n'],
    [400, 'the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    [400, 'TLS', Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3])],
    [400, 'noise', Buffer.from(Array.from({ length: 4096 }, (_, i) => (i * 151 + 7) & 255))],
    [405, 'an unknown method', `BREW / HTTP/1.1\r\n${HOST}\r\n`],
    [414, 'a target of 9000 bytes', `GET /${'a'.repeat(9000)} HTTP/1.1\r\n${HOST}\r\n`],
    [431, 'a head of 17 KiB', `GET / HTTP/1.1\r\n${HOST}X: ${'a'.repeat(17_000)}\r\n\r\n`],
    [431, '65 headers', `GET / HTTP/1.1\r\n${HOST}${'X: y\r\n'.repeat(64)}\r\n`],
    [505, 'HTTP/2.0', `GET / HTTP/2.0\r\n${HOST}\r\n`],
];

describe('the gate', () => {
    for (const [status, name, bytes] of REFUSED) {
        test(`${name}: ${status}, and the connection ends`, async () => {
            const answer = await exchange(bytes);
            assert.equal(answer.status, status, answer.line);
            assert.ok(JSON.parse(answer.body).error.message);
        });
    }

    test('each refusal is counted', async () => {
        const counted = await gateway.metric('http_bad_requests_total');
        await exchange('\0');
        assert.equal(await gateway.metric('http_bad_requests_total'), counted + 1);
    });

    test('a head that comes byte by byte is read all the same', async () => {
        const answer = await exchange([...request('GET /ready')]);
        assert.equal(answer.status, 200);
    });

    test('only the first of two pipelined requests is answered', async () => {
        const answer = await exchange(request('GET /ready') + request('GET /health'));
        assert.equal(answer.status, 200);
        assert.equal(answer.body, '{"status":"ready"}');
    });

    test('a head that drips in is cut off after ten seconds, however lively the drip', async () => {
        const begun = Date.now();
        const socket = connect(gateway.port, '127.0.0.1');
        const chunks = [];
        const drip = setInterval(() => socket.write('a'), 250);
        socket.on('data', chunk => chunks.push(chunk));
        socket.on('error', () => {}); // the drip may hit the closed side
        socket.write(`GET / HTTP/1.1\r\n${HOST}X: `);
        await within('the cut', PATIENCE_MS, new Promise(resolve => socket.once('close', resolve)))
            .finally(() => clearInterval(drip));
        const took = Date.now() - begun;
        assert.ok(took > HEAD_DEADLINE_MS - 500 && took < HEAD_DEADLINE_MS + 10_000, `${took} ms`);
        assert.equal(parse(Buffer.concat(chunks)).status, 408);
        socket.destroy();
    });

    test('a client that hangs up in the middle harms nobody', async () => {
        for (const part of ['', 'G', 'GET / HTTP/1.1\r\n', request('GET /health').slice(0, -1)])
            await new Promise(resolve => {
                const socket = connect(gateway.port, '127.0.0.1', () => socket.end(part));
                socket.on('close', resolve).resume();
            });
        assert.equal((await exchange(request('GET /health'))).status, 200);
    });
});

describe('the handshake', () => {
    const without = name => HANDSHAKE.split('\r\n').filter(row => !row.startsWith(name)).join('\r\n');

    const REFUSALS = [
        [426, 'a plain GET', request('GET /ws')],
        [405, 'POST', request('POST /ws', HANDSHAKE)],
        [400, 'HTTP/1.0', `GET /ws HTTP/1.0\r\n${HOST}${HANDSHAKE}\r\n`],
        [400, 'no key', request('GET /ws', without('Sec-WebSocket-Key'))],
        [400, 'a short key', request('GET /ws', `${without('Sec-WebSocket-Key')}Sec-WebSocket-Key: AAAA\r\n`)],
        [400, 'two keys', request('GET /ws', `${HANDSHAKE}Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n`)],
        [426, 'version 8', request('GET /ws', `${without('Sec-WebSocket-Version')}Sec-WebSocket-Version: 8\r\n`)],
        [400, 'no Connection: Upgrade', request('GET /ws', without('Connection'))],
    ];
    for (const [status, name, bytes] of REFUSALS) {
        test(`${name}: ${status}`, async () => {
            const answer = await exchange(bytes);
            assert.equal(answer.status, status, answer.line);
            assert.ok(JSON.parse(answer.body).error.message);
            if (status === 426)
                assert.equal(answer.headers['sec-websocket-version'], '13');
        });
    }

    const accepted = answer => {
        assert.equal(answer.status, 101);
        assert.equal(answer.headers['sec-websocket-accept'], 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
    };

    test('a foreign spelling of the lists is understood', async () => {
        const headers = HANDSHAKE.replace('Upgrade: websocket', 'upgrade: WebSocket')
            .replace('Connection: Upgrade', 'connection: keep-alive, upgrade');
        const close = Buffer.from([0x88, 0x80, 1, 2, 3, 4]);
        accepted(await exchange([request('GET /ws?x=y', headers), close]));
    });

    test('a frame in the same segment as the head is read as a frame', async () => {
        const close = Buffer.from([0x88, 0x80, 1, 2, 3, 4]);
        accepted(await exchange(Buffer.concat([Buffer.from(request('GET /ws', HANDSHAKE)), close])));
    });

    test('garbage behind the head is a protocol error of WebSocket, not a second request', async () => {
        const answer = await exchange(request('GET /ws', HANDSHAKE) + request('GET /health'));
        accepted(answer);
        assert.doesNotMatch(answer.body, /HTTP\/1\.1/);
        assert.match(Buffer.from(answer.body, 'utf8').toString('latin1'), /auth_required/);
    });
});
