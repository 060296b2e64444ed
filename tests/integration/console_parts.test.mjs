// The parts of the console that need no browser.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backoffMs } from '../../gateway/console/connection.mjs';
import { ServerClock, parseMetrics, percentile, shortNumber, sum } from '../../gateway/console/metrics.mjs';
import { Position } from '../../gateway/console/position.mjs';
import { priceOrder, trendPoints } from '../../gateway/console/prices.mjs';
import { gist } from '../../gateway/console/stream.mjs';

const told = () => {
    const position = new Position();
    position.take({ epoch: '1', topics: { 'order.updates': [41, -1], 'a:b': [0] } });
    return position;
};

test('an event moves its partition on, never back', () => {
    const position = told();
    for (const id of ['order.updates:0:42', 'order.updates:0:40', 'order.updates:3:7', 'a:b:0:5'])
        position.event(id);
    assert.deepEqual(position.value.topics, { 'order.updates': [42, -1, -1, 7], 'a:b': [5] });
});

test('what names no topic of ours, or is no event\'s id, changes nothing', () => {
    const position = told();
    for (const id of ['trades:0:1', 'order.updates:0', 'order.updates:-1:5', 'order.updates:99999999:1', '', 7, null, undefined])
        position.event(id);
    assert.deepEqual(position.value, told().value);
});

test('before the server has told a position there is none, and what is none is not taken', () => {
    const position = new Position();
    position.event('order.updates:0:42');
    for (const strange of [undefined, null, 'x', {}, { topics: null }])
        position.take(strange);
    assert.equal(position.value, null);
});

test('prices stand by chain as a number, then by token, also where a chain is none', () => {
    const data = [['solana', 'SOL'], [10, 'OP'], [137, 'POL'], ['1', 'UNI'], [1, 'ETH'], ['aptos', 'APT']].map(([chainId, token]) => ({ chainId, token }));
    assert.deepEqual(data.sort(priceOrder).map(({ token }) => token), ['ETH', 'UNI', 'OP', 'POL', 'APT', 'SOL']);
    assert.equal(priceOrder({}, {}), 0);
});

test('the wait doubles up to half a minute, half of it chance', () => {
    assert.equal(backoffMs(0, () => 0), 250);
    assert.equal(backoffMs(0, () => 1), 500);
    assert.equal(backoffMs(3, () => 1), 4000);
    for (const attempt of [6, 50, 5000])
        assert.ok(backoffMs(attempt, () => 0) === 15000 && backoffMs(attempt, () => 1) === 30000, `attempt ${attempt}`);
});

test('metrics are read with their labels; other lines are passed over', () => {
    const families = parseMetrics('# HELP x y\nmoonx_a{worker="0"} 3\nmoonx_a{worker="1",x="a\\"b"} 4.5\nmoonx_b 1e3\nrubbish\n');
    assert.equal(sum(families, 'moonx_a'), 7.5);
    assert.equal(families.get('moonx_a')[1].labels.worker, '1');
    assert.equal(sum(families, 'moonx_b'), 1000);
    assert.equal(sum(families, 'moonx_c'), 0);
});

test('a number beside a plot has a few digits, whatever its size', () => {
    assert.deepEqual([0, 8.54, 99.96, 472.8, 9999, 23_440, 100_000, 999_600, 1_234_567, null, undefined].map(shortNumber),
        ['0', '8.5', '100', '473', '9999', '23.4 k', '100 k', '1 M', '1.2 M', '–', '–']);
});

test('a row of the stream shows the data as it came, or all of what is no envelope', () => {
    assert.equal(gist('{"id":"t:0:1","type":"a","timestamp":1,"data":{"price":10500.250,"data":{}}}'), '{"price":10500.250,"data":{}}');
    assert.equal(gist('{"id":"quoted \\"data\\":","type":"a","data":{"n":1}}'), '{"n":1}');
    assert.equal(gist('{"data":{"cut":"in the mid…'), '{"cut":"in the mid…');
    assert.equal(gist('rubbish'), 'rubbish');
});

test('the clock of the server is taken from the quickest of the last ten answers', () => {
    const clock = new ServerClock();
    assert.equal(clock.offsetMs, 0);
    clock.take({ offsetMs: 400, tookMs: 900 });
    assert.equal(clock.offsetMs, 400);
    clock.take({ offsetMs: 7, tookMs: 2 });
    clock.take({ offsetMs: -300, tookMs: 700 });
    assert.equal(clock.offsetMs, 7);
    for (let i = 0; i < 10; i++)
        clock.take({ offsetMs: 20 + i, tookMs: 50 - i });
    assert.equal(clock.offsetMs, 29);
});

test('percentiles by nearest rank', () => {
    const hundred = Array.from({ length: 100 }, (_, i) => i + 1);
    assert.equal(percentile(hundred, 0.5), 50);
    assert.equal(percentile(hundred, 0.99), 99);
    assert.equal(percentile([7], 0.99), 7);
    assert.equal(percentile([], 0.5), undefined);
});

test('a trend stays in its box, whatever the values', () => {
    for (const values of [[1, 1, 1], [0, 1e9], Array.from({ length: 60 }, (_, i) => Math.sin(i))]) {
        for (const point of trendPoints(values, 96, 24).split(' ')) {
            const [x, y] = point.split(',').map(Number);
            assert.ok(x >= 0 && x <= 96 && y >= 0 && y <= 24, point);
        }
    }
});
