// One run: gateways as the scenario wants them, clients and load; then faults; then all is whole again, and everybody must
// come to the end; then the judgement.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Recorder } from '../checker/recorder.mjs';
import { Authority } from '../integration/certificates.mjs';
import { startGateway, until } from '../integration/harness.mjs';
import { startRedis } from '../integration/redis_server.mjs';
import { faults } from './faults.mjs';
import { helpers } from './faults_host.mjs';
import { Load, recordSent } from './load.mjs';
import { Random, pause } from './random.mjs';
import { Scarce } from './scarce.mjs';
import { Wanderer } from './wanderer.mjs';

const WANDERERS = 8;
const RATE = 300;
const HEALED_MS = 120_000;
const ROOM = 'chat:chaos';
const DAY_S = 86_400; // of tokens: whatever the clock does, they hold

const mayHear = user => ['prices', 'trades', 'system_alerts', ROOM, ...['user', 'portfolio', 'orders', 'notifications'].map(own => `${own}:${user}`)];

function fakeTime() {
    const library = readdirSync('/usr/lib').map(folder => join('/usr/lib', folder, 'faketime/libfaketimeMT.so.1')).find(existsSync);
    assert.ok(library, 'libfaketime is installed');
    return library;
}

// What a scenario may ask for beside options: each gives settings of startGateway and what faults need to know of the gateway.
const equipment = {
    clock(folder, number) {
        const file = join(folder, `clock-${number}`);
        writeFileSync(file, '+0s\n');
        return {
            env: { LD_PRELOAD: fakeTime(), FAKETIME_TIMESTAMP_FILE: file, FAKETIME_CACHE_DURATION: '1', FAKETIME_DONT_FAKE_MONOTONIC: '1' },
            marks: { clock: { file, offset_s: 0 } },
        };
    },
    scarce(folder, number) {
        const file = join(folder, `scarce-${number}`);
        Scarce.create(file);
        return { env: { LD_PRELOAD: join(helpers, 'scarce.so'), SCARCE_FILE: file }, marks: { scarce: file } };
    },
    tls(folder, number) {
        const authority = new Authority(folder, `authority-${number}`);
        const { cert, key } = authority.issue(`server-${number}`, { names: ['127.0.0.1'] });
        return { env: { TLS_CERT_FILE: cert, TLS_KEY_FILE: key }, ca: authority.text };
    },
    deflate: () => ({ env: { WS_DEFLATE: 'true' } }),
    fullLog: () => ({ stderr: '/dev/full' }),
};

function settingsOf({ kafka, folder, redis }, { needs = [], env = {} }, number) {
    const config = join(folder, `config-${number}`);
    writeFileSync(config, '');
    const settings = {
        kafka: kafka.bootstrap, workers: 2, marks: {},
        env: { INSTANCE_ID: `chaos-${number}`, CONFIG_FILE: config, ...(redis ? { REDIS_URL: redis.url } : {}), ...env },
    };
    for (const { env: more, marks, ...rest } of needs.map(need => equipment[need](folder, number)))
        Object.assign(settings, rest, { env: { ...settings.env, ...more }, marks: { ...settings.marks, ...marks } });
    return settings;
}

export class Scene {
    gateways = [];
    wanderers = [];
    recorder = new Recorder();
    broken = 0; // faults so far
    #scenario;
    #seed;

    // house: {kafka, partitions, sent}. long: faults may take their time.
    constructor(house, scenario, seed, long) {
        Object.assign(this, { ...house, long, random: new Random(`${seed} faults`) });
        this.folder = mkdtempSync(join(tmpdir(), 'moonx-chaos-'));
        chmodSync(this.folder, 0o755); // workers are another user when root has started them
        this.#scenario = scenario;
        this.#seed = seed;
    }

    async startGateway(settings, port) {
        const gateway = await startGateway({ ...settings, port });
        return Object.assign(gateway, { settings, workers: settings.workers }, settings.marks);
    }

    async set() {
        const { gateways = 1, redis, rate = RATE, padding, unplaced = [], needs = [] } = this.#scenario;
        this.redis = redis && await startRedis();
        this.recorder.unplaced = new Set(unplaced);
        for (let i = 0; i < gateways; i++)
            this.gateways.push(await this.startGateway(settingsOf(this, this.#scenario, i), 0));
        for (let i = 0; i < WANDERERS; i++) {
            const user = `w${i}`;
            this.recorder.entries.push({ kind: 'may', user, rooms: mayHear(user) });
            this.wanderers.push(new Wanderer({
                run: randomBytes(4).toString('hex'), user, room: ROOM, recorder: this.recorder, gateways: () => this.gateways,
                random: new Random(`${this.#seed} ${user}`), forgetful: i % 4 === 3, ttl: DAY_S,
                deflate: needs.includes('deflate') && i % 2 === 0,
            }));
        }
        await until('all clients are in', () => this.wanderers.every(({ current }) => current));
        this.load = new Load({ kafka: this.kafka, wanderers: this.wanderers, random: new Random(`${this.#seed} load`), rate, padding, sent: this.sent });
        await until('something is published', () => this.wanderers.some(({ answered }) => answered > 0));
    }

    async #strike(name, delay) {
        await pause(delay);
        this.broken++;
        await faults[name](this);
    }

    // Different ones, if there are so many.
    #choose(names, count) {
        const left = [...names];
        return Array.from({ length: Math.min(count, left.length) }, () => left.splice(this.random.below(left.length), 1)[0]);
    }

    // For so long, and until what has been begun is over; `meanwhile` happens beside it, again and again.
    async breakThings(forMs) {
        const { faults: names, together = 1, meanwhile = [] } = this.#scenario;
        const end = performance.now() + forMs;
        let over = false;
        const beside = meanwhile.map(async name => {
            while (!over)
                await this.#strike(name, this.random.between(50, 500));
        });
        try {
            do {
                await pause(this.random.between(forMs / 6, forMs / 3));
                await Promise.all(this.#choose(names, together).map(name => this.#strike(name, this.random.between(0, together > 1 ? 400 : 0))));
            } while (performance.now() < end);
        } finally {
            over = true;
            await Promise.all(beside);
        }
    }

    // All is whole again: every client must come to the end of every partition of its rooms, without losing its connection.
    async comeToTheEnd() {
        const { load, wanderers, recorder } = this;
        await load.stop();
        await until('all clients are in, their publishes answered', () =>
            wanderers.every(({ current, unanswered }) => current && unanswered === 0), HEALED_MS);
        const allLive = () => until('all clients are live', async () =>
            (await Promise.all(wanderers.map(wanderer => wanderer.isLive()))).every(Boolean), HEALED_MS);
        await allLive();
        const last = await load.last(this.partitions);
        if (!this.#scenario.failures)
            assert.deepEqual(load.failures, [], 'Kafka has taken everything');
        const missing = () => wanderers.flatMap(wanderer => last.filter(({ name, user }) => (user ?? wanderer.user) === wanderer.user
            && !wanderer.has(name)).map(({ name }) => `${wanderer.user}: ${name}`));
        await until('everybody has the last events', () => missing().length === 0, HEALED_MS).catch(async error => {
            throw new Error(`${error.message}; state in ${await this.#state(missing())}`);
        });
        await allLive(); // if something was passed over, it has been told by now
        for (const wanderer of wanderers)
            last.filter(({ user }) => (user ?? wanderer.user) === wanderer.user).forEach(({ name }) => recorder.seen(wanderer.current, name));
        await Promise.all(wanderers.map(wanderer => wanderer.stop()));
        this.said = await recordSent(this.kafka, recorder, load);
    }

    // What there is to know of a run that does not end, in a file.
    async #state(missing) {
        const pages = ['/metrics', '/health', '/debug/kafka', '/debug/subscriptions', ...this.wanderers.map(({ user }) => `/connections?user=${user}`)];
        const closes = this.wanderers.flatMap(wanderer => wanderer.closes.map(close => JSON.stringify(close)));
        const text = [`missing:\n${missing.join('\n')}`, `closes:\n${closes.join('\n')}`];
        for (const gateway of this.gateways)
            for (const page of pages)
                text.push(await gateway.get(page).then(answer => answer.text(), String).then(said => `${gateway.http}${page}\n${said}`));
        const file = join(mkdtempSync(join(tmpdir(), 'moonx-state-')), 'state');
        writeFileSync(file, text.join('\n\n'));
        return file;
    }

    async judge() {
        const { closes, refusals = [], lapped = false, gaps = false } = this.#scenario;
        this.recorder.verify({ events: 200 });
        const unexpected = this.wanderers.flatMap(wanderer => wanderer.closes).filter(({ code }) => !closes.includes(code));
        assert.deepEqual(unexpected, [], 'closed without need');
        assert.deepEqual(this.wanderers.flatMap(wanderer => wanderer.refusals).filter(reason => !refusals.includes(reason)), [], 'resumes refused');
        const sum = async name => (await Promise.all(this.gateways.map(gateway => gateway.metric(name)))).reduce((all, one) => all + one);
        assert.equal(await sum('late_wakes_total'), 0, 'no wake-up is lost');
        assert.equal(await sum('records_lapped_total') > 0, lapped, 'somebody is lapped');
        assert.equal(await sum('kafka_gap_offsets_total') > 0, gaps, 'something is lost to retention');
    }

    // What has happened, to be added up over runs.
    figures() {
        const total = name => this.wanderers.reduce((sum, wanderer) => sum + (wanderer[name].length ?? wanderer[name]), 0);
        const kinds = {};
        for (const { kind } of this.recorder.entries)
            kinds[kind] = (kinds[kind] ?? 0) + 1;
        return {
            faults: this.broken, events: this.load?.confirmed ?? 0, deliveries: kinds.event ?? 0, connections: kinds.open ?? 0,
            closed: total('closes'), resumed: total('recovered'), 'not resumed': total('refusals'), published: total('answered'),
            'not published': total('failed'), ...(this.refused === undefined ? {} : { 'allocations refused': this.refused }),
        };
    }

    async end() {
        await Promise.all(this.wanderers.map(wanderer => wanderer.stop()));
        await this.load?.stop();
        await this.load?.close();
        for (const gateway of this.gateways)
            await gateway.stop();
        await this.redis?.stop();
        rmSync(this.folder, { recursive: true });
    }
}
