// SIGHUP: new keys, rooms and routes in place. Nobody is disconnected, no event is missed, and what is wrong is refused.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Producer, startKafka } from '../kafka/kafka.mjs';
import { assertSame, connectClient, mintToken, signedIn, startGateway, until } from './harness.mjs';

const OLD = 'the-old-secret-of-at-least-32-bytes!';
const NEW = 'the-new-secret-of-at-least-32-bytes!';
const ROOMS = 'prices user none\nchat:* user user\norders:{userId} owner none\n';
const ROUTES = 'price.updates price_update prices\nchat.messages chat chat:{room}\n';

let kafka, producer, gateway, folder;
const file = name => join(folder, name);
const write = (name, text) => writeFileSync(file(name), text);
const token = secret => mintToken({ sub: 'alice' }, { secret });

before(async () => {
    folder = mkdtempSync(join(tmpdir(), 'moonx-reload-'));
    write('secret', OLD);
    write('rooms', ROOMS);
    write('routes', ROUTES);
    kafka = await startKafka();
    await Promise.all(['price.updates', 'chat.messages', 'extra.events'].map(topic => kafka.createTopic(topic, 1)));
    producer = new Producer(kafka.bootstrap);
    gateway = await startGateway({
        kafka: kafka.bootstrap,
        workers: 2,
        env: {
            JWT_SECRET: '', JWT_SECRET_FILE: file('secret'), ROOMS_FILE: file('rooms'), ROUTES_FILE: file('routes'),
            AUTO_JOIN_ROOMS: 'prices,orders:{userId}',
        },
    });
});

after(async () => {
    await gateway?.stop();
    await producer?.stop();
    await kafka?.stop();
    rmSync(folder, { recursive: true, force: true });
});

// Until every worker has said so in the log, that often in all.
async function reload(expected = /reloaded; /g) {
    const count = () => [...gateway.output.matchAll(expected)].length;
    const before = count();
    gateway.signal('SIGHUP');
    await until('the reload', () => count() >= before + 2);
}

const isEvent = id => message => message.id === id;
const signIn = secret => signedIn(gateway, { token: token(secret) });

test('a new secret: its tokens are accepted, the old ones refused, who is connected stays', async () => {
    const settled = await signIn(OLD);
    write('secret', NEW);
    await reload();
    assert.equal((await settled.settled()).type, 'pong');
    const fresh = await signIn(NEW);
    const late = await connectClient(gateway);
    await late.next('auth_required');
    late.send('authenticate', { token: token(OLD) });
    assert.equal((await late.next('auth_failed')).data.code, 'INVALID_TOKEN');
    await Promise.all([settled, fresh, late].map(client => client.close()));
});

test('a room that is closed: its members leave it and are told, the others stay', async () => {
    const client = await signIn(NEW);
    assert.equal((await client.request('subscribe', { channel: 'chat:1' })).type, 'subscribed');
    write('rooms', ROOMS.replace('chat:* user', 'chat:* none'));
    await reload();
    const told = await client.next('unsubscribed');
    assert.deepEqual(told.data, { channel: 'chat:1', reason: 'PERMISSION_DENIED' });
    assert.equal((await client.request('subscribe', { channel: 'chat:1' })).data.code, 'PERMISSION_DENIED');
    assert.deepEqual((await client.request('get_rooms', {})).data.rooms.sort(), ['orders:alice', 'prices']);
    const hidden = await producer.send('chat.messages', { room: '1' });
    const shown = await producer.send('price.updates', { token: 'ETH' });
    await client.next(({ id }) => id === shown.id);
    await client.settled();
    assert.ok(!client.received.some(({ id }) => id === hidden.id));
    write('rooms', ROOMS);
    await reload();
    assert.equal((await client.request('subscribe', { channel: 'chat:1' })).type, 'subscribed');
    await client.close();
});

test('a new route: its topic arrives, and nothing is lost while ingest is replaced', async () => {
    const client = await signIn(NEW);
    const { ingest } = gateway.pids();
    const sent = [];
    let stop = false;
    const producing = (async () => {
        while (!stop)
            sent.push((await producer.send('price.updates', { token: 'ETH', n: sent.length })).id);
    })();
    await until('events flow', () => sent.length > 50);
    write('routes', `${ROUTES}extra.events extra prices\n`);
    gateway.signal('SIGHUP');
    await until('another ingest', () => /reload: ingest is replaced[\s\S]*ingest started/.test(gateway.output));
    await until('an event of the new topic', async () => {
        await producer.send('extra.events', { hello: true });
        return client.all('extra').length > 0;
    });
    stop = true;
    await producing;
    await client.next(({ id }) => id === sent.at(-1));
    const got = client.all('price_update').map(({ id }) => id);
    assertSame(got.slice(got.indexOf(sent[0])), sent, 'prices');
    assert.notEqual(gateway.pids().ingest, ingest);
    await client.close();
});

test('a route that keeps values by another key, or none at all: the old values are no snapshots any more', async () => {
    const ingests = () => [...gateway.output.matchAll(/reload: ingest is replaced[\s\S]*?ingest started/g)].length;
    const kept = async key => {
        const before = ingests();
        write('routes', `${ROUTES}extra.events extra chat:values${key}\n`);
        gateway.signal('SIGHUP');
        await until('another ingest', () => ingests() > before);
        await live('price.updates', { token: 'ETH' }); // it has begun its work
    };
    const shown = async () => {
        const client = await signIn(NEW);
        await client.request('subscribe', { channel: 'chat:values' });
        await client.settled();
        await client.close();
        return client.received.filter(({ snapshot }) => snapshot).map(({ data }) => data.v);
    };
    const client = await signIn(NEW);
    await client.request('subscribe', { channel: 'chat:values' });
    const live = async (topic, data) => client.next(isEvent((await producer.send(topic, data)).id));
    await kept(' conflate={a}');
    await live('extra.events', { a: '1', b: '1', v: 1 });
    await live('extra.events', { a: '2', b: '1', v: 2 });
    assert.deepEqual(await shown(), [1, 2]);
    await kept(' conflate={a} require=v');
    assert.deepEqual(await shown(), [1, 2]);
    await kept(' conflate={b}');
    assert.deepEqual(await shown(), []);
    await live('extra.events', { a: '3', b: '1', v: 3 });
    assert.deepEqual(await shown(), [3]);
    await kept('');
    assert.deepEqual(await shown(), []);
    await client.close();
});

test('twenty reloads under load: no connection lost, no event missed or doubled', async () => {
    const clients = await Promise.all(Array.from({ length: 100 }, () => signIn(NEW)));
    const sent = [];
    let stop = false;
    const producing = (async () => {
        while (!stop)
            sent.push((await producer.send('price.updates', { token: 'ETH', n: sent.length })).id);
    })();
    for (let i = 0; i < 20; i++) {
        write('rooms', `${ROOMS}# ${i}\n`);
        await reload();
    }
    stop = true;
    await producing;
    for (const client of clients) {
        await client.next(({ id }) => id === sent.at(-1));
        assert.equal(client.ended, undefined);
        const got = client.all('price_update').map(({ id }) => id);
        assertSame(got.slice(got.indexOf(sent[0])), sent, 'prices');
        assert.equal(client.all('unsubscribed').length, 0);
    }
    await Promise.all(clients.map(client => client.close()));
});

test('a table that is wrong is refused with its line, and the old one stays', async () => {
    const client = await signIn(NEW);
    write('rooms', `${ROOMS}what is this\n`);
    gateway.signal('SIGHUP');
    await until('the refusal', () => /reload refused, the old configuration stays: .*rooms:4: /.test(gateway.output));
    assert.equal((await client.request('subscribe', { channel: 'chat:2' })).type, 'subscribed');
    write('rooms', '');
    gateway.signal('SIGHUP');
    await until('the refusal of an emptied table', () => /reload refused, the old configuration stays: .*rooms: no rooms in it/.test(gateway.output));
    write('rooms', ROOMS);
    const routes = readFileSync(file('routes'), 'utf8');
    write('routes', '# soon\n');
    gateway.signal('SIGHUP');
    await until('the same of routes', () => /reload refused, the old configuration stays: .*routes: no routes in it/.test(gateway.output));
    write('routes', routes);
    assert.equal((await client.request('subscribe', { channel: 'chat:4' })).type, 'subscribed');
    write('rooms', `${ROOMS}what is this\n`);
    await client.close();
});

test('a worker killed after a bad edit comes back with the old files', async () => {
    await gateway.kill('worker');
    const client = await signIn(NEW);
    assert.equal((await client.request('subscribe', { channel: 'chat:3' })).type, 'subscribed');
    await client.close();
    write('rooms', ROOMS);
});

test('nothing has changed: said, and nothing done', async () => {
    await reload();
    gateway.signal('SIGHUP');
    await gateway.printed(/reload: nothing has changed/);
});
