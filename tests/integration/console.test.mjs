// The console in a real browser: Debian's Chromium, driven by playwright-core.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { PATIENCE_MS, mintToken, root, shell, startGateway, until } from './harness.mjs';

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const shots = join(root, 'build/screenshots');

let gateway, browser, context, page, faults;

before(async () => {
    mkdirSync(shots, { recursive: true });
    gateway = await startGateway({ dev: true, workers: 2 });
    browser = await chromium.launch({
        executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium',
        args: ['--no-sandbox', '--disable-background-networking', '--disable-component-update', '--disable-gpu'],
        timeout: 2 * PATIENCE_MS,
    });
});

after(async () => {
    await browser?.close();
    await gateway?.stop();
});

// Whatever the page complains of fails its test: an error, a violation of the policy, a file that is missing.
async function open(options = {}, { url = gateway.http, path = '/', expected = [] } = {}) {
    context = await browser.newContext(options);
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', error => faults.push(`page error: ${error.message}`));
    page.on('console', message => {
        if (['error', 'warning'].includes(message.type()) && !expected.some(pattern => pattern.test(message.text())))
            faults.push(`console: ${message.text()}`);
    });
    page.on('requestfailed', request => {
        if (!expected.some(pattern => pattern.test(request.url())))
            faults.push(`request failed: ${request.url()}`);
    });
    page.on('request', request => {
        if (!request.url().startsWith(url))
            faults.push(`a request leaves the gateway: ${request.url()}`);
    });
    await page.goto(url + path);
    return page;
}

const state = () => page.locator('#state').textContent();
const live = () => until('a live connection', async () => await state() === 'connected');

async function produce(values, partition, topic = 'price.updates') {
    const bootstrap = readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim();
    const file = join(gateway.devDirectory, 'values');
    writeFileSync(file, values.join('\n'));
    const kcat = shell(`kcat -P -b ${bootstrap} -t ${topic} -p ${partition} -l ${file}`);
    assert.equal((await kcat.exited).code, 0, kcat.errors);
}

beforeEach(() => {
    faults = [];
});

afterEach(async () => {
    await context?.close();
    assert.deepEqual(faults, []);
});

test('in --dev it signs in by itself, prices move, figures are drawn', async () => {
    await open();
    await live();
    assert.equal(await page.locator('#who').textContent(), 'demo');
    assert.ok(await page.locator('#sign-in').isHidden());
    const price = page.locator('#price-rows tr').first().locator('.price');
    const first = await price.textContent();
    await until('a price that moves', async () => await price.textContent() !== first);
    await page.locator('#price-rows polyline[points]').first().waitFor({ state: 'attached' });
    await until('six plots', async () => await page.locator('#plots canvas').count() === 6);
    await until('figures', async () => (await page.locator('#plots output').allTextContents()).every(text => /\d/.test(text)));
    assert.deepEqual(await page.evaluate(() => Object.keys(localStorage)), []);
});

test('joins and leaves a room; a refusal is told', async () => {
    await open();
    await live();
    const join = async channel => {
        await page.fill('#channel', channel);
        await page.press('#channel', 'Enter');
    };
    const rooms = () => page.locator('#room-list li span').allTextContents();
    await until('seven rooms', async () => (await rooms()).length === 7);
    await join('chat:console');
    await until('the room', async () => (await rooms()).includes('chat:console'));
    await page.getByRole('button', { name: 'Leave chat:console' }).click();
    await until('the room left', async () => !(await rooms()).includes('chat:console'));
    await join('orders:somebody-else');
    await until('a refusal', async () => (await page.locator('#room-answer').textContent()).includes('PERMISSION_DENIED'));
});

test('every template has its answer', async () => {
    await open();
    await live();
    for (const type of await page.locator('#template option').allTextContents()) {
        await page.selectOption('#template', type);
        await page.getByRole('button', { name: 'Send' }).click();
        const answer = () => page.locator('#answer').textContent();
        if (type === 'typing') {
            assert.match(await answer(), /^Sent/);
            continue;
        }
        await until(`an answer to ${type}`, async () => (await answer()).startsWith('{'));
        const { type: answered, ref, data } = JSON.parse(await answer());
        assert.match(ref, /^composed-/);
        assert.notEqual(data.code, 'UNKNOWN_TYPE', `${type}: ${answered}`);
    }
    await page.fill('#message', '{"type":');
    await page.getByRole('button', { name: 'Send' }).click();
    assert.match(await page.locator('#answer').textContent(), /^This is no JSON/);
});

test('the stream is filtered, paused and shown whole', async () => {
    await open();
    await live();
    const types = () => page.locator('#messages .type').allTextContents();
    await page.fill('#filter', 'trade_update');
    const tradesAlone = async () => (await types()).length > 0 && (await types()).every(type => type === 'trade_update');
    await until('trades alone', tradesAlone);
    await until('the pause, with trades among the newest messages', async () => {
        await page.click('#pause');
        await until('the pause', async () => /paused/.test(await page.locator('#stream-count').textContent()));
        if (await tradesAlone())
            return true;
        await page.click('#pause');
        return false;
    });
    const held = await page.locator('#messages .text').allTextContents();
    await page.locator('#messages button').first().click();
    const whole = JSON.parse(await page.locator('#detail-text').textContent());
    assert.equal(whole.type, 'trade_update');
    await page.keyboard.press('Escape');
    assert.ok(await page.locator('#detail').isHidden());
    assert.deepEqual(await page.locator('#messages .text').allTextContents(), held);
    await page.click('#pause');
    await until('it to go on', async () => (await page.locator('#messages .text').allTextContents())[0] !== held[0]);
});

test('an answer of /metrics that is late makes no rate that never was', async () => {
    await open();
    await live();
    await page.close();
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    let answers = 0;
    await page.route(/\/metrics$/, async route => {
        const response = await route.fetch();
        if (answers++ % 2 === 0)
            await setTimeout(1700); // the page asks every two seconds
        await route.fulfill({ response }).catch(() => {}); // it may have given up
    });
    await page.goto(gateway.http);
    await live();
    const rates = await page.evaluateHandle(() => {
        const seen = [], value = document.querySelector('#plots output');
        new MutationObserver(() => seen.push(Number.parseFloat(value.textContent))).observe(value, { childList: true });
        return seen;
    });
    await until('some rates', async () => (await rates.jsonValue()).length >= 6);
    // Some 40 messages a second; what was taken for a fifth of one was two.
    assert.ok(Math.max(...await rates.jsonValue()) < 150, String(await rates.jsonValue()));
});

test('what is no message is shown as text, never run', async () => {
    await open();
    await live();
    await page.close();
    page = await context.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
    page.on('pageerror', error => faults.push(error.message));
    await page.routeWebSocket(/\/ws$/, socket => {
        const server = socket.connectToServer();
        server.onMessage(message => {
            socket.send(message);
            if (String(message).includes('auto_subscribed')) {
                socket.send('<img src=x onerror="window.hurt=1">');
                socket.send('{"type":"price_update","data":{"token":"<script>window.hurt=1</script>","chainId":"<b>","price":{}}}');
                socket.send('{"type":"rooms","data":{"rooms":["<img src=x onerror=window.hurt=1>",{},null]}}');
                socket.send('{"type":"subscribed","data":null}');
                socket.send('[]');
            }
        });
    });
    await page.goto(gateway.http);
    await page.locator('#messages li.bad').first().waitFor();
    await until('the strange token', async () => (await page.locator('#price-rows th').allTextContents()).includes('<script>window.hurt=1</script>'));
    assert.equal(await page.evaluate(() => window.hurt), undefined);
    assert.equal(await page.locator('#messages img, #price-rows script, #room-list img').count(), 0);
    assert.equal(await state(), 'connected');
});

test('survives the death of its worker and a restart of the gateway', async () => {
    await open({}, { expected: [/ERR_CONNECTION|ERR_EMPTY|WebSocket connection|\/metrics|\/ws/] });
    await live();
    const ours = await until('our worker', async () => (await gateway.health()).workers.find(worker => worker.connections > 0)?.pid);
    // It may be back before anybody has looked, so the page itself notes what it has shown.
    const shown = await page.evaluateHandle(() => {
        const states = [], element = document.querySelector('#state');
        new MutationObserver(() => states.push(element.textContent)).observe(element, { childList: true, characterData: true, subtree: true });
        return states;
    });
    await gateway.kill('worker', ours);
    await until('that it is away', async () => (await shown.jsonValue()).some(text => text !== 'connected'));
    await live();
    const { port, devDirectory } = gateway;
    await gateway.stop();
    await until('that it is away', async () => await state() !== 'connected');
    // the same folder: the same secret, so that the token of before still counts
    gateway = Object.assign(await startGateway({ dev: true, workers: 2, port, env: { DEV_DIRECTORY: devDirectory } }), { devDirectory });
    await live();
    await until('the notice', async () => /Back again/.test(await page.locator('#notice').textContent()));
});

test('holds its memory over 50,000 events', { timeout: 900_000 }, async () => {
    await open();
    await live();
    const session = await context.newCDPSession(page);
    await session.send('Performance.enable');
    const measure = async () => {
        await session.send('HeapProfiler.collectGarbage');
        const { metrics } = await session.send('Performance.getMetrics');
        const of = name => metrics.find(metric => metric.name === name).value;
        return { heapMiB: of('JSHeapUsedSize') / 2 ** 20, nodes: of('Nodes') };
    };
    const received = async () => Number.parseInt(await page.locator('#stream-count').textContent(), 10);
    // Of prices a page that is slow gets the newest alone, so trades are counted.
    const flood = async (count, partition) => {
        const from = await received();
        await produce(Array.from({ length: count / 10 }, (_, i) => JSON.stringify({ token: `T${i % 50}`, chainId: 1, price: String(100 + i % 97) })), partition);
        await produce(Array.from({ length: count }, (_, i) => JSON.stringify({ tradeId: `t-${i}`, userId: 'someone', text: 'x'.repeat(100) })), partition, 'trade.updates');
        await until(`${count} events`, async () => await received() >= from + count, 300_000);
    };
    await flood(10_000, 0);
    const early = await measure();
    await flood(20_000, 1);
    await flood(20_000, 2);
    const late = await measure();
    assert.ok(late.heapMiB < early.heapMiB + 4, `heap ${early.heapMiB.toFixed(1)} MiB, then ${late.heapMiB.toFixed(1)} MiB`);
    assert.ok(late.nodes < early.nodes + 1_500, `nodes ${early.nodes}, then ${late.nodes}`);
    assert.ok(await page.locator('#messages li').count() <= 100);
});

async function accessible() {
    await page.evaluate(axeSource);
    const { violations } = await page.evaluate(() => axe.run());
    assert.deepEqual(violations.filter(({ impact }) => ['serious', 'critical'].includes(impact))
        .map(({ id, nodes }) => `${id}: ${nodes.map(node => node.html).join(' ')}`), []);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'wider than the screen');
}

for (const [name, options] of Object.entries({
    light: { colorScheme: 'light', viewport: { width: 1280, height: 1000 } },
    dark: { colorScheme: 'dark', viewport: { width: 1280, height: 1000 } },
    phone: { colorScheme: 'light', viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true },
})) {
    test(`${name}: no serious fault of accessibility, nothing wider than the screen`, async () => {
        await open(options);
        await live();
        await page.locator('#price-rows tr').nth(3).waitFor();
        await until('plots', async () => (await page.locator('#plots output').allTextContents()).every(text => /\d/.test(text)));
        await accessible();
        assert.ok(await page.locator('#prices .scroll').evaluate(box => box.scrollWidth <= box.clientWidth), 'no column of the prices is cut off');
        await page.screenshot({ path: join(shots, `console-${name}.png`), fullPage: name === 'phone' });
        await page.goto(`${gateway.http}/docs`);
        await accessible();
        await page.screenshot({ path: join(shots, `docs-${name}.png`) });
    });
}

test('the documentation tries its examples on the running gateway', async () => {
    await open({}, { path: '/docs' });
    await page.locator('#client-ping').getByRole('button', { name: 'Try it' }).click();
    await page.getByRole('button', { name: 'Send' }).click();
    await until('the answer', async () => /"type": "pong"/.test(await page.locator('#try-answer').textContent()));
    await page.fill('#try-message', '{"type":"subscribe","data":{"channel":"prices"}}');
    await page.getByRole('button', { name: 'Send' }).click();
    await until('another on the same connection', async () => /"type": "subscribed"/.test(await page.locator('#try-answer').textContent()));
});

test('without --dev and without a token it says what to do; a token signs in for this tab alone', async () => {
    const kafka = readFileSync(join(gateway.devDirectory, 'bootstrap'), 'utf8').trim();
    const closed = await startGateway({ kafka });
    try {
        await open({}, { url: closed.http });
        await page.locator('#sign-in').waitFor();
        assert.match(await page.locator('#sign-in').textContent(), /moonx-gateway token --user/);
        await page.fill('#token', 'rubbish');
        await page.press('#token', 'Enter');
        await until('the refusal', async () => /INVALID_TOKEN/.test(await state()));
        await page.fill('#token', mintToken({ sub: 'paula' }));
        await page.press('#token', 'Enter');
        await live();
        assert.equal(await page.locator('#who').textContent(), 'paula');
        assert.deepEqual(await page.evaluate(() => [Object.keys(localStorage).length, document.cookie]), [0, '']);
        await page.reload();
        await live();
        await page.click('#sign-out');
        assert.equal(await page.evaluate(() => sessionStorage.length), 0);
        assert.ok(await page.locator('#sign-in').isVisible());
    } finally {
        await context.close();
        await closed.stop();
    }
});
