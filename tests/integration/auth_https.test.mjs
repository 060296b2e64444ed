// The auth service and a key set by https: which certificates are believed, what a bad one does, and a TLS that hangs.
import assert from 'node:assert/strict';
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Authority } from './certificates.mjs';
import { connectClient, root, seconds, shell, startGateway, until } from './harness.mjs';

let serial = 0;
const folder = mkdtempSync(join(tmpdir(), 'moonx-https-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const authority = new Authority(folder);
const stranger = new Authority(folder, 'stranger');

// For node:https, and by `files` for the gateway.
function certificate(host, { by = authority, ...more } = {}) {
    const files = by.issue(`leaf-${++serial}`, { names: [host], ...more });
    return { key: files.keyText, cert: files.text, files };
}

async function withService(options, story, { host = '127.0.0.1', answer } = {}) {
    const service = { names: new Set(), sockets: 0, calls: 0 };
    const server = createServer(options, (request, response) => {
        service.calls++;
        service.names.add(request.socket.servername);
        let body = '';
        request.setEncoding('utf8').on('data', piece => (body += piece)).on('end', () => {
            request.token = body === '' ? undefined : JSON.parse(body).token;
            return answer ? answer(request, response)
                : response.end(JSON.stringify({ user: { id: 'alice', isActive: true } }));
        });
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
    const gateway = await startGateway({ dev: true, env: { HTTP_CLIENT_CA_FILE: authority.file, AUTH_SERVICE_TIMEOUT: '5000', ...env } });
    try {
        await story(gateway);
    } finally {
        await gateway.stop();
    }
}

async function tries(gateway, token = `token-${++serial}`) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    const answer = await client.request('authenticate', { token });
    await client.close();
    return answer.data.code ?? answer.type;
}

test('a service with a good certificate is asked, its connections are kept, and made anew when it closes them', () =>
    withService(certificate('127.0.0.1'), service => withGateway({ AUTH_SERVICE_URL: service.url }, async gateway => {
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
    withService(certificate('localhost'), service => withGateway({ AUTH_SERVICE_URL: service.url }, async gateway => {
        assert.equal(await tries(gateway), 'auth_success');
        assert.deepEqual([...service.names], ['localhost']);
    }), { host: 'localhost' }));

for (const [what, options, reason] of [
    ['of a stranger', certificate('127.0.0.1', { by: stranger }), /unable to get local issuer certificate/],
    ['for another host', certificate('127.0.0.2'), /IP address mismatch/],
    ['that has expired', certificate('127.0.0.1', { days: -1 }), /certificate has expired/],
    ['that is not valid yet', certificate('127.0.0.1', { begin: 2 }), /certificate is not yet valid/],
    ['with TLS 1.1 alone', { ...certificate('127.0.0.1'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }, /no answer/],
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
    withService(certificate('127.0.0.1'), service =>
        withGateway({ AUTH_SERVICE_URL: service.url, HTTP_CLIENT_CA_FILE: '' }, async gateway => {
            assert.equal(await tries(gateway), 'AUTH_UNAVAILABLE');
            assert.equal(service.calls, 0);
        })));

test('a service that accepts and then says nothing: AUTH_UNAVAILABLE in time', async () => {
    const sockets = [];
    const server = createTcpServer(socket => sockets.push(socket.on('error', () => {})));
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    await withGateway({ AUTH_SERVICE_URL: `https://127.0.0.1:${server.address().port}`, AUTH_SERVICE_TIMEOUT: '600' }, async gateway => {
        const start = Date.now();
        assert.equal(await tries(gateway), 'AUTH_UNAVAILABLE');
        assert.ok(Date.now() - start < 8_000, `${Date.now() - start} ms`); // before AUTH_TIMEOUT would end it
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
    return withService(certificate('127.0.0.1'),
        service => withGateway({ JWT_JWKS_URL: `${service.url}/keys` }, async gateway => {
            await until('the keys are there', async () => await tries(gateway, token) === 'auth_success');
        }), { answer: (request, response) => response.end(keys) });
});

test('clients by wss: the handshake waits for the verdict in the same way', () =>
    withService(certificate('127.0.0.1'), async service => {
        const { files } = certificate('127.0.0.1');
        process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0'; // for the harness' own questions
        await withGateway({ AUTH_SERVICE_URL: service.url, TLS_CERT_FILE: files.cert, TLS_KEY_FILE: files.key }, async gateway => {
            const client = await connectClient(gateway, { headers: { Authorization: 'Bearer some' }, ca: authority.text });
            assert.equal((await client.next('auth_success')).data.user.id, 'alice');
            assert.equal((await client.settled()).type, 'pong');
            await client.close();
            await assert.rejects(connectClient(gateway, { headers: { Authorization: 'Bearer no' }, ca: authority.text }), /401/);
        });
        delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    }, { answer: (request, response) => (request.token === 'no' ? response.writeHead(401).end()
        : response.end(JSON.stringify({ user: { id: 'alice' } }))) }));

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
