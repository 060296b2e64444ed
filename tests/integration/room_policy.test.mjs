// Rooms that a claim of the token lists (`claim:NAME`) and rooms about which the auth service is asked (`ask`): allowed,
// denied, run out, away; rights that end. The service is a small real one; the tests decide what it says.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { SECRET, connectClient, mintToken, startGateway, until } from './harness.mjs';

const folder = mkdtempSync(join(tmpdir(), 'moonx-rooms-'));
const roomsFile = join(folder, 'rooms');
const TABLE = `prices user none\nbox:* claim:rooms none\nvip:* role:vip none\norder:* ask none\nuser:{userId} owner none\n`;
writeFileSync(roomsFile, TABLE);

// `rights[room]`: {allowed, ttl}, or a function that answers itself.
const service = { asked: [], rights: {}, tokens: {} };
const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', piece => (body += piece)).on('end', () => {
        assert.equal(request.method, 'POST');
        const question = JSON.parse(body);
        if (request.url === '/api/v1/auth/verify')
            return response.end(JSON.stringify({ user: service.tokens[question.token] }));
        assert.equal(request.url, '/api/v1/auth/room');
        service.asked.push(question);
        const right = service.rights[question.room] ?? { allowed: false };
        return typeof right === 'function' ? right(response, question) : response.end(JSON.stringify(right));
    });
});

let gateway;
before(async () => {
    await new Promise(resolve => server.listen(0, '127.0.0.1', resolve));
    gateway = await startGateway({ dev: true, env: { JWT_SECRET: SECRET, ROOMS_FILE: roomsFile, AUTO_JOIN_ROOMS: 'prices',
        AUTH_SERVICE_URL: `http://127.0.0.1:${server.address().port}`, AUTH_SERVICE_TIMEOUT: '2000' } });
});
after(async () => {
    await gateway?.stop();
    server.closeAllConnections();
    await new Promise(resolve => server.close(resolve));
    rmSync(folder, { recursive: true, force: true });
});

async function signedIn(claims = {}) {
    const client = await connectClient(gateway);
    await client.authenticate({ user: 'ann', ...claims });
    return client;
}
const outcome = answer => answer.data.code ?? answer.type;
const subscribes = async (client, channel) => outcome(await client.request('subscribe', { channel }));
const rooms = async client => (await client.request('get_rooms')).data.rooms;
const askedAbout = room => service.asked.filter(question => question.room === room).length;
let serial = 0;
const fresh = () => `order:${++serial}`;
// The service has answered well again: no failures are left over from another test.
const recovered = () => until('the service is used again', async () => {
    const client = await signedIn(), room = fresh();
    service.rights[room] = { allowed: true };
    const answer = await subscribes(client, room);
    await client.close();
    return answer === 'subscribed';
});

describe('claim:NAME', () => {
    test('the rooms that the token lists, as an array or separated by blanks, and no others', async () => {
        for (const list of [['box:1', 'box:2'], 'box:1 box:2']) {
            const client = await signedIn({ rooms: list });
            assert.equal(await subscribes(client, 'box:1'), 'subscribed');
            assert.equal(await subscribes(client, 'box:2'), 'subscribed');
            assert.equal(await subscribes(client, 'box:3'), 'PERMISSION_DENIED');
            await client.close();
        }
        const other = await signedIn();
        assert.equal(await subscribes(other, 'box:1'), 'PERMISSION_DENIED');
        await other.close();
    });

    test('a refreshed token counts from then on', async () => {
        const client = await signedIn({ rooms: ['box:1'] });
        assert.equal((await client.request('authenticate', { token: mintToken({ sub: 'ann', rooms: ['box:5'], jti: '2' }) })).type, 'auth_success');
        assert.equal(await subscribes(client, 'box:1'), 'PERMISSION_DENIED');
        assert.equal(await subscribes(client, 'box:5'), 'subscribed');
        await client.close();
    });

    test('a refreshed token that allows less: the rooms are left, with a word for each, and the others stay', async () => {
        for (const fewer of [mintToken({ sub: 'ann', rooms: ['box:2'], jti: 'fewer' }), 'fewer']) {
            service.tokens.fewer = { id: 'ann', rooms: ['box:2'] }; // this one the auth service judges
            const client = await signedIn({ rooms: ['box:1', 'box:2'], roles: ['vip'] });
            for (const room of ['box:1', 'box:2', 'vip:1'])
                assert.equal(await subscribes(client, room), 'subscribed');
            const foreign = await client.request('authenticate', { token: mintToken({ sub: 'bob' }) });
            assert.equal(foreign.data.code, 'INVALID_TOKEN');
            assert.deepEqual(await rooms(client), ['prices', 'box:1', 'box:2', 'vip:1'], 'a refused token takes nothing');
            assert.equal((await client.request('authenticate', { token: fewer })).type, 'auth_success');
            assert.deepEqual(await rooms(client), ['prices', 'box:2']);
            const notices = client.all('unsubscribed').map(({ data }) => data);
            assert.deepEqual(notices.map(({ channel }) => channel), ['box:1', 'vip:1']);
            assert.ok(notices.every(({ reason }) => typeof reason === 'string' && reason.length > 0), JSON.stringify(notices));
            await client.close();
        }
    });

    test('a user whom the auth service describes has his claims from there, remembered too', async () => {
        service.tokens.opaque = { id: 'bob', rooms: ['box:9'] };
        for (let i = 0; i < 2; i++) {
            const client = await connectClient(gateway);
            await client.authenticate({ user: 'bob', token: 'opaque' });
            assert.equal(await subscribes(client, 'box:9'), 'subscribed');
            assert.equal(await subscribes(client, 'box:1'), 'PERMISSION_DENIED');
            await client.close();
        }
    });
});

describe('ask', () => {
    test('the service is asked who, which room and what for; its word holds', async () => {
        const client = await signedIn();
        const yes = fresh(), no = fresh();
        service.rights[yes] = { allowed: true };
        assert.equal(await subscribes(client, yes), 'subscribed');
        assert.equal(await subscribes(client, no), 'PERMISSION_DENIED');
        assert.deepEqual(service.asked.slice(-2), [yes, no].map(room => ({ userId: 'ann', room, action: 'join' })));
        assert.deepEqual(await rooms(client), ['prices', yes]);
        assert.equal(await subscribes(client, yes), 'subscribed');
        assert.equal(await subscribes(client, no), 'PERMISSION_DENIED');
        assert.deepEqual([askedAbout(yes), askedAbout(no)], [1, 1], 'both answers are remembered');
        await client.close();
    });

    test('one answer a channel, those at once that need no question', async () => {
        const client = await signedIn();
        const [slow, no] = [fresh(), fresh()];
        let release;
        service.rights[slow] = response => (release = () => response.end('{"allowed":true}'));
        client.send('subscribe', { channels: [slow, 'nowhere', no, 'prices'] }, { id: 'many' });
        const answers = [];
        for (let i = 0; i < 3; i++)
            answers.push(await client.next(message => message.ref === 'many'));
        release();
        answers.push(await client.next(message => message.ref === 'many'));
        assert.deepEqual(answers.slice(0, 2).map(({ type, data }) => [type, data.channel]), [['error', 'nowhere'], ['subscribed', 'prices']]);
        assert.deepEqual(answers.slice(2).map(({ type, data }) => [type, data.channel]), [['error', no], ['subscribed', slow]]);
        await client.close();
    });

    test('channels of authenticate are asked about as well', async () => {
        const room = fresh();
        service.rights[room] = { allowed: true };
        const client = await signedIn({ channels: [room] });
        assert.deepEqual(await rooms(client), ['prices', room]);
        await client.close();
    });

    test('who asks the same at the same time gets the one answer', async () => {
        const room = fresh(), clients = await Promise.all(Array.from({ length: 20 }, () => signedIn()));
        service.rights[room] = response => setTimeout(() => response.end('{"allowed":true}'), 200);
        const answers = await Promise.all(clients.map(client => subscribes(client, room)));
        assert.deepEqual(new Set(answers), new Set(['subscribed']));
        assert.equal(askedAbout(room), 1);
        await Promise.all(clients.map(client => client.close()));
    });

    test('another user is another question', async () => {
        const room = fresh();
        service.rights[room] = (response, { userId }) => response.end(JSON.stringify({ allowed: userId === 'ann' }));
        const [ann, eve] = [await signedIn(), await signedIn({ user: 'eve' })];
        assert.equal(await subscribes(ann, room), 'subscribed');
        assert.equal(await subscribes(eve, room), 'PERMISSION_DENIED');
        await Promise.all([ann.close(), eve.close()]);
    });

    test('unsubscribed while the question is out: the room is not joined', async () => {
        const client = await signedIn(), room = fresh();
        let release;
        service.rights[room] = response => (release = () => response.end('{"allowed":true}'));
        const waiting = client.request('subscribe', { channel: room });
        await until('the question', () => release);
        assert.equal((await client.request('unsubscribe', { channel: room })).type, 'unsubscribed');
        assert.equal(outcome(await waiting), 'SERVICE_UNAVAILABLE');
        release();
        await client.settled();
        assert.deepEqual(await rooms(client), ['prices']);
        await client.close();
    });

    test('a client that has gone before the answer harms nobody', async () => {
        const room = fresh(), { workers } = gateway.pids();
        let release;
        service.rights[room] = response => (release = () => response.end('{"allowed":true}'));
        const client = await signedIn();
        client.send('subscribe', { channel: room });
        await until('the question', () => release);
        client.ws.terminate();
        await until('it has gone', async () => (await gateway.health()).metrics.activeConnections === 0);
        release();
        const next = await signedIn();
        assert.equal(await subscribes(next, room), 'subscribed');
        assert.deepEqual(gateway.pids().workers, workers);
        await next.close();
    });

    test('a right that is revoked ends the membership of all its user\'s connections, and of nobody else', async () => {
        const room = fresh();
        let allowed = true;
        service.rights[room] = (response, { userId }) => response.end(JSON.stringify({ allowed: allowed || userId === 'eve', ttl: 1 }));
        const [one, two, eve] = [await signedIn(), await signedIn(), await signedIn({ user: 'eve' })];
        for (const client of [one, two, eve])
            assert.equal(await subscribes(client, room), 'subscribed');
        await until('it is asked again', () => askedAbout(room) >= 4);
        assert.ok((await rooms(one)).includes(room));
        allowed = false;
        for (const client of [one, two]) {
            const notice = await client.next('unsubscribed');
            assert.deepEqual(notice.data, { channel: room, reason: 'PERMISSION_DENIED' });
            assert.deepEqual(await rooms(client), ['prices']);
        }
        assert.deepEqual(await rooms(eve), ['prices', room]);
        await Promise.all([one, two, eve].map(client => client.close()));
        const asked = askedAbout(room);
        await until('nobody asks for those who have gone', async () => {
            const before = askedAbout(room);
            await new Promise(resolve => setTimeout(resolve, 2_000));
            return askedAbout(room) === before;
        });
        assert.ok(askedAbout(room) <= asked + 1);
    });

    for (const [what, right] of [
        ['answers 500', response => response.writeHead(500).end('{}')],
        ['answers nonsense', response => response.end('{"allowed":"yes"}')],
        ['answers too much', response => response.end(`{"allowed":true,"pad":"${'x'.repeat(300_000)}"}`)],
        ['hangs', () => {}],
        ['hangs up', response => response.socket.destroy()],
    ]) {
        test(`a service that ${what}: SERVICE_UNAVAILABLE in time, nothing is remembered`, async () => {
            await recovered();
            const client = await signedIn(), room = fresh();
            service.rights[room] = right;
            const start = Date.now();
            assert.equal(await subscribes(client, room), 'SERVICE_UNAVAILABLE');
            assert.ok(Date.now() - start < 10_000, `${Date.now() - start} ms`);
            service.rights[room] = { allowed: true };
            assert.equal(await subscribes(client, room), 'subscribed');
            await client.close();
        });
    }

    test('while the service is away who is in a room stays, and the breaker saves it from questions', async () => {
        await recovered();
        const client = await signedIn(), room = fresh();
        service.rights[room] = { allowed: true, ttl: 1 };
        assert.equal(await subscribes(client, room), 'subscribed');
        const away = response => response.writeHead(503).end();
        service.rights[room] = away;
        for (let i = 0; i < 5; i++) {
            const other = fresh();
            service.rights[other] = away;
            assert.equal(await subscribes(client, other), 'SERVICE_UNAVAILABLE');
        }
        assert.equal((await gateway.health()).services.auth, false);
        const asked = service.asked.length, began = performance.now();
        for (let i = 0; i < 10; i++)
            assert.equal(await subscribes(client, fresh()), 'SERVICE_UNAVAILABLE');
        assert.ok(service.asked.length - asked <= 2 + (performance.now() - began) / 1000, 'once a second at most');
        assert.ok((await rooms(client)).includes(room));
        service.rights[room] = { allowed: true, ttl: 1 };
        await recovered();
        assert.equal((await gateway.health()).services.auth, true);
        await client.close();
    });

    test('a reload that puts a room under `ask` has its members asked about', async () => {
        writeFileSync(roomsFile, `${TABLE}free:* user none\n`);
        gateway.signal('SIGHUP');
        await gateway.printed(/reloaded;/);
        const client = await signedIn();
        assert.equal(await subscribes(client, 'free:1'), 'subscribed');
        assert.equal(await subscribes(client, 'free:2'), 'subscribed');
        service.rights['free:1'] = { allowed: true };
        writeFileSync(roomsFile, `${TABLE}free:* ask none\n`);
        gateway.signal('SIGHUP');
        assert.equal((await client.next('unsubscribed')).data.channel, 'free:2');
        assert.deepEqual(await rooms(client), ['prices', 'free:1']);
        await client.close();
    });
});

test('without an auth service `ask` denies', async () => {
    const alone = await startGateway({ dev: true, env: { JWT_SECRET: SECRET } });
    const client = await connectClient(alone);
    await client.authenticate({ user: 'ann' });
    assert.equal(await subscribes(client, 'order:1'), 'PERMISSION_DENIED');
    await client.close();
    await alone.stop();
});
