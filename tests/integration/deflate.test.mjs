// permessage-deflate with a foreign client: what is negotiated, and that what arrives is the same text.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertSame, connectClient, SECRET, signedIn, startGateway } from './harness.mjs';

let gateway;

before(async () => {
    gateway = await startGateway({ dev: true, env: { WS_DEFLATE: 'true', JWT_SECRET: SECRET } });
});

after(() => gateway?.stop());

const demo = { user: 'demo' };

test('a client that offers it gets it, without context takeover in either direction', async () => {
    const client = await connectClient(gateway, { perMessageDeflate: true });
    assert.equal(client.ws.extensions, 'permessage-deflate');
    const { params } = client.ws._receiver._extensions['permessage-deflate'];
    assert.equal(params.server_no_context_takeover, true);
    assert.equal(params.client_no_context_takeover, true);
    await client.close();
});

test('the window that a client asks of the server is confirmed (RFC 7692, 7.1.2.1)', async () => {
    const client = await connectClient(gateway, { perMessageDeflate: { serverMaxWindowBits: 15 } });
    assert.match(client.ws.extensions, /permessage-deflate/);
    assert.deepEqual(client.ws._receiver._extensions['permessage-deflate'].params.server_max_window_bits, 15);
    await client.close();
});

test('a client that does not offer it speaks plainly', async () => {
    const client = await connectClient(gateway, { perMessageDeflate: false });
    assert.equal(client.ws.extensions, '');
    await client.close();
});

test('deflated and plain clients get the same events in the same words', async () => {
    const deflated = await signedIn(gateway, demo, { perMessageDeflate: true });
    const plain = await signedIn(gateway, demo, { perMessageDeflate: false });
    const live = ({ type, snapshot }) => type === 'price_update' && !snapshot; // what was before differs by when each came
    const first = await plain.next(live);
    for (let i = 0; i < 100; i++)
        await plain.next(live);
    await deflated.settled();
    const texts = client => client.received.filter(live).map(({ raw }) => raw);
    const from = texts(deflated).indexOf(first.raw);
    assert.ok(from >= 0, first.raw);
    assertSame(texts(deflated).slice(from, from + 100), texts(plain).slice(0, 100), 'the deflated events');
    assert.ok((await gateway.metric('frames_deflated_total')) > 0);
    await Promise.all([deflated.close(), plain.close()]);
});

test('deflated messages from a client are read, whole or in fragments', async () => {
    const client = await signedIn(gateway, demo, { perMessageDeflate: { threshold: 0 } });
    assert.equal((await client.request('subscribe', { channel: 'chat:1', pad: 'x'.repeat(5000) })).type, 'subscribed');
    const text = JSON.stringify({ id: 'f', type: 'ping', data: { pad: 'y'.repeat(5000) } });
    client.ws.send(text.slice(0, 2000), { fin: false, compress: true });
    client.ws.send(text.slice(2000), { fin: true, compress: true });
    assert.equal((await client.next(({ ref }) => ref === 'f')).type, 'pong');
    await client.close();
});

test('a bomb closes its own connection with 1009 and nobody else\'s', async () => {
    const bomber = await signedIn(gateway, demo, { perMessageDeflate: { threshold: 0 } });
    const other = await signedIn(gateway, demo, { perMessageDeflate: true });
    bomber.ws.send(Buffer.alloc(64 << 20, 32), { binary: false });
    assert.equal((await bomber.closes()).code, 1009);
    assert.equal((await other.settled()).type, 'pong');
    await other.close();
});

test('it is off unless the operator allows it', async () => {
    const closed = await startGateway({ dev: true, env: { JWT_SECRET: SECRET } });
    try {
        const client = await connectClient(closed, { perMessageDeflate: true });
        assert.equal(client.ws.extensions, '');
        await client.close();
    } finally {
        await closed.stop();
    }
});
