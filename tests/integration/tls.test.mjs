// wss and https on the one port: versions, names, tickets that every worker takes, client certificates, broken records, and
// that events arrive as they do without TLS.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { connect as tlsConnect } from 'node:tls';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { Authority, openssl } from './certificates.mjs';
import { PATIENCE_MS, assertSame, connectClient, ioUringAllowed, signedIn, startGateway, until, within } from './harness.mjs';

// Only for the harness' own questions (/ready, /metrics); every client below verifies what it is shown.
process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
process.removeAllListeners('warning');

const ROTATION_MS = 2_000;
let folder, authority, first, second, stranger, client, kafka, producer, gateway;

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moonx-tls-'));
    authority = new Authority(folder);
    first = authority.issue('first', { names: ['first.example', 'both.example'] });
    second = authority.issue('second', { names: ['second.example', '*.second.example', 'both.example'],
        key: ['-newkey', 'rsa:2048', '-nodes'] });
    client = authority.issue('client', { usage: 'clientAuth' });
    stranger = new Authority(folder, 'stranger').issue('other', { usage: 'clientAuth' });
    kafka = await startKafka();
    await kafka.createTopic('price.updates', 1);
    producer = new Producer(kafka.bootstrap);
    gateway = await startGateway({
        kafka: kafka.bootstrap,
        workers: 2,
        env: { ...certificates(), TLS_TICKET_ROTATION: String(ROTATION_MS), WS_DEFLATE: 'true', WS_MAX_QUEUE_BYTES: String(16 << 20) },
    });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
});

const certificates = () => ({ TLS_CERT_FILE: `${first.cert}, ${second.cert}`, TLS_KEY_FILE: `${first.key}, ${second.key}` });
const trusting = (more = {}) => ({ ca: authority.text, servername: 'first.example', rejectUnauthorized: true, ...more });

// What `openssl s_client` says when it connects, sends `input` and ends.
function sClient(args, { port = gateway.port, input = '' } = {}) {
    return within('s_client', PATIENCE_MS, new Promise(resolve => {
        const child = execFile('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', authority.file, ...args],
            (error, stdout, stderr) => resolve({ code: error?.code ?? 0, text: stdout + stderr }));
        child.stdin.on('error', () => {}); // who is refused may have ended already
        child.stdin.end(input);
    }));
}

// One TLS connection: resolves with the socket, and with its first ticket as `session`.
function tlsSocket(options = {}, port = gateway.port) {
    const socket = tlsConnect({ port, host: '127.0.0.1', ...trusting(options) });
    const ticket = new Promise(resolve => socket.once('session', resolve));
    return within('TLS', PATIENCE_MS, new Promise((resolve, reject) => {
        socket.once('secureConnect', () => resolve(Object.assign(socket, { ticket }))).once('error', reject);
    }));
}

// The answer to a request over it, to the server's end.
async function request(socket, path = '/health') {
    const chunks = [];
    socket.on('data', chunk => chunks.push(chunk));
    const ended = new Promise((resolve, reject) => socket.once('end', resolve).once('error', reject));
    socket.write(`GET ${path} HTTP/1.1\r\nHost: first.example\r\n\r\n`);
    await within('answer', PATIENCE_MS, ended);
    socket.destroy();
    return Buffer.concat(chunks).toString();
}

test('TLS 1.2 and 1.3 with forward secrecy, 1.1 refused', async () => {
    const old = await sClient(['-tls1_1', '-cipher', 'ALL:@SECLEVEL=0']);
    assert.notEqual(old.code, 0);
    assert.match(old.text, /alert protocol version/);
    assert.match((await sClient(['-tls1_2', '-servername', 'first.example'])).text, /New, TLSv1.2, Cipher is ECDHE-ECDSA-AES128-GCM/);
    assert.match((await sClient(['-tls1_3', '-servername', 'first.example'])).text, /New, TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256/);
    for (const cipher of ['AES128-GCM-SHA256', 'ECDHE-RSA-AES128-SHA', 'DHE-RSA-AES128-GCM-SHA256'])
        assert.match((await sClient(['-tls1_2', '-cipher', cipher, '-servername', 'second.example'])).text, /handshake failure/);
    assert.match((await sClient(['-tls1_3', '-groups', 'X25519'])).text, /Temp Key: X25519/);
    assert.match((await sClient(['-tls1_3', '-groups', 'secp521r1'])).text, /handshake failure/);
});

test('the server name chooses the certificate: its own name, a wildcard, else the first', async () => {
    const shown = async name => (await sClient(name ? ['-servername', name] : ['-noservername'])).text.match(/subject=CN = (\S+)/)[1];
    assert.equal(await shown('first.example'), 'first.example');
    assert.equal(await shown('SECOND.example'), 'second.example');
    assert.equal(await shown('a.second.example'), 'second.example');
    assert.equal(await shown('a.b.second.example'), 'first.example');
    assert.equal(await shown('both.example'), 'first.example');
    assert.equal(await shown('unknown.example'), 'first.example');
    assert.equal(await shown(null), 'first.example');
});

test('http/1.1 is chosen by ALPN; who wants only something else is told so', async () => {
    const socket = await tlsSocket({ ALPNProtocols: ['h2', 'http/1.1'] });
    assert.equal(socket.alpnProtocol, 'http/1.1');
    assert.match(await request(socket), /^HTTP\/1\.1 200 /);
    await assert.rejects(tlsSocket({ ALPNProtocols: ['h2'] }), /no application protocol/);
});

test('renegotiation is refused', async () => {
    const { text } = await sClient(['-tls1_2', '-servername', 'first.example'], { input: 'R\n' });
    assert.match(text, /no renegotiation/);
});

test('plain HTTP is told in plain text what is spoken here, and counted', async () => {
    const before = await gateway.metric('tls_plain_requests_total');
    const socket = connect(gateway.port, '127.0.0.1');
    const text = await within('answer', PATIENCE_MS, new Promise(resolve => {
        let got = '';
        socket.setEncoding('utf8').on('data', data => (got += data)).on('end', () => resolve(got));
        socket.write('GET /health HTTP/1.1\r\nHost: x\r\n\r\n');
    }));
    socket.destroy();
    assert.match(text, /^HTTP\/1\.1 400 [\s\S]*This port speaks TLS/);
    assert.equal(await gateway.metric('tls_plain_requests_total'), before + 1);
});

test('events of every size arrive whole and in order, deflated or not', async () => {
    const plain = await signedIn(gateway, { user: 'plain' }, trusting({ perMessageDeflate: false }));
    const deflated = await signedIn(gateway, { user: 'deflated' }, trusting({ perMessageDeflate: true, servername: 'x.second.example' }));
    assert.equal(deflated.ws.extensions, 'permessage-deflate');
    const sizes = [1, 100, 16_000, 16_384, 16_385, 40_000, 262_144];
    const sent = [];
    for (let i = 0; i < 70; i++)
        sent.push(producer.send('price.updates', { token: 'ETH', price: '1', i, pad: 'x'.repeat(sizes[i % sizes.length]) }));
    const ids = (await Promise.all(sent)).map(({ id }) => id);
    for (const each of [plain, deflated]) {
        await each.next(({ id }) => id === ids.at(-1));
        const events = each.all('price_update');
        assertSame(events.map(({ id }) => id), ids, `what ${each.user} got`);
        assert.ok(events.every(({ data }, i) => data.i === i && data.pad.length === sizes[i % sizes.length]));
        await each.close(1000);
    }
});

for (const flush of ['io_uring', 'sendmsg'])
    test(`with ${flush} forced, records are read while others are written`,
        { skip: flush === 'io_uring' && !ioUringAllowed() }, async () => {
        const forced = await startGateway({ kafka: kafka.bootstrap, flush, env: certificates() });
        const each = await signedIn(forced, { user: flush }, trusting({ perMessageDeflate: false }));
        const sent = [], answers = [];
        for (let i = 0; i < 60; i++) {
            sent.push(producer.send('price.updates', { token: 'ETH', price: '1', i, pad: 'x'.repeat(40_000) }));
            answers.push(each.request('ping', { pad: 'y'.repeat(30_000) }));
        }
        const ids = (await Promise.all(sent)).map(({ id }) => id);
        assert.ok((await Promise.all(answers)).every(({ type }) => type === 'pong'));
        await each.next(({ id }) => id === ids.at(-1));
        assertSame(each.all('price_update').map(({ id }) => id), ids, `what ${each.user} got`);
        await each.close();
        await forced.stop();
    });

test('a proxy\'s header stands before the handshake, and its address counts; without one there is no handshake', async () => {
    const proxy = '127.0.0.3';
    const behind = await startGateway({ kafka: kafka.bootstrap,
        env: { ...certificates(), PROXY_PROTOCOL: 'true', TRUSTED_PROXIES: proxy, ADDRESS_DENY: '203.0.113.0/24' } });
    const open = async header => {
        const socket = connect({ port: behind.port, host: '127.0.0.1', localAddress: proxy });
        socket.on('error', () => {}); // the TLS socket on top of it tells
        socket.write(header);
        const secure = tlsConnect({ socket, ...trusting() });
        await within('TLS', PATIENCE_MS, new Promise((resolve, reject) => {
            secure.once('secureConnect', resolve).once('error', reject).once('close', () => reject(new Error('closed')));
        }));
        return secure;
    };
    const upgrade = async source => {
        const secure = await open(`PROXY TCP4 ${source} 127.0.0.1 4711 443\r\n`);
        secure.write('GET /ws HTTP/1.1\r\nHost: first.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'
            + 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n');
        const answer = await within('answer', PATIENCE_MS, new Promise((resolve, reject) => {
            secure.once('data', resolve).once('error', reject);
        }));
        secure.destroy();
        return Number(answer.toString().split(' ')[1]);
    };
    assert.equal(await upgrade('192.0.2.1'), 101);
    assert.equal(await upgrade('203.0.113.5'), 403);
    await assert.rejects(open(''));
    assert.ok(await behind.metric('proxy_headers_bad_total') > 0);
    await behind.stop();
});

test('messages in fragments, of one record or of many, are read', async () => {
    const each = await signedIn(gateway, {}, trusting({ perMessageDeflate: false }));
    const text = JSON.stringify({ id: 'f', type: 'ping', data: { pad: 'y'.repeat(60_000) } });
    each.ws.send(text.slice(0, 30_000), { fin: false });
    each.ws.send(text.slice(30_000), { fin: true });
    assert.equal((await each.next(({ ref }) => ref === 'f')).type, 'pong');
    const many = [];
    for (let i = 0; i < 300; i++)
        many.push(each.request('ping', {}));
    await Promise.all(many);
    await each.close();
});

test('a client that stops reading loses nothing, and others get theirs meanwhile', async () => {
    const slow = await signedIn(gateway, { user: 'slow' }, trusting({ perMessageDeflate: false }));
    const quick = await signedIn(gateway, { user: 'quick' }, trusting({ perMessageDeflate: false }));
    slow.ws.pause();
    const blocked = await gateway.metric('flushes_blocked_total');
    const ids = [];
    for (let i = 0; i < 400 && (ids.length < 60 || await gateway.metric('flushes_blocked_total') === blocked); i++)
        ids.push((await producer.send('price.updates', { token: 'ETH', price: '1', i, pad: 'z'.repeat(100_000) })).id);
    assert.ok(await gateway.metric('flushes_blocked_total') > blocked);
    await quick.next(({ id }) => id === ids.at(-1));
    slow.ws.resume();
    await slow.next(({ id }) => id === ids.at(-1));
    for (const each of [slow, quick]) {
        assertSame(each.all('price_update').map(({ id }) => id), ids, `what ${each.user} got`);
        await each.close();
    }
});

test('a ticket is good on every worker, and a worker that was killed is missed by nobody', async () => {
    const start = await tlsSocket();
    const [session] = await Promise.all([start.ticket, request(start)]);
    const resumedBy = async () => Object.entries(await gateway.metrics())
        .filter(([name, value]) => name.startsWith('tls_handshakes_resumed_total') && value > 0).length;
    await until('both workers have resumed it', async () => {
        const socket = await tlsSocket({ session });
        await request(socket);
        return await resumedBy() === 2;
    });
    const before = (await gateway.metrics())['tls_handshakes_resumed_total{worker="0"}'];
    await gateway.kill('worker');
    let held = session;
    await until('its successor has resumed a session of a sibling or of the dead', async () => {
        const socket = await tlsSocket({ session: held }).catch(() => null);
        if (socket !== null) {
            socket.once('session', renewed => (held = renewed));
            await request(socket);
        }
        return (await gateway.metrics())['tls_handshakes_resumed_total{worker="0"}'] > before;
    });
});

test('the key of tickets changes; the one before is good for one period more, then no longer', async () => {
    const start = await tlsSocket();
    const [session] = await Promise.all([start.ticket, request(start)]);
    const from = Date.now();
    let goodUntil = from;
    await until('the ticket has become too old', async () => {
        const asked = Date.now();
        const socket = await tlsSocket({ session });
        const resumed = socket.isSessionReused();
        socket.destroy();
        if (resumed)
            goodUntil = asked;
        return !resumed;
    });
    assert.ok(Date.now() - from >= ROTATION_MS - 100, `only for ${Date.now() - from} ms`);
    assert.ok(goodUntil - from <= 2 * ROTATION_MS + 2_000, `for ${goodUntil - from} ms`);
});

test('broken, truncated and foreign records end their own connection and nothing else', async () => {
    const other = await signedIn(gateway, {}, trusting());
    const hello = Buffer.from('16030100050100000103', 'hex');
    const broken = [
        Buffer.from([0x16]), hello, Buffer.from('16030100010203', 'hex'), Buffer.from('1603ffffff', 'hex'),
        Buffer.concat([hello.subarray(0, 5), Buffer.alloc(2000, 0xff)]), Buffer.from('8080010301', 'hex'),
        Buffer.alloc(70_000, 0x16), Buffer.from('SSH-2.0-x\r\n'), Buffer.from([0]),
    ];
    const before = await gateway.metric('tls_handshakes_failed_total');
    await Promise.all(broken.map(bytes => within('end', PATIENCE_MS, new Promise(resolve => {
        const socket = connect(gateway.port, '127.0.0.1', () => socket.end(bytes));
        socket.on('error', () => {}).on('close', resolve).resume();
    }))));
    await until('all are counted', async () => await gateway.metric('tls_handshakes_failed_total') === before + broken.length - 1);
    // within an open session: a record that is not what it was
    const raw = connect(gateway.port, '127.0.0.1');
    const broke = await within('end', PATIENCE_MS, new Promise(resolve => {
        const secure = tlsConnect({ socket: raw, ...trusting() }, () => raw.write(Buffer.from('1703030020' + 'ab'.repeat(32), 'hex')));
        secure.on('error', resolve).on('close', resolve);
    }));
    assert.ok(broke !== undefined);
    assert.equal((await other.settled()).type, 'pong');
    await other.close();
});

test('a client certificate can be asked for, or demanded; one by a stranger is refused', async () => {
    const shown = { cert: client.text, key: client.keyText };
    const foreign = { cert: stranger.text, key: stranger.keyText };
    for (const mode of ['optional', 'require']) {
        const own = await startGateway({
            kafka: kafka.bootstrap,
            env: { TLS_CERT_FILE: first.cert, TLS_KEY_FILE: first.key, TLS_CLIENT_CA_FILE: authority.file, TLS_CLIENT_CERT: mode },
            ready: 'unasked',
        });
        try {
            const asks = async options => {
                try {
                    return await request(await tlsSocket(options, own.port), '/ready');
                } catch (error) {
                    return String(error);
                }
            };
            await until('it answers', async () => /^HTTP\/1\.1 200/.test(await asks(shown)));
            assert.match(await asks(foreign), /unknown ca|bad certificate/i);
            assert.match(await asks({}), mode === 'require' ? /certificate required/ : /^HTTP\/1\.1 200/);
        } finally {
            await own.stop();
        }
    }
});

test('a key in the certificate\'s own file needs no TLS_KEY_FILE', async () => {
    const combined = join(folder, 'combined.pem');
    writeFileSync(combined, readFileSync(first.cert) + readFileSync(authority.file) + readFileSync(first.key));
    const own = await startGateway({ kafka: kafka.bootstrap, env: { TLS_CERT_FILE: combined, TLS_MIN_VERSION: '1.3' } });
    try {
        assert.match((await sClient(['-tls1_2'], { port: own.port })).text, /alert protocol version/);
        const each = await connectClient(own, trusting());
        await each.next('auth_required');
        await each.close();
    } finally {
        await own.stop();
    }
});

// ---- files: reload and start

const copy = (from, to) => writeFileSync(join(folder, to), readFileSync(from));

test('renewed certificates are taken under load without a disconnect; a wrong one changes nothing', async () => {
    copy(first.cert, 'live.crt');
    copy(first.key, 'live.key');
    const own = await startGateway({
        kafka: kafka.bootstrap, workers: 2,
        env: { TLS_CERT_FILE: join(folder, 'live.crt'), TLS_KEY_FILE: join(folder, 'live.key') },
    });
    try {
        const clients = await Promise.all(Array.from({ length: 30 }, (_, i) => signedIn(own, { user: `u${i}` }, trusting())));
        const sent = [];
        let stop = false;
        const producing = (async () => {
            while (!stop)
                sent.push((await producer.send('price.updates', { token: 'ETH', price: '1' })).id);
        })();
        const shown = async name => {
            const socket = await tlsSocket({ servername: name }, own.port);
            const { subject } = socket.getPeerCertificate();
            socket.destroy();
            return subject.CN;
        };
        const reload = async expected => {
            const count = () => [...own.output.matchAll(expected)].length;
            const before = count();
            own.signal('SIGHUP');
            await until('the reload', () => count() > before);
        };
        assert.equal(await shown('first.example'), 'first.example');
        for (const [pair, name] of [[second, 'second.example'], [first, 'first.example'], [second, 'second.example']]) {
            copy(pair.cert, 'live.crt');
            copy(pair.key, 'live.key');
            await reload(/"reloaded; /g);
            await until('both workers show it', async () => {
                const subjects = await Promise.all(Array.from({ length: 10 }, () => shown(name).catch(() => null)));
                return subjects.every(subject => subject === name);
            });
        }
        copy(first.key, 'live.key');
        await reload(/reload refused/g);
        await own.printed(/TLS_KEY_FILE: \\?"[^"]*live.key\\?": is not the key of the certificate/);
        assert.equal(await shown('second.example'), 'second.example');
        stop = true;
        await producing;
        for (const each of clients) {
            await each.next(({ id }) => id === sent.at(-1));
            const got = each.all('price_update').map(({ id }) => id);
            assertSame(got.slice(got.indexOf(sent[0])), sent, `what ${each.user} got`);
            assert.equal(each.ended, undefined);
        }
        await Promise.all(clients.map(each => each.close()));
    } finally {
        await own.stop();
    }
});

test('a certificate that can\'t be used stops the start with one line; an expired one is used with a warning', async () => {
    const locked = join(folder, 'locked.key');
    openssl('pkey', '-in', first.key, '-aes128', '-passout', 'pass:x', '-out', locked);
    const expired = authority.issue('expired', { days: -1 });
    const refusals = [
        [first.cert, second.key, /is not the key of the certificate/],
        [first.cert, locked, /is encrypted; store it without a passphrase/],
        [join(folder, 'nowhere'), first.key, /cannot be read: No such file/],
        [first.key, first.key, /holds no PEM certificate/],
        [`${first.cert},${second.cert}`, first.key, /1 keys for the 2 certificates/],
    ];
    for (const [cert, key, said] of refusals) {
        await assert.rejects(startGateway({ kafka: kafka.bootstrap, env: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key } }), error => {
            assert.match(error.message, /ended with status 2/);
            const lines = error.message.split('\n').slice(1).filter(Boolean);
            assert.equal(lines.length, 1, error.message);
            assert.match(lines[0], said);
            return true;
        });
    }
    const own = await startGateway({ kafka: kafka.bootstrap, env: { TLS_CERT_FILE: expired.cert, TLS_KEY_FILE: expired.key } });
    await own.printed(/expired.crt\\?": the certificate has expired/);
    await own.stop();
});
