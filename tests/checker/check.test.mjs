// The checker itself: a good history passes, and each way of being broken is found, by its own rule.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';
import { Recorder } from './recorder.mjs';

const orders = 'order.updates', prices = 'price.updates';
const sent = (topic, partition, offset, ...rooms) => ({ kind: 'sent', id: `${topic}:${partition}:${offset}`, rooms });
const of = (kind, more = {}) => ({ kind, conn: 'c1', ...more });
const event = (topic, partition, offset, more = {}) => of('event', { id: `${topic}:${partition}:${offset}`, ...more });
const joined = room => of('joined', { room });
const position = topics => of('position', { topics });

const kafka = [
    ...[0, 1, 2, 3, 4, 5].map(n => sent(orders, 0, n, 'orders:alice')),
    sent(orders, 1, 0, 'orders:bob'),
    ...[0, 1, 2, 3].map(n => sent(prices, 0, n, 'prices', 'prices:1:ETH')),
    { kind: 'may', user: 'alice', rooms: ['orders:alice', 'prices'] },
    { kind: 'conflated', topics: [prices] },
];
const begin = [of('open'), of('authenticated', { user: 'alice' }), joined('orders:alice'), joined('prices'),
    position({ [orders]: [1, -1], [prices]: [0] })];
const good = [
    ...kafka, ...begin,
    event(prices, 0, 0, { snapshot: true }),
    event(orders, 0, 2), event(prices, 0, 1), event(orders, 0, 3), event(prices, 0, 2), event(prices, 0, 3),
    position({ [orders]: [3, 0], [prices]: [3] }),
    event(orders, 0, 4), event(orders, 0, 5), of('seen', { id: `${orders}:0:5` }), of('published', { id: `${orders}:0:5` }),
    of('close'),
];
const resumes = [
    ...kafka, ...begin.slice(0, 4), of('resume', { topics: { [orders]: [1, -1] } }), of('resumed', { recovered: true, count: 3 }),
    event(orders, 0, 2), event(orders, 0, 3), event(orders, 0, 4), event(orders, 0, 5), of('seen', { id: `${orders}:0:5` }), of('close'),
];
const grown = [ // partition 2 comes after the position was told
    ...kafka, ...[0, 1, 2].map(n => sent(orders, 2, n, 'orders:alice')), ...begin,
    event(orders, 2, 0), event(orders, 2, 1), event(orders, 2, 2), of('seen', { id: `${orders}:2:2` }), of('close'),
];
const liveAgain = [ // a resume may leave out prices, what comes after it may not
    ...kafka, ...begin.slice(0, 4), of('resume', { topics: { [prices]: [-1] } }), of('resumed', { recovered: true, count: 1 }),
    event(prices, 0, 1), position({ [prices]: [1] }), event(prices, 0, 2), event(prices, 0, 3), of('seen', { id: `${prices}:0:3` }), of('close'),
];
const rules = history => [...new Set(check(history).map(({ rule }) => rule))];
const without = (history, ...ids) => history.filter(({ kind, id }) => kind !== 'event' || !ids.includes(id));
const after = (history, index, ...more) => [...history.slice(0, index + 1), ...more, ...history.slice(index + 1)];
const at = (history, topic, offset) => history.findIndex(({ kind, id, snapshot }) => kind === 'event' && !snapshot && id === `${topic}:0:${offset}`);
const swap = (history, a, b) => history.map((entry, i) => i === a ? history[b] : i === b ? history[a] : entry);

test('without producers what connections alone can tell is still checked', () => {
    const partial = [{ kind: 'partial' }, ...good.filter(({ kind }) => kind !== 'sent').slice(0, -1)];
    assert.deepEqual(check(partial), []);
    assert.deepEqual(rules([...partial, event(orders, 0, 5)]), ['twice']);
    assert.deepEqual(rules([...partial, event(orders, 0, 4)]), ['twice']);
    assert.deepEqual(rules([...partial, event(orders, 1, 7), event(orders, 1, 6)]), ['order']);
    assert.deepEqual(rules([...partial, position({ [orders]: [2] })]), ['position']);
    assert.deepEqual(rules([{ kind: 'partial' }, of('open'), event(orders, 0, 1)]), ['before-authentication']);
});

test('good histories pass', () => {
    assert.deepEqual(check(good), []);
    assert.deepEqual(check(resumes), []);
    assert.deepEqual(check(grown), []);
    assert.deepEqual(check(liveAgain), []);
    assert.deepEqual(check([]), []);
});

const broken = {
    'an event twice': ['twice', after(good, at(good, orders, 3), event(orders, 0, 3))],
    'an event twice, with another in between': ['twice', after(good, at(good, orders, 4), event(orders, 0, 3))],
    'two events in the wrong order': ['order', swap(good, at(good, orders, 4), at(good, orders, 5))],
    'one missing before a position': ['missing', without(good, `${orders}:0:3`)],
    'one missing before a barrier': ['missing', without(good, `${orders}:0:4`)],
    'a conflated one missing after a resume has ended': ['missing', without(liveAgain, `${prices}:0:2`)],
    'the first one of a new partition missing': ['missing', without(grown, `${orders}:2:0`)],
    'the first one after joining missing': ['missing', without(good, `${orders}:0:2`)],
    'the barrier itself missing': ['missing', without(good, `${orders}:0:5`)],
    'a conflated one missing without a word': ['missing', without(good, `${prices}:0:2`)],
    'an event before authentication': ['before-authentication', [...kafka, of('open'), event(orders, 0, 2), of('close')]],
    'an event of a room that was not joined': ['not-joined', after(good, at(good, orders, 3), event(orders, 1, 0))],
    'an event of a room that was left': ['not-joined', after(good, at(good, orders, 3), of('leaving', { room: 'prices' }), of('left', { room: 'prices' }))],
    'an event that the user may not hear': ['forbidden', after(good, at(good, orders, 3), joined('orders:bob'), event(orders, 1, 0))],
    'a room that the user may not join': ['forbidden', after(good, 20, joined('orders:bob'))],
    'an event that nobody sent': ['unknown', after(good, at(good, orders, 3), event('trade.updates', 0, 7))],
    'published and not in Kafka': ['published', after(good, at(good, orders, 3), of('published', { id: `${orders}:0:77` }))],
    'a position behind what has come': ['position', after(good, at(good, orders, 5), position({ [orders]: [2, 0] }))],
    'a position that claims what has not come': ['missing', after(good, at(good, orders, 3), position({ [orders]: [5, 0] }))],
    'another user on the same connection': ['user', after(good, at(good, orders, 3), of('authenticated', { user: 'bob' }))],
    'a resume that leaves one out in the middle': ['resume', without(resumes, `${orders}:0:3`)],
    'a resume that leaves out the first': ['resume', without(resumes, `${orders}:0:2`)],
    'a resume that gives one too many': ['resume', after(resumes, at(resumes, orders, 2) - 1, event(orders, 0, 1))],
    'a resume that announces more than comes': ['resume', resumes.map(entry => entry.kind === 'resumed' ? { ...entry, count: 9 } : entry)],
    'a resume that nobody asked for': ['resume', resumes.filter(({ kind }) => kind !== 'resume')],
    'an event after the close': ['after-close', [...good, event(orders, 0, 5)]],
    'a history without an end': ['open', good.slice(0, -1)],
    'an entry that is none': ['shape', after(good, 20, of('nonsense'))],
    'an entry of the object\'s own': ['shape', after(good, 20, of('toString'))],
    'an event with a strange id': ['shape', after(good, 20, of('event', { id: 'x' }))],
};

for (const [what, [rule, history]] of Object.entries(broken))
    test(`found: ${what}`, () => assert.ok(rules(history).includes(rule), `${what}: ${JSON.stringify(check(history))}`));

test('a gap that was told, and a backlog that was conflated, are no violations', () => {
    const told = more => after(without(good, `${prices}:0:2`), good.findIndex(({ kind }) => kind === 'position'), of('skipped', { count: 1, ...more }));
    assert.deepEqual(check(told({ reason: 'CONFLATED' })), []);
    assert.deepEqual(check(told({ reason: 'LAPPED' })), []);
    const lossless = after(without(good, `${orders}:0:3`), good.findIndex(({ kind }) => kind === 'position'), of('skipped', { count: 1, reason: 'CONFLATED' }));
    assert.deepEqual(rules(lossless), ['missing']);
});

test('what a cut connection still had to get is no violation, what it had been told is', () => {
    const cut = resumes.slice(0, at(resumes, orders, 3) + 1);
    assert.deepEqual(check([...cut.slice(0, -1), of('close', { cut: true })]), []);
    assert.deepEqual(rules([...cut.slice(0, -1), of('close')]), ['resume']);
    assert.ok(rules([...cut.slice(0, -1), position({ [orders]: [1, -1] }), of('close', { cut: true })]).includes('resume'));
});

test('after leaving begins, and until the answer, events may come and may be missing', () => {
    const leaving = after(without(good, `${prices}:0:2`), at(good, prices, 1), of('leaving', { room: 'prices' }));
    assert.deepEqual(check(leaving), []);
});

test('a recorder writes what the checker reads, and the program says it with its status', async () => {
    const recorder = new Recorder(), client = { user: 'alice' };
    recorder.sent(orders, { orderId: 'o', userId: 'alice' }, `${orders}:0:0`);
    for (const message of [
        { type: 'auth_success', id: 'a', data: { user: { id: 'alice' } } },
        { type: 'auto_subscribed', id: 'b', data: { rooms: ['orders:alice'], position: { epoch: '1', topics: { [orders]: [-1] } } } },
        { type: 'order_update', id: `${orders}:0:0`, data: {} },
    ])
        recorder.received(client, message);
    recorder.seen(client, `${orders}:0:0`);
    recorder.closed(client);
    recorder.verify();
    assert.throws(() => recorder.verify({ events: 2 }), /only 1 events/);

    const dir = mkdtempSync(join(tmpdir(), 'moonx-checker-'));
    const run = file => new Promise(resolve => execFile(process.execPath,
        [fileURLToPath(new URL('check.mjs', import.meta.url)), file], (error, stdout) => resolve({ code: error?.code ?? 0, stdout })));
    recorder.write(join(dir, 'good'));
    recorder.received(client, { type: 'order_update', id: `${orders}:0:0`, data: {} });
    recorder.write(join(dir, 'bad'));
    assert.throws(() => recorder.verify(), /twice/);
    assert.deepEqual((await run(join(dir, 'good'))).code, 0);
    const bad = await run(join(dir, 'bad'));
    assert.equal(bad.code, 1);
    assert.match(bad.stdout, /c1: twice: order\.updates:0:0/);
    writeFileSync(join(dir, 'torn'), '{"kind":"se');
    assert.equal((await run(join(dir, 'torn'))).code, 1);
    rmSync(dir, { recursive: true });
});
