// The auth service and a key set by https: which certificates are believed, what a bad one does, and a TLS that hangs.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { makeAuthority } from './authority.mjs';
import { connectClient, root, seconds, shell, startGateway, until } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonx-https-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const authority = makeAuthority(folder);
const stranger = makeAuthority(folder);

async function withService(options, story, { host = '127.0.0.1', answer } = {}) {
    const service = { names: new Set(), sockets: 0, calls: 0 };
    const server = createServer(options, (request, response) => {
        service.calls++;
        service.names.add(request.socket.servername);
        request.resume().on('end', () => (answer ? answer(request, response)
            : response.end(JSON.stringify({ user: { id: 'alice', isActive: true } }))));
    });
    server.keepAliveTimeout = 60_000;
    server.on('tlsClientError', () => {}).on('secureConnection', () => service.sockets++);
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    service.url = `https://${host}:${server.address().port}`;
    service.dropAll = () => server.closeAllConnections();
    try {
        await story(service);
    } finally {
        server.closeAllConnections();
        await new Promise(resolve => server.close(resolve));
    }
}

async function withGateway(env, story) {
    const gateway = await startGateway({ dev: true, env: { HTTP_CLIENT_CA_FILE: authority.file, AUTH_SERVICE_TIMEOUT: '600', ...env } });
    try {
        await story(gateway);
    } finally {
        await gateway.stop();
    }
}

let serial = 0;
async function tries(gateway, token = `token-${++serial}`) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    const answer = await client.request('authenticate', { token });
    await client.close();
    return answer.data.code ?? answer.type;
}

test('a service with a good certificate is asked, its connections are kept, and made anew when it closes them', () =>
    withService(authority.issue('127.0.0.1'), service => withGateway({ AUTH_SERVICE_URL: service.url }, async gateway => {
        for (let i = 0; i < 10; i++)
            assert.equal(await tries(gateway), 'auth_success');
        assert.equal(service.sockets, 1);
        service.dropAll();
        for (let i = 0; i < 3; i++)
            assert.equal(await tries(gateway), 'auth_success');
        assert.deepEqual([service.sockets, service.calls], [2, 13]);
        assert.deepEqual([...service.names], [false], 'an address is no server name');
        assert.ok((await gateway.health()).services.auth);
    })));

test('a host is asked by its name, which goes along', () =>
    withService(authority.issue('localhost'), service => withGateway({ AUTH_SERVICE_URL: service.url }, async gateway => {
        assert.equal(await tries(gateway), 'auth_success');
        assert.deepEqual([...service.names], ['localhost']);
    }), { host: 'localhost' }));

for (const [what, options, reason] of [
    ['of a stranger', stranger.issue('127.0.0.1'), /unable to get local issuer certificate/],
    ['for another host', authority.issue('127.0.0.2'), /IP address mismatch/],
    ['that has expired', authority.issue('127.0.0.1', { from: -3, to: -2 }), /certificate has expired/],
    ['that is not valid yet', authority.issue('127.0.0.1', { from: 2, to: 3 }), /certificate is not yet valid/],
    ['with TLS 1.1 alone', { ...authority.issue('127.0.0.1'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, /no answer/],
]) {
    test(`a certificate ${what}: the service counts as away, one line says why, and no token is sent`, () =>
        withService(options, service => withGateway({ AUTH_SERVICE_URL: service.url }, async gateway => {
            for (let i = 0; i < 8; i++)
                assert.equal(await tries(gateway), 'AUTH_UNAVAILABLE');
            await gateway.printed(reason);
            assert.equal(gateway.output.match(/The auth service at/g).length, 1, gateway.output);
            assert.equal(service.calls, 0);
            assert.equal((await gateway.health()).services.auth, false);
        })));
}

test('without HTTP_CLIENT_CA_FILE the system decides: our authority is a stranger', () =>
    withService(authority.issue('127.0.0.1'), service =>
        withGateway({ AUTH_SERVICE_URL: service.url, HTTP_CLIENT_CA_FILE: '' }, async gateway => {
            assert.equal(await tries(gateway), 'AUTH_UNAVAILABLE');
            assert.equal(service.calls, 0);
        })));

test('a service that accepts and then says nothing: AUTH_UNAVAILABLE in time', async () => {
    const sockets = [];
    const server = createTcpServer(socket => sockets.push(socket.on('error', () => {})));
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    await withGateway({ AUTH_SERVICE_URL: `https://127.0.0.1:${server.address().port}` }, async gateway => {
        const start = Date.now();
        assert.equal(await tries(gateway), 'AUTH_UNAVAILABLE');
        assert.ok(Date.now() - start < 2_000, `${Date.now() - start} ms`);
    });
    sockets.forEach(socket => socket.destroy());
    await new Promise(resolve => server.close(resolve));
});

test('a key set by https', () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const text = [{ alg: 'EdDSA', kid: 'k' }, { sub: 'alice', exp: seconds(600) }]
        .map(part => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
    const token = `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
    const keys = JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] });
    return withService(authority.issue('127.0.0.1'),
        service => withGateway({ JWT_JWKS_URL: `${service.url}/keys` }, async gateway => {
            await until('the keys are there', async () => await tries(gateway, token) === 'auth_success');
        }), { answer: (request, response) => response.end(keys) });
});

for (const [what, text] of [['nothing of PEM', 'hello\n'], ['a broken certificate', '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'], ['nothing', '']]) {
    test(`a file of authorities that holds ${what} stops the start with one line`, async () => {
        const file = join(folder, 'bad.pem');
        writeFileSync(file, text);
        const run = shell('build/moonx-gateway --dev --check-config', { cwd: root, env: { ...process.env,
            AUTH_SERVICE_URL: 'https://127.0.0.1', HTTP_CLIENT_CA_FILE: file } });
        await new Promise(resolve => run.child.once('close', resolve));
        assert.equal(run.child.exitCode, 2);
        assert.match(run.errors + run.output, /HTTP_CLIENT_CA_FILE: ".*bad\.pem": holds no certificate in PEM, or a broken one/);
    });
}
