// Several issuers, each with keys of its own: whose key verifies whose token, from files and by http.
import assert from 'node:assert/strict';
import { createHmac, generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { SECRET, connectClient, seconds, startGateway, until } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonx-issuers-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const [A, B] = ['https://a.example/', 'https://b.example'];
const keyPair = kid => ({ kid, ...generateKeyPairSync('ed25519') });
// The same kid on purpose: it must not choose between issuers.
const keys = { [A]: keyPair('one'), [B]: keyPair('one') };
const jwks = (...pairs) => JSON.stringify({ keys: pairs.map(({ publicKey, kid }) => ({ ...publicKey.export({ format: 'jwk' }), kid })) });

const base64url = value => Buffer.from(JSON.stringify(value)).toString('base64url');
function token({ privateKey, kid }, claims) {
    const text = `${base64url({ alg: 'EdDSA', ...(kid ? { kid } : {}) })}.${base64url({ sub: 'alice', exp: seconds(600), ...claims })}`;
    return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
}
function hmacToken(claims) {
    const text = `${base64url({ alg: 'HS256' })}.${base64url({ sub: 'alice', exp: seconds(600), ...claims })}`;
    return `${text}.${createHmac('sha256', SECRET).update(text).digest('base64url')}`;
}

async function withGateway(env, story) {
    const gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET, ...env } });
    try {
        await story(gateway);
    } finally {
        await gateway.stop();
    }
}

async function tries(gateway, text) {
    const client = await connectClient(gateway);
    await client.next('auth_required');
    const answer = await client.request('authenticate', { token: text });
    await client.close();
    return answer.data.code ?? answer.type;
}

async function checkMixUps(gateway) {
    for (const issuer of [A, B])
        assert.equal(await tries(gateway, token(keys[issuer], { iss: issuer })), 'auth_success');
    for (const [what, text] of [
        ["A's token by B's key", token(keys[B], { iss: A })],
        ["B's token by A's key", token(keys[A], { iss: B })],
        ['a third issuer', token(keys[A], { iss: 'https://c.example' })],
        ['a part of a name', token(keys[A], { iss: 'https://a.example' })],
        ['both names', token(keys[A], { iss: `${A},${B}` })],
        ['no issuer', token(keys[A], {})],
        ['an empty one', token(keys[A], { iss: '' })],
        ['a list', token(keys[A], { iss: [A] })],
        ['a stranger', token(keyPair('one'), { iss: A })],
    ])
        assert.equal(await tries(gateway, text), 'INVALID_TOKEN', what);
    const twice = Buffer.from(`{"sub":"alice","exp":${seconds(600)},"iss":"${A}","iss":"${B}"}`).toString('base64url');
    const text = `${base64url({ alg: 'EdDSA', kid: 'one' })}.${twice}`;
    for (const issuer of [A, B])
        assert.equal(await tries(gateway, `${text}.${sign(null, Buffer.from(text), keys[issuer].privateKey).toString('base64url')}`), 'INVALID_TOKEN');
}

test('from files: a key verifies its own issuer\'s tokens and no others; a reload takes new ones', async () => {
    const file = issuer => join(folder, issuer === A ? 'a.json' : 'b.json');
    for (const issuer of [A, B])
        writeFileSync(file(issuer), jwks(keys[issuer]));
    await withGateway({ JWT_JWKS_FILE: `${A}=${file(A)}, ${B}=${file(B)}` }, async gateway => {
        await checkMixUps(gateway);
        const next = keyPair('two');
        assert.equal(await tries(gateway, token(next, { iss: B })), 'INVALID_TOKEN');
        writeFileSync(file(B), jwks(next));
        gateway.signal('SIGHUP');
        await gateway.printed(/reloaded;/);
        assert.equal(await tries(gateway, token(next, { iss: B })), 'auth_success');
        assert.equal(await tries(gateway, token(keys[B], { iss: B })), 'INVALID_TOKEN');
        assert.equal(await tries(gateway, token(keys[A], { iss: A })), 'auth_success');
    });
});

test('by http: each is fetched from its own place, again for a key that is new, and one that is away harms no other', async t => {
    const published = { '/a': jwks(keys[A]), '/b': jwks(keys[B]) };
    const server = createServer((request, response) => (published[request.url]
        ? response.end(published[request.url]) : response.writeHead(500).end()));
    t.after(() => server.close().closeAllConnections());
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    const base = `http://127.0.0.1:${server.address().port}`;
    const rooms = join(folder, 'rooms');
    writeFileSync(rooms, '* none none\n');
    await withGateway({ JWT_JWKS_URL: `${A}=${base}/a,${B}=${base}/b`, JWT_JWKS_REFRESH: '300', ROOMS_FILE: rooms }, async gateway => {
        await until('both are fetched', async () => await tries(gateway, token(keys[A], { iss: A })) === 'auth_success'
            && await tries(gateway, token(keys[B], { iss: B })) === 'auth_success');
        await until('nothing is being fetched', async () => await tries(gateway, token(keyPair('x'), { iss: A })) === 'INVALID_TOKEN');
        await checkMixUps(gateway);
        delete published['/a'];
        const next = keyPair('two');
        published['/b'] = jwks(next);
        await until('the new key counts', async () => await tries(gateway, token(next, { iss: B })) === 'auth_success');
        assert.equal(await tries(gateway, token(keys[A], { iss: A })), 'auth_success');
        await gateway.printed(/\/a": answers with status 500; the old keys stay/);
        assert.notEqual(await tries(gateway, token(next, { iss: A })), 'auth_success');
        writeFileSync(rooms, 'chat:* user user\n');
        gateway.signal('SIGHUP');
        await gateway.printed(/reloaded; /);
        assert.equal(await tries(gateway, token(keys[A], { iss: A })), 'auth_success', 'a reload forgets no key');
        assert.equal(await tries(gateway, token(next, { iss: B })), 'auth_success');
    });
});

test('JWT_ISSUER may be a list: for tokens of the secret', () => withGateway({ JWT_ISSUER: `${A},${B}` }, async gateway => {
    for (const issuer of [A, B])
        assert.equal(await tries(gateway, hmacToken({ iss: issuer })), 'auth_success');
    for (const issuer of ['https://c.example', `${A},${B}`, 'https://a.example', ''])
        assert.equal(await tries(gateway, hmacToken({ iss: issuer })), 'INVALID_TOKEN');
    assert.equal(await tries(gateway, hmacToken({})), 'INVALID_TOKEN');
}));
