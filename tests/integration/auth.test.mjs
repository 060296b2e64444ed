// Tokens: with the handshake, by public key and by key set; a session that outlives its token. The gateway has its
// development broker: no event matters here.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { freePort } from '../kafka/kafka.mjs';
import { PATIENCE_MS, SECRET, connectClient, mintToken, root, seconds, startGateway, until, within } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonx-auth-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const base64url = value => Buffer.from(JSON.stringify(value)).toString('base64url');

// A token by private key: `how` is what node's sign() wants beside it.
function signedToken(privateKey, header, claims = {}, digest = 'sha256') {
    const text = `${base64url(header)}.${base64url({ sub: 'alice', exp: seconds(3600), ...claims })}`;
    const key = privateKey.asymmetricKeyType === 'ec' ? { key: privateKey, dsaEncoding: 'ieee-p1363' } : privateKey;
    return `${text}.${sign(privateKey.asymmetricKeyType === 'ed25519' ? null : digest, Buffer.from(text), key).toString('base64url')}`;
}

async function withGateway(env, story) {
    const gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET, ...env } });
    try {
        await story(gateway);
    } finally {
        await gateway.stop();
    }
}

// The first answer to a handshake, as text: status line, headers, body.
function handshake(gateway, { path = '/ws', headers = {} } = {}) {
    const lines = { Host: 'localhost', Upgrade: 'websocket', Connection: 'Upgrade', 'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...headers };
    return within('an answer', PATIENCE_MS, new Promise((resolve, reject) => {
        const socket = connect(gateway.port, '127.0.0.1', () => socket.write(
            `GET ${path} HTTP/1.1\r\n${Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`));
        let text = '';
        socket.setEncoding('utf8').on('error', reject).on('end', () => resolve(text)).on('data', piece => {
            text += piece;
            if (text.startsWith('HTTP/1.1 101'))
                socket.destroy(resolve(text));
        });
    }));
}

async function startsSignedIn(gateway, options, user = 'alice') {
    const client = await connectClient(gateway, options);
    const success = await client.next('auth_success');
    assert.equal(success.data.user.id, user);
    assert.match(success.data.connectionId, /^\S+$/);
    assert.equal(success.ref, undefined);
    const joined = await client.next('auto_subscribed');
    assert.equal(joined.data.rooms.length, 7);
    assert.deepEqual(client.received.slice(0, 2).map(({ type }) => type), ['auth_success', 'auto_subscribed']);
    return client;
}

async function isAsked(gateway, options) {
    const client = await connectClient(gateway, options);
    await client.next('auth_required');
    await client.close();
}

describe('a token with the handshake', () => {
    let gateway;
    before(async () => {
        gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET } });
    });
    after(() => gateway?.stop());

    test('Authorization: Bearer signs in at once, and messages work as ever', async () => {
        const client = await startsSignedIn(gateway, { headers: { Authorization: `Bearer ${mintToken()}` } });
        const { data } = await client.request('subscribe', { channel: 'user_actions' });
        assert.deepEqual(data.rooms, ['user_actions']);
        const again = await client.request('authenticate', { token: mintToken({ exp: seconds(7200) }) });
        assert.equal(again.type, 'auth_success');
        const other = await client.request('authenticate', { token: mintToken({ sub: 'bob' }) });
        assert.equal(other.data.code, 'INVALID_TOKEN');
        await client.close();
    });

    test('a bad one gets 401 with its code before the 101, and no more than the code', async () => {
        const cases = [
            ['x', 'INVALID_TOKEN'], ['', 'INVALID_TOKEN'],
            [mintToken({}, { secret: 'wrong' }), 'INVALID_TOKEN'],
            [mintToken({ exp: seconds(-3600) }), 'TOKEN_EXPIRED'],
            [mintToken({ sub: 'a b' }), 'INVALID_USER_ID'],
            [mintToken({ isActive: false }), 'USER_INACTIVE'],
        ];
        const before = await gateway.metric('auth_failures_total');
        for (const [token, code] of cases) {
            const text = await handshake(gateway, { headers: { Authorization: `Bearer ${token}` } });
            assert.match(text, /^HTTP\/1\.1 401 Unauthorized\r\n/, token);
            assert.match(text, /\r\nWWW-Authenticate: Bearer error="invalid_token"\r\n/);
            const { error } = JSON.parse(text.split('\r\n\r\n')[1]);
            assert.equal(error.code, code);
            assert.deepEqual(Object.keys(error).sort(), ['code', 'message']);
        }
        assert.equal(await gateway.metric('auth_failures_total'), before + cases.length);
    });

    test('cookies count only with an origin list, the address only if enabled', async () => {
        await isAsked(gateway, { headers: { Cookie: `token=${mintToken()}` } });
        assert.match(await handshake(gateway, { path: `/ws?token=${mintToken()}` }), /^HTTP\/1\.1 101 [^]*auth_required/);
        assert.match(await handshake(gateway, { path: '/ws?token=bad' }), /^HTTP\/1\.1 101 [^]*auth_required/);
    });

    test('what the client sends together with the handshake is answered after auto_subscribed', async () => {
        const payload = Buffer.from('{"type":"ping","id":"p"}');
        const masked = Buffer.concat([Buffer.from([0x81, 0x80 | payload.length, 0, 0, 0, 0]), payload]);
        const text = await within('pong', PATIENCE_MS, new Promise((resolve, reject) => {
            let heard = '';
            const socket = connect(gateway.port, '127.0.0.1', () => socket.write(Buffer.concat([Buffer.from(
                'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n'
                + `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nAuthorization: Bearer ${mintToken()}\r\n\r\n`), masked])));
            socket.setEncoding('latin1').on('error', reject).on('data', piece => {
                heard += piece;
                if (heard.includes('"ref":"p"'))
                    socket.destroy(resolve(heard));
            });
        }));
        const at = ['auth_success', 'auto_subscribed', '"ref":"p"'].map(word => text.indexOf(word));
        assert.ok(at[0] > 0 && at[0] < at[1] && at[1] < at[2], text);
    });
});

test('with an origin list the cookie signs in, from these origins only', async () => {
    await withGateway({ ALLOWED_ORIGINS: 'https://app.example.org' }, async gateway => {
        const headers = { Cookie: `theme=dark; token=${mintToken()}` };
        const client = await startsSignedIn(gateway, { headers, origin: 'https://app.example.org' });
        await client.close();
        assert.match(await handshake(gateway, { headers: { ...headers, Origin: 'https://evil.example' } }), /^HTTP\/1\.1 403 /);
        assert.match(await handshake(gateway, { headers }), /^HTTP\/1\.1 403 /);
        const quoted = { Cookie: `theme=dark; token="${mintToken()}"`, Origin: 'https://app.example.org' };
        assert.match(await handshake(gateway, { headers: quoted }), /^HTTP\/1\.1 101 [^]*auth_success/);
        const bad = { Cookie: 'token=bad', Origin: 'https://app.example.org' };
        assert.match(await handshake(gateway, { headers: bad }), /^HTTP\/1\.1 401 /);
    });
    await withGateway({ ALLOWED_ORIGINS: '*' }, gateway => isAsked(gateway, { headers: { Cookie: `token=${mintToken()}` } }));
});

test('with WS_QUERY_TOKEN the address signs in, and is never logged', async () => {
    await withGateway({ WS_QUERY_TOKEN: 'true', LOG_LEVEL: 'debug' }, async gateway => {
        const token = mintToken({ email: 'q@example.org' });
        assert.match(await handshake(gateway, { path: `/ws?x=1&token=${token}` }), /^HTTP\/1\.1 101 [^]*auth_success[^]*auto_subscribed/);
        assert.match(await handshake(gateway, { path: `/ws?token=${token.replaceAll('.', '%2E')}` }), /^HTTP\/1\.1 101 [^]*auth_success/);
        assert.match(await handshake(gateway, { path: `/ws?token=${token}x` }), /^HTTP\/1\.1 401 /);
        await gateway.printed(/Token refused/);
        assert.equal(gateway.output.includes(token.split('.')[1]), false);
        assert.equal(gateway.output.includes('?x=1'), false);
    });
});

test('a client is asked for a new token in time, and stays on its socket with it', async () => {
    await withGateway({ AUTH_REFRESH_LEAD: '3000', JWT_LEEWAY_SECONDS: '0' }, async gateway => {
        const client = await connectClient(gateway);
        await client.authenticate({ exp: seconds(8) });
        const asked = await client.next('token_refresh_required');
        assert.ok(asked.data.expiresIn > 0 && asked.data.expiresIn <= 3_000, `asked when it was time: ${asked.raw}`);
        const success = await client.request('authenticate', { token: mintToken({ exp: seconds(3600) }) });
        assert.ok(success.data.expiresAt > Date.now() + 3_000_000, success.raw);

        const left = await connectClient(gateway);
        await left.authenticate({ exp: seconds(3) });
        const atOnce = await left.next('token_refresh_required');
        assert.ok(atOnce.data.expiresIn <= 3_000, atOnce.raw);
        const end = await left.next('auth_failed');
        assert.equal(end.data.code, 'TOKEN_EXPIRED');
        assert.equal((await left.closes()).code, 1008);

        assert.equal(client.ended, undefined); // its first token has ended by now
        await client.settled();
        await client.close();
    });
});

describe('public keys', () => {
    const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const ed = generateKeyPairSync('ed25519');
    const file = (name, text) => {
        writeFileSync(join(folder, name), text);
        return join(folder, name);
    };
    const tries = async (gateway, token) => {
        const client = await connectClient(gateway);
        await client.next('auth_required');
        const answer = await client.request('authenticate', { token });
        await client.close();
        return answer.data.code ?? answer.type;
    };

    test('JWT_PUBLIC_KEY_FILE: its own algorithm and no other', async () => {
        const pem = p256.publicKey.export({ type: 'spki', format: 'pem' });
        await withGateway({ JWT_SECRET: '', JWT_PUBLIC_KEY_FILE: file('p256.pem', pem) }, async gateway => {
            assert.equal(await tries(gateway, signedToken(p256.privateKey, { alg: 'ES256' })), 'auth_success');
            assert.equal(await tries(gateway, signedToken(p256.privateKey, { alg: 'ES384' }, {}, 'sha384')), 'INVALID_TOKEN');
            assert.equal(await tries(gateway, signedToken(rsa.privateKey, { alg: 'RS256' })), 'INVALID_TOKEN');
            const text = `${base64url({ alg: 'HS256' })}.${base64url({ sub: 'alice', exp: seconds(3600) })}`;
            const forged = `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
            assert.equal(await tries(gateway, forged), 'INVALID_TOKEN');
        });
    });

    test('JWT_JWKS_FILE: kid chooses, an unknown one is refused', async () => {
        const keys = [[p256, 'a'], [rsa, 'b'], [ed, 'c']].map(([pair, kid]) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid }));
        await withGateway({ JWT_JWKS_FILE: file('jwks.json', JSON.stringify({ keys })) }, async gateway => {
            assert.equal(await tries(gateway, signedToken(p256.privateKey, { alg: 'ES256', kid: 'a' })), 'auth_success');
            assert.equal(await tries(gateway, signedToken(rsa.privateKey, { alg: 'RS256', kid: 'b' })), 'auth_success');
            assert.equal(await tries(gateway, signedToken(ed.privateKey, { alg: 'EdDSA', kid: 'c' })), 'auth_success');
            assert.equal(await tries(gateway, signedToken(p256.privateKey, { alg: 'ES256', kid: 'd' })), 'INVALID_TOKEN');
            assert.equal(await tries(gateway, signedToken(p256.privateKey, { alg: 'ES256', kid: ['a'] })), 'INVALID_TOKEN');
            assert.equal(await tries(gateway, mintToken()), 'auth_success', 'the secret, beside the keys');
        });
    });

    test('JWT_JWKS_URL: fetched at start, on a timer and for an unknown kid; what fails leaves the old keys', async () => {
        const jwk = (pair, kid) => ({ ...pair.publicKey.export({ format: 'jwk' }), kid });
        let answer = response => response.end(JSON.stringify({ keys: [jwk(p256, 'a')] }));
        let fetched = 0;
        const server = createServer((request, response) => {
            assert.deepEqual([request.method, request.url], ['GET', '/keys']);
            fetched++;
            answer(response);
        });
        await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
        const env = { JWT_JWKS_URL: `http://127.0.0.1:${server.address().port}/keys`, JWT_JWKS_REFRESH: '500' };
        const a = () => tries(gateway, signedToken(p256.privateKey, { alg: 'ES256', kid: 'a' }));
        const b = () => tries(gateway, signedToken(rsa.privateKey, { alg: 'RS256', kid: 'b' }));
        let gateway;
        await withGateway(env, async own => {
            gateway = own;
            await until('keys', async () => await a() === 'auth_success');
            assert.match(await b(), /INVALID_TOKEN|AUTH_UNAVAILABLE/);
            assert.equal(await tries(gateway, mintToken()), 'auth_success', 'the secret, beside the keys');
            for (const bad of [response => response.writeHead(500).end(), response => response.end('nonsense'), () => {},
                response => response.end('{"keys":[]}'), response => response.end('x'.repeat(1_000_000))]) {
                answer = bad;
                const before = fetched;
                await until('two more fetches, or one that hangs', () => fetched >= before + 1);
                assert.equal(await a(), 'auth_success', 'the old key stays');
            }
            answer = response => response.end(JSON.stringify({ keys: [jwk(rsa, 'b')] }));
            await until('the new key', async () => await b() === 'auth_success');
            assert.match(await a(), /INVALID_TOKEN|AUTH_UNAVAILABLE/, 'a key that was rotated away');
            await gateway.printed(/the old keys stay/);
        });
        await withGateway({ ...env, JWT_JWKS_REFRESH: '86400000' }, async own => {
            gateway = own;
            await until('keys', async () => await b() === 'auth_success');
            const before = fetched, began = performance.now();
            for (let i = 0; i < 50; i++)
                await a();
            const most = 1 + (performance.now() - began) / 10_000; // one in ten seconds
            assert.ok(fetched - before <= most, `${fetched - before} fetches for 50 unknown keys`);
        });
        server.closeAllConnections();
        server.close();
    });

    test('an issuer that is away says nothing about its tokens: AUTH_UNAVAILABLE, 503, and the session begins when it is back', async () => {
        const good = () => signedToken(p256.privateKey, { alg: 'ES256', kid: 'a' });
        let answer = response => response.writeHead(500).end();
        const server = createServer((request, response) => answer(response)).unref();
        await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
        const env = { JWT_JWKS_URL: `http://127.0.0.1:${server.address().port}/keys`, JWT_JWKS_REFRESH: '500' };
        await withGateway(env, async gateway => {
            const health = async () => {
                const { status, services, components } = await (await fetch(`http://127.0.0.1:${gateway.port}/health`)).json();
                return [status, services.auth, components.AuthService.status];
            };
            await gateway.printed(/there are no keys yet/);
            assert.deepEqual(await health(), ['degraded', false, 'degraded']);
            const client = await connectClient(gateway);
            await client.next('auth_required');
            for (let i = 0; i < 5; i++) // a third refusal would close
                assert.equal((await client.request('authenticate', { token: good() })).data.code, 'AUTH_UNAVAILABLE');
            const refused = await handshake(gateway, { headers: { Authorization: `Bearer ${good()}` } });
            assert.match(refused, /^HTTP\/1\.1 503 [^]*\r\nRetry-After: 1\r\n/);
            assert.equal(await tries(gateway, 'a.b.c'), 'INVALID_TOKEN', 'what no key could verify');
            assert.equal(await tries(gateway, mintToken()), 'auth_success', 'the secret, beside the keys');
            const jwk = { ...p256.publicKey.export({ format: 'jwk' }), kid: 'a' };
            answer = response => response.end(JSON.stringify({ keys: [jwk] }));
            await until('the key', async () => (await client.request('authenticate', { token: good() })).type === 'auth_success');
            await client.close();
            const unknown = () => tries(gateway, signedToken(rsa.privateKey, { alg: 'RS256', kid: 'b' }));
            await until('that it is known not to be there', async () => await unknown() === 'INVALID_TOKEN');
            await until('every worker has the keys', async () => (await health())[0] === 'healthy');
            answer = response => response.writeHead(500).end();
            await gateway.printed(/the old keys stay/);
            assert.equal(await unknown(), 'AUTH_UNAVAILABLE', 'it may be a new one');
            assert.equal(await tries(gateway, good()), 'auth_success');
            assert.deepEqual(await health(), ['healthy', true, 'healthy'], 'the old keys still verify');
        });
        server.closeAllConnections();
        server.close();
    });

    test('a key that cannot be used is passed over and named, by file and by an address with a query', async () => {
        const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
        const jwks = JSON.stringify({ keys: [{ ...weak.publicKey.export({ format: 'jwk' }), kid: 'weak' },
            { ...p256.publicKey.export({ format: 'jwk' }), kid: 'a' }] });
        const server = createServer((request, response) =>
            request.url === '/keys?p=sign_in&secret=1' ? response.end(jwks) : response.writeHead(404).end()).unref();
        await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
        for (const [option, place, shown] of [['JWT_JWKS_FILE', file('mixed.json', jwks), /mixed\.json/],
            ['JWT_JWKS_URL', `http://127.0.0.1:${server.address().port}/keys?p=sign_in&secret=1`, /\/keys\\?"/]]) {
            await withGateway({ [option]: place }, async gateway => {
                await gateway.printed(/its key 1 \(kid \\?"weak\\?"\) is an RSA key of fewer than 2048.*passed over/);
                await until('the key beside it', async () =>
                    await tries(gateway, signedToken(p256.privateKey, { alg: 'ES256', kid: 'a' })) === 'auth_success');
                assert.equal(await tries(gateway, signedToken(weak.privateKey, { alg: 'RS256', kid: 'weak' })), 'INVALID_TOKEN');
                assert.match(gateway.output, shown);
                assert.equal(gateway.output.includes('secret=1'), false, 'what stands behind the question mark may be a key');
            });
        }
        server.closeAllConnections();
        server.close();
    });

    test('a bad key file stops the start with one line and status 2', async () => {
        for (const [option, text, words] of [['JWT_PUBLIC_KEY_FILE', 'nonsense', 'no public key'], ['JWT_JWKS_FILE', '{}', 'keys']]) {
            const path = file('bad', text);
            const gateway = join(process.env.MOONX_BUILD ?? join(root, 'build'), 'moonx-gateway');
            const ended = spawnSync(gateway, ['--dev', '--port', String(await freePort())],
                { env: { PATH: process.env.PATH, JWT_SECRET: SECRET, DEV_DIRECTORY: folder, [option]: path }, timeout: 60_000, encoding: 'utf8' });
            assert.equal(ended.status, 2, ended.stderr);
            const lines = ended.stderr.trim().split('\n');
            assert.equal(lines.length, 1, ended.stderr);
            assert.ok(lines[0].includes(`${option}: "${path}"`) && lines[0].includes(words), lines[0]);
        }
    });
});
